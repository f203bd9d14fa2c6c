//! Reading what environments were, from when to when. A trigger of the database writes it.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::id::{EnvironmentId, ProjectId, TemplateVersionId};
use crate::db::{Error, Result};
use crate::environments::costs::{Alike, Interval, Phase, Span, Subject};

/// What is read at once.
pub const BATCH: i64 = 5_000;

struct Row {
    number: i64,
    environment_id: EnvironmentId,
    name: String,
    project_id: ProjectId,
    project_slug: String,
    project_name: String,
    template_slug: String,
    template_name: String,
    place: String,
    expires_at: Option<jiff_sqlx::Timestamp>,
    phase: Option<String>,
    version_id: TemplateVersionId,
    inputs: String,
    began_at: jiff_sqlx::Timestamp,
    ended_at: Option<jiff_sqlx::Timestamp>,
    from_before: bool,
}

impl Row {
    fn interval(self) -> Result<Interval> {
        let phase = match self.phase.as_deref() {
            Some("running") => Phase::Running,
            Some("stopped") => Phase::Stopped,
            _ => return Err(Error::Corrupt("interval")),
        };
        Ok(Interval {
            number: self.number,
            subject: Subject {
                id: self.environment_id,
                name: self.name,
                project: self.project_id,
                project_slug: self.project_slug,
                project_name: self.project_name,
                template_slug: self.template_slug,
                template_name: self.template_name,
                environment_type: self.place,
            },
            span: Span {
                phase,
                from: self.began_at.to_jiff(),
                to: self.ended_at.map(jiff_sqlx::Timestamp::to_jiff),
                expires_at: self.expires_at.map(jiff_sqlx::Timestamp::to_jiff),
            },
            version: self.version_id,
            inputs: self.inputs,
            from_before: self.from_before,
        })
    }
}

/// Now, in whole seconds, by the clock that intervals are written by.
pub async fn now(connection: &mut PgConnection) -> Result<Timestamp> {
    let now = sqlx::query_scalar!(r#"SELECT date_trunc('second', now()) AS "now!: jiff_sqlx::Timestamp""#);
    Ok(now.fetch_one(connection).await?.to_jiff())
}

/// Intervals with names, by environment and time. The same text of columns for each question, so that they cannot
/// differ.
macro_rules! intervals {
    ($tail:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            Row,
            r#"SELECT i.id AS number, i.environment_id AS "environment_id: _", e.name, p.id AS "project_id: _",
                   p.slug AS project_slug, p.name AS project_name, t.slug AS template_slug, t.name AS template_name,
                   et.slug AS place, e.expires_at, i.phase AS "phase?", i.template_version_id AS "version_id: _",
                   i.inputs::text AS "inputs!", i.began_at, i.ended_at, i.from_before
               FROM environment_interval i
               JOIN environment e ON e.id = i.environment_id
               JOIN project p ON p.id = i.project_id
               JOIN project_environment_type w ON w.id = e.project_environment_type_id
               JOIN environment_type et ON et.id = w.environment_type_id
               JOIN template_version v ON v.id = i.template_version_id
               JOIN template t ON t.id = v.template_id "#
                + $tail,
            $($argument),*
        )
    };
}

/// Of which environments.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Only of these projects.
    pub projects: Option<Vec<Uuid>>,
    /// Of these of them only what stands in `places`.
    pub partly: Vec<Uuid>,
    pub places: Vec<Uuid>,
}

/// Those that lie in this time at least with a part, after a place in their order; at most [`BATCH`].
pub async fn between(
    connection: &mut PgConnection,
    (from, to): (Timestamp, Timestamp),
    wanted: &Wanted,
    after: (Uuid, i64),
) -> Result<Vec<Interval>> {
    let rows = intervals!(
        "WHERE tstzrange(i.began_at, i.ended_at) && tstzrange($1, $2) AND ($3::uuid[] IS NULL OR i.project_id = ANY ($3))
           AND (i.project_id <> ALL ($7) OR e.project_environment_type_id = ANY ($8))
           AND (i.environment_id, i.id) > ($4, $5)
         ORDER BY i.environment_id, i.id LIMIT $6",
        from.to_sqlx() as jiff_sqlx::Timestamp,
        to.to_sqlx() as jiff_sqlx::Timestamp,
        wanted.projects.as_deref(),
        after.0,
        after.1,
        BATCH,
        &wanted.partly,
        &wanted.places
    );
    rows.fetch_all(connection).await?.into_iter().map(Row::interval).collect()
}

/// All of one environment.
pub async fn of(connection: &mut PgConnection, id: EnvironmentId) -> Result<Vec<Interval>> {
    let rows = intervals!("WHERE i.environment_id = $1 ORDER BY i.id", id.0);
    rows.fetch_all(connection).await?.into_iter().map(Row::interval).collect()
}

/// What is being made for the first time, as if it began to run now and lived as long as was asked
/// for.
pub async fn being_made(connection: &mut PgConnection, now: Timestamp, wanted: &Wanted) -> Result<Vec<Interval>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT 0::bigint AS "number!", e.id AS "environment_id: _", e.name, p.id AS "project_id: _",
               p.slug AS project_slug, p.name AS project_name, t.slug AS template_slug, t.name AS template_name,
               et.slug AS place, $1::timestamptz + make_interval(secs => e.lifetime_seconds) AS expires_at,
               'running' AS "phase?", e.template_version_id AS "version_id: _", e.inputs::text AS "inputs!",
               $1::timestamptz AS "began_at!", NULL::timestamptz AS ended_at, false AS "from_before!"
           FROM environment e
           JOIN project p ON p.id = e.project_id
           JOIN project_environment_type w ON w.id = e.project_environment_type_id
           JOIN environment_type et ON et.id = w.environment_type_id
           JOIN template t ON t.id = e.template_id
           WHERE e.state = 'provisioning' AND ($2::uuid[] IS NULL OR e.project_id = ANY ($2))
             AND (e.project_id <> ALL ($3) OR e.project_environment_type_id = ANY ($4))
             AND NOT EXISTS (SELECT FROM environment_interval i WHERE i.environment_id = e.id AND i.ended_at IS NULL)"#,
        now.to_sqlx() as jiff_sqlx::Timestamp,
        wanted.projects.as_deref(),
        &wanted.partly,
        &wanted.places
    );
    rows.fetch_all(connection).await?.into_iter().map(Row::interval).collect()
}

/// What [`between`] and [`being_made`] tell of one project, without names and grouped by what took the same: far less
/// to read than the intervals one by one. Times come as microseconds, which is what Postgres keeps.
pub async fn alike(
    connection: &mut PgConnection,
    project: ProjectId,
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<Vec<Alike>> {
    let rows = sqlx::query!(
        r#"WITH span AS (
             SELECT i.template_version_id AS version, i.inputs, i.phase = 'running' AS running, i.began_at, i.ended_at, e.expires_at
             FROM environment_interval i JOIN environment e ON e.id = i.environment_id
             WHERE i.project_id = $1 AND tstzrange(i.began_at, i.ended_at) && tstzrange($2, $3)
             UNION ALL
             SELECT e.template_version_id, e.inputs, true, $4::timestamptz, NULL,
                 $4::timestamptz + make_interval(secs => e.lifetime_seconds)
             FROM environment e
             WHERE e.state = 'provisioning' AND e.project_id = $1
               AND NOT EXISTS (SELECT FROM environment_interval i WHERE i.environment_id = e.id AND i.ended_at IS NULL))
           SELECT version AS "version!: TemplateVersionId", inputs::text AS "inputs!", array_agg(running) AS "running!",
               array_agg((extract(epoch FROM began_at) * 1000000)::bigint) AS "began!",
               array_agg((extract(epoch FROM ended_at) * 1000000)::bigint) AS "ended!: Vec<Option<i64>>",
               array_agg((extract(epoch FROM expires_at) * 1000000)::bigint) AS "expires!: Vec<Option<i64>>"
           FROM span GROUP BY version, inputs"#,
        project.0,
        from.to_sqlx() as jiff_sqlx::Timestamp,
        to.to_sqlx() as jiff_sqlx::Timestamp,
        now.to_sqlx() as jiff_sqlx::Timestamp,
    )
    .fetch_all(connection)
    .await?;
    let alike = rows.into_iter().map(|row| {
        let times = row.began.into_iter().zip(row.ended).zip(row.expires);
        let spans = row.running.into_iter().zip(times).map(|(running, ((began, ended), expires))| {
            Ok(Span {
                phase: if running { Phase::Running } else { Phase::Stopped },
                from: moment(began)?,
                to: ended.map(moment).transpose()?,
                expires_at: expires.map(moment).transpose()?,
            })
        });
        Ok(Alike { version: row.version, inputs: row.inputs, spans: spans.collect::<Result<_>>()? })
    });
    alike.collect()
}

fn moment(microseconds: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(microseconds).map_err(|_| Error::Corrupt("interval"))
}
