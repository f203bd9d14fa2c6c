//! Role bindings as admins see them: a list, and one by one.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::cursor::{Cursor, MAX_PAGE};
use crate::base::id::{PersonId, ProjectEnvironmentTypeId, ProjectId, RoleBindingId, TeamId};
use crate::db::{Error, Result};
use crate::identity::bindings::{Binding, NewBinding};
use crate::identity::people::Held;
use crate::identity::role::Role;
use crate::identity::{Holder, Source};

struct Row {
    id: RoleBindingId,
    role: Role,
    person_id: Option<Uuid>,
    team_id: Option<Uuid>,
    name: String,
    key: String,
    members: i64,
    project_id: Option<ProjectId>,
    project: Option<String>,
    place_id: Option<ProjectEnvironmentTypeId>,
    environment_type: Option<String>,
    source: Source,
    given_by: String,
    created_at: jiff_sqlx::Timestamp,
    expires_at: Option<jiff_sqlx::Timestamp>,
}

impl TryFrom<Row> for Binding {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let holder = match (row.person_id, row.team_id) {
            (Some(person), None) => Holder::Person(PersonId(person)),
            (None, Some(team)) => Holder::Team(TeamId(team)),
            (None, None) | (Some(_), Some(_)) => return Err(Error::Corrupt("role binding")),
        };
        Ok(Self {
            id: row.id,
            role: row.role,
            holder,
            name: row.name,
            key: row.key,
            members: row.members,
            project: row.project_id,
            project_slug: row.project,
            place: row.place_id,
            environment_type: row.environment_type,
            source: row.source,
            given_by: row.given_by,
            created_at: row.created_at.to_jiff(),
            expires_at: row.expires_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
    }
}

/// Those that count, newest first. `id`: only that one. `query`: a part of what the list shows of it.
pub(in crate::identity) async fn list(
    connection: &mut PgConnection,
    id: Option<RoleBindingId>,
    query: &str,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Binding>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT b.id AS "id: _", b.role AS "role: _", b.person_id, b.team_id,
               coalesce(p.display_name, t.name) AS "name!", coalesce(p.login, t.slug) AS "key!",
               (SELECT count(*) FROM team_member m WHERE m.team_id = b.team_id) AS "members!",
               b.project_id AS "project_id: _", j.slug AS "project?", w.id AS "place_id?: _",
               y.slug AS "environment_type?", b.source AS "source: _", b.given_by, b.created_at, b.expires_at
           FROM role_binding b
           LEFT JOIN person p ON p.id = b.person_id
           LEFT JOIN team t ON t.id = b.team_id
           LEFT JOIN project j ON j.id = b.project_id
           LEFT JOIN project_environment_type w ON w.id = b.project_environment_type_id
           LEFT JOIN environment_type y ON y.id = w.environment_type_id
           WHERE (b.expires_at IS NULL OR b.expires_at > now())
             AND ($1::uuid IS NULL OR b.id = $1)
             AND ($2 = '' OR strpos(lower(concat_ws(' ', p.display_name, p.login, t.name, t.slug, b.role,
                                                    coalesce(j.slug, 'platform'), y.slug)), lower($2)) > 0)
             AND ($3::timestamptz IS NULL OR (b.created_at, b.id) < ($3, $4))
           ORDER BY b.created_at DESC, b.id DESC LIMIT $5"#,
        id.map(|id| id.0),
        query,
        after.map(|cursor| cursor.at.to_sqlx()) as Option<jiff_sqlx::Timestamp>,
        after.map(|cursor| cursor.id),
        limit.clamp(1, MAX_PAGE) + 1,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Whoever gives and takes roles of admins waits here for the others.
pub(in crate::identity) async fn lock(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('role_binding', 0))").execute(connection).await?;
    Ok(())
}

/// True when the holder did not have the role from an admin before.
pub(in crate::identity) async fn insert(
    connection: &mut PgConnection,
    id: RoleBindingId,
    new: &NewBinding,
    by: &str,
) -> Result<bool> {
    let (person, team) = match new.holder {
        Holder::Person(person) => (Some(person.0), None),
        Holder::Team(team) => (None, Some(team.0)),
    };
    let done = sqlx::query!(
        "INSERT INTO role_binding (id, role, person_id, team_id, project_id, project_environment_type_id, source,
             given_by, expires_at)
         VALUES ($1, $2, $3, $4, $5, $8, 'local', $6, $7) ON CONFLICT DO NOTHING",
        id.0,
        new.role as Role,
        person,
        team,
        new.project.map(|project| project.0),
        by,
        new.expires_at.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
        new.place.map(|place| place.0),
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub(in crate::identity) async fn set_end(
    connection: &mut PgConnection,
    id: RoleBindingId,
    end: Option<Timestamp>,
) -> Result<()> {
    let end = end.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>;
    sqlx::query!("UPDATE role_binding SET expires_at = $2 WHERE id = $1", id.0, end as _).execute(connection).await?;
    Ok(())
}

pub(in crate::identity) async fn delete(connection: &mut PgConnection, id: RoleBindingId) -> Result<()> {
    sqlx::query!("DELETE FROM role_binding WHERE id = $1", id.0).execute(connection).await?;
    Ok(())
}

/// Whether somebody who is active is an admin of the platform without an end, by another binding than this.
pub(in crate::identity) async fn another_admin(connection: &mut PgConnection, but: RoleBindingId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM role_binding b JOIN person p ON p.id = b.person_id
                   OR p.id IN (SELECT m.person_id FROM team_member m WHERE m.team_id = b.team_id)
               WHERE b.role = 'admin' AND b.project_id IS NULL AND b.expires_at IS NULL AND b.id <> $1
                 AND p.active AND NOT p.service) AS "exists!""#,
        but.0
    )
    .fetch_one(connection)
    .await?)
}

/// Whether the person is in the team.
pub(in crate::identity) async fn is_member(
    connection: &mut PgConnection,
    team: TeamId,
    person: PersonId,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM team_member WHERE team_id = $1 AND person_id = $2) AS "exists!""#,
        team.0,
        person.0
    )
    .fetch_one(connection)
    .await?)
}

/// Removes those whose end has come, by the database's clock, and returns them.
pub(in crate::identity) async fn remove_ended(connection: &mut PgConnection, limit: i64) -> Result<Vec<Held>> {
    let rows = sqlx::query!(
        r#"DELETE FROM role_binding WHERE id IN (
               SELECT id FROM role_binding WHERE expires_at <= now() ORDER BY expires_at LIMIT $1
               FOR UPDATE SKIP LOCKED)
           RETURNING role AS "role: Role", person_id, team_id, project_id AS "project: ProjectId", source AS "source: Source",
               (SELECT y.slug FROM project_environment_type w JOIN environment_type y ON y.id = w.environment_type_id
                WHERE w.id = project_environment_type_id) AS environment_type"#,
        limit
    )
    .fetch_all(connection)
    .await?;
    let holder = |person: Option<Uuid>, team: Option<Uuid>| match (person, team) {
        (Some(person), _) => Ok(Holder::Person(PersonId(person))),
        (None, Some(team)) => Ok(Holder::Team(TeamId(team))),
        (None, None) => Err(Error::Corrupt("role binding")),
    };
    rows.into_iter()
        .map(|row| {
            Ok(Held {
                role: row.role,
                holder: holder(row.person_id, row.team_id)?,
                project: row.project,
                environment_type: row.environment_type,
                source: row.source,
            })
        })
        .collect()
}
