//! `paddock doctor`: checks the set-up, in words, with what to do about what is wrong.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use tokio::process::Command;
use url::Url;

use super::store::{Hold, Store};
use super::terminal::out;
use crate::config::{StoreArgs, StoreConfig};
use crate::db::MigrationState;
use crate::policy::versions::{self, PolicyVersion, VersionText};

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Only ask the server at this address whether it is ready: the health check of a container
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = Server::HERE)]
    live: Option<Server>,
    /// Where the server listens: who --live asks when it is given no URL
    #[arg(long, env = "PADDOCK_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8400")]
    listen: SocketAddr,
    #[command(flatten)]
    store: StoreArgs,
}

/// Which server is asked whether it is ready.
#[derive(Debug, Clone)]
enum Server {
    /// The one that has the same settings.
    Here,
    At(Url),
}

impl Server {
    const HERE: &str = "here";
}

impl FromStr for Server {
    type Err = url::ParseError;

    fn from_str(text: &str) -> Result<Self, url::ParseError> {
        if text == Self::HERE { Ok(Self::Here) } else { text.parse().map(Self::At) }
    }
}

pub(super) async fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    match args.live {
        Some(Server::Here) => return live(&here(args.listen)?).await,
        Some(Server::At(url)) => return live(&url).await,
        None => {}
    }
    let mut report = Report { problems: 0 };
    let config = args.store.check()?;
    report.check_store(&config).await;
    report.check_tools().await;
    Report::check_walls(&config.data_dir);
    out("");
    out(match report.problems {
        0 => "All is well.".to_owned(),
        1 => "1 problem.".to_owned(),
        count => format!("{count} problems."),
    });
    Ok(if report.problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Report {
    problems: usize,
}

impl Report {
    fn good(text: impl std::fmt::Display) {
        out(format!("ok       {text}"));
    }

    fn note(text: impl std::fmt::Display) {
        out(format!("note     {text}"));
    }

    fn bad(&mut self, text: impl std::fmt::Display) {
        self.problems += 1;
        out(format!("problem  {text}"));
    }

    async fn check_store(&mut self, config: &StoreConfig) {
        match config.sealer(&crate::base::OsEntropy, false) {
            Ok(sealer) => Self::good(format!("encryption key: {sealer:?}")),
            Err(error) => self.bad(error),
        }
        let store = match Store::open(config, Hold::Borrow).await {
            Ok(store) => store,
            Err(error) => return self.bad(format!("database: {error:#}")),
        };
        if let Some(embedded) = &store.embedded {
            let who = if embedded.is_ours() { "started for this check" } else { "run by another Paddock" };
            Self::good(format!("private Postgres in {}, {who}", config.data_dir.display()));
        }
        match store.db.ping().await {
            Ok(()) => Self::good("the database answers"),
            Err(error) => self.bad(format!("{:#}", anyhow::Error::from(error))),
        }
        match crate::db::migration_state(&store.db).await {
            Ok(MigrationState::Current) => Self::good("the database's schema is up to date"),
            Ok(MigrationState::Behind(count)) => {
                self.bad(format!("the database's schema lacks {count} migrations: run `paddock migrate`"));
            }
            Err(error) => self.bad(format!("the database's schema: {:#}", anyhow::Error::from(error))),
        }
        self.check_quotas(&store.db).await;
        self.check_policies(&store).await;
        if let Err(error) = store.close().await {
            self.bad(format!("the private Postgres does not stop: {error:#}"));
        }
    }

    /// Whether what quotas count is what environments hold, and that what the ledger says.
    async fn check_quotas(&mut self, db: &crate::db::Db) {
        let found = async { crate::projects::ledger_discrepancies(&mut *db.acquire().await?).await };
        match found.await {
            Ok(wrong) if wrong.is_empty() => Self::good("the ledger of quotas adds up"),
            Ok(wrong) => wrong.iter().for_each(|one| self.bad(format!("quotas: {one}"))),
            Err(error) => self.bad(format!("the ledger of quotas: {:#}", anyhow::Error::from(error))),
        }
    }

    /// Whether the policies that people published fit this Paddock.
    async fn check_policies(&mut self, store: &Store) {
        match stored_policies(store).await {
            Ok(None) => Self::note("no policies are stored yet: the first start stores the built-in set"),
            Ok(Some((version, text))) => match crate::app::fitting_policies(&version, &text) {
                Ok(_) => Self::good(format!("policies: version {} fits this Paddock", version.number)),
                Err(why) => self.bad(format!(
                    "version {} of the policies does not fit this Paddock, so nothing is made or changed: {why}. \
                     Two admins mend it: Administration, Policies",
                    version.number
                )),
            },
            Err(error) => self.bad(format!("the policies: {:#}", anyhow::Error::from(error))),
        }
    }

    fn check_walls(data_dir: &std::path::Path) {
        let work = data_dir.join("work");
        let made = crate::providers::make_folder(&work).map_err(|error| error.to_string());
        match made.and_then(|()| crate::providers::Sandbox::probe(data_dir, &work, &[])) {
            Ok(sandbox) if sandbox.is_closed() => {
                Self::good("programs of templates are walled off from Paddock's data, and cannot write elsewhere");
            }
            Ok(_) => Self::note("programs of templates are walled off from Paddock's data, but can write elsewhere"),
            Err(why) => Self::note(format!("programs of templates are not walled off from Paddock's data: {why}")),
        }
    }

    async fn check_tools(&self) {
        for (programs, argument, purpose) in [
            (&["tofu", "terraform"][..], "version", "templates of the terraform provider"),
            (&["git"][..], "--version", "templates that make Git repositories"),
        ] {
            match first_that_runs(programs, argument).await {
                Some(version) => Self::good(version),
                None => Self::note(format!("there is no {} here: {purpose} will not run", programs.join(" or "))),
            }
        }
    }
}

/// The version in force and its text.
async fn stored_policies(store: &Store) -> crate::db::Result<Option<(PolicyVersion, VersionText)>> {
    let mut connection = store.db.acquire().await?;
    let Some(version) = versions::published(&mut connection).await? else { return Ok(None) };
    let text = versions::text_of(&mut connection, version.id).await?;
    Ok(Some((version, text)))
}

async fn first_that_runs(programs: &[&str], argument: &str) -> Option<String> {
    for program in programs {
        let Ok(output) = Command::new(program).arg(argument).output().await else { continue };
        if output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            return Some(text.lines().next().unwrap_or(program).to_owned());
        }
    }
    None
}

/// The address at which this machine reaches a server that listens here.
fn here(mut listen: SocketAddr) -> Result<Url, url::ParseError> {
    if listen.ip().is_unspecified() {
        listen.set_ip(if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    Url::parse(&format!("http://{listen}"))
}

async fn live(url: &Url) -> anyhow::Result<ExitCode> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build()?;
    let problem = match client.get(url.join("/readyz")?).send().await {
        Ok(answer) if answer.status().is_success() => return Ok(ExitCode::SUCCESS),
        Ok(answer) => format!("{url} is not ready: {}", answer.status()),
        Err(error) => format!("{url} does not answer: {:#}", anyhow::Error::from(error)),
    };
    out(problem);
    Ok(ExitCode::FAILURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_where_it_listens() {
        for (listen, asked) in [
            ("127.0.0.1:8400", "http://127.0.0.1:8400/"),
            ("0.0.0.0:9000", "http://127.0.0.1:9000/"),
            ("[::]:9000", "http://[::1]:9000/"),
            ("192.0.2.7:80", "http://192.0.2.7/"),
        ] {
            assert_eq!(here(listen.parse().unwrap()).unwrap().as_str(), asked);
        }
    }
}
