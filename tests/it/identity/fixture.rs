//! A migrated database for one test, and short ways to make people.

use std::sync::Arc;

use paddock::base::id::ProjectId;
use paddock::base::{Actor, Clock as _, ManualClock, Op, Origin, SeededEntropy, SystemClock};
use paddock::db::Db;
use paddock::identity::{self, NewPerson, Person, Settings, SignedIn};

use crate::support::TestDatabase;

pub const DEMO: Settings = Settings {
    session_idle: jiff::SignedDuration::from_mins(30),
    session_absolute: jiff::SignedDuration::from_hours(12),
    demo: true,
};

/// A database of its own, dropped with the value.
pub struct Fixture {
    pub db: Db,
    pub settings: Settings,
    clock: Arc<ManualClock>,
    entropy: Arc<SeededEntropy>,
    // Dropped last: its drop removes the database.
    _database: TestDatabase,
}

impl Fixture {
    pub async fn new() -> Self {
        let database = TestDatabase::new().await;
        let start = jiff::Timestamp::from_second(1_800_000_000).unwrap();
        Self {
            db: database.db.clone(),
            settings: Settings::default(),
            _database: database,
            clock: Arc::new(ManualClock::new(start)),
            entropy: Arc::new(SeededEntropy::new(7)),
        }
    }

    /// With a clock that starts at the machine's time, for tokens that others check, too.
    pub async fn today() -> Self {
        Self { clock: Arc::new(ManualClock::new(SystemClock.now())), ..Self::new().await }
    }

    pub fn advance(&self, by: jiff::SignedDuration) {
        self.clock.advance(by);
    }

    pub fn op(&self, actor: Actor) -> Op {
        let origin = Origin { channel: "web", address: Some("192.0.2.7".to_owned()) };
        Op::new(actor, origin, self.clock.clone(), self.entropy.clone())
    }

    /// Nobody, from another address.
    pub fn from(&self, address: &str) -> Op {
        let mut op = self.anonymous();
        op.origin.address = Some(address.to_owned());
        op
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
