//! A migrated database for one test, and short ways to make people.

use std::sync::Arc;

use paddock::base::id::ProjectId;
use paddock::base::{Actor, ManualClock, Op, Origin, SeededEntropy};
use paddock::db::{Db, migrate};
use paddock::identity::{self, NewPerson, Person, Settings, SignedIn};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::sync::OnceCell;

static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

pub const DEMO: Settings = Settings {
    session_idle: jiff::SignedDuration::from_mins(30),
    session_absolute: jiff::SignedDuration::from_hours(12),
    demo: true,
};

/// A database of its own, dropped with the value.
pub struct Fixture {
    pub db: Db,
    pub settings: Settings,
    name: String,
    clock: Arc<ManualClock>,
    entropy: Arc<SeededEntropy>,
}

fn server() -> String {
    #[allow(clippy::disallowed_methods, reason = "where the test server is")]
    std::env::var("DATABASE_URL").expect("DATABASE_URL names a server where databases can be made")
}

fn url_of(database: &str) -> String {
    let mut url = url::Url::parse(&server()).unwrap();
    url.set_path(database);
    url.into()
}

async fn admin(statement: &str) {
    let mut connection = PgConnection::connect(&url_of("postgres")).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(statement.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}

impl Fixture {
    pub async fn new() -> Self {
        let template = TEMPLATE
            .get_or_init(|| async {
                let name = format!("paddock_it_{}", std::process::id());
                admin(&format!("CREATE DATABASE {name}")).await;
                let db = Db::connect(&url_of(&name), 1).unwrap();
                migrate(&db).await.unwrap();
                db.close().await;
                name
            })
            .await;
        let name = format!("{template}_{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
        admin(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        let db = Db::connect(&url_of(&name), 8).unwrap();
        let start = jiff::Timestamp::from_second(1_800_000_000).unwrap();
        Self {
            db,
            settings: Settings::default(),
            name,
            clock: Arc::new(ManualClock::new(start)),
            entropy: Arc::new(SeededEntropy::new(7)),
        }
    }

    pub fn op(&self, actor: Actor) -> Op {
        let origin = Origin { channel: "web", address: Some("192.0.2.7".to_owned()) };
        Op::new(actor, origin, self.clock.clone(), self.entropy.clone())
    }

    pub fn operator(&self) -> Op {
        self.op(Actor::Operator)
    }

    pub fn anonymous(&self) -> Op {
        self.op(Actor::Anonymous)
    }

    pub fn as_person(&self, person: &Person) -> Op {
        self.op(Actor::Person { id: person.id, login: person.login.clone(), token: None })
    }

    /// A person who is neither demo nor a program.
    pub async fn person(&self, login: &str) -> Person {
        let mut tx = self.db.begin().await.unwrap();
        let new = NewPerson { login: login.to_owned(), display_name: login.to_uppercase(), ..NewPerson::default() };
        let person = identity::create_person(&mut tx, &self.operator(), &new).await.unwrap();
        tx.commit().await.unwrap();
        person
    }

    pub async fn project(&self, slug: &str) -> ProjectId {
        let op = self.operator();
        let id = ProjectId::new(op.clock(), op.entropy());
        sqlx::query("INSERT INTO project (id, slug, name) VALUES ($1, $2, $2)")
            .bind(id.0)
            .bind(slug)
            .execute(self.db.pool())
            .await
            .unwrap();
        id
    }

    /// Signs a demo person in, from this machine.
    pub async fn demo_session(&self, login: &str, previous: Option<&str>) -> SignedIn {
        identity::ensure_demo(&self.db, &self.operator()).await.unwrap();
        let browser = identity::Browser { session: previous, user_agent: Some("test") };
        identity::demo_sign_in(&self.db, &self.anonymous(), &DEMO, login, "127.0.0.1".parse().unwrap(), browser)
            .await
            .unwrap()
    }

    /// Runs a statement on the side: to move times, and to break things.
    pub async fn sql(&self, statement: &str) -> u64 {
        sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(self.db.pool()).await.unwrap().rows_affected()
    }

    /// One value of a query, as text.
    pub async fn text(&self, query: &str) -> String {
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT ({query})::text")))
            .fetch_one(self.db.pool())
            .await
            .unwrap()
    }

    /// The audit records with this action, as `actor object outcome detail`, oldest first.
    pub async fn audit(&self, action: &str) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT actor_label || ' ' || object_label || ' ' || outcome || ' ' || detail
             FROM audit_record WHERE action = $1 ORDER BY at, id",
        )
        .bind(action)
        .fetch_all(self.db.pool())
        .await
        .unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(admin(&statement));
        };
        // A failed clean-up must not hide why the test failed.
        drop(std::thread::spawn(work).join());
    }
}
