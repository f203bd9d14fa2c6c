//! SQL of roles that people asked for, or took in an emergency.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;

use super::roles::HeldRow;
use crate::base::cursor::{Cursor, MAX_PAGE};
use crate::base::id::{ElevationId, PersonId, ProjectId, RoleBindingId};
use crate::db::Result;
use crate::identity::Source;
use crate::identity::elevation::{self, Alarm, Elevation, ElevationFilter, ElevationState, OwnRole};
use crate::identity::role::Role;

struct Row {
    id: ElevationId,
    person_id: PersonId,
    name: String,
    login: String,
    role: Role,
    project_id: Option<ProjectId>,
    project: Option<String>,
    emergency: bool,
    reason: String,
    lifetime_seconds: i64,
    state: ElevationState,
    created_at: jiff_sqlx::Timestamp,
    lapses_at: jiff_sqlx::Timestamp,
    decided_by: String,
    decided_at: Option<jiff_sqlx::Timestamp>,
    answer: String,
    binding_id: Option<RoleBindingId>,
    ends_at: Option<jiff_sqlx::Timestamp>,
    reviewed_by: String,
    reviewed_at: Option<jiff_sqlx::Timestamp>,
    justified: Option<bool>,
    review: String,
}

impl From<Row> for Elevation {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            person: row.person_id,
            name: row.name,
            login: row.login,
            role: row.role,
            project: row.project_id,
            project_slug: row.project,
            emergency: row.emergency,
            reason: row.reason,
            lifetime: SignedDuration::from_secs(row.lifetime_seconds),
            state: row.state,
            created_at: row.created_at.to_jiff(),
            lapses_at: row.lapses_at.to_jiff(),
            decided_by: row.decided_by,
            decided_at: row.decided_at.map(jiff_sqlx::Timestamp::to_jiff),
            answer: row.answer,
            binding: row.binding_id,
            ends_at: row.ends_at.map(jiff_sqlx::Timestamp::to_jiff),
            reviewed_by: row.reviewed_by,
            reviewed_at: row.reviewed_at.map(jiff_sqlx::Timestamp::to_jiff),
            justified: row.justified,
            review: row.review,
        }
    }
}

/// Newest first, or those that `filter` leaves. What waits or holds does so by the database's clock.
pub(in crate::identity) async fn list(
    connection: &mut PgConnection,
    filter: ElevationFilter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Elevation>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.id AS "id: _", e.person_id AS "person_id: _", p.display_name AS name, p.login, e.role AS "role: _",
               e.project_id AS "project_id: _", j.slug AS "project?", e.emergency, e.reason, e.lifetime_seconds,
               CASE WHEN e.status = 'waiting' AND e.lapses_at <= now() THEN 'lapsed'
                    WHEN e.status = 'granted' AND (e.binding_id IS NULL OR e.ends_at <= now()) THEN 'ended'
                    ELSE e.status END AS "state!: _",
               e.created_at, e.lapses_at, e.decided_by, e.decided_at, e.answer, e.binding_id AS "binding_id: _",
               e.ends_at, e.reviewed_by, e.reviewed_at, e.justified, e.review
           FROM elevation e
           JOIN person p ON p.id = e.person_id
           LEFT JOIN project j ON j.id = e.project_id
           WHERE ($1::uuid IS NULL OR e.id = $1)
             AND ($2::uuid IS NULL OR e.person_id = $2)
             AND (NOT $3 OR (e.status = 'waiting' AND e.lapses_at > now()))
             AND (NOT $4 OR (e.emergency AND e.reviewed_at IS NULL))
             AND ($5::timestamptz IS NULL OR (e.created_at, e.id) < ($5, $6))
           ORDER BY e.created_at DESC, e.id DESC LIMIT $7"#,
        filter.id.map(|id| id.0),
        filter.person.map(|id| id.0),
        filter.waiting,
        filter.to_review,
        after.map(|cursor| cursor.at.to_sqlx()) as Option<jiff_sqlx::Timestamp>,
        after.map(|cursor| cursor.id),
        limit.clamp(1, MAX_PAGE) + 1,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// What is asked for; it waits from then on.
pub(in crate::identity) struct Asked<'a> {
    pub id: ElevationId,
    pub person: PersonId,
    pub role: Role,
    pub project: Option<ProjectId>,
    pub emergency: bool,
    pub reason: &'a str,
    pub lifetime: SignedDuration,
    pub waits: SignedDuration,
}

pub(in crate::identity) async fn insert(connection: &mut PgConnection, asked: &Asked<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO elevation (id, person_id, role, project_id, emergency, reason, lifetime_seconds, status, lapses_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', now() + make_interval(secs => $8))",
        asked.id.0,
        asked.person.0,
        asked.role as Role,
        asked.project.map(|id| id.0),
        asked.emergency,
        asked.reason,
        asked.lifetime.as_secs(),
        asked.waits.as_secs_f64(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The role, from now on for so long by the database's clock. One that holds already is not shortened.
pub(in crate::identity) async fn bind(
    connection: &mut PgConnection,
    id: RoleBindingId,
    of: &Elevation,
    by: &str,
) -> Result<(RoleBindingId, Timestamp)> {
    let row = sqlx::query!(
        r#"INSERT INTO role_binding AS held (id, role, person_id, project_id, source, given_by, expires_at)
           VALUES ($1, $2, $3, $4, 'elevation', $5, now() + make_interval(secs => $6))
           ON CONFLICT (role, person_id, team_id, project_id, project_environment_type_id, source)
               DO UPDATE SET expires_at = greatest(held.expires_at, excluded.expires_at), given_by = excluded.given_by
           RETURNING id AS "id: RoleBindingId", expires_at AS "ends_at!""#,
        id.0,
        of.role as Role,
        of.person.0,
        of.project.map(|id| id.0),
        by,
        of.lifetime.as_secs_f64(),
    )
    .fetch_one(connection)
    .await?;
    Ok((row.id, row.ends_at.to_jiff()))
}

/// What was decided: the role with its end, or none.
pub(in crate::identity) async fn decide(
    connection: &mut PgConnection,
    id: ElevationId,
    (by, answer): (&str, &str),
    became: Option<(RoleBindingId, Timestamp)>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE elevation SET status = CASE WHEN $4::uuid IS NULL THEN 'declined' ELSE 'granted' END,
             decided_by = $2, decided_at = now(), answer = $3, binding_id = $4, ends_at = $5 WHERE id = $1",
        id.0,
        by,
        answer,
        became.map(|(binding, _)| binding.0),
        became.map(|(_, end)| end.to_sqlx()) as Option<jiff_sqlx::Timestamp>,
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(in crate::identity) async fn withdraw(connection: &mut PgConnection, id: ElevationId) -> Result<()> {
    sqlx::query!("UPDATE elevation SET status = 'withdrawn' WHERE id = $1", id.0).execute(connection).await?;
    Ok(())
}

pub(in crate::identity) async fn review(
    connection: &mut PgConnection,
    id: ElevationId,
    (by, review): (&str, &str),
    justified: bool,
) -> Result<()> {
    sqlx::query!(
        "UPDATE elevation SET reviewed_by = $2, reviewed_at = now(), justified = $3, review = $4 WHERE id = $1",
        id.0,
        by,
        justified,
        review,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What the person holds, by themselves and through teams, without what they asked for or took.
pub(in crate::identity) async fn lasting(connection: &mut PgConnection, person: PersonId) -> Result<Vec<HeldRow>> {
    let rows = sqlx::query_as!(
        HeldRow,
        r#"SELECT m.team_id AS team, t.slug AS "slug?", t.name AS "name?", NULL AS "role?: _", NULL::uuid AS project,
               NULL::uuid AS place, NULL::text AS environment_type
           FROM team_member m JOIN team t ON t.id = m.team_id WHERE m.person_id = $1
           UNION
           SELECT NULL, NULL, NULL, b.role, b.project_id, w.id, y.slug
           FROM role_now b
           LEFT JOIN project_environment_type w ON w.id = b.project_environment_type_id
           LEFT JOIN environment_type y ON y.id = w.environment_type_id
           WHERE b.source <> 'elevation'
             AND (b.person_id = $1 OR b.team_id IN (SELECT team_id FROM team_member WHERE person_id = $1))"#,
        person.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// What the person holds now, one by one: those on the platform first.
pub(in crate::identity) async fn own(connection: &mut PgConnection, person: PersonId) -> Result<Vec<OwnRole>> {
    let rows = sqlx::query!(
        r#"SELECT b.role AS "role: Role", b.project_id AS "project_id: ProjectId", j.slug AS "slug?", j.name AS "name?",
               y.slug AS "environment_type?", t.name AS "team?", b.source AS "source: Source", b.given_by, b.expires_at
           FROM role_binding b
           LEFT JOIN team t ON t.id = b.team_id
           LEFT JOIN project j ON j.id = b.project_id
           LEFT JOIN project_environment_type w ON w.id = b.project_environment_type_id
           LEFT JOIN environment_type y ON y.id = w.environment_type_id
           WHERE (b.expires_at IS NULL OR b.expires_at > now())
             AND (b.person_id = $1 OR b.team_id IN (SELECT team_id FROM team_member WHERE person_id = $1))
           ORDER BY j.name NULLS FIRST, y.position NULLS FIRST, y.slug, b.role, t.name NULLS FIRST, b.source"#,
        person.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| OwnRole {
            role: row.role,
            project: row.project_id,
            project_slug: row.slug,
            project_name: row.name,
            environment_type: row.environment_type,
            team: row.team,
            source: row.source,
            given_by: row.given_by,
            expires_at: row.expires_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
        .collect())
}

/// The emergencies that nobody has reviewed, oldest first; of `person` alone when one is given.
pub(in crate::identity) async fn alarms(
    connection: &mut PgConnection,
    person: Option<PersonId>,
    limit: i64,
) -> Result<Vec<Alarm>> {
    let rows = sqlx::query!(
        r#"SELECT e.id AS "id: ElevationId", e.person_id AS "person: PersonId", p.display_name, e.role AS "role: Role", j.slug AS "slug?", e.created_at
           FROM elevation e JOIN person p ON p.id = e.person_id LEFT JOIN project j ON j.id = e.project_id
           WHERE e.emergency AND e.reviewed_at IS NULL AND ($1::uuid IS NULL OR e.person_id = $1)
           ORDER BY e.created_at LIMIT $2"#,
        person.map(|id| id.0),
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Alarm {
            id: row.id,
            person: row.person,
            name: row.display_name,
            label: elevation::label(row.role, row.slug.as_deref()),
            at: row.created_at.to_jiff(),
        })
        .collect())
}

/// How many wait for a decision, or for a review.
pub(in crate::identity) async fn count_to_judge(connection: &mut PgConnection) -> Result<u64> {
    let count = sqlx::query_scalar!(
        r#"SELECT (SELECT count(*) FROM elevation WHERE status = 'waiting' AND lapses_at > now())
                + (SELECT count(*) FROM elevation WHERE emergency AND reviewed_at IS NULL) AS "count!""#
    )
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}
