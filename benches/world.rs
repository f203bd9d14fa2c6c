//! A private Postgres with durable commits, the demo's projects, and the real `serve`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use paddock::app::{App, DemoServer, Parts, seed_demo};
use paddock::base::id::{EnvironmentId, RunId};
use paddock::base::{Actor, Origin, OsEntropy, Sealer, SystemClock};
use paddock::catalog::{self, NewSource, SourceKind};
use paddock::db::embedded::{Embedded, Reporter, Settings};
use paddock::db::{Db, migrate};
use paddock::identity::{self, Holder, Role, Scope, Source, TokenScopes};
use paddock::policy::PolicyEngine;
use paddock::projects;
use paddock::providers::{self, Registry};
use paddock::requests::{self, Caller, Draft, Intent};
use secrecy::ExposeSecret as _;

use crate::overhead;

/// Who asks in the measurements.
pub const LOGIN: &str = "bench";
/// Their password.
pub const PASSWORD: &str = "only for the benches, 4711";
const KEY: &str = "4242424242424242424242424242424242424242424242424242424242424242";

/// Everything that the measurements share.
pub struct World {
    /// The application in this process, for set-up.
    pub app: App,
    /// The superuser's URL.
    pub url: String,
    /// The address of `serve`.
    pub address: String,
    /// A bearer token of [`LOGIN`].
    pub token: String,
    serve: Serve,
    /// How long `serve` took until it answered.
    pub ready_after: Duration,
    /// Its resident memory then, in KiB, where /proc tells.
    pub idle_memory: Option<u64>,
    embedded: Embedded,
    _folder: tempfile::TempDir,
}

/// The process of `serve`; ends with the bench, also when that stops at a surprise.
pub struct Serve(Child);

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Quiet;

impl Reporter for Quiet {
    fn line(&self, _: &str) {}
}

/// The program that is measured.
pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_paddock"))
}

impl World {
    pub async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("paddock-bench").tempdir_in("/var/tmp").unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let settings = Settings {
            program: Some(program()),
            max_connections: 100,
            ..Settings::new(folder.path().join("data"), paddock::config::default_cache_dir())
        };
        let embedded = Embedded::start(settings, &Quiet).await.expect("a Postgres for the benches");
        let db = Db::with_options(embedded.options(), 8);
        migrate(&db).await.unwrap();
        let app = app(db, folder.path());
        seed(&app, &embedded, folder.path()).await;
        let token = token(&app).await;
        let mut url = url::Url::parse(&embedded.superuser_url()).unwrap();
        url.set_path(embedded.options().get_database().unwrap_or("paddock"));
        let url = url.to_string();
        let (serve, address, ready_after) = serve(&url, None).await;
        let idle_memory = resident(serve.0.id());
        Self { app, url, address, token, serve, ready_after, idle_memory, embedded, _folder: folder }
    }

    /// Submits a new environment for dev, as [`LOGIN`]: its run is queued.
    pub async fn create(&self, template: &str, name: String, inputs: serde_json::Value) -> (EnvironmentId, RunId) {
        let app = &self.app;
        let mut connection = app.db.acquire().await.unwrap();
        let person = identity::find_person(&mut connection, LOGIN).await.unwrap().unwrap();
        let access = identity::load_access(&mut connection, person.id).await.unwrap();
        let op = app.op(Actor::Person { id: person.id, login: person.login, token: None }, Origin::internal("api"));
        let intent = Intent::Create {
            project: "payments".to_owned(),
            environment_type: "dev".to_owned(),
            template: template.to_owned(),
            version: None,
            name,
            inputs: inputs.as_object().unwrap().clone(),
            lifetime: None,
        };
        let draft = Draft { intent, reason: String::new(), exception: false };
        let id = app.requests.submit(&op, Caller::Person(&access), &draft, None).await.unwrap().id;
        let request = app.requests.find(&mut connection, id).await.unwrap().unwrap();
        (request.environment.unwrap(), request.run.unwrap())
    }

    /// Ends what waits: a worker shall find what is measured, and nothing else.
    pub async fn empty_queue(&self) {
        // Each lane that ends takes a lock until the commit: not all at once.
        let some = "UPDATE run SET state = 'canceled', ended_at = now()
             WHERE id IN (SELECT id FROM run WHERE state = 'queued' LIMIT 1000)";
        while sqlx::query(some).execute(self.app.db.pool()).await.unwrap().rows_affected() > 0 {}
    }

    /// The resident memory of `serve` now, in KiB, where /proc tells.
    pub fn memory(&self) -> Option<u64> {
        resident(self.serve.0.id())
    }

    pub async fn stop(self) {
        drop(self.serve);
        self.app.tasks.stop(Duration::from_secs(5)).await;
        self.app.db.close().await;
        self.embedded.stop(&Quiet).await.unwrap();
    }
}

fn app(db: Db, folder: &Path) -> App {
    let machine =
        providers::Settings::new(folder.join("work"), program(), std::env::var_os("PATH").unwrap_or_default());
    App::new(Parts {
        db,
        sealer: Sealer::from_hex([KEY]).unwrap(),
        policy: PolicyEngine::embedded().unwrap(),
        providers: Registry::standard(&machine),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        identity: identity::Settings { demo: true, ..identity::Settings::default() },
        oidc: None,
        public_url: "http://127.0.0.1:8400/".parse().unwrap(),
        request_settings: requests::Settings::default(),
    })
}

/// The demo's projects, with the bench's own Postgres as target, and the templates.
async fn seed(app: &App, embedded: &Embedded, folder: &Path) {
    let address = embedded.tcp_address();
    let server = DemoServer {
        postgres_url: embedded.superuser_url().into(),
        host: address.ip().to_string(),
        port: address.port(),
        repositories: PathBuf::from("/nonexistent"),
        runner: None,
    };
    seed_demo(app, &server).await.unwrap();
    add_source(app, "sample", SourceKind::Embedded, String::new()).await;
    let own = folder.join("catalog");
    overhead::write_template(&own);
    add_source(app, "bench", SourceKind::Folder, own.display().to_string()).await;
    sqlx::query("UPDATE quota SET maximum = 1000000000").execute(app.db.pool()).await.unwrap();
}

async fn add_source(app: &App, slug: &str, kind: SourceKind, location: String) {
    let op = app.op(Actor::Operator, Origin::internal("cli"));
    let source = NewSource { slug: slug.to_owned(), kind, location, branch: None, folder: String::new() };
    let id = catalog::add_source(&app.db, &op, source).await.unwrap();
    let synced = catalog::sync(&app.db, &op, id).await.unwrap();
    assert!(synced.added > 0, "no template in {slug}");
}

/// A developer of the project; the people of the demo are strangers to a `serve` without `--demo`.
async fn token(app: &App) -> String {
    let op = app.op(Actor::Operator, Origin::internal("cli"));
    let person = identity::create_local_account(&app.db, &op, LOGIN, "Bench", &PASSWORD.into()).await.unwrap();
    let mut tx = app.db.begin().await.unwrap();
    let project = projects::find(&mut tx, "payments").await.unwrap().unwrap();
    let holder = Holder::Person(person.id);
    identity::bind_role(&mut tx, &op, Role::Developer, holder, Some(project.id), Source::Local).await.unwrap();
    tx.commit().await.unwrap();
    let scopes = TokenScopes::new([Scope::Read, Scope::Request]);
    let token = identity::mint_token(&app.db, &op, &person, "bench", &scopes, SignedDuration::from_hours(1));
    token.await.unwrap().secret.expose_secret().to_owned()
}

/// Starts `serve`, by the rules of this folder or by those of the database.
pub async fn serve(url: &str, policies: Option<&Path>) -> (Serve, String, Duration) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("http://127.0.0.1:{port}");
    let started = Instant::now();
    let child = Command::new(program())
        .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
        .args(policies.iter().flat_map(|folder| [OsStr::new("--policies"), folder.as_os_str()]))
        .env("DATABASE_URL", url)
        .env("PADDOCK_KEY", KEY)
        .env("PADDOCK_LOG", "error")
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .map(Serve)
        .unwrap();
    let deadline = started + Duration::from_secs(30);
    while !reqwest::get(format!("{address}/readyz")).await.is_ok_and(|answer| answer.status().is_success()) {
        assert!(Instant::now() < deadline, "serve does not answer");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (child, address, started.elapsed())
}

fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
}
