//! Databases and roles of a server that carry Paddock's mark, of whatever environment.
//!
//! The mark of a database's role counts more than the database's own comment, which its owner may edit.

use tokio_util::sync::CancellationToken;

use super::session::Session;
use super::sql::Statement;
use super::target::access;

use crate::base::id::EnvironmentId;
use crate::providers::{Marked, ProviderError, Target};

const DATABASE: &str = "postgres_database";
const ROLE: &str = "postgres_role";
/// What every mark begins with.
const MARK: &str = "paddock:";

#[derive(sqlx::FromRow)]
struct Row {
    kind: String,
    name: String,
    mark: String,
}

/// Everything with our mark.
pub async fn list(target: &Target) -> Result<Vec<Marked>, ProviderError> {
    let mut session = Session::open(&access(target)?, &CancellationToken::new()).await?;
    let rows = read(&mut session).await;
    session.close().await;
    Ok(rows?.into_iter().filter_map(marked).collect())
}

async fn read(session: &mut Session) -> Result<Vec<Row>, ProviderError> {
    session
        .read(async |c| {
            sqlx::query_as(
                "WITH role AS (SELECT oid, rolname, shobj_description(oid, 'pg_authid') AS mark FROM pg_roles), \
                      role_of_ours AS (SELECT * FROM role WHERE mark LIKE 'paddock:env\\_%'), \
                      base AS (SELECT d.datname, coalesce(r.mark, shobj_description(d.oid, 'pg_database')) AS mark \
                               FROM pg_database d LEFT JOIN role_of_ours r ON r.oid = d.datdba) \
                 SELECT 'postgres_database' AS kind, datname::text AS name, mark FROM base \
                 WHERE mark LIKE 'paddock:env\\_%' \
                 UNION ALL SELECT 'postgres_role', rolname::text, mark FROM role_of_ours ORDER BY 1, 2",
            )
            .fetch_all(c)
            .await
        })
        .await
}

fn marked(row: Row) -> Option<Marked> {
    let environment: EnvironmentId = row.mark.strip_prefix(MARK)?.parse().ok()?;
    let address = if row.kind == DATABASE { "database" } else { "role" };
    Some(Marked {
        r#type: row.kind,
        id: row.name,
        address: Some(address.to_owned()),
        environment: Some(environment),
        since: None,
        cost: None,
        is_resource: true,
    })
}

/// Drops it, if it still carries the same mark.
pub async fn remove(target: &Target, wanted: &Marked) -> Result<(), ProviderError> {
    let mut session = Session::open(&access(target)?, &CancellationToken::new()).await?;
    let outcome = drop_marked(&mut session, wanted).await;
    session.close().await;
    outcome
}

async fn drop_marked(session: &mut Session, wanted: &Marked) -> Result<(), ProviderError> {
    let there = read(session).await?.into_iter().filter_map(marked);
    let same =
        |one: &Marked| (&one.r#type, &one.id, one.environment) == (&wanted.r#type, &wanted.id, wanted.environment);
    if !there.into_iter().any(|one| same(&one)) {
        // It is gone, or it is somebody else's by now: either way it is not ours to drop.
        return Ok(());
    }
    let drop = match wanted.r#type.as_str() {
        DATABASE => Statement::new("DROP DATABASE IF EXISTS ").identifier(&wanted.id).text(" WITH (FORCE)"),
        ROLE => Statement::new("DROP ROLE IF EXISTS ").identifier(&wanted.id),
        other => return Err(ProviderError::failed(format!("a {other} is nothing that Paddock makes on a server"))),
    };
    session.write(drop).await?;
    Ok(())
}
