//! The verbs of the binary. Parses, checks, starts telemetry and the runtime, and calls one function
//! per verb; what a verb does lies in the rooms below. Errors end here: one sentence, its causes,
//! exit code 1. It reads no environment variable itself (config does).

mod admin;
mod catalog;
mod compose;
mod doctor;
mod migrate;
mod policy;
mod server;
mod signals;
mod store;
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::config::{LogArgs, LogFormat, ServerArgs, StoreArgs};
use crate::db::embedded::keeper;
use crate::providers::guard;
use crate::telemetry;
use server::Roles;

/// Self-hosted developer portal: environments by self-service, inside the limits of the platform team.
#[derive(Debug, Parser)]
#[command(name = "paddock", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run everything on this machine: pages, API, worker, and a private Postgres unless `DATABASE_URL` is set
    Up(Box<UpArgs>),
    /// Serve pages and API on an existing Postgres; any number of these may run
    Serve(Box<ServerArgs>),
    /// Execute runs on an existing Postgres; any number of these may run
    Worker(Box<ServerArgs>),
    /// Bring the database's schema up to this version
    Migrate(StoreArgs),
    /// Check the set-up and say what to do about what is wrong
    Doctor(doctor::DoctorArgs),
    /// People and tokens, from the server's terminal
    Admin(admin::AdminArgs),
    /// Check, add and read catalog sources
    Catalog(catalog::CatalogArgs),
    /// Check policies, and make decisions of the past again
    Policy(policy::PolicyArgs),
    /// The process that keeps the private Postgres; started by `up`
    #[command(name = keeper::VERB, hide = true)]
    PostgresKeeper(KeeperArgs),
}

#[derive(Debug, Args)]
struct UpArgs {
    /// Sample projects, people and templates, and sign-in by one click; on this machine only
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
struct KeeperArgs {
    #[arg(long)]
    folder: PathBuf,
}

/// Runs the verb that the arguments name.
pub fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|verb| verb == guard::VERB) {
        // Started by a worker, one per program: no settings, no log, no threads.
        return guard::guard_main(args);
    }
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            terminal::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Verb::PostgresKeeper(args) = &cli.verb {
        // No threads to spare and no log: it talks to its parent only.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let done = runtime.block_on(keeper::run(&args.folder));
        // The thread that reads the standard input may still be waiting.
        runtime.shutdown_background();
        return Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let default_filter = match &cli.verb {
        Verb::Serve(_) | Verb::Worker(_) => "info,sqlx=warn",
        // At a terminal the words of the verb itself are what people read.
        // The download of Postgres tells its retries in its own words.
        _ => "warn,reqwest_retry=error",
    };
    let log = cli.log.check(default_filter);
    telemetry::init(&log.filter, log.format == LogFormat::Json)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(verb(cli.verb))?;
    runtime.shutdown_timeout(Duration::from_secs(5));
    Ok(code)
}

async fn verb(verb: Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Up(args) => server::run(args.server.check(args.demo)?, Roles::All).await?,
        Verb::Serve(args) => server::run(args.check(false)?, Roles::Serve).await?,
        Verb::Worker(args) => server::run(args.check(false)?, Roles::Work).await?,
        Verb::Admin(args) => admin::run(args).await?,
        Verb::Catalog(args) => return catalog::run(args).await,
        Verb::Policy(args) => return Ok(policy::run(args).await),
        Verb::Migrate(args) => migrate::run(args.check()?).await?,
        Verb::Doctor(args) => return doctor::run(args).await,
        Verb::PostgresKeeper(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}
