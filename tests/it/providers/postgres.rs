//! The provider of databases against a real server.

use std::path::Path;
use std::time::Duration;

use paddock::providers::{Job, PlanAction, PostgresProvider, Provider, ProviderError, Target};
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::conformance::{self, actions, inputs, next_attempt, next_run};
use super::host::RecordingHost;
use super::victim;
use crate::support::server::Server;

fn server() -> String {
    Server::get().url("postgres")
}

async fn admin() -> PgConnection {
    PgConnection::connect(&server()).await.unwrap()
}

fn job() -> Job {
    job_on(&server())
}

pub fn job_on(server: &str) -> Job {
    let url = url::Url::parse(server).unwrap();
    let address = json!({"host": url.host_str().unwrap(), "port": url.port().unwrap_or(5432)});
    Job {
        target: Some(Target {
            slug: "shared".to_owned(),
            settings: address,
            secret: Some(server.to_owned().into()),
            ..Target::default()
        }),
        config: json!({"sizes": {"small": {"connection_limit": 2, "statement_timeout_seconds": 30},
                                 "large": {"connection_limit": 50}}}),
        inputs: inputs(json!({"size": "small", "purpose": "a test"})),
        ..conformance::job()
    }
}

async fn output(job: &Job, host: &RecordingHost, name: &str) -> String {
    let (outputs, _) = PostgresProvider.collect(job, host).await.unwrap();
    let output = outputs.into_iter().find(|output| output.name == name).unwrap();
    output.value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn lives_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    conformance::lives_and_ends(&PostgresProvider, &job(), &RecordingHost::new(folder.path())).await;
}

#[tokio::test]
async fn survives_a_crash_at_every_call() {
    conformance::survives_a_crash_at_every_call(&PostgresProvider, job).await;
}

/// Most platforms give no superuser away.
#[tokio::test]
async fn an_administrator_without_superuser_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let admin_role = format!("provider_admin_{}", std::process::id());
    let server_of_tests = Server::get();
    for statement in [
        format!("CREATE ROLE {admin_role} LOGIN CREATEDB CREATEROLE PASSWORD 'hunter2'"),
        // The embedded server lets nobody but its superuser into its own databases.
        format!("CREATE DATABASE {admin_role} OWNER {admin_role}"),
    ] {
        server_of_tests.execute(statement).await.unwrap();
    }
    let mut url = url::Url::parse(&server()).unwrap();
    url.set_query(None);
    url.set_path(&admin_role);
    url.set_username(&admin_role).unwrap();
    url.set_password(Some("hunter2")).unwrap();
    conformance::lives_and_ends(&PostgresProvider, &job_on(url.as_str()), &RecordingHost::new(folder.path())).await;

    for statement in [format!("DROP DATABASE {admin_role}"), format!("DROP ROLE {admin_role}")] {
        server_of_tests.execute(statement).await.unwrap();
    }
}

#[tokio::test]
async fn stops_without_lease() {
    let folder = tempfile::tempdir().unwrap();
    let job = job();
    conformance::stops_without_lease(&PostgresProvider, &job, &RecordingHost::new(folder.path())).await;
    assert_eq!(PostgresProvider.read_back(&job, &RecordingHost::new(folder.path())).await.unwrap(), []);
}

#[tokio::test]
async fn outputs_let_their_owner_in_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    let (one, two) = (job(), job());
    PostgresProvider.apply(&one, &host).await.unwrap();
    PostgresProvider.apply(&two, &host).await.unwrap();

    let mut user = PgConnection::connect(&output(&one, &host, "url").await).await.unwrap();
    user.execute("CREATE TABLE mine (id int)").await.unwrap();
    let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut user).await.unwrap();
    assert_eq!(name, output(&one, &host, "database").await);
    let timeout: String = sqlx::query_scalar("SHOW statement_timeout").fetch_one(&mut user).await.unwrap();
    assert_eq!(timeout, "30s");

    let mut other = url::Url::parse(&output(&one, &host, "url").await).unwrap();
    other.set_path(&output(&two, &host, "database").await);
    let refused = PgConnection::connect(other.as_str()).await.unwrap_err();
    assert!(refused.to_string().contains("permission denied for database"), "{refused}");

    // The stored secret is a SCRAM verifier, and the wished password is what it verifies.
    let stored: String = sqlx::query_scalar("SELECT rolpassword FROM pg_authid WHERE rolname = $1")
        .bind(output(&one, &host, "user").await)
        .fetch_one(&mut admin().await)
        .await
        .unwrap();
    assert!(stored.starts_with("SCRAM-SHA-256$4096:"));
    assert!(!host.text().contains(&output(&one, &host, "password").await));

    // A user who is connected does not keep the database alive.
    let away = next_run(&one, "delete");
    PostgresProvider.destroy(&away, &host).await.unwrap();
    assert!(user.ping().await.is_err());
    PostgresProvider.destroy(&next_run(&two, "delete"), &host).await.unwrap();
}

#[tokio::test]
async fn an_update_changes_limits_and_says_so_before() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    let mut job = job();
    PostgresProvider.apply(&job, &host).await.unwrap();
    assert_eq!(PostgresProvider.plan(&job, &host).await.unwrap().changes, []);

    job = next_run(&job, "update");
    job.inputs = inputs(json!({"size": "large"}));
    let plan = PostgresProvider.plan(&job, &host).await.unwrap();
    assert_eq!(actions(&plan), [("role", PlanAction::Change)]);
    assert_eq!(plan.changes[0].summary, "connections 2 → 50, statement time-out 30s → none");
    PostgresProvider.apply(&job, &host).await.unwrap();
    assert_eq!(PostgresProvider.plan(&job, &host).await.unwrap().changes, []);

    let away = next_run(&job, "delete");
    let plan = PostgresProvider.plan(&away, &host).await.unwrap();
    assert_eq!(actions(&plan), [("database", PlanAction::Destroy), ("role", PlanAction::Destroy)]);
    PostgresProvider.destroy(&away, &host).await.unwrap();
}

#[tokio::test]
async fn what_is_not_ours_is_never_touched() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    let job = job();
    // Learn the name, then take it away from under the environment.
    PostgresProvider.apply(&job, &host).await.unwrap();
    let name = output(&job, &host, "database").await;
    let mut admin = admin().await;
    let quoted = format!("\"{name}\"");
    for sql in [
        format!("COMMENT ON DATABASE {quoted} IS 'somebody else''s'"),
        format!("ALTER DATABASE {quoted} OWNER TO CURRENT_USER"),
    ] {
        admin.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.unwrap();
    }
    for result in
        [PostgresProvider.apply(&job, &host).await, PostgresProvider.destroy(&next_run(&job, "delete"), &host).await]
    {
        let message = result.unwrap_err().to_string();
        assert!(message.starts_with(&format!("a database named {name} is already on the server")), "{message}");
    }
    for sql in [format!("DROP DATABASE {quoted}"), format!("DROP ROLE {quoted}")] {
        admin.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.unwrap();
    }
}

#[tokio::test]
async fn a_role_that_is_not_ours_is_never_touched() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    let job = job();
    PostgresProvider.apply(&job, &host).await.unwrap();
    let name = output(&job, &host, "user").await;
    let mut admin = admin().await;
    let comment = |text: &str| sqlx::AssertSqlSafe(format!("COMMENT ON ROLE \"{name}\" IS '{text}'"));
    admin.execute(sqlx::raw_sql(comment("of somebody else"))).await.unwrap();
    let away = next_run(&job, "delete");
    for result in [PostgresProvider.apply(&job, &host).await, PostgresProvider.destroy(&away, &host).await] {
        let message = result.unwrap_err().to_string();
        assert!(message.starts_with(&format!("a role named {name} is already on the server")), "{message}");
    }
    admin.execute(sqlx::raw_sql(comment(&format!("paddock:{}", job.environment)))).await.unwrap();
    PostgresProvider.destroy(&away, &host).await.unwrap();
}

#[tokio::test]
async fn refusals_are_told_in_words_and_without_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    let with_secret = |secret: &str| {
        let mut job = job();
        job.target.as_mut().unwrap().secret = Some(secret.to_owned().into());
        job
    };
    let nobody = PostgresProvider.apply(&with_secret("postgres://a:hunter2@127.0.0.1:1/postgres"), &host).await;
    let error = nobody.unwrap_err();
    assert!(matches!(error, ProviderError::Retryable { .. }), "{error:?}");
    assert!(error.to_string().starts_with("the database server 127.0.0.1:1 cannot be reached"), "{error}");

    let nonsense = PostgresProvider.apply(&with_secret("hunter2"), &host).await.unwrap_err();
    assert!(matches!(nonsense, ProviderError::Failed { .. }) && !nonsense.to_string().contains("hunter2"));

    let mut missing = job();
    missing.target = None;
    let message = PostgresProvider.apply(&missing, &host).await.unwrap_err().to_string();
    assert_eq!(message, "no database server is bound to dev for this project");

    let mut size = job();
    size.inputs = inputs(json!({"size": "huge"}));
    let message = PostgresProvider.apply(&size, &host).await.unwrap_err().to_string();
    assert_eq!(message, "the size “huge” is not one of large, small");
}

/// The same job in the killed process and in the one that goes on.
pub fn victim(folder: &Path) -> (Box<dyn Provider>, Job) {
    let ids = std::fs::read_to_string(folder.join("ids")).unwrap();
    let [environment, run, since, server] = ids.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let (environment, run, since) = (environment.parse().unwrap(), run.parse().unwrap(), since.parse().unwrap());
    (Box::new(PostgresProvider), Job { environment, run, since, ..job_on(server) })
}

#[tokio::test]
async fn a_creation_goes_on_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    let job = job();
    let ids = format!("{} {} {} {}", job.environment, job.run, job.since, server());
    std::fs::write(folder.path().join("ids"), ids).unwrap();

    // CREATE DATABASE waits as long as this transaction holds the catalog.
    let mut blocker = admin().await;
    let mut blocking = blocker.begin().await.unwrap();
    blocking.execute("LOCK TABLE pg_database IN SHARE MODE").await.unwrap();

    let mut watcher = admin().await;
    let mut victim = victim::start("postgres", folder.path());
    let first = shown_by(&job);
    wait_until_creating(&mut watcher, &first).await;
    victim.kill();

    let second = next_attempt(&job);
    let going_on = PostgresProvider.apply(&second, &host);
    let release = async {
        wait_until_creating(&mut watcher, &shown_by(&second)).await;
        let leftovers: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE application_name = $1")
            .bind(&first)
            .fetch_one(&mut watcher)
            .await
            .unwrap();
        assert_eq!(leftovers, 0, "the dead attempt's backend is gone before the next one creates");
        blocking.rollback().await.unwrap();
    };
    let (applied, ()) = tokio::join!(going_on, release);
    applied.unwrap();

    let (_, resources) = PostgresProvider.collect(&second, &host).await.unwrap();
    assert_eq!(resources.len(), 2, "one database, one role");
    PgConnection::connect(&output(&second, &host, "url").await).await.unwrap().close().await.unwrap();
    PostgresProvider.destroy(&next_run(&job, "delete"), &host).await.unwrap();
    assert_eq!(PostgresProvider.read_back(&second, &host).await.unwrap(), []);
}

/// The name that the connections of an attempt show.
fn shown_by(job: &Job) -> String {
    format!("paddock/{}/{:x}/{}", job.run.0.simple(), job.since.as_microsecond(), job.attempt)
}

/// A worker that was away for long comes back into the middle of its successor's work.
#[tokio::test]
async fn an_attempt_that_meets_a_later_one_stops_and_leaves_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    let zombie = job();
    let heir = next_attempt(&zombie);
    let mut blocker = admin().await;
    let mut blocking = blocker.begin().await.unwrap();
    blocking.execute("LOCK TABLE pg_database IN SHARE MODE").await.unwrap();
    let late = async {
        wait_until_creating(&mut admin().await, &shown_by(&heir)).await;
        let met = PostgresProvider.apply(&zombie, &host).await;
        assert!(matches!(met, Err(ProviderError::LeaseLost)), "{met:?}");
        blocking.rollback().await.unwrap();
    };
    let (applied, ()) = tokio::join!(PostgresProvider.apply(&heir, &host), late);
    applied.unwrap();
    PostgresProvider.destroy(&next_run(&heir, "delete"), &host).await.unwrap();
}

async fn wait_until_creating(watcher: &mut PgConnection, application: &str) {
    let wait = async {
        loop {
            let creating: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity \
                 WHERE application_name = $1 AND query LIKE 'CREATE DATABASE%' AND wait_event_type = 'Lock'",
            )
            .bind(application)
            .fetch_one(&mut *watcher)
            .await
            .unwrap();
            if creating == 1 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("CREATE DATABASE was never reached");
}

#[tokio::test]
async fn a_database_without_its_comment_is_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    let job = job();
    PostgresProvider.apply(&job, &host).await.unwrap();
    let name = output(&job, &host, "database").await;
    // What an attempt leaves that dies right after CREATE DATABASE.
    let mut admin = admin().await;
    for sql in [
        format!("COMMENT ON DATABASE \"{name}\" IS NULL"),
        format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false"),
    ] {
        admin.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.unwrap();
    }
    let plan = PostgresProvider.plan(&job, &host).await.unwrap();
    assert_eq!(actions(&plan), [("database", PlanAction::Change)]);
    PostgresProvider.apply(&next_attempt(&job), &host).await.unwrap();
    assert!(host.text().contains("was begun by an earlier attempt"));
    PgConnection::connect(&output(&job, &host, "url").await).await.unwrap().close().await.unwrap();
    PostgresProvider.destroy(&next_run(&job, "delete"), &host).await.unwrap();
}
