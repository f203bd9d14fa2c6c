//! A whole Paddock whose runs are executed by real worker processes, which die when a failpoint says
//! so and are started again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use paddock::base::id::{EnvironmentId, RequestId};
use paddock::environments::{self, Operation};
use paddock::identity::Access;
use paddock::policy::PolicyEngine;
use paddock::projects;
use paddock::requests::{Caller, Draft, Intent, ReviewVerdict};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::fleet::{Deserters, Fleet, Order, Recipe};
use super::subject::Subject;
use crate::support::app::{TestApp, inputs};
use crate::support::catalog::add_template;
use crate::support::http::Site;
use crate::support::ledger::{Account, account};
use crate::support::program::Program;

/// How long a test waits for something to happen, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(400);
/// How long nothing at all may move while runs are open: longer than a program's grace, a wait for a
/// folder that a dead attempt still uses, and the longest pause before a next try.
const STILL: Duration = Duration::from_secs(240);

/// Connects a target of the provider, and binds it to all places of the project.
pub async fn connect(test: &TestApp, provider: &str, settings: Value, credential: &Value) {
    let op = test.op(paddock::base::Actor::Operator);
    let mut tx = test.app.db.begin().await.unwrap();
    // One secret field is its text, several are an object.
    let secret = credential.as_str().map_or_else(|| credential.to_string(), str::to_owned);
    let secret = secrecy::SecretString::from(secret);
    let name = ("lab", "Lab", provider);
    let target = projects::ensure_target(&mut tx, &op, &test.app.sealer, name, settings, Some(&secret)).await.unwrap();
    let project = projects::find(&mut tx, "payments").await.unwrap().unwrap();
    for place in projects::environment_types(&mut tx, project.id).await.unwrap() {
        projects::bind_target(&mut tx, place.id, provider, target).await.unwrap();
    }
    tx.commit().await.unwrap();
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
    /// Where pages and API listen, for those whom workers tell it.
    address: SocketAddr,
    /// Where the policies are that all processes have, if not the built-in ones.
    policies: Option<PathBuf>,
    deserters: Deserters,
    developer: Access,
    lead: Access,
}

impl World {
    pub async fn new(subject: &'static Subject) -> Self {
        Self::of(TestApp::start().await, subject).await
    }

    /// One in whose `prod` also the end of an environment needs an approval.
    pub async fn strict(subject: &'static Subject) -> Self {
        let policy = TestApp::policies_and(
            r#"@id("leads-approve-ends-in-prod") @reason("A lead agrees to an end in prod.") @approval("lead")
               permit (principal, action == Action::"DeleteEnvironment", resource)
               when { resource has environment_type && resource.environment_type == "prod" };"#,
        );
        let folder = tempfile::tempdir().unwrap().keep();
        std::fs::write(folder.join("all.cedar"), policy.source()).unwrap();
        let test = TestApp::start_with(PolicyEngine::from_folder(&folder).unwrap()).await;
        let policies = test.folder.path().join("policies");
        std::fs::rename(folder, &policies).unwrap();
        Self { policies: Some(policies), ..Self::of(test, subject).await }
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
        if let Some(target) = subject.target {
            let (settings, credential) = target();
            connect(&test, subject.name, settings, &credential).await;
        }
        let (developer, lead) = (test.person("developer").await, test.person("lead").await);
        let world = Self {
            subject,
            data: folder.join("data"),
            log: folder.join("failpoints.log"),
            made,
            address: Site::listen(&test).await,
            policies: None,
            deserters: Deserters::default(),
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
        let draft = Draft { intent, reason: String::new(), exception: false };
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

    /// A power operation, or the action of that name.
    pub async fn act(&self, environment: EnvironmentId, verb: &str) {
        let power = Operation::POWER.into_iter().find(|power| power.as_str() == verb);
        let act = || Intent::Act { environment, action: verb.to_owned(), inputs: serde_json::Map::new() };
        self.submit(power.map_or_else(act, |power| Intent::Power { environment, power })).await;
    }

    /// The developer asks for a comparison with what the last run left.
    pub async fn check_for_drift(&self, environment: EnvironmentId) {
        let (app, op) = (&self.test.app, self.test.op_as(&self.developer));
        let found = environments::find(&mut app.db.acquire().await.unwrap(), environment).await.unwrap().unwrap();
        let permit = app.permit_on(&op, &self.developer, &found).unwrap();
        app.check_drift(&op, &permit).await.unwrap();
    }

    /// The lead approves what waits for this environment.
    pub async fn approve(&self, environment: EnvironmentId) {
        self.review(environment, ReviewVerdict::Approved).await;
    }

    pub async fn reject(&self, environment: EnvironmentId) {
        self.review(environment, ReviewVerdict::Rejected).await;
    }

    async fn review(&self, environment: EnvironmentId, verdict: ReviewVerdict) {
        let id = self.waiting(environment).await;
        let op = self.test.op_as(&self.lead);
        let (requests, lead) = (&self.test.app.requests, Caller::Person(&self.lead));
        requests.review(&op, lead, id, verdict, "As discussed").await.unwrap();
    }

    /// The developer takes back what waits for this environment.
    pub async fn withdraw(&self, environment: EnvironmentId) {
        let id = self.waiting(environment).await;
        let op = self.test.op_as(&self.developer);
        self.test.app.requests.withdraw(&op, Caller::Person(&self.developer), id).await.unwrap();
    }

    /// The request of this environment that waits for an approval.
    async fn waiting(&self, environment: EnvironmentId) -> RequestId {
        let query = "SELECT id FROM request WHERE environment_id = $1 AND status = 'awaiting_approval'";
        RequestId(sqlx::query_scalar(query).bind(environment.0).fetch_one(self.test.app.db.pool()).await.unwrap())
    }

    /// Worker processes of one run each, with these failpoints armed.
    pub fn workers(&self, count: usize, arms: &[String]) -> Fleet {
        let recipe = Recipe { connections: 4, ..self.recipe(&arms.join(";"), self.test.database.url()) };
        let said = self.test.folder.path().join("workers.log");
        Fleet::start(count, Order { recipe, said, deserters: self.deserters.clone() })
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
        self.recipe(arms, url).command(verb)
    }

    fn recipe(&self, arms: &str, url: String) -> Recipe {
        Recipe {
            url,
            data: self.data.clone(),
            made: self.made.clone(),
            log: self.log.clone(),
            policies: self.policies.clone(),
            public_url: format!("http://{}", self.address),
            arms: arms.to_owned(),
            connections: 6,
        }
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
        let mut before = -1;
        let mut moved = Instant::now();
        loop {
            if soon {
                let soon = "UPDATE run SET run_at = now() WHERE id IN (
                                SELECT id FROM run WHERE state = 'queued' AND run_at > now() FOR UPDATE SKIP LOCKED)";
                sqlx::query(soon).execute(self.test.app.db.pool()).await.unwrap();
                let soon = "UPDATE circuit SET open_until = now() WHERE open_until > now()";
                sqlx::query(soon).execute(self.test.app.db.pool()).await.unwrap();
            }
            let left = self.number("SELECT count(*) FROM run WHERE state IN ('queued', 'running')").await;
            if left == 0 {
                return;
            }
            self.deserters.assert_none();
            // Each of these is bounded: where they grow no more, nothing will happen any more.
            let now = self.number("SELECT sum(attempt + log_seq) + count(ended_at) FROM run").await;
            if now != before {
                (before, moved) = (now, Instant::now());
            }
            assert!(moved.elapsed() < STILL, "{left} runs are not at rest, and nothing moves:\n{}", self.stuck().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What can be said of runs that do not come to rest.
    async fn stuck(&self) -> String {
        let runs = "SELECT label, concat_ws(' ', state, 'attempt', attempt, 'of', max_attempts, 'head', head, 'by', worker,
                        'lease', lease_until - now(), 'due', run_at - now(), error,
                        (SELECT string_agg(name || ' ' || status, ', ' ORDER BY position) FROM run_step s WHERE s.run_id = run.id))
                    FROM run WHERE state IN ('queued', 'running')";
        let workers = "SELECT name, concat_ws(' ', now() - seen_at, drain_requested) FROM worker";
        let sessions = "SELECT concat_ws(' ', pid, state, wait_event_type, wait_event, now() - xact_start,
                            pg_blocking_pids(pid)), query
                        FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let mut text = String::new();
        for query in [runs, workers, sessions] {
            for (who, what) in self.rows(query).await {
                text.push_str(&format!("{who}: {what}\n"));
            }
        }
        text.push_str(&self.said());
        text
    }

    /// Waits until `query` counts at least `wanted`.
    pub async fn until_number(&self, query: &str, wanted: i64) {
        let deadline = Instant::now() + PATIENCE;
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
