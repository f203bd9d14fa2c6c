//! When environments stop and start by themselves.

use axum::Json;
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Caller, Reads, Requests};
use super::error::Problem;
use super::extract::{Body, Id, NoBody};
use super::requests::may_see_environment;
use crate::base::id::EnvironmentId;
use crate::environments::{self, Schedule, Timetable, day_name};
use crate::policy::{Permit, ability};

/// When an environment stops and starts by itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub struct ScheduleView {
    /// An IANA time zone; null where nothing is set.
    zone: Option<String>,
    /// `mo` to `su`.
    days: Vec<&'static str>,
    /// The time of day at which it stops: `19:00`.
    stop: Option<String>,
    /// The time of day at which it starts.
    start: Option<String>,
    /// How long after each start its template stops it.
    auto_stop_seconds: Option<i64>,
    /// The next stop, while it is ready.
    stops_at: Option<Timestamp>,
    /// The next start, while it is stopped.
    starts_at: Option<Timestamp>,
    /// How much the next stop was put off.
    delayed_seconds: i64,
}

impl From<Option<Timetable>> for ScheduleView {
    fn from(table: Option<Timetable>) -> Self {
        let schedule = table.as_ref().and_then(|table| table.schedule.as_ref());
        let time = |time: jiff::civil::Time| time.strftime("%H:%M").to_string();
        Self {
            zone: schedule.map(|one| one.zone.clone()),
            days: schedule.map(|one| one.days.iter().copied().map(day_name).collect()).unwrap_or_default(),
            stop: schedule.and_then(|one| one.stop).map(time),
            start: schedule.and_then(|one| one.start).map(time),
            auto_stop_seconds: table.as_ref().and_then(|table| table.auto_stop).map(|length| length.as_secs()),
            stops_at: table.as_ref().and_then(|table| table.stops_at),
            starts_at: table.as_ref().and_then(|table| table.starts_at),
            delayed_seconds: table.map_or(0, |table| table.delayed.as_secs()),
        }
    }
}

/// What an owner wants.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSchedule)]
pub struct ScheduleDraft {
    /// An IANA time zone: `Europe/Vienna`.
    zone: String,
    /// `mo` to `su`.
    days: Vec<String>,
    /// The time of day at which it stops; left out: never by the schedule.
    #[serde(default)]
    stop: String,
    /// The time of day at which it starts; left out: never.
    #[serde(default)]
    start: String,
}

/// By how much a stop is put off.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StopDelay)]
pub struct DelayBody {
    /// In seconds; all delays of a stop together are at most 4 hours.
    seconds: i64,
}

/// When an environment stops and starts by itself.
#[utoipa::path(get, path = "/environments/{id}/schedule", tag = "environments", params(("id" = String, Path)),
    security(("token" = ["read"]), ("session" = [])), responses((status = 200, body = ScheduleView)))]
pub async fn get_schedule(caller: Caller<Reads>, Id(id): Id<EnvironmentId>) -> Result<Json<ScheduleView>, Problem> {
    let environment = may_see_environment(&caller, id).await?;
    let table = environments::timetable(&mut *caller.app.db.acquire().await?, environment.id).await?;
    Ok(Json(table.into()))
}

/// Sets when an environment stops and starts by itself, for those who may stop it at once.
#[utoipa::path(put, path = "/environments/{id}/schedule", tag = "environments", params(("id" = String, Path)),
    request_body = ScheduleDraft,
    security(("token" = ["request"]), ("session" = [])), responses((status = 200, body = ScheduleView)))]
pub async fn set_schedule(
    caller: Caller<Requests>,
    Id(id): Id<EnvironmentId>,
    Body(draft): Body<ScheduleDraft>,
) -> Result<Json<ScheduleView>, Problem> {
    let permit = permit(&caller, id).await?;
    let days: Vec<&str> = draft.days.iter().map(String::as_str).collect();
    let schedule =
        Schedule::parse(&draft.zone, &days, &draft.stop, &draft.start).map_err(crate::requests::Error::Invalid)?;
    caller.app.set_schedule(&caller.op, &permit, Some(&schedule)).await?;
    let table = environments::timetable(&mut *caller.app.db.acquire().await?, id).await?;
    Ok(Json(table.into()))
}

/// Takes the schedule away; what the template says of stopping stays.
#[utoipa::path(delete, path = "/environments/{id}/schedule", tag = "environments", params(("id" = String, Path)),
    security(("token" = ["request"]), ("session" = [])),
    responses((status = 204, description = "It has no schedule any more")))]
pub async fn delete_schedule(
    caller: Caller<Requests>,
    Id(id): Id<EnvironmentId>,
    _: NoBody,
) -> Result<StatusCode, Problem> {
    let permit = permit(&caller, id).await?;
    caller.app.set_schedule(&caller.op, &permit, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets the next stop of the schedule pass, once.
#[utoipa::path(post, path = "/environments/{id}/schedule/skip", tag = "environments", params(("id" = String, Path)),
    security(("token" = ["request"]), ("session" = [])), responses((status = 200, body = ScheduleView)))]
pub async fn skip_stop(
    caller: Caller<Requests>,
    Id(id): Id<EnvironmentId>,
    _: NoBody,
) -> Result<Json<ScheduleView>, Problem> {
    let permit = permit(&caller, id).await?;
    caller.app.skip_stop(&caller.op, &permit).await?;
    let table = environments::timetable(&mut *caller.app.db.acquire().await?, id).await?;
    Ok(Json(table.into()))
}

/// Puts the next stop off.
#[utoipa::path(post, path = "/environments/{id}/schedule/delay", tag = "environments", params(("id" = String, Path)),
    request_body = DelayBody,
    security(("token" = ["request"]), ("session" = [])), responses((status = 200, body = ScheduleView)))]
pub async fn delay_stop(
    caller: Caller<Requests>,
    Id(id): Id<EnvironmentId>,
    Body(body): Body<DelayBody>,
) -> Result<Json<ScheduleView>, Problem> {
    let permit = permit(&caller, id).await?;
    caller.app.delay_stop(&caller.op, &permit, SignedDuration::from_secs(body.seconds)).await?;
    let table = environments::timetable(&mut *caller.app.db.acquire().await?, id).await?;
    Ok(Json(table.into()))
}

async fn permit(caller: &Caller<Requests>, id: EnvironmentId) -> Result<Permit<ability::PowerEnvironment>, Problem> {
    let environment = may_see_environment(caller, id).await?;
    caller.permit_environment::<ability::PowerEnvironment>(&environment)
}
