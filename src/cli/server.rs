//! `paddock up`, `paddock serve` and `paddock worker`: start, say where, wait, drain, stop.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;

use super::compose;
use super::signals::StopSignals;
use super::store::{Hold, Store};
use super::terminal::Terminal;
use crate::app::{App, PolicySource, follow_policies, seed_demo, serve_runner_host, start_reconcilers, start_worker};
use crate::base::OsEntropy;
use crate::config::{Config, ConfigError, DatabaseSource};
use crate::db::embedded::{EmbeddedError, Reporter as _, Step};
use crate::db::{MigrationState, migration_state};
use crate::{api, identity, web};

/// Beyond the drain of the worker: for open pages and the rest.
const GRACE: Duration = Duration::from_secs(10);

/// What one process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Roles {
    /// Pages, API, worker, and the private Postgres.
    All,
    /// Pages and API.
    Serve,
    /// Runs.
    Work,
}

/// Runs until a signal comes or the private Postgres is lost.
pub(super) async fn run(config: Config, roles: Roles) -> anyhow::Result<()> {
    if roles != Roles::All && matches!(config.store.database.source, DatabaseSource::Embedded) {
        return Err(ConfigError::NoDatabase.into());
    }
    // With an existing database, `up` still has its own data directory for the key.
    let sealer = config.store.sealer(&OsEntropy, roles == Roles::All)?;
    let mut signals = StopSignals::listen()?;
    // Early, so that a taken port is told at once; visitors wait in the queue meanwhile.
    let listener = match roles {
        Roles::All | Roles::Serve => Some(listen(config.http.listen).await?),
        Roles::Work => None,
    };
    let mut store = Store::open(&config.store, Hold::Own).await?;
    let started = tokio::select! {
        started = start(&config, &store, roles, sealer, listener) => started,
        () = signals.next() => Err(anyhow::anyhow!("stopped while starting")),
    };
    let result = match started {
        Ok(app) => {
            let result = until_told(&mut store, &mut signals).await;
            drain(&config, &app, &mut signals).await;
            result
        }
        Err(error) => Err(error),
    };
    store.close().await?;
    result
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; another program may have it: choose another one with --listen")
    })
}

async fn start(
    config: &Config,
    store: &Store,
    roles: Roles,
    sealer: crate::base::Sealer,
    listener: Option<TcpListener>,
) -> anyhow::Result<App> {
    if roles == Roles::All {
        store.migrate().await?;
    } else if let MigrationState::Behind(count) = migration_state(&store.db).await? {
        anyhow::bail!("the database's schema lacks {count} migrations: run `paddock migrate` first");
    }
    let bound = listener.as_ref().map_or(Ok(config.http.listen), TcpListener::local_addr)?;
    let public_url = config.http.public_url(bound)?;
    let machine = compose::machine(config)?;
    let app = compose::app(config, store, sealer, public_url.clone(), &machine)?;
    let source = config.content.policies.clone().map_or(PolicySource::Versions, PolicySource::Folder);
    app.begin_policies(&compose::policies_op(), source).await.context("the policies cannot be read")?;
    if let Some(why) = app.policies_in_force().wrong {
        Terminal.line(&format!(
            "Policies: {why}. Until an admin publishes policies that fit, people see what is there, and nothing is made or changed."
        ));
    }
    follow_policies(&app);
    if config.demo {
        let step = Step::start(&Terminal, "Making the sample projects, people and templates");
        let runner = compose::runner_host(config, &machine).await?;
        seed_demo(&app, &compose::demo_server(config, store, runner.as_ref())?).await?;
        if let Some((host, listener)) = runner {
            serve_runner_host(&app, host, listener);
        }
        compose::sync(&app, compose::sample_source()).await?;
        step.done();
    }
    if let Some(folder) = &config.content.catalog {
        compose::sync(&app, compose::folder_source(folder)?).await?;
    }
    if matches!(roles, Roles::All | Roles::Work) {
        start_worker(&app, compose::worker(&config.worker));
        start_reconcilers(&app, compose::periods(&config.worker));
    }
    match listener {
        Some(listener) => {
            serve(&app, listener);
            tell_first_visit(&app, config.demo, roles).await?;
            Terminal.line(&format!("Paddock is ready: {public_url}"));
        }
        None => Terminal.line("Paddock is ready: this worker waits for runs"),
    }
    Ok(app)
}

/// Every route of the product.
fn routes(app: &App) -> Router {
    api::router(app.clone()).merge(web::router(app.clone()))
}

fn serve(app: &App, listener: TcpListener) {
    let service = routes(app).into_make_service_with_connect_info::<SocketAddr>();
    let stop = app.tasks.stopping();
    app.tasks.spawn(async move {
        let served = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the pages ended");
        }
    });
}

/// How the first visitor gets in.
async fn tell_first_visit(app: &App, demo: bool, roles: Roles) -> anyhow::Result<()> {
    if demo {
        Terminal.line("Demo: anybody on this machine can sign in as anybody, by one click.");
    } else if roles == Roles::Serve {
        // Several of these may run, and each new code replaces the last one.
        if identity::setup_needed(&mut *app.db.acquire().await?).await? {
            Terminal.line("There is no admin yet: `paddock admin setup-code` prints the code for the set-up page");
        }
    } else if let Some(code) = identity::begin_setup(&app.db, &compose::operator()).await? {
        Terminal.line(&format!("First visit: the set-up page asks for this code: {}", code.expose_secret()));
    }
    Ok(())
}

async fn until_told(store: &mut Store, signals: &mut StopSignals) -> anyhow::Result<()> {
    let lost = async {
        match &mut store.embedded {
            Some(embedded) => embedded.watch(&Terminal).await,
            None => std::future::pending::<EmbeddedError>().await,
        }
    };
    tokio::select! {
        () = signals.next() => Ok(()),
        error = lost => Err(error.into()),
    }
}

/// The pages stop, running runs may end; a second signal ends the wait.
async fn drain(config: &Config, app: &App, signals: &mut StopSignals) {
    let step = Step::start(&Terminal, "Stopping; once more to stop at once");
    let grace = Duration::try_from(config.worker.drain).unwrap_or_default() + GRACE;
    tokio::select! {
        done = app.tasks.stop(grace) => {
            if done { step.done() } else { step.ended("something is still at work; it goes on at the next start") }
        }
        () = signals.next() => step.ended("stopped at once"),
    }
}
