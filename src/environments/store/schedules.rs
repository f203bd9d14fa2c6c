//! Rows of `schedule`.

use jiff::civil::{Time, Weekday};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use sqlx::PgConnection;

use crate::base::id::{EnvironmentId, ProjectId};
use crate::db::{Error, Result};
use crate::environments::schedule::{Due, Schedule, Timetable};

/// A row, and what is now by the database's clock.
pub struct Found {
    pub timetable: Timetable,
    pub now: Timestamp,
}

struct Row {
    zone: Option<String>,
    days: Vec<i16>,
    stop_time: Option<String>,
    start_time: Option<String>,
    auto_stop_seconds: Option<i64>,
    stops_at: Option<jiff_sqlx::Timestamp>,
    starts_at: Option<jiff_sqlx::Timestamp>,
    delayed_seconds: i64,
    now: jiff_sqlx::Timestamp,
}

impl TryFrom<Row> for Found {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let corrupt = || Error::Corrupt("schedule");
        let time = |text: Option<String>| text.map(|text| text.parse::<Time>().map_err(|_| corrupt())).transpose();
        let day = |day: &i16| {
            let day = i8::try_from(*day).ok()?;
            Weekday::from_monday_one_offset(day).ok()
        };
        let schedule = match row.zone {
            None => None,
            Some(zone) => Some(Schedule {
                zone,
                days: row.days.iter().map(day).collect::<Option<_>>().ok_or_else(corrupt)?,
                stop: time(row.stop_time)?,
                start: time(row.start_time)?,
            }),
        };
        Ok(Self {
            timetable: Timetable {
                schedule,
                auto_stop: row.auto_stop_seconds.map(SignedDuration::from_secs),
                stops_at: row.stops_at.map(jiff_sqlx::Timestamp::to_jiff),
                starts_at: row.starts_at.map(jiff_sqlx::Timestamp::to_jiff),
                delayed: SignedDuration::from_secs(row.delayed_seconds),
            },
            now: row.now.to_jiff(),
        })
    }
}

pub async fn find(connection: &mut PgConnection, id: EnvironmentId) -> Result<Option<Found>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT zone, days, stop_time, start_time, auto_stop_seconds, stops_at, starts_at, delayed_seconds,
               now() AS "now!" FROM schedule WHERE environment_id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The same, locked until the transaction ends.
pub async fn lock(connection: &mut PgConnection, id: EnvironmentId) -> Result<Option<Found>> {
    sqlx::query!("SELECT environment_id FROM schedule WHERE environment_id = $1 FOR UPDATE", id.0)
        .fetch_optional(&mut *connection)
        .await?;
    find(connection, id).await
}

/// What the owner wants; nothing with `None`.
pub async fn set(connection: &mut PgConnection, id: EnvironmentId, schedule: Option<&Schedule>) -> Result<()> {
    let time = |time: Time| time.strftime("%H:%M").to_string();
    let days: Vec<i16> =
        schedule.map(|one| one.days.iter().map(|day| day.to_monday_one_offset().into()).collect()).unwrap_or_default();
    sqlx::query!(
        "INSERT INTO schedule (environment_id, zone, days, stop_time, start_time) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (environment_id) DO UPDATE
         SET zone = excluded.zone, days = excluded.days, stop_time = excluded.stop_time, start_time = excluded.start_time",
        id.0,
        schedule.map(|one| one.zone.as_str()),
        &days,
        schedule.and_then(|one| one.stop).map(time),
        schedule.and_then(|one| one.start).map(time),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The next ones. Does nothing where there is no row.
pub async fn set_next(
    connection: &mut PgConnection,
    id: EnvironmentId,
    stops_at: Option<Timestamp>,
    starts_at: Option<Timestamp>,
    delayed: SignedDuration,
    warned: i16,
) -> Result<()> {
    sqlx::query!(
        "UPDATE schedule SET stops_at = $2, starts_at = $3, delayed_seconds = $4, warned = $5 WHERE environment_id = $1",
        id.0,
        stops_at.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
        starts_at.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
        delayed.as_secs(),
        warned
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What the environment's own version says of stopping by itself.
pub async fn set_auto_stop(connection: &mut PgConnection, id: EnvironmentId, seconds: Option<i64>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO schedule (environment_id, auto_stop_seconds) SELECT $1, $2::bigint WHERE $2::bigint IS NOT NULL
         ON CONFLICT (environment_id) DO UPDATE SET auto_stop_seconds = excluded.auto_stop_seconds",
        id.0,
        seconds
    )
    .execute(&mut *connection)
    .await?;
    if seconds.is_none() {
        sqlx::query!(
            "UPDATE schedule SET auto_stop_seconds = NULL WHERE environment_id = $1 AND auto_stop_seconds IS NOT NULL",
            id.0
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// What the environment's own version says of actions, and of stopping by itself.
pub async fn declared(connection: &mut PgConnection, id: EnvironmentId) -> Result<Value> {
    let found = sqlx::query_scalar!(
        r#"SELECT jsonb_build_object('auto_stop', own -> 'auto_stop', 'actions', own -> 'actions') AS "own!"
           FROM (SELECT coalesce(v.manifest -> 'x-paddock', v.manifest) AS own
                 FROM environment e JOIN template_version v ON v.id = e.template_version_id WHERE e.id = $1) AS version"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.unwrap_or_default())
}

pub async fn forget(connection: &mut PgConnection, id: EnvironmentId) -> Result<()> {
    sqlx::query!("DELETE FROM schedule WHERE environment_id = $1", id.0).execute(connection).await?;
    Ok(())
}

/// What is due and can be done now.
pub async fn due(connection: &mut PgConnection, limit: i64) -> Result<Vec<(EnvironmentId, Due)>> {
    let rows = sqlx::query!(
        r#"(SELECT s.environment_id AS "id!: EnvironmentId", true AS "stop!", s.stops_at AS "at" FROM schedule s
            JOIN environment e ON e.id = s.environment_id
            WHERE s.stops_at <= now() AND e.state = 'ready' ORDER BY s.stops_at LIMIT $1)
           UNION ALL
           (SELECT s.environment_id, false, s.starts_at FROM schedule s
            JOIN environment e ON e.id = s.environment_id
            WHERE s.starts_at <= now() AND e.state = 'stopped' ORDER BY s.starts_at LIMIT $1)
           ORDER BY 3"#,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, if row.stop { Due::Stop } else { Due::Start })).collect())
}

/// A stop that somebody was warned of.
pub struct Warned {
    pub id: EnvironmentId,
    pub name: String,
    pub project: ProjectId,
    pub at: Timestamp,
}

/// Marks stops within an hour, or within a day, as warned, and returns them. Each is returned once per
/// warning.
pub async fn mark_warned(connection: &mut PgConnection, limit: i64) -> Result<Vec<Warned>> {
    let rows = sqlx::query!(
        r#"UPDATE schedule s SET warned = CASE WHEN s.stops_at <= now() + interval '1 hour' THEN 2 ELSE 1 END
           FROM environment e
           WHERE e.id = s.environment_id AND s.environment_id IN (
               SELECT x.environment_id FROM schedule x JOIN environment y ON y.id = x.environment_id
               WHERE y.state = 'ready' AND x.stops_at > now() AND x.stops_at <= now() + interval '1 day'
                 AND x.warned < CASE WHEN x.stops_at <= now() + interval '1 hour' THEN 2 ELSE 1 END
               ORDER BY x.stops_at LIMIT $1 FOR UPDATE OF x SKIP LOCKED)
           RETURNING e.id AS "id: EnvironmentId", e.name, e.project_id AS "project: ProjectId", s.stops_at AS "at!""#,
        limit
    )
    .fetch_all(connection)
    .await?;
    let warned = |row: jiff_sqlx::Timestamp| row.to_jiff();
    Ok(rows
        .into_iter()
        .map(|row| Warned { id: row.id, name: row.name, project: row.project, at: warned(row.at) })
        .collect())
}
