//! What `--demo` brings: people, two projects with dev, test and prod, targets, quotas, prices, the catalog.

use std::path::PathBuf;

use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use super::App;
use crate::base::id::{EnvironmentTypeId, ProjectEnvironmentTypeId, TargetId};
use crate::base::{Actor, Op, Origin};
use crate::cost;
use crate::db::Tx;
use crate::identity::{self, DemoPeople, Holder, Source};
use crate::policy::Role;
use crate::projects::{self, NewProjectEnvironmentType};
use crate::providers;

/// Where the demo makes things.
#[derive(Debug, Clone)]
pub struct DemoServer {
    /// How the worker connects to the database server, as a role that may make databases.
    pub postgres_url: SecretString,
    /// The host that people connect to.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The folder for Git repositories.
    pub repositories: PathBuf,
    /// This machine as a runner host, where it can be one.
    pub runner: Option<DemoHost>,
}

/// A runner host as a target: its settings and the private key.
#[derive(Debug, Clone)]
pub struct DemoHost {
    /// The target's settings.
    pub settings: Value,
    /// Its credential.
    pub key: SecretString,
}

/// The provider of runner hosts.
const RUNNER: &str = "ssh";
/// The environment type whose environments may be on this machine.
const ON_THIS_MACHINE: &str = "dev";

/// Slug, name, default and maximum lifetime in hours, quota of environments.
const TYPES: [(&str, &str, i64, i64, i64); 3] = [
    ("dev", "Development", 24 * 7, 24 * 30, 10),
    ("test", "Test", 24 * 3, 24 * 14, 10),
    ("prod", "Production", 24 * 30, 24 * 180, 5),
];

/// What the sample templates take, and what it costs.
const PRICES: &str = include_str!("demo_prices.csv");

/// Slug, name, summary.
const PROJECTS: [(&str, &str, &str); 2] = [
    ("payments", "Payments", "Checkout, ledger and payouts"),
    ("storefront", "Storefront", "The shop that customers see"),
];

/// Makes what is missing; what is there stays, but for the targets' addresses.
pub async fn seed_demo(app: &App, server: &DemoServer) -> anyhow::Result<()> {
    let op = app.op(Actor::Operator, Origin::internal("cli"));
    let people = identity::ensure_demo(&app.db, &op).await?;
    let mut tx = app.db.begin().await?;
    let targets = targets(app, &mut tx, &op, server).await?;
    let mut types = Vec::new();
    for (position, (slug, name, ..)) in (0_i32..).zip(TYPES) {
        types.push(projects::ensure_environment_type(&mut tx, &op, slug, name, position).await?);
    }
    for (slug, name, summary) in PROJECTS {
        let project = projects::ensure_project(&mut tx, &op, slug, name, summary).await?;
        for (environment_type, kind) in types.iter().zip(TYPES) {
            let place = place(&mut tx, &op, project, *environment_type, kind).await?;
            for (provider, target) in &targets {
                if *provider != RUNNER || kind.0 == ON_THIS_MACHINE {
                    projects::bind_target(&mut tx, place, provider, *target).await?;
                }
            }
        }
        roles(&mut tx, &op, project, &people).await?;
    }
    cost::ensure_prices(&mut tx, &op, PRICES).await?;
    tx.commit().await?;
    Ok(())
}

async fn targets(
    app: &App,
    tx: &mut Tx,
    op: &Op,
    server: &DemoServer,
) -> anyhow::Result<Vec<(&'static str, TargetId)>> {
    let name = ("demo-postgres", "This machine's Postgres", "postgres");
    // As an admin would fill it in, where that can say all of the URL.
    let form = Url::parse(server.postgres_url.expose_secret()).ok().as_ref().and_then(providers::postgres_target);
    let (mut settings, secret) = form.unwrap_or_else(|| (Map::new(), Some(server.postgres_url.clone())));
    settings.insert("host".to_owned(), json!(server.host));
    settings.insert("port".to_owned(), json!(server.port));
    let postgres = projects::ensure_target(tx, op, &app.sealer, name, settings.into(), secret.as_ref()).await?;
    let folder = json!({"folder": server.repositories, "writable_folders": [server.repositories]});
    let name = ("demo-repositories", "Repositories on this machine", "command");
    let repositories = projects::ensure_target(tx, op, &app.sealer, name, folder, None).await?;
    let mut all = vec![("postgres", postgres), ("command", repositories)];
    if let Some(host) = &server.runner {
        let name = ("demo-this-machine", "This machine", RUNNER);
        let settings = host.settings.clone();
        all.push((RUNNER, projects::ensure_target(tx, op, &app.sealer, name, settings, Some(&host.key)).await?));
    }
    Ok(all)
}

async fn place(
    tx: &mut Tx,
    op: &Op,
    project: crate::base::id::ProjectId,
    environment_type: EnvironmentTypeId,
    (_, _, default, maximum, quota): (&str, &str, i64, i64, i64),
) -> anyhow::Result<ProjectEnvironmentTypeId> {
    let new = NewProjectEnvironmentType {
        project,
        environment_type,
        default_lifetime: SignedDuration::from_hours(default),
        maximum_lifetime: SignedDuration::from_hours(maximum),
    };
    let place = projects::ensure_project_environment_type(tx, op, &new).await?;
    projects::ensure_quota(tx, op, place, "environments", quota).await?;
    Ok(place)
}

async fn roles(tx: &mut Tx, op: &Op, project: crate::base::id::ProjectId, people: &DemoPeople) -> anyhow::Result<()> {
    for (person, role) in [(&people.developer, Role::Developer), (&people.lead, Role::Lead)] {
        identity::bind_role(tx, op, role, Holder::Person(person.id), Some(project), Source::Demo).await?;
    }
    Ok(())
}
