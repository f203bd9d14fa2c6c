//! A server that many share: what the role of an environment can reach, which extensions it can have,
//! and what its limits hold.

use paddock::providers::{Difference, Drift, Finding, Job, PlanAction, PostgresProvider, Provider, Target, Verdict};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::conformance::{self, actions, inputs, next_run};
use super::host::RecordingHost;
use crate::api::targets::Admin;
use crate::support::server::Server;

const PASSWORD: &str = "hunter2";

/// A job on the test server, with an administrator who is no superuser.
fn job(admin: &Admin, more: Value, asked: Value) -> Job {
    let mut settings = admin.settings();
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let secret = Some(PASSWORD.to_owned().into());
    Job {
        target: Some(Target { slug: "shared".to_owned(), settings, secret, ..Target::default() }),
        inputs: inputs(asked),
        ..conformance::job()
    }
}

struct Made {
    name: String,
    url: String,
}

impl Made {
    async fn of(job: &Job, host: &RecordingHost) -> Self {
        PostgresProvider.apply(job, host).await.unwrap();
        let (outputs, _) = PostgresProvider.collect(job, host).await.unwrap();
        let text = |name: &str| {
            let output = outputs.iter().find(|output| output.name == name).unwrap();
            output.value.as_str().unwrap().to_owned()
        };
        Self { name: text("database"), url: text("url") }
    }

    /// As its role.
    async fn user(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// As a superuser.
    async fn superuser(&self) -> PgConnection {
        PgConnection::connect_with(&Server::get().options(&self.name)).await.unwrap()
    }
}

async fn run(connection: &mut PgConnection, sql: impl Into<String>) -> Result<(), String> {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.into()));
    connection.execute(sql).await.map(drop).map_err(|error| error.to_string())
}

async fn drifted(job: &Job, host: &RecordingHost) -> Vec<String> {
    let look = Job { operation: "drift", ..next_run(job, "update") };
    match PostgresProvider.drift(&look, host).await.unwrap() {
        Drift::Looked { differences } => {
            let words = |one: Difference| format!("{} {}: {}", one.address, one.kind.as_str(), one.summary);
            differences.into_iter().map(words).collect()
        }
        Drift::CannotTell { reason } => panic!("{reason}"),
    }
}

#[tokio::test]
async fn a_database_has_the_extensions_that_were_asked_for_and_can_get_no_others() {
    let (admin, folder) = (Admin::make(PASSWORD).await, tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let listed = json!({"extensions": ["intarray", "cube", "hstore", "pg_trgm"]});
    let mut job = job(&admin, listed, json!({"extensions": ["intarray", "hstore"]}));
    job.config = json!({"extensions": ["cube"]});
    let plan = PostgresProvider.plan(&job, &host).await.unwrap();
    use PlanAction::Create;
    let parts = ["role", "database", "extension cube", "extension intarray", "extension hstore"];
    assert_eq!(actions(&plan), parts.map(|part| (part, Create)));
    let made = Made::of(&job, &host).await;
    assert_eq!(PostgresProvider.plan(&job, &host).await.unwrap().changes, []);
    assert_eq!(drifted(&job, &host).await, [""; 0]);

    let mut user = made.user().await;
    run(&mut user, "CREATE TABLE things (tags hstore); INSERT INTO things VALUES ('a=>1')").await.unwrap();
    run(&mut user, "SELECT cube_distance(cube(1), cube(2)), sort(ARRAY[2, 1])").await.unwrap();
    for (statement, refused) in [
        // Trusted by the server, and not on the list; then on the list, and not asked for.
        ("CREATE EXTENSION citext", "permission denied to create extension"),
        ("CREATE EXTENSION pg_trgm SCHEMA public", "permission denied to create extension"),
        ("CREATE SCHEMA mine", "permission denied for database"),
        ("CREATE FUNCTION extensions.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "permission denied for schema"),
        ("DROP EXTENSION hstore", "must be owner"),
        ("DROP SCHEMA extensions CASCADE", "must be owner"),
        (&format!("ALTER DATABASE {0} OWNER TO {0}", made.name), "must be owner"),
        (&format!("ALTER DATABASE {} SET search_path = public", made.name), "must be owner"),
        (&format!("COMMENT ON DATABASE {} IS 'mine'", made.name), "must be owner"),
    ] {
        let error = run(&mut user, statement).await.expect_err(statement);
        assert!(error.contains(refused), "{statement}: {error}");
    }
    // A grant by somebody who may not is a warning, and no grant.
    let _ = run(&mut user, format!("GRANT CREATE ON DATABASE {0} TO {0}", made.name)).await;
    assert!(run(&mut user, "CREATE EXTENSION citext").await.is_err());

    // Somebody who may installs one that is not listed, and takes one away.
    let mut superuser = made.superuser().await;
    run(&mut superuser, "CREATE EXTENSION citext; DROP EXTENSION intarray").await.unwrap();
    assert_eq!(
        drifted(&job, &host).await,
        ["extension intarray missing: it is not installed", "extension citext added: the target does not list it"]
    );
    PostgresProvider.apply(&next_run(&job, "update"), &host).await.unwrap();
    assert_eq!(drifted(&job, &host).await, ["extension citext added: the target does not list it"]);
    run(&mut superuser, "DROP EXTENSION citext").await.unwrap();
    superuser.close().await.unwrap();

    // What nobody asks for any more goes, unless something uses it.
    let mut fewer = next_run(&job, "update");
    fewer.inputs = inputs(json!({"extensions": ["pg_trgm"]}));
    let plan = PostgresProvider.plan(&fewer, &host).await.unwrap();
    let parts = [("extension pg_trgm", Create), ("extension intarray", PlanAction::Destroy)];
    assert_eq!(actions(&plan).iter().filter(|part| parts.contains(part)).count(), 2, "{plan:?}");
    assert_eq!(actions(&plan).len(), 3, "{plan:?}");
    let error = PostgresProvider.apply(&fewer, &host).await.unwrap_err().to_string();
    assert!(error.contains("cannot drop extension hstore because other objects depend on it"), "{error}");
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM things").fetch_one(&mut user).await.unwrap();
    assert_eq!(rows, 1, "no CASCADE");
    run(&mut user, "DROP TABLE things").await.unwrap();
    PostgresProvider.apply(&next_run(&fewer, "update"), &host).await.unwrap();
    assert_eq!(drifted(&fewer, &host).await, [""; 0]);

    PostgresProvider.destroy(&next_run(&fewer, "delete"), &host).await.unwrap();
    assert_eq!(PostgresProvider.read_back(&job, &host).await.unwrap(), []);
    admin.remove().await;
}

#[tokio::test]
async fn what_another_one_needs_comes_first_and_goes_last() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    // Not trusted: the administrator is a superuser.
    let mut job = super::postgres::job_on(&Server::get().url("postgres"));
    job.target.as_mut().unwrap().settings["extensions"] = json!(["cube", "earthdistance"]);
    job.config["extensions"] = json!(["earthdistance", "cube"]);
    let plan = PostgresProvider.plan(&job, &host).await.unwrap();
    let parts: Vec<&str> = plan.changes.iter().map(|change| change.address.as_str()).collect();
    assert_eq!(parts, ["role", "database", "extension cube", "extension earthdistance"]);
    let made = Made::of(&job, &host).await;
    run(&mut made.user().await, "SELECT earth_distance(ll_to_earth(1, 2), ll_to_earth(3, 4))").await.unwrap();
    job.config["extensions"] = json!([]);
    PostgresProvider.apply(&next_run(&job, "update"), &host).await.unwrap();
    assert_eq!(drifted(&job, &host).await, [""; 0]);
    PostgresProvider.destroy(&next_run(&job, "delete"), &host).await.unwrap();
}

#[tokio::test]
async fn a_creation_with_extensions_survives_a_crash_at_every_call() {
    let admin = Admin::make(PASSWORD).await;
    let job = || job(&admin, json!({"extensions": ["hstore"]}), json!({"extensions": ["hstore"]}));
    conformance::survives_a_crash_at_every_call(&PostgresProvider, job).await;
    admin.remove().await;
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_before_anything_is_made() {
    let (admin, folder) = (Admin::make(PASSWORD).await, tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    for (listed, asked, words) in [
        (
            json!(["hstore", "cube"]),
            json!(["hstore", "dblink"]),
            "the target shared does not allow the extension dblink; it allows cube, hstore",
        ),
        (
            json!([]),
            json!(["hstore"]),
            "the target shared lists no extensions that environments may have, so not hstore",
        ),
        (json!(["no_such"]), json!(["no_such"]), "the extension no_such is not available on the server"),
        (json!(["earthdistance"]), json!(["earthdistance"]), "the extension earthdistance needs cube: ask for both"),
    ] {
        let job = job(&admin, json!({"extensions": listed}), json!({"extensions": asked}));
        for result in [PostgresProvider.plan(&job, &host).await.map(drop), PostgresProvider.apply(&job, &host).await] {
            let error = result.unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
        assert_eq!(PostgresProvider.read_back(&job, &host).await.unwrap(), []);
        // A list that became shorter keeps nobody from deleting.
        PostgresProvider.destroy(&next_run(&job, "delete"), &host).await.unwrap();
    }
    admin.remove().await;
}

#[tokio::test]
async fn a_list_closes_databases_that_are_there_and_its_end_opens_them() {
    let (admin, folder) = (Admin::make(PASSWORD).await, tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let open = job(&admin, json!({}), json!({}));
    let made = Made::of(&open, &host).await;
    let mut user = made.user().await;
    run(&mut user, "CREATE EXTENSION citext; CREATE SCHEMA mine; CREATE TABLE mine.t (id int)").await.unwrap();

    let closed = Job { target: job(&admin, json!({"extensions": ["hstore"]}), json!({})).target, ..open.clone() };
    let update = next_run(&closed, "update");
    let plan = PostgresProvider.plan(&update, &host).await.unwrap();
    assert_eq!(actions(&plan), [("database", PlanAction::Change)]);
    assert!(plan.changes[0].summary.contains("only extensions that the target lists"), "{plan:?}");
    PostgresProvider.apply(&update, &host).await.unwrap();
    assert!(run(&mut user, "CREATE EXTENSION hstore").await.is_err());
    run(&mut user, "INSERT INTO mine.t VALUES (1); CREATE TABLE public.t (id int)").await.unwrap();
    assert_eq!(drifted(&closed, &host).await, ["extension citext added: the target does not list it"]);
    made.user().await.close().await.unwrap();

    // Somebody gives the right back by hand.
    let mut superuser = made.superuser().await;
    run(&mut superuser, format!("GRANT CREATE ON DATABASE {0} TO {0}; DROP EXTENSION citext", made.name))
        .await
        .unwrap();
    assert_eq!(drifted(&closed, &host).await, ["database changed: its role may install extensions"]);
    PostgresProvider.apply(&next_run(&closed, "update"), &host).await.unwrap();
    assert_eq!(drifted(&closed, &host).await, [""; 0]);

    PostgresProvider.apply(&next_run(&open, "update"), &host).await.unwrap();
    assert_eq!(drifted(&open, &host).await, [""; 0]);
    run(&mut user, "CREATE EXTENSION hstore; CREATE SCHEMA more").await.unwrap();

    // A tenant who prepares the schema in which an administrator would run scripts is found out.
    run(&mut user, "CREATE SCHEMA IF NOT EXISTS extensions").await.unwrap();
    run(&mut superuser, format!("ALTER SCHEMA extensions OWNER TO {}", made.name)).await.unwrap();
    superuser.close().await.unwrap();
    let error = PostgresProvider.apply(&next_run(&closed, "update"), &host).await.unwrap_err().to_string();
    assert!(error.contains("a schema named extensions that is not the administrator's"), "{error}");
    PostgresProvider.destroy(&next_run(&open, "delete"), &host).await.unwrap();
    admin.remove().await;
}

#[tokio::test]
async fn a_role_reaches_its_own_database_and_nothing_of_the_others() {
    let (admin, folder) = (Admin::make(PASSWORD).await, tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let (one, two) = (job(&admin, json!({}), json!({})), job(&admin, json!({"extensions": ["hstore"]}), json!({})));
    let (mine, other) = (Made::of(&one, &host).await, Made::of(&two, &host).await);
    let mut neighbour = other.user().await;
    run(&mut neighbour, "CREATE TABLE private (id int); SELECT 'a secret of the neighbour'").await.unwrap();

    for (from, to) in [(&mine, &other), (&other, &mine)] {
        let mut url = url::Url::parse(&from.url).unwrap();
        url.set_path(&to.name);
        let refused = PgConnection::connect(url.as_str()).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied for database"), "{refused}");
    }
    let mut user = mine.user().await;
    for statement in [
        format!("SET ROLE {}", other.name),
        format!("SET ROLE {}", admin.name),
        format!("GRANT {} TO {}", other.name, mine.name),
        format!("ALTER ROLE {} PASSWORD 'x'", other.name),
        format!("ALTER ROLE {} CREATEDB", mine.name),
        format!("ALTER DATABASE {} CONNECTION LIMIT 0", other.name),
        format!("DROP DATABASE {}", other.name),
        format!("CREATE DATABASE x TEMPLATE {}", other.name),
        "CREATE ROLE x".to_owned(),
        "SELECT * FROM pg_authid".to_owned(),
        "SELECT pg_read_file('postgresql.conf')".to_owned(),
        "SELECT * FROM pg_ls_dir('.')".to_owned(),
        "COPY (SELECT 1) TO PROGRAM 'true'".to_owned(),
        "CREATE EXTENSION dblink".to_owned(),
        "SET temp_file_limit = -1".to_owned(),
        format!("SELECT pg_database_size('{}')", other.name),
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", other.name),
    ] {
        let error = run(&mut user, statement.clone()).await.expect_err(&statement);
        assert!(error.contains("permission denied") || error.contains("must "), "{statement}: {error}");
    }
    let seen: Vec<String> = sqlx::query_scalar("SELECT query FROM pg_stat_activity WHERE datname = $1")
        .bind(&other.name)
        .fetch_all(&mut user)
        .await
        .unwrap();
    assert_eq!(seen, ["<insufficient privilege>"], "that somebody is connected can be seen, not what they ask");
    let memberships: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_auth_members WHERE member = current_user::regrole")
            .fetch_one(&mut user)
            .await
            .unwrap();
    assert_eq!(memberships, 0);

    // Somebody lets it read everything: that is told.
    Server::get().execute(format!("GRANT pg_read_all_data TO {}", mine.name)).await.unwrap();
    Server::get().execute(format!("ALTER ROLE {} REPLICATION", mine.name)).await.unwrap();
    assert_eq!(
        drifted(&one, &host).await,
        ["role changed: more than its own database: replication, member of pg_read_all_data"]
    );
    for job in [one, two] {
        PostgresProvider.destroy(&next_run(&job, "delete"), &host).await.unwrap();
    }
    admin.remove().await;
}

#[tokio::test]
async fn limits_are_set_and_sizes_are_told() {
    let (admin, folder) = (Admin::make(PASSWORD).await, tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let asked = json!({"lock_timeout_seconds": 3, "idle_in_transaction_timeout_seconds": 60, "storage_mb": 16});
    let mut job = job(&admin, json!({}), asked.clone());
    job.config = json!({"connection_limit": 7, "storage_mb": 1, "sizes": {"s": {"temp_file_mb": 1}}});
    let made = Made::of(&job, &host).await;
    assert_eq!(drifted(&job, &host).await, [""; 0]);
    let mut user = made.user().await;
    for (setting, value) in [("lock_timeout", "3s"), ("idle_in_transaction_session_timeout", "1min")] {
        let told: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&mut user).await.unwrap();
        assert_eq!(told, value);
    }
    run(&mut user, "CREATE TABLE big AS SELECT repeat(md5(i::text), 20) FROM generate_series(1, 20000) i")
        .await
        .unwrap();
    let told = drifted(&job, &host).await;
    assert!(
        told.len() == 1 && told[0].starts_with("database changed: it takes 2") && told[0].ends_with(" of 16 MB"),
        "{told:?}"
    );

    // Temporary files: only where the administrator may; then the role cannot help itself.
    let mut smaller = next_run(&job, "update");
    smaller.inputs = inputs(json!({"size": "s", "storage_mb": 1000}));
    let error = PostgresProvider.plan(&smaller, &host).await.unwrap_err().to_string();
    assert!(error.contains("GRANT SET ON PARAMETER temp_file_limit"), "{error}");
    Server::get().execute(format!("GRANT SET ON PARAMETER temp_file_limit TO {}", admin.name)).await.unwrap();
    let plan = PostgresProvider.plan(&smaller, &host).await.unwrap();
    assert_eq!(
        plan.changes[0].summary,
        "lock time-out 3s → none, idle time-out in transactions 60s → none, temporary files none → 1MB"
    );
    PostgresProvider.apply(&smaller, &host).await.unwrap();
    assert_eq!(drifted(&smaller, &host).await, [""; 0]);
    let mut user = made.user().await;
    let sort =
        "SET work_mem = '64kB'; SELECT count(*) FROM (SELECT i FROM generate_series(1, 500000) i ORDER BY i DESC) x";
    let error = run(&mut user, sort).await.unwrap_err();
    assert!(error.contains("temporary file size exceeds"), "{error}");
    assert!(run(&mut user, "SET temp_file_limit = -1").await.is_err());
    PostgresProvider.destroy(&next_run(&smaller, "delete"), &host).await.unwrap();
    Server::get().execute(format!("REVOKE SET ON PARAMETER temp_file_limit FROM {}", admin.name)).await.unwrap();
    admin.remove().await;
}

#[tokio::test]
async fn new_databases_lie_in_the_tablespace_of_the_target() {
    let (admin, folder) = (Admin::make(PASSWORD).await, tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let space = format!("space_{}", admin.name);
    let mut superuser = PgConnection::connect_with(&Server::get().options("postgres")).await.unwrap();
    run(&mut superuser, "SET allow_in_place_tablespaces = on").await.unwrap();
    run(&mut superuser, format!("CREATE TABLESPACE {space} LOCATION ''")).await.unwrap();
    let job = job(&admin, json!({"tablespace": space}), json!({}));
    let target = job.target.clone().unwrap();
    let told = |findings: &[Finding]| findings.iter().find(|one| one.what == "Tablespace").unwrap().result;
    assert_eq!(told(&PostgresProvider.check_target(&target).await), Verdict::Failed);
    run(&mut superuser, format!("GRANT CREATE ON TABLESPACE {space} TO {}", admin.name)).await.unwrap();
    assert_eq!(told(&PostgresProvider.check_target(&target).await), Verdict::Ok);
    let made = Made::of(&job, &host).await;
    let lies: String = sqlx::query_scalar(
        "SELECT spcname::text FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE datname = $1",
    )
    .bind(&made.name)
    .fetch_one(&mut superuser)
    .await
    .unwrap();
    assert_eq!(lies, space);
    let mut user = made.user().await;
    let error = run(&mut user, "CREATE TABLE elsewhere (id int) TABLESPACE pg_default").await.unwrap_err();
    assert!(error.contains("permission denied for tablespace"), "{error}");
    PostgresProvider.destroy(&next_run(&job, "delete"), &host).await.unwrap();
    run(&mut superuser, format!("DROP TABLESPACE {space}")).await.unwrap();
    admin.remove().await;
}

#[tokio::test]
async fn a_check_tells_what_of_the_list_the_server_does_not_give() {
    let admin = Admin::make(PASSWORD).await;
    let listed = json!({"extensions": ["hstore", "no_such", "earthdistance", "plpgsql"], "tablespace": "nowhere"});
    let findings = PostgresProvider.check_target(&job(&admin, listed, json!({})).target.unwrap()).await;
    let told: Vec<&str> =
        findings.iter().filter(|one| one.result != Verdict::Ok).map(|one| one.detail.as_str()).collect();
    assert!(told[0].contains(&admin.name) || told[0].contains(" more, like every role"), "{told:?}");
    assert_eq!(
        told[1..],
        [
            "Not available on the server: no_such.",
            "Only a superuser may install earthdistance: the server does not trust it to others.",
            "earthdistance needs cube, which is not on the list.",
            "There is no tablespace nowhere on the server.",
        ]
    );
    let fine = job(&admin, json!({"extensions": ["hstore", "plpgsql"]}), json!({})).target.unwrap();
    let findings = PostgresProvider.check_target(&fine).await;
    assert!(findings.iter().any(|one| one.detail == "All are available: hstore."), "{findings:#?}");
    admin.remove().await;
}
