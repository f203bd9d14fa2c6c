//! Making the application of this process from its settings.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;
use url::Url;

use super::store::Store;
use crate::app::{App, DemoHost, DemoServer, Parts, Periods};
use crate::base::{Actor, Entropy as _, Op, Origin, OsEntropy, Sealer, SystemClock};
use crate::catalog::{self, NewSource, SourceKind};
use crate::config::{Config, DatabaseSource, WorkerConfig};
use crate::policy::PolicyEngine;
use crate::providers::{LocalHost, Registry};
use crate::{identity, orchestrator, providers, requests};

/// The application of `up`, `serve` and `worker`.
pub(super) fn app(
    config: &Config,
    store: &Store,
    sealer: Sealer,
    public_url: Url,
    machine: &providers::Settings,
) -> anyhow::Result<App> {
    git_credentials(config.content.git_credentials.as_ref())?;
    let policy = match &config.content.policies {
        Some(folder) => PolicyEngine::from_folder(folder),
        None => PolicyEngine::embedded(),
    };
    Ok(App::new(Parts {
        db: store.db.clone(),
        sealer,
        policy: policy.context("the policies are not valid")?,
        providers: Registry::standard(machine),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        identity: identity::Settings {
            session_idle: config.http.sessions.idle,
            session_absolute: config.http.sessions.absolute,
            demo: config.demo,
        },
        oidc: config.oidc.clone().map(|oidc| identity::Oidc::new(oidc, &public_url)).transpose()?,
        public_url,
        request_settings: requests::Settings::default(),
    }))
}

/// Uses the credentials of private Git servers in this process.
pub(super) fn git_credentials(lines: Option<&SecretString>) -> anyhow::Result<()> {
    let Some(lines) = lines else { return Ok(()) };
    catalog::use_git_credentials(lines).map_err(|why| anyhow::anyhow!("the credentials of Git servers: {why}"))
}

/// What the providers that run programs need to know about this machine.
pub(super) fn machine(config: &Config) -> anyhow::Result<providers::Settings> {
    // The running program itself, also after its file was replaced by a new version.
    let itself = PathBuf::from("/proc/self/exe");
    let guard =
        if itself.exists() { itself } else { std::env::current_exe().context("cannot find our own program")? };
    let work_root = config.store.data_dir.join("work");
    providers::close_to_others();
    let sandbox = providers::make_folder(&work_root)
        .map_err(|error| error.to_string())
        .and_then(|()| providers::Sandbox::probe(&config.store.data_dir, &work_root, &config.worker.program_folders));
    match &sandbox {
        Ok(sandbox) if sandbox.is_closed() => {}
        Ok(_) => tracing::warn!("programs of templates can write to this machine here, though not to Paddock's data"),
        Err(why) => tracing::warn!(%why, "programs of templates are not walled off from Paddock's data here"),
    }
    Ok(providers::Settings {
        terraform: config.worker.terraform.clone(),
        terraform_config: config.worker.terraform_config.clone(),
        sandbox: sandbox.ok(),
        engine: config.worker.container.clone().map(|container| providers::Engine {
            program: container.engine,
            pull: container.pull,
            network: container.network,
            environment: container.environment,
        }),
        limits: providers::Limits {
            memory: config.worker.program_memory,
            processes: config.worker.program_processes,
            ..providers::Limits::default()
        },
        limit: config.worker.program_time.unsigned_abs(),
        ..providers::Settings::new(work_root, guard, config.worker.path.clone())
    })
}

/// Somebody at the server's terminal.
pub(super) fn operator() -> Op {
    Op::new(Actor::Operator, Origin::internal("cli"), Arc::new(SystemClock), Arc::new(OsEntropy))
}

/// Paddock itself, where it puts policies in force that nobody wrote here.
pub(super) fn policies_op() -> Op {
    Op::new(Actor::System { part: "policies" }, Origin::internal("cli"), Arc::new(SystemClock), Arc::new(OsEntropy))
}

/// The worker's settings: its name is unique, also where every process has the id 1.
pub(super) fn worker(config: &WorkerConfig) -> orchestrator::Settings {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "worker" } else { host.trim() };
    let mut random = [0; 3];
    OsEntropy.fill(&mut random);
    orchestrator::Settings {
        name: format!("{host}-{}-{}", std::process::id(), hex::encode(random)),
        slots: config.runs,
        lease: config.lease.try_into().unwrap_or(std::time::Duration::from_secs(15)),
        grace: config.drain.try_into().unwrap_or_default(),
        labels: config.labels.clone(),
        provider_limits: config.provider_limits.clone(),
        ..orchestrator::Settings::default()
    }
}

/// How often what is looked after over and over.
pub(super) fn periods(config: &WorkerConfig) -> Periods {
    Periods {
        drift: config.drift_every.try_into().unwrap_or_default(),
        orphans: config.orphans_every.try_into().unwrap_or_default(),
    }
}

/// This machine as a runner host, and where it takes connections: loopback, at a port of its own. None where
/// it cannot be one; the log says how it could.
pub(super) async fn runner_host(
    config: &Config,
    machine: &providers::Settings,
) -> anyhow::Result<Option<(LocalHost, TcpListener)>> {
    match LocalHost::prepare(machine, &config.store.data_dir) {
        Ok(host) => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port for the runner host")?;
            Ok(Some((host, listener)))
        }
        Err(why) => {
            tracing::info!(%why, "no workspaces on this machine: for them, install openssh-server and start again");
            Ok(None)
        }
    }
}

/// Where the demo makes databases, repositories and workspaces.
pub(super) fn demo_server(
    config: &Config,
    store: &Store,
    runner: Option<&(LocalHost, TcpListener)>,
) -> anyhow::Result<DemoServer> {
    let runner = match runner {
        Some((host, listener)) => {
            let (settings, key) = host.target(listener.local_addr()?.port());
            Some(DemoHost { settings, key: key.clone() })
        }
        None => None,
    };
    let repositories = config.store.data_dir.join("repositories");
    make_folder(&repositories)?;
    if let Some(embedded) = &store.embedded {
        let address = embedded.tcp_address();
        return Ok(DemoServer {
            postgres_url: SecretString::from(embedded.superuser_url()),
            host: address.ip().to_string(),
            port: address.port(),
            repositories,
            runner,
        });
    }
    let DatabaseSource::Url(text) = &config.store.database.source else {
        anyhow::bail!("there is no database for the demo");
    };
    let url = Url::parse(text.expose_secret()).context("DATABASE_URL is not valid")?;
    Ok(DemoServer {
        postgres_url: text.clone(),
        host: url.host_str().filter(|host| !host.is_empty()).unwrap_or("127.0.0.1").to_owned(),
        port: url.port().unwrap_or(5432),
        repositories,
        runner,
    })
}

fn make_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))
}

/// The sample catalog inside the binary, for `--demo`.
pub(super) fn sample_source() -> NewSource {
    source("sample", SourceKind::Embedded, String::new())
}

/// The folder of `--catalog`.
pub(super) fn folder_source(folder: &Path) -> anyhow::Result<NewSource> {
    let folder: PathBuf = folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))?;
    Ok(source("local", SourceKind::Folder, folder.display().to_string()))
}

fn source(slug: &str, kind: SourceKind, location: String) -> NewSource {
    NewSource { slug: slug.to_owned(), kind, location, branch: None, folder: String::new() }
}

/// Adds the source unless it is there, and reads it.
pub(super) async fn sync(app: &App, source: NewSource) -> anyhow::Result<()> {
    let op = operator();
    let slug = source.slug.clone();
    let known = catalog::list_sources(&app.db).await?.into_iter().find(|known| known.slug == slug);
    let id = match known {
        Some(known) => known.id,
        None => catalog::add_source(&app.db, &op, source).await?,
    };
    catalog::sync(&app.db, &op, id).await.with_context(|| format!("the catalog source {slug} could not be read"))?;
    for problem in catalog::problems(&app.db, id).await? {
        tracing::warn!(catalog_source = slug, %problem, "catalog");
    }
    Ok(())
}
