//! A whole Paddock whose runs are executed by real worker processes, which die when a failpoint says
//! so and are started again.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use paddock::base::id::{EnvironmentId, RequestId};
use paddock::identity::Access;
use paddock::requests::{Caller, Draft, Intent, ReviewVerdict};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::subject::Subject;
use crate::support::app::{TestApp, inputs};
use crate::support::catalog::add_template;
use crate::support::ledger::{Account, account};
use crate::support::program::{Program, command};

/// How long all runs of one round may take, on a busy machine.
fn patience() -> Duration {
    Duration::from_secs(if long() { 3_600 } else { 400 })
}

/// Whether this is the long mode, of four times as many seeds.
pub fn long() -> bool {
    #[allow(clippy::disallowed_methods, reason = "a setting of the tests")]
    std::env::var("PADDOCK_MATRIX").is_ok_and(|mode| mode == "long")
}

pub struct World {
    pub test: TestApp,
    pub subject: &'static Subject,
    pub data: PathBuf,
    pub log: PathBuf,
    /// What the subject's targets leave behind, for its oracle.
    pub made: PathBuf,
    developer: Access,
    lead: Access,
}

impl World {
    pub async fn new(subject: &'static Subject) -> Self {
        Self::of(TestApp::start().await, subject).await
    }

    /// The same with an application that is there.
    pub async fn of(test: TestApp, subject: &'static Subject) -> Self {
        let folder = test.folder.path().to_owned();
        let made = folder.join("made");
        std::fs::create_dir(&made).unwrap();
        if !subject.files.is_empty() {
            let texts: Vec<(&str, String)> = subject
                .files
                .iter()
                .map(|(name, text)| (*name, text.replace("$MADE", made.to_str().unwrap())))
                .collect();
            let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
            add_template(&test, subject.template, &files).await;
        }
        let (developer, lead) = (test.person("developer").await, test.person("lead").await);
        let world = Self {
            subject,
            data: folder.join("data"),
            log: folder.join("failpoints.log"),
            made,
            developer,
            lead,
            test,
        };
        world.execute("UPDATE quota SET maximum = 100000").await;
        world
    }

    /// Runs a statement as a role that may do everything.
    pub async fn execute(&self, statement: &str) {
        let mut connection = PgConnection::connect_with(&self.test.database.options()).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    }

    pub async fn number(&self, query: &str) -> i64 {
        let query = AssertSqlSafe(format!("SELECT ({query})::bigint"));
        sqlx::query_scalar(query).fetch_one(self.test.app.db.pool()).await.unwrap()
    }

    /// A moment by the database's clock, in seconds.
    pub async fn seconds(&self, moment: &str) -> f64 {
        let query = AssertSqlSafe(format!("SELECT extract(epoch FROM {moment})::float8"));
        sqlx::query_scalar(query).fetch_one(self.test.app.db.pool()).await.unwrap()
    }

    pub async fn rows(&self, query: &str) -> Vec<(String, String)> {
        sqlx::query_as(AssertSqlSafe(query.to_owned())).fetch_all(self.test.app.db.pool()).await.unwrap()
    }

    async fn submit(&self, intent: Intent) -> EnvironmentId {
        let op = self.test.op_as(&self.developer);
        let draft = Draft { intent, reason: String::new() };
        let requests = &self.test.app.requests;
        let id = requests.submit(&op, Caller::Person(&self.developer), &draft, None).await.unwrap().id;
        let mut connection = self.test.app.db.acquire().await.unwrap();
        requests.find(&mut connection, id).await.unwrap().unwrap().environment.unwrap()
    }

    pub async fn create(&self, name: &str) -> EnvironmentId {
        self.create_with(name, (self.subject.create)(self)).await
    }

    pub async fn create_with(&self, name: &str, values: Value) -> EnvironmentId {
        self.create_in("dev", name, values).await
    }

    /// In `prod` it waits for the approval of its plan.
    pub async fn create_in(&self, environment_type: &str, name: &str, values: Value) -> EnvironmentId {
        self.submit(Intent::Create {
            project: "payments".to_owned(),
            environment_type: environment_type.to_owned(),
            template: self.subject.template.to_owned(),
            version: None,
            name: name.to_owned(),
            inputs: inputs(values),
            lifetime: None,
        })
        .await
    }

    pub async fn update(&self, environment: EnvironmentId) {
        let inputs = inputs((self.subject.update)());
        self.submit(Intent::Update { environment, generation: None, version: None, inputs }).await;
    }

    pub async fn delete(&self, environment: EnvironmentId) {
        self.submit(Intent::Delete { environment }).await;
    }

    /// The lead approves what waits for this environment.
    pub async fn approve(&self, environment: EnvironmentId) {
        let query = "SELECT id FROM request WHERE environment_id = $1 AND status = 'awaiting_approval'";
        let id: uuid::Uuid =
            sqlx::query_scalar(query).bind(environment.0).fetch_one(self.test.app.db.pool()).await.unwrap();
        let op = self.test.op_as(&self.lead);
        let (requests, lead) = (&self.test.app.requests, Caller::Person(&self.lead));
        requests.review(&op, lead, RequestId(id), ReviewVerdict::Approved, "").await.unwrap();
    }

    /// Worker processes of one run each, with these failpoints armed.
    pub fn workers(&self, count: usize, arms: &[String]) -> Fleet {
        let order = Order {
            url: self.test.database.url(),
            data: self.data.clone(),
            made: self.made.clone(),
            log: self.log.clone(),
            said: self.test.folder.path().join("workers.log"),
            arms: arms.join(";"),
        };
        Fleet::start(count, order)
    }

    /// One worker process of one run, by another way to the database if there is one.
    pub fn worker(&self, arms: &[String], url: Option<String>) -> Program {
        self.worker_of(1, arms, url)
    }

    /// One worker process of several runs.
    pub fn worker_of(&self, runs: usize, arms: &[String], url: Option<String>) -> Program {
        self.worker_with(runs, "2s", arms, url)
    }

    /// One worker process with a lease of its own.
    pub fn worker_with(&self, runs: usize, lease: &str, arms: &[String], url: Option<String>) -> Program {
        let mut command = self.program("worker", &arms.join(";"), url.unwrap_or_else(|| self.test.database.url()));
        command.args(["--worker-runs", &runs.to_string(), "--lease", lease]);
        Self::ready(command)
    }

    /// One worker process with settings of its own.
    pub fn worker_set(&self, settings: &[&str]) -> Program {
        self.worker_in(&[], settings)
    }

    /// The same with more variables in its environment.
    pub fn worker_in(&self, variables: &[(&str, &str)], settings: &[&str]) -> Program {
        let mut command = self.program("worker", "", self.test.database.url());
        command.args(settings).envs(variables.iter().copied());
        Self::ready(command)
    }

    fn ready(command: Command) -> Program {
        let mut program = Program::start(command);
        program.wait_for("Paddock is ready");
        program
    }

    /// A server process on a free port.
    pub fn server(&self) -> Program {
        self.server_by(self.test.database.url())
    }

    /// The same by another way to the database.
    pub fn server_by(&self, url: String) -> Program {
        self.server_in(&[], url)
    }

    /// The same with more variables in its environment.
    pub fn server_in(&self, variables: &[(&str, &str)], url: String) -> Program {
        let mut command = self.program("serve", "", url);
        command.args(["--listen", "127.0.0.1:0"]).envs(variables.iter().copied());
        Program::start(command)
    }

    fn program(&self, verb: &str, arms: &str, url: String) -> Command {
        let mut command = command(&[verb, "--database-connections", "6"]);
        command
            .env("DATABASE_URL", url)
            .env("PADDOCK_KEY", "42".repeat(32))
            .env("PADDOCK_DATA_DIR", &self.data)
            .env("PADDOCK_PROGRAM_FOLDERS", &self.made)
            .env("PADDOCK_FAILPOINT", arms)
            .env("PADDOCK_FAILPOINT_LOG", &self.log);
        command
    }

    /// Waits until no run is left to execute.
    pub async fn rest(&self) {
        self.rest_in(false).await;
    }

    /// The same, but no run waits before it is tried again: how long it would is not what is tested.
    pub async fn rest_soon(&self) {
        self.rest_in(true).await;
    }

    async fn rest_in(&self, soon: bool) {
        let deadline = Instant::now() + patience();
        loop {
            if soon {
                let soon = "UPDATE run SET run_at = now() WHERE id IN (
                                SELECT id FROM run WHERE state = 'queued' AND run_at > now() FOR UPDATE SKIP LOCKED)";
                sqlx::query(soon).execute(self.test.app.db.pool()).await.unwrap();
            }
            let left = self.number("SELECT count(*) FROM run WHERE state IN ('queued', 'running')").await;
            if left == 0 {
                return;
            }
            if Instant::now() > deadline {
                let query = "SELECT label, state || ' ' || attempt || ' ' || coalesce(error, '') FROM run
                             WHERE state IN ('queued', 'running')";
                panic!("{left} runs are not at rest: {:?}\n{}", self.rows(query).await, self.said());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until `query` counts at least `wanted`.
    pub async fn until_number(&self, query: &str, wanted: i64) {
        let deadline = Instant::now() + patience();
        loop {
            let now = self.number(query).await;
            if now >= wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{query}: {now}, not {wanted}\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What the simulated cloud did for an environment.
    pub fn book(&self, environment: EnvironmentId) -> Account {
        account(&self.data.join("work/simulated/default.ledger"), &environment.to_string())
    }

    /// The last words of the workers.
    pub fn said(&self) -> String {
        let said = std::fs::read_to_string(self.test.folder.path().join("workers.log")).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    fn written(&self, kind: &str) -> Vec<Vec<String>> {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines = log.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
        lines.filter(|parts| parts[0] == kind).collect()
    }

    /// What fired until now.
    pub fn fired(&self) -> Vec<String> {
        self.written("fired").into_iter().map(|mut parts| parts.remove(1)).collect()
    }

    /// How often each failpoint was reached in the scope, in the order of the first time.
    pub fn reached(&self, scope: &str) -> Vec<(String, usize)> {
        let mut order: Vec<String> = Vec::new();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for parts in self.written("reached").into_iter().filter(|parts| parts.get(2).is_some_and(|at| at == scope)) {
            if !counts.contains_key(&parts[1]) {
                order.push(parts[1].clone());
            }
            *counts.entry(parts[1].clone()).or_default() += 1;
        }
        order.into_iter().map(|name| (name.clone(), counts[&name])).collect()
    }

    /// Every failpoint that anybody reached.
    pub fn ever_reached(&self) -> Vec<String> {
        self.written("reached").into_iter().map(|mut parts| parts.remove(1)).collect()
    }
}

#[derive(Clone)]
struct Order {
    url: String,
    data: PathBuf,
    made: PathBuf,
    log: PathBuf,
    said: PathBuf,
    arms: String,
}

impl Order {
    fn spawn(&self) -> Child {
        let said = OpenOptions::new().create(true).append(true).open(&self.said).unwrap();
        let mut command = command(&["worker", "--worker-runs", "1", "--lease", "2s", "--database-connections", "4"]);
        command
            .env("DATABASE_URL", &self.url)
            .env("PADDOCK_KEY", "42".repeat(32))
            .env("PADDOCK_DATA_DIR", &self.data)
            .env("PADDOCK_PROGRAM_FOLDERS", &self.made)
            .env("PADDOCK_FAILPOINT", &self.arms)
            .env("PADDOCK_FAILPOINT_LOG", &self.log)
            .stdout(Stdio::null())
            .stderr(said);
        command.spawn().unwrap()
    }
}

/// Worker processes that come back when they were killed. They end with the value.
pub struct Fleet {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    wrong: Arc<Mutex<Vec<String>>>,
}

impl Fleet {
    fn start(count: usize, order: Order) -> Self {
        let (stop, wrong) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let threads = (0..count)
            .map(|_| {
                let (order, stop, wrong) = (order.clone(), Arc::clone(&stop), Arc::clone(&wrong));
                std::thread::spawn(move || keep(&order, &stop, &wrong))
            })
            .collect();
        Self { stop, threads, wrong }
    }

    /// Ends them; fails when one ended by itself.
    pub fn end(mut self) {
        self.stop_all();
        let wrong = self.wrong.lock().unwrap().clone();
        assert!(wrong.is_empty(), "a worker ended by itself: {wrong:?}");
    }

    fn stop_all(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop_all();
    }
}

fn keep(order: &Order, stop: &AtomicBool, wrong: &Mutex<Vec<String>>) {
    use std::os::unix::process::ExitStatusExt as _;
    while !stop.load(Ordering::SeqCst) {
        let mut child = order.spawn();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if stop.load(Ordering::SeqCst) {
                child.kill().unwrap();
                child.wait().unwrap();
                return;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        };
        if status.signal() != Some(9) {
            wrong.lock().unwrap().push(status.to_string());
            return;
        }
    }
}
