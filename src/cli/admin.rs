//! `paddock admin`: what somebody at the server's terminal may do without signing in.

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};

use super::compose::operator;
use super::store::{Hold, Store};
use super::terminal::{Terminal, out};
use crate::base::OsEntropy;
use crate::config::{StoreArgs, StoreConfig, read_secret_file};
use crate::db::embedded::Reporter as _;
use crate::identity::{self, Holder, Person, Role, Source, TokenScopes};

#[derive(Debug, Args)]
pub(super) struct AdminArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(subcommand)]
    verb: AdminVerb,
}

#[derive(Debug, Subcommand)]
enum AdminVerb {
    /// Make an API token for a person and print it; it is shown this once
    Token(TokenArgs),
    /// Make a person with a password, or set the password and the role of one
    User(UserArgs),
    /// Print a new code for the set-up page
    SetupCode,
    /// Put stored secrets under the first of the encryption keys, after another one was set before it
    RewrapKeys,
}

#[derive(Debug, Args)]
struct TokenArgs {
    /// The person's login name
    #[arg(long, value_name = "LOGIN")]
    user: String,
    /// What the token is for, as it stands in the list of tokens
    #[arg(long, default_value = "made at the terminal")]
    name: String,
    /// What it may be used for: read, request, review, admin, audit
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', default_value = "read,request")]
    scopes: Vec<String>,
    /// How long it works
    #[arg(long, value_name = "DURATION", default_value = "30d")]
    ttl: String,
}

#[derive(Debug, Args)]
struct UserArgs {
    /// The login name
    login: String,
    /// The name that others see
    #[arg(long)]
    name: Option<String>,
    /// A file with the password; `-` reads one line from the standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    password_file: std::path::PathBuf,
    /// A role on the whole platform
    #[arg(long, value_enum)]
    role: Option<PlatformRole>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PlatformRole {
    /// Curates templates, projects and people
    Admin,
    /// Reads everything and changes nothing
    Auditor,
}

impl From<PlatformRole> for Role {
    fn from(role: PlatformRole) -> Self {
        match role {
            PlatformRole::Admin => Self::Admin,
            PlatformRole::Auditor => Self::Auditor,
        }
    }
}

pub(super) async fn run(args: AdminArgs) -> anyhow::Result<()> {
    let config = args.store.check()?;
    let store = Store::open(&config, Hold::Borrow).await?;
    let done = match args.verb {
        AdminVerb::Token(args) => token(&store, args).await,
        AdminVerb::User(args) => user(&store, args).await,
        AdminVerb::SetupCode => setup_code(&store).await,
        AdminVerb::RewrapKeys => rewrap_keys(&store, &config).await,
    };
    store.close().await?;
    done
}

async fn person(store: &Store, login: &str) -> anyhow::Result<Option<Person>> {
    Ok(identity::find_person(&mut *store.db.acquire().await?, login).await?)
}

async fn token(store: &Store, args: TokenArgs) -> anyhow::Result<()> {
    let ttl = duration(&args.ttl)?;
    let scopes: TokenScopes = args.scopes.join(" ").parse().context("--scopes")?;
    let Some(person) = person(store, &args.user).await? else {
        anyhow::bail!("there is no person with the login name {}", args.user);
    };
    let token = identity::mint_token(&store.db, &operator(), &person, &args.name, &scopes, ttl).await?;
    Terminal.line(&format!("A token of {} for {scopes}, until {}:", person.login, token.expires_at));
    out(token.secret.expose_secret());
    Ok(())
}

/// Days are 24 hours here, as nobody asks for an API token's time zone.
fn duration(text: &str) -> anyhow::Result<SignedDuration> {
    let span: jiff::Span =
        text.parse().with_context(|| format!("“{text}” is not a duration; one is for example 30d"))?;
    span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).context("use weeks, days and hours")
}

async fn user(store: &Store, args: UserArgs) -> anyhow::Result<()> {
    let password = password(&args.password_file)?;
    let op = operator();
    let person = if let Some(person) = person(store, &args.login).await? {
        identity::set_password(&store.db, &op, &person, &password).await?;
        out(format!("The password of {} is set, and their sessions have ended.", person.login));
        person
    } else {
        let name = args.name.as_deref().unwrap_or(&args.login);
        let person = identity::create_local_account(&store.db, &op, &args.login, name, &password).await?;
        out(format!("{} can sign in now.", person.login));
        person
    };
    if let Some(role) = args.role {
        let mut tx = store.db.begin().await?;
        identity::bind_role(&mut tx, &op, role.into(), Holder::Person(person.id), None, Source::Local).await?;
        tx.commit().await?;
        out(format!("{} is {} on the whole platform.", person.login, Role::from(role)));
    }
    Ok(())
}

fn password(file: &std::path::Path) -> anyhow::Result<SecretString> {
    if file != std::path::Path::new("-") {
        return Ok(read_secret_file("--password-file", file)?);
    }
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        Terminal.line("The password, one line; it is seen as you type it (or give --password-file):");
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("cannot read the password")?;
    let line = line.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!line.is_empty(), "no password was given");
    Ok(SecretString::from(line))
}

async fn setup_code(store: &Store) -> anyhow::Result<()> {
    match identity::begin_setup(&store.db, &operator()).await? {
        Some(code) => {
            Terminal.line("The set-up page asks for this code:");
            out(code.expose_secret());
            Ok(())
        }
        None => anyhow::bail!("an admin exists already, so there is nothing to set up"),
    }
}

async fn rewrap_keys(store: &Store, config: &StoreConfig) -> anyhow::Result<()> {
    let sealer = config.sealer(&OsEntropy, false)?;
    let all = crate::app::rewrap_keys(&store.db, &operator(), &sealer).await?;
    let done: u64 = all.iter().map(|one| one.done).sum();
    out(format!("{done} secrets are under the first key now that were not."));
    let left: Vec<String> =
        all.iter().filter(|one| one.left > 0).map(|one| format!("{} in {}", one.left, one.column)).collect();
    if left.is_empty() {
        out("Nothing needs an older key.");
    } else {
        out(format!("Older keys are still needed, keep them: {}.", left.join(", ")));
    }
    Ok(())
}
