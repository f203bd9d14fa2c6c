//! Reading environments.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::cursor::{Cursor, MAX_PAGE};
use crate::base::id::{
    EnvironmentId, PersonId, ProjectEnvironmentTypeId, ProjectId, TargetId, TemplateId, TemplateVersionId,
};
use crate::db::Result;
use crate::environments::{Environment, Expiring, Filter, Owner, PlaceRef, ProjectRef, State, TemplateRef};

struct Row {
    id: EnvironmentId,
    name: String,
    project_id: ProjectId,
    project_slug: String,
    project_name: String,
    place_id: ProjectEnvironmentTypeId,
    place_slug: String,
    maximum_lifetime_seconds: i64,
    template_id: TemplateId,
    template_slug: String,
    template_name: String,
    icon: String,
    version_id: TemplateVersionId,
    version: String,
    provider: String,
    target_id: Option<TargetId>,
    owner_id: PersonId,
    owner_login: String,
    owner_name: String,
    state: State,
    generation: i64,
    inputs: Value,
    lifetime_seconds: i64,
    expires_at: Option<jiff_sqlx::Timestamp>,
    last_error: Option<String>,
    created_at: jiff_sqlx::Timestamp,
    ready_at: Option<jiff_sqlx::Timestamp>,
    deleted_at: Option<jiff_sqlx::Timestamp>,
    remaining_seconds: Option<i64>,
    drifted_since: Option<jiff_sqlx::Timestamp>,
    owner_gone: bool,
}

impl From<Row> for Environment {
    fn from(row: Row) -> Self {
        let inputs = match row.inputs {
            Value::Object(map) => map,
            _ => serde_json::Map::new(),
        };
        Self {
            id: row.id,
            name: row.name,
            project: ProjectRef { id: row.project_id, slug: row.project_slug, name: row.project_name },
            place: PlaceRef {
                id: row.place_id,
                slug: row.place_slug,
                maximum_lifetime: SignedDuration::from_secs(row.maximum_lifetime_seconds),
            },
            template: TemplateRef {
                id: row.template_id,
                slug: row.template_slug,
                name: row.template_name,
                icon: row.icon,
                version_id: row.version_id,
                version: row.version,
                provider: row.provider,
            },
            target: row.target_id,
            owner: Owner { id: row.owner_id, login: row.owner_login, name: row.owner_name, gone: row.owner_gone },
            state: row.state,
            generation: row.generation,
            inputs,
            lifetime: SignedDuration::from_secs(row.lifetime_seconds),
            expires_at: row.expires_at.map(jiff_sqlx::Timestamp::to_jiff),
            last_error: row.last_error,
            created_at: row.created_at.to_jiff(),
            ready_at: row.ready_at.map(jiff_sqlx::Timestamp::to_jiff),
            deleted_at: row.deleted_at.map(jiff_sqlx::Timestamp::to_jiff),
            remaining: row.remaining_seconds.map(SignedDuration::from_secs),
            drifted_since: row.drifted_since.map(jiff_sqlx::Timestamp::to_jiff),
        }
    }
}

/// Rows of `$from` with the names of what they belong to.
///
/// One by its key, many by theirs and the newest are statements of their own on purpose: Postgres
/// keeps a plan for each, and planning seven tables anew costs more than reading them.
macro_rules! named {
    ($from:tt, $tail:tt, $($argument:expr),*) => {
        sqlx::query_as!(
            Row,
            r#"SELECT e.id AS "id: _", e.name, p.id AS "project_id: _", p.slug AS project_slug, p.name AS project_name,
               w.id AS "place_id: _", et.slug AS place_slug, w.maximum_lifetime_seconds,
               t.id AS "template_id: _", t.slug AS template_slug, t.name AS template_name, t.icon,
               v.id AS "version_id: _", v.version, v.provider, e.target_id AS "target_id: _",
               o.id AS "owner_id: _", o.login AS owner_login, o.display_name AS owner_name,
               e.state AS "state: _", e.generation, e.inputs, e.lifetime_seconds, e.expires_at, e.last_error,
               e.created_at, e.ready_at, e.deleted_at,
               extract(epoch FROM e.expires_at - now())::bigint AS remaining_seconds,
               (SELECT d.drifted_since FROM environment_drift d WHERE d.environment_id = e.id) AS drifted_since,
               NOT o.active OR NOT EXISTS (
                   SELECT FROM role_now b
                   WHERE b.role IN ('developer', 'lead')
                     AND role_counts(b.project_id, b.project_environment_type_id, e.project_id, e.project_environment_type_id)
                     AND (b.person_id = o.id
                          OR b.team_id IN (SELECT m.team_id FROM team_member m WHERE m.person_id = o.id))) AS "owner_gone!"
           FROM "#
                + $from
                + r#" e
           JOIN project p ON p.id = e.project_id
           JOIN project_environment_type w ON w.id = e.project_environment_type_id
           JOIN environment_type et ON et.id = w.environment_type_id
           JOIN template t ON t.id = e.template_id
           JOIN template_version v ON v.id = e.template_version_id
           JOIN person o ON o.id = e.owner_id "#
                + $tail,
            $($argument),*
        )
    };
}

pub async fn find(connection: &mut PgConnection, id: EnvironmentId) -> Result<Option<Environment>> {
    let row = named!("environment", "WHERE e.id = $1", id.0).fetch_optional(connection).await?;
    Ok(row.map(Into::into))
}

/// Those with these ids, newest first.
async fn load(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Environment>> {
    let rows = named!("environment", "WHERE e.id = ANY ($1) ORDER BY e.created_at DESC, e.id DESC", ids);
    let rows = rows.fetch_all(connection).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The row, locked until the transaction ends.
pub async fn lock(connection: &mut PgConnection, id: EnvironmentId) -> Result<Option<Environment>> {
    sqlx::query!("SELECT id FROM environment WHERE id = $1 FOR UPDATE", id.0).fetch_optional(&mut *connection).await?;
    find(connection, id).await
}

/// Newest first; one more than `limit` at least, if there are so many. With a filter, which rows is
/// planned anew each time, by an index that suits it. Most lists are a page of all that lives, or of
/// all in a few projects: those are one statement each, whose plan stays.
pub async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Environment>> {
    let projects: Option<Vec<Uuid>> = filter.projects.as_ref().map(|ids| ids.iter().map(|id| id.0).collect());
    let (partly, places): (Vec<Uuid>, Vec<Uuid>) = filter.parts.iter().map(|(one, part)| (one.0, part.0)).unzip();
    if limit <= PAGE && (Filter { projects: None, ..filter.clone() }) == Filter::default() {
        match &projects {
            None => return newest(connection, after).await,
            Some(few) if few.len() <= FEW => return newest_of(connection, few, after).await,
            Some(_) => {}
        }
    }
    let ids = sqlx::query_scalar!(
        "SELECT id FROM environment
         WHERE ($1::uuid[] IS NULL OR project_id = ANY ($1))
           AND (project_id <> ALL ($13) OR project_environment_type_id = ANY ($14))
           AND ($2::uuid IS NULL OR owner_id = $2)
           AND (CASE WHEN $3::text IS NULL THEN state <> 'deleted' ELSE state = $3 END)
           AND ($4::uuid IS NULL OR template_id = $4)
           AND ($5::text IS NULL OR project_environment_type_id IN (
               SELECT x.id FROM project_environment_type x JOIN environment_type y ON y.id = x.environment_type_id
               WHERE y.slug = $5))
           AND ($6::text IS NULL OR strpos(lower(name), lower($6)) > 0)
           AND ($7::timestamptz IS NULL OR expires_at < $7)
           AND ($8::timestamptz IS NULL OR (created_at, id) < ($8, $9))
           AND (NOT $11::boolean OR id IN (SELECT environment_id FROM environment_drift WHERE drifted_since IS NOT NULL))
           AND (NOT $12::boolean OR NOT EXISTS (
               SELECT FROM person o JOIN role_now b ON b.person_id = o.id
                   OR b.team_id IN (SELECT m.team_id FROM team_member m WHERE m.person_id = o.id)
               WHERE o.id = environment.owner_id AND o.active AND b.role IN ('developer', 'lead')
                 AND role_counts(b.project_id, b.project_environment_type_id,
                                 environment.project_id, environment.project_environment_type_id)))
         ORDER BY created_at DESC, id DESC
         LIMIT $10",
        projects.as_deref(),
        filter.owner.map(|id| id.0),
        filter.state as Option<State>,
        filter.template.map(|id| id.0),
        filter.environment_type,
        filter.query,
        filter.expires_before.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
        after.map(|cursor| cursor.at.to_sqlx()) as Option<jiff_sqlx::Timestamp>,
        after.map(|cursor| cursor.id),
        limit.clamp(1, MAX_PAGE) + 1,
        filter.drifted,
        filter.owner_gone,
        &partly,
        &places,
    )
    .fetch_all(&mut *connection)
    .await?;
    load(connection, &ids).await
}

// `(SELECT $1)` below hides a value from the planner: it finds that a plan for any value costs no more
// than one for this value, and keeps it.

/// The usual page. It stands in the texts below, with one more: what Postgres plans for a number
/// that it does not know reads whole tables of names.
const PAGE: i64 = 50;
/// Of each of so many projects a page is read.
const FEW: usize = 20;

/// What lives, newest first.
async fn newest(connection: &mut PgConnection, after: Option<Cursor>) -> Result<Vec<Environment>> {
    let (at, id) = place(after);
    let rows = named!(
        "(SELECT * FROM environment WHERE state <> 'deleted' AND (created_at, id) < ((SELECT $1::timestamptz), (SELECT $2::uuid))
          ORDER BY created_at DESC, id DESC LIMIT 51)",
        "ORDER BY e.created_at DESC, e.id DESC",
        at as _,
        id
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(Into::into).collect())
}

/// What lives in these projects, newest first. `= ANY` and the sorting by project leave the index of
/// projects as the only way: another one passes over all that is newer in large projects to find
/// what is in a small one.
async fn newest_of(
    connection: &mut PgConnection,
    projects: &[Uuid],
    after: Option<Cursor>,
) -> Result<Vec<Environment>> {
    let (at, id) = place(after);
    let rows = named!(
        "(SELECT live.* FROM unnest((SELECT $1::uuid[])) AS mine (id) CROSS JOIN LATERAL (
              SELECT * FROM environment
              WHERE project_id = ANY (ARRAY[mine.id]) AND state <> 'deleted' AND (created_at, id) < ((SELECT $2::timestamptz), (SELECT $3::uuid))
              ORDER BY project_id, created_at DESC, id DESC LIMIT 51) AS live
          ORDER BY created_at DESC, id DESC LIMIT 51)",
        "ORDER BY e.created_at DESC, e.id DESC",
        projects,
        at as _,
        id
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(Into::into).collect())
}

/// Where a page begins: after this, or with the newest.
fn place(after: Option<Cursor>) -> (jiff_sqlx::Timestamp, Uuid) {
    after.map_or((Timestamp::MAX.to_sqlx(), Uuid::max()), |cursor| (cursor.at.to_sqlx(), cursor.id))
}

struct ExpiringRow {
    id: EnvironmentId,
    name: String,
    project_id: ProjectId,
    expires_at: Option<jiff_sqlx::Timestamp>,
}

impl From<ExpiringRow> for Expiring {
    fn from(row: ExpiringRow) -> Self {
        let expires_at = row.expires_at.map_or(Timestamp::MIN, jiff_sqlx::Timestamp::to_jiff);
        Self { id: row.id, name: row.name, project: row.project_id, expires_at }
    }
}

/// Environments whose end has come, by the database's clock, and that nobody works on.
pub async fn expired(connection: &mut PgConnection, limit: i64) -> Result<Vec<Expiring>> {
    let rows = sqlx::query_as!(
        ExpiringRow,
        r#"SELECT id AS "id: _", name, project_id AS "project_id: _", expires_at FROM environment
           WHERE state IN ('ready', 'stopped', 'failed') AND expires_at <= now()
           ORDER BY expires_at LIMIT $1"#,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Marks environments that end within a day or within an hour (a tenth and a twentieth of their life
/// if that is shorter) as warned, and returns them. Each is returned once per warning and end.
pub async fn mark_warned(connection: &mut PgConnection, limit: i64) -> Result<Vec<Expiring>> {
    let rows = sqlx::query_as!(
        ExpiringRow,
        r#"UPDATE environment SET expiry_warned_at = now(), expiry_warned_last_at = CASE
               WHEN expires_at <= now() + least(interval '1 hour', make_interval(secs => lifetime_seconds / 20))
               THEN now() END
           WHERE id IN (
               SELECT id FROM environment
               WHERE state IN ('ready', 'stopped', 'failed') AND expires_at > now()
                 AND expires_at <= now() + least(interval '1 day', make_interval(secs => lifetime_seconds / 10))
                 AND (expiry_warned_at IS NULL OR expiry_warned_last_at IS NULL AND
                      expires_at <= now() + least(interval '1 hour', make_interval(secs => lifetime_seconds / 20)))
               ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
           RETURNING id AS "id: _", name, project_id AS "project_id: _", expires_at"#,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}
