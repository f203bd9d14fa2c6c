//! What the database itself refuses, and that its lists are those of the code.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use paddock::audit;
use paddock::catalog;
use paddock::environments::{Operation, State};
use paddock::orchestrator::RunState;
use paddock::policy::Role;
use paddock::requests::RequestStatus;
use sqlx::{Connection as _, PgConnection};

use crate::api::{create, text};
use crate::support::http::Site;

async fn owner(site: &Site) -> PgConnection {
    PgConnection::connect_with(&site.test.database.options()).await.unwrap()
}

async fn refused(connection: &mut PgConnection, statement: &str) -> Option<String> {
    let result = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(connection).await;
    result.err().map(|error| {
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned()
    })
}

#[tokio::test]
async fn what_was_recorded_stays_as_it_is() {
    let site = Site::start().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    let made = developer.post("/api/v1/requests", &create("prod", "orders")).await.expect(StatusCode::CREATED);
    site.test.plan().await;
    let review = serde_json::json!({"verdict": "approved"});
    lead.post(&format!("/api/v1/requests/{}/reviews", text(&made, "/id")), &review).await.expect(StatusCode::CREATED);
    let before = site.number("SELECT count(*) FROM audit_record").await;
    let changes = [
        "UPDATE audit_record SET actor_label = 'nobody'",
        "DELETE FROM audit_record",
        "TRUNCATE audit_record",
        "UPDATE decision SET outcome = 'allowed'",
        "DELETE FROM decision",
        "UPDATE review SET verdict = 'rejected'",
        "DELETE FROM review",
        "UPDATE request_plan SET changes = '[]'",
        "DELETE FROM request_plan",
        "UPDATE policy_set SET source = ''",
        "DELETE FROM policy_set",
    ];
    let mut connection = owner(&site).await;
    for change in changes {
        assert!(refused(&mut connection, change).await.is_some(), "the owner can: {change}");
    }
    let rights = [
        "DELETE FROM environment",
        "DELETE FROM request",
        "DELETE FROM run",
        "TRUNCATE decision",
        "TRUNCATE review",
        "ALTER TABLE audit_record DISABLE TRIGGER ALL",
        "DROP TABLE audit_record",
    ];
    for change in changes.into_iter().chain(rights) {
        let mut connection = site.test.app.db.acquire().await.unwrap();
        // Insufficient privilege: the application's role has not even the right.
        assert_eq!(refused(&mut connection, change).await.as_deref(), Some("42501"), "the application can: {change}");
    }
    assert_eq!(site.number("SELECT count(*) FROM audit_record").await, before);
}

#[tokio::test]
async fn states_change_as_the_code_says_and_in_no_other_way() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    client.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
    let mut connection = owner(&site).await;
    for from in State::ALL {
        for to in State::ALL {
            let wanted = from == to || from.can_become(to);
            let (ended, end) = (from == State::Deleted, to == State::Deleted);
            let set = format!("UPDATE environment SET state = '{}', deleted_at = {}", from.as_str(), at(ended));
            let change = format!("UPDATE environment SET state = '{}', deleted_at = {}", to.as_str(), at(end));
            let taken = attempt(&mut connection, "environment", &set, &change).await;
            assert_eq!(taken, wanted, "environment: {from:?} to {to:?}");
        }
    }
    for from in RequestStatus::ALL {
        for to in RequestStatus::ALL {
            let set = format!("UPDATE request SET status = '{}'", from.as_str());
            let change = format!("UPDATE request SET status = '{}'", to.as_str());
            let taken = attempt(&mut connection, "request", &set, &change).await;
            assert_eq!(taken, from == to || from.can_become(to), "request: {from:?} to {to:?}");
        }
    }
    for from in RunState::ALL {
        for to in RunState::ALL {
            let taken = attempt(&mut connection, "run", &run_in(from), &run_in(to)).await;
            // A run that ended stays so; one that runs goes back to the queue when its worker died.
            let wanted = from == to
                || match from {
                    RunState::Queued => matches!(to, RunState::Running | RunState::Canceled | RunState::Faulted),
                    RunState::Running => true,
                    RunState::Succeeded | RunState::Failed | RunState::Canceled | RunState::Faulted => false,
                };
            assert_eq!(taken, wanted, "run: {from:?} to {to:?}");
            assert!(!from.is_terminal() || !taken || from == to);
        }
    }
}

fn at(set: bool) -> &'static str {
    if set { "now()" } else { "NULL" }
}

fn run_in(state: RunState) -> String {
    format!(
        "UPDATE run SET state = '{}', lease_until = {}, ended_at = {}",
        state.as_str(),
        at(state == RunState::Running),
        at(state.is_terminal())
    )
}

/// Whether `change` is taken after `set`, which happens with the triggers off. Nothing stays.
async fn attempt(connection: &mut PgConnection, table: &str, set: &str, change: &str) -> bool {
    let statements = [
        "BEGIN".to_owned(),
        format!("ALTER TABLE {table} DISABLE TRIGGER USER"),
        set.to_owned(),
        format!("ALTER TABLE {table} ENABLE TRIGGER USER"),
    ];
    for statement in statements {
        assert_eq!(refused(connection, &statement).await, None, "{statement}");
    }
    let code = refused(connection, change).await;
    assert!(code.is_none() || code.as_deref() == Some("23514"), "{change}: {code:?}");
    assert_eq!(refused(connection, "ROLLBACK").await, None);
    code.is_none()
}

/// The words of a CHECK constraint on this column.
async fn words(site: &Site, table: &str, column: &str) -> BTreeSet<String> {
    let definitions: Vec<String> = sqlx::query_scalar(
        "SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c
         WHERE c.contype = 'c' AND c.conrelid = $1::regclass AND array_length(c.conkey, 1) = 1
           AND (SELECT attname FROM pg_attribute WHERE attrelid = c.conrelid AND attnum = c.conkey[1]) = $2",
    )
    .bind(table)
    .bind(column)
    .fetch_all(site.test.app.db.pool())
    .await
    .unwrap();
    let found: BTreeSet<String> =
        definitions.iter().flat_map(|text| text.split('\'').skip(1).step_by(2)).map(str::to_owned).collect();
    assert!(!found.is_empty(), "{table}.{column} has no list");
    found
}

fn set<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

fn spelled<T: serde::Serialize>(values: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    values.into_iter().map(|value| serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn lists_of_the_code_are_lists_of_the_database() {
    use catalog::VersionState as V;
    use paddock::orchestrator::StepStatus::{Canceled, Failed, Pending, Running, Succeeded};
    use paddock::policy::Outcome::{Allowed, Denied, NeedsApproval};
    use paddock::providers::Stream::{Paddock, Stderr, Stdout};
    use paddock::requests::ReviewVerdict::{Approved, Rejected};
    let site = Site::start().await;
    assert_eq!(words(&site, "environment", "state").await, set(State::ALL.map(State::as_str)));
    assert_eq!(words(&site, "request", "status").await, set(RequestStatus::ALL.map(RequestStatus::as_str)));
    assert_eq!(words(&site, "request", "operation").await, set(Operation::ALL.map(Operation::as_str)));
    assert_eq!(words(&site, "run", "state").await, set(RunState::ALL.map(RunState::as_str)));
    let steps = spelled([Pending, Running, Succeeded, Failed, Canceled]);
    assert_eq!(words(&site, "run_step", "status").await, steps);
    assert_eq!(words(&site, "decision", "outcome").await, spelled([Allowed, Denied, NeedsApproval]));
    assert_eq!(words(&site, "review", "verdict").await, spelled([Approved, Rejected]));
    assert_eq!(words(&site, "log_line", "stream").await, spelled([Stdout, Stderr, Paddock]));
    let roles = set(Role::ALL.map(Role::as_str));
    assert_eq!(words(&site, "approval_requirement", "role").await, roles);
    assert_eq!(words(&site, "role_binding", "role").await, roles);
    let outcomes = spelled([audit::Outcome::Succeeded, audit::Outcome::Denied, audit::Outcome::Failed]);
    assert_eq!(words(&site, "audit_record", "outcome").await, outcomes);
    let kinds = spelled([catalog::Kind::Environment, catalog::Kind::Workspace]);
    assert_eq!(words(&site, "template", "kind").await, kinds);
    assert_eq!(words(&site, "environment", "kind").await, kinds);
    let versions = spelled([V::Draft, V::Published, V::Deprecated, V::Retired]);
    assert_eq!(words(&site, "template_version", "state").await, versions);
}
