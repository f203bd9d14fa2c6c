//! Sign-ins under way at the OpenID provider, and who its subjects are here.

use std::collections::BTreeSet;

use serde_json::Value;
use sqlx::PgConnection;

use crate::base::Digest;
use crate::base::id::{PersonId, ProjectId, TeamId};
use crate::db::Result;
use crate::identity::{Role, Team};

pub(in crate::identity) async fn insert_flow(
    connection: &mut PgConnection,
    state: Digest,
    browser: Digest,
    return_to: &str,
    seconds: i64,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO sign_in_flow (state_hash, browser_hash, return_to, expires_at)
         VALUES ($1, $2, $3, now() + make_interval(secs => $4::bigint))",
        state.0.as_slice(),
        browser.0.as_slice(),
        return_to,
        seconds,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a flow that this browser began and that has not ended: its `return_to`. It can be taken
/// once, and another browser cannot take it.
pub(in crate::identity) async fn take_flow(
    connection: &mut PgConnection,
    state: Digest,
    browser: Digest,
) -> Result<Option<String>> {
    let return_to = sqlx::query_scalar!(
        "DELETE FROM sign_in_flow WHERE state_hash = $1 AND browser_hash = $2 AND expires_at > now() RETURNING return_to",
        state.0.as_slice(),
        browser.0.as_slice(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(return_to)
}

/// Two first sign-ins of one subject wait for each other until the transaction ends.
pub(in crate::identity) async fn lock(connection: &mut PgConnection, issuer: &str, subject: &str) -> Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", format!("{issuer} {subject}"))
        .execute(connection)
        .await?;
    Ok(())
}

pub(in crate::identity) async fn find_person(
    connection: &mut PgConnection,
    issuer: &str,
    subject: &str,
) -> Result<Option<PersonId>> {
    let id = sqlx::query_scalar!(
        r#"SELECT person_id AS "id: PersonId" FROM external_identity WHERE issuer = $1 AND subject = $2"#,
        issuer,
        subject
    )
    .fetch_optional(connection)
    .await?;
    Ok(id)
}

pub(in crate::identity) async fn upsert_identity(
    connection: &mut PgConnection,
    issuer: &str,
    subject: &str,
    person: PersonId,
    claims: &Value,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO external_identity (issuer, subject, person_id, claims) VALUES ($1, $2, $3, $4)
         ON CONFLICT (issuer, subject) DO UPDATE SET claims = excluded.claims, seen_at = now()",
        issuer,
        subject,
        person.0,
        claims,
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(in crate::identity) async fn update_person(
    connection: &mut PgConnection,
    id: PersonId,
    name: &str,
    email: Option<&str>,
) -> Result<()> {
    sqlx::query!("UPDATE person SET display_name = $2, email = $3 WHERE id = $1", id.0, name, email)
        .execute(connection)
        .await?;
    Ok(())
}

pub(in crate::identity) async fn find_project(connection: &mut PgConnection, slug: &str) -> Result<Option<ProjectId>> {
    let id = sqlx::query_scalar!(r#"SELECT id AS "id: ProjectId" FROM project WHERE slug = $1"#, slug)
        .fetch_optional(connection)
        .await?;
    Ok(id)
}

/// The roles that the person has from the provider.
pub(in crate::identity) async fn roles(
    connection: &mut PgConnection,
    person: PersonId,
) -> Result<Vec<(Role, Option<ProjectId>)>> {
    let rows = sqlx::query!(
        r#"SELECT role AS "role: Role", project_id AS "project: ProjectId" FROM role_binding
           WHERE person_id = $1 AND source = 'oidc'"#,
        person.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.role, row.project)).collect())
}

/// Ends the memberships from the provider in every team but these, and tells which they were.
pub(in crate::identity) async fn leave_other_teams(
    connection: &mut PgConnection,
    person: PersonId,
    stay: &BTreeSet<String>,
) -> Result<Vec<Team>> {
    let stay: Vec<String> = stay.iter().cloned().collect();
    let left = sqlx::query_as!(
        Team,
        r#"DELETE FROM team_member USING team
           WHERE team.id = team_id AND person_id = $1 AND source = 'oidc' AND team.slug <> ALL ($2)
           RETURNING team.id AS "id: TeamId", slug, name"#,
        person.0,
        &stay,
    )
    .fetch_all(connection)
    .await?;
    Ok(left)
}
