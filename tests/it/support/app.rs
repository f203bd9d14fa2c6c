//! A whole Paddock in this process: own database, demo projects and people, manual clock where a
//! test wants one, a worker on request.

use std::sync::Arc;
use std::time::Duration;

use paddock::app::{App, DemoServer, Parts, seed_demo, start_worker};
use paddock::base::id::EnvironmentId;
use paddock::base::{Actor, Clock, Op, Origin, OsEntropy, Sealer, SystemClock};
use paddock::catalog::{self, NewSource, SourceKind};
use paddock::environments::{self, Environment};
use paddock::identity::{self, Access};
use paddock::orchestrator::{self, Worker};
use paddock::policy::PolicyEngine;
use paddock::providers::{self, Provider, Registry};
use paddock::requests;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::TestDatabase;
use super::server::Server;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running application.
pub struct TestApp {
    /// The application.
    pub app: App,
    /// Its database.
    pub database: TestDatabase,
    /// The folder of the demo's Git repositories, and of Terraform's workspaces.
    pub folder: tempfile::TempDir,
}

impl TestApp {
    /// With demo people and projects, and the sample catalog; nothing is executed yet.
    pub async fn start() -> Self {
        Self::start_with(PolicyEngine::embedded().unwrap()).await
    }

    /// The same with policies of its own.
    pub async fn start_with(policy: PolicyEngine) -> Self {
        let this = Self::bare(true, policy).await;
        this.seed().await;
        this
    }

    /// The default policies and this one.
    pub fn policies_and(policy: &str) -> PolicyEngine {
        let default = PolicyEngine::embedded().unwrap();
        PolicyEngine::from_text(&default.schema(), &format!("{}\n{policy}", default.source())).unwrap()
    }

    /// As it is after the first start without `--demo`.
    pub async fn start_empty() -> Self {
        Self::bare(false, PolicyEngine::embedded().unwrap()).await
    }

    /// With demo people and projects, and the sample catalog, on this database.
    pub async fn start_on(database: TestDatabase) -> Self {
        let this = Self::on(database, true, PolicyEngine::embedded().unwrap());
        this.seed().await;
        this
    }

    async fn bare(demo: bool, policy: PolicyEngine) -> Self {
        Self::on(TestDatabase::new().await, demo, policy)
    }

    fn on(database: TestDatabase, demo: bool, policy: PolicyEngine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = Self::app(&database, &folder, demo, policy, Arc::new(SystemClock), |standard| standard);
        Self { app, database, folder }
    }

    /// Another process on the same database, with policies of its own.
    pub fn with_policies(&self, policy: PolicyEngine) -> App {
        Self::app(&self.database, &self.folder, self.app.identity.demo, policy, Arc::new(SystemClock), |standard| {
            standard
        })
    }

    /// Another process on the same database, that knows a provider of its own.
    pub fn with_provider(&self, provider: impl Provider + 'static) -> App {
        let policy = PolicyEngine::embedded().unwrap();
        let more = |standard: Registry| standard.with(provider);
        Self::app(&self.database, &self.folder, self.app.identity.demo, policy, Arc::new(SystemClock), more)
    }

    /// Another process on the same database, on a machine whose clock is this one.
    pub fn with_clock(&self, clock: Arc<dyn Clock>) -> App {
        let policy = PolicyEngine::embedded().unwrap();
        Self::app(&self.database, &self.folder, self.app.identity.demo, policy, clock, |standard| standard)
    }

    fn app(
        database: &TestDatabase,
        folder: &tempfile::TempDir,
        demo: bool,
        policy: PolicyEngine,
        clock: Arc<dyn Clock>,
        known: impl FnOnce(Registry) -> Registry,
    ) -> App {
        let path = std::env::var_os("PATH").unwrap();
        let machine = providers::Settings::new(folder.path().join("work"), super::program::path(), path);
        App::new(Parts {
            db: database.db.clone(),
            sealer: Sealer::from_hex(["42".repeat(32).as_str()]).unwrap(),
            policy,
            providers: known(Registry::standard(&machine)),
            clock,
            entropy: Arc::new(OsEntropy),
            identity: identity::Settings { demo, ..identity::Settings::default() },
            oidc: None,
            public_url: "http://127.0.0.1:8400/".parse().unwrap(),
            request_settings: requests::Settings::default(),
        })
    }

    async fn seed(&self) {
        let url = url::Url::parse(&Server::get().url("postgres")).unwrap();
        let server = DemoServer {
            postgres_url: url.to_string().into(),
            host: url.host_str().filter(|host| !host.is_empty()).unwrap_or("127.0.0.1").to_owned(),
            port: url.port().unwrap_or(5432),
            repositories: self.folder.path().join("repositories"),
            runner: None,
        };
        seed_demo(&self.app, &server).await.unwrap();
        let op = self.op(Actor::Operator);
        let source = NewSource {
            slug: "sample".to_owned(),
            kind: SourceKind::Embedded,
            location: String::new(),
            branch: None,
            folder: String::new(),
        };
        let id = catalog::add_source(&self.app.db, &op, source).await.unwrap();
        catalog::sync(&self.app.db, &op, id).await.unwrap();
    }

    /// A piece of work by `actor`.
    pub fn op(&self, actor: Actor) -> Op {
        self.app.op(actor, Origin::internal("api"))
    }

    /// A demo person with what they hold.
    pub async fn person(&self, login: &str) -> Access {
        let mut connection = self.app.db.acquire().await.unwrap();
        let person = identity::find_person(&mut connection, login).await.unwrap().unwrap();
        identity::load_access(&mut connection, person.id).await.unwrap()
    }

    /// A piece of work by a demo person.
    pub fn op_as(&self, access: &Access) -> Op {
        self.op(Actor::Person { id: access.person.id, login: access.person.login.clone(), token: None })
    }

    /// Starts a worker in this process.
    pub fn work(&self) {
        start_worker(&self.app, worker_settings("test-worker"));
    }

    /// Plans what waits for approval, and does nothing else.
    pub async fn plan(&self) {
        Self::plan_by(&self.app).await;
    }

    /// The same, by that process.
    pub async fn plan_by(app: &App) {
        let mut workflows = app.workflows().all();
        workflows.retain(|kind, _| kind.starts_with("plan."));
        let planner = Worker {
            settings: worker_settings("test-planner"),
            db: app.db.clone(),
            signals: app.signals.clone(),
            clock: Arc::clone(&app.clock),
            entropy: Arc::clone(&app.entropy),
            workflows,
        };
        let stop = CancellationToken::new();
        let work = tokio::spawn(planner.work(stop.clone()));
        let open = "SELECT count(*) FROM run WHERE kind LIKE 'plan.%' AND state IN ('queued', 'running')";
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while sqlx::query_scalar::<_, i64>(open).fetch_one(app.db.pool()).await.unwrap() > 0 {
            assert!(tokio::time::Instant::now() < deadline, "plans are not made in time");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
        work.await.unwrap();
    }

    /// The environment, now.
    pub async fn environment(&self, id: EnvironmentId) -> Environment {
        environments::find(&mut self.app.db.acquire().await.unwrap(), id).await.unwrap().unwrap()
    }

    /// Waits until the environment is in `state`; fails with its log when it is not in time.
    pub async fn until_state(&self, id: EnvironmentId, state: environments::State) -> Environment {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let environment = self.environment(id).await;
            if environment.state == state {
                return environment;
            }
            let over = tokio::time::Instant::now() > deadline;
            let wrong = matches!(environment.state, environments::State::Failed | environments::State::Faulted);
            if over || wrong {
                let error = environment.last_error.clone();
                panic!(
                    "{} is {:?}, not {state:?}: {error:?}\n{}",
                    environment.name,
                    environment.state,
                    self.log(id).await
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Every log line of the environment's runs, for people who look at a failed test.
    pub async fn log(&self, id: EnvironmentId) -> String {
        let mut connection = self.app.db.acquire().await.unwrap();
        let mut text = String::new();
        for run in orchestrator::runs_of(&mut connection, id.0, 10).await.unwrap() {
            text.push_str(&format!("{} {:?} attempt {} {:?}\n", run.label, run.state, run.attempt, run.error));
            for line in orchestrator::log_lines(&mut connection, run.id, 0, 1000).await.unwrap() {
                text.push_str(&format!("  {} {}: {}\n", line.seq, line.step, line.text));
            }
        }
        text
    }
}

/// A worker with short times.
pub fn worker_settings(name: &str) -> orchestrator::Settings {
    orchestrator::Settings {
        name: name.to_owned(),
        slots: 4,
        lease: Duration::from_secs(6),
        poll: Duration::from_millis(200),
        grace: Duration::from_secs(5),
        ..orchestrator::Settings::default()
    }
}

/// Inputs from JSON text.
pub fn inputs(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("inputs are an object, not {other}"),
    }
}
