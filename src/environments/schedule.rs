//! Stops and starts by themselves: a schedule of the owner, and the template's `auto_stop`.
//!
//! Times of day are wall-clock times of the owner's zone, so they stay where they are when the clocks
//! change. A time that does not exist on such a day is taken as much later as the clocks jump, one that
//! exists twice is the first of the two (RFC 5545, 3.3.5).
//!
//! The next stop stands in the row while the environment is ready, the next start while it is stopped.
//! What is due is read from there by the database's clock (I18); a reconciler asks for it.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::json;
use sqlx::PgConnection;

use super::service::about;
use super::store::schedules as store;
use super::{Environment, Error, State};
use crate::audit::{self, Entry, Object};
use crate::base::id::EnvironmentId;
use crate::base::{FieldError, Op};
use crate::catalog;
use crate::db::Tx;
use crate::policy::{Permit, ability};

/// How much one stop can be put off, all delays together.
pub const MOST_DELAY: SignedDuration = SignedDuration::from_hours(4);

/// What an owner set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// An IANA time zone: `Europe/Vienna`.
    pub zone: String,
    /// On which days.
    pub days: Vec<Weekday>,
    /// When it stops.
    pub stop: Option<Time>,
    /// When it starts.
    pub start: Option<Time>,
}

/// When an environment stops and starts by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable {
    /// What its owner set.
    pub schedule: Option<Schedule>,
    /// How long after each start it is stopped, by its template.
    pub auto_stop: Option<SignedDuration>,
    /// The next stop.
    pub stops_at: Option<Timestamp>,
    /// The next start.
    pub starts_at: Option<Timestamp>,
    /// How much the next stop was put off.
    pub delayed: SignedDuration,
}

impl Schedule {
    /// A schedule as people write it: days as `mo` or 1 to 7, times as `19:00`, empty for none.
    pub fn parse(zone: &str, days: &[&str], stop: &str, start: &str) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        if TimeZone::get(zone).is_err() {
            errors.push(FieldError::new("/zone", "must be a time zone such as Europe/Vienna"));
        }
        let mut found = Vec::new();
        for day in days {
            match weekday(day) {
                Some(day) if found.contains(&day) => {}
                Some(day) => found.push(day),
                None => {
                    errors.push(FieldError::new("/days", format!("“{day}” is not a day: mo, tu, we, th, fr, sa, su")));
                }
            }
        }
        found.sort_by_key(|day| day.to_monday_one_offset());
        let mut time = |text: &str, pointer: &str| {
            let text = text.trim();
            let read = Time::strptime("%H:%M", text).ok();
            if read.is_none() && !text.is_empty() {
                errors.push(FieldError::new(pointer, "must be a time of day such as 19:00"));
            }
            read
        };
        let (stop, start) = (time(stop, "/stop"), time(start, "/start"));
        if errors.is_empty() && stop.is_none() && start.is_none() {
            errors.push(FieldError::new("/stop", "set a time to stop, to start, or both"));
        }
        if errors.is_empty() && found.is_empty() {
            errors.push(FieldError::new("/days", "choose at least one day"));
        }
        if errors.is_empty() && stop == start {
            errors.push(FieldError::new("/start", "must be another time than the stop"));
        }
        if errors.is_empty() { Ok(Self { zone: zone.to_owned(), days: found, stop, start }) } else { Err(errors) }
    }

    /// The first stop after `after`.
    pub fn next_stop(&self, after: Timestamp) -> Option<Timestamp> {
        self.next(self.stop?, after)
    }

    /// The first start after `after`.
    pub fn next_start(&self, after: Timestamp) -> Option<Timestamp> {
        self.next(self.start?, after)
    }

    fn next(&self, time: Time, after: Timestamp) -> Option<Timestamp> {
        let zone = TimeZone::get(&self.zone).ok()?;
        let mut date = after.to_zoned(zone.clone()).date();
        // A week, and a day more: today's may be over.
        for _ in 0..=8 {
            if self.days.contains(&date.weekday()) {
                let at = date.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp();
                if at > after {
                    return Some(at);
                }
            }
            date = date.checked_add(1.day()).ok()?;
        }
        None
    }
}

/// A day by its first two letters, or by its number from Monday.
fn weekday(text: &str) -> Option<Weekday> {
    let names = ["mo", "tu", "we", "th", "fr", "sa", "su"];
    let lower = text.trim().to_ascii_lowercase();
    let place = names.iter().position(|name| *name == lower).map(|place| place + 1).or_else(|| lower.parse().ok())?;
    Weekday::from_monday_one_offset(i8::try_from(place).ok()?).ok()
}

/// The two letters of a day.
pub fn day_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "mo",
        Weekday::Tuesday => "tu",
        Weekday::Wednesday => "we",
        Weekday::Thursday => "th",
        Weekday::Friday => "fr",
        Weekday::Saturday => "sa",
        Weekday::Sunday => "su",
    }
}

/// When it stops and starts by itself; none when nothing is set.
pub async fn timetable(connection: &mut PgConnection, id: EnvironmentId) -> Result<Option<Timetable>, Error> {
    Ok(store::find(connection, id).await?.map(|row| row.timetable))
}

/// Sets or takes away what the owner wants; the template's `auto_stop` stays.
pub async fn set_schedule(
    tx: &mut Tx,
    op: &Op,
    permit: &Permit<ability::PowerEnvironment>,
    schedule: Option<&Schedule>,
) -> Result<(), Error> {
    let environment = permitted(tx, permit).await?;
    let actions = catalog::actions_of(&store::declared(tx, environment.id).await?);
    let can = |name: &str| actions.iter().any(|action| action.name == name);
    if schedule.is_some_and(|schedule| schedule.stop.is_some() && !can("stop")) {
        return Err(Error::NoStop("its template does not say how to stop it"));
    }
    if schedule.is_some_and(|schedule| schedule.start.is_some() && !can("start")) {
        return Err(Error::NoStop("its template does not say how to start it"));
    }
    store::set(tx, environment.id, schedule).await?;
    store::set_next(tx, environment.id, None, None, SignedDuration::ZERO, 0).await?;
    arm(tx, environment.id, environment.state).await?;
    let detail = schedule.map(|one| {
        let days: Vec<&str> = one.days.iter().copied().map(day_name).collect();
        json!({"zone": one.zone, "days": days, "stop": one.stop, "start": one.start})
    });
    let action = if schedule.is_some() { "environment.scheduled" } else { "environment.unscheduled" };
    audit::append(tx, op, about(&environment, action).detail(detail.unwrap_or(json!({})))).await?;
    Ok(())
}

/// Lets the next stop of the schedule pass, once.
pub async fn skip_stop(tx: &mut Tx, op: &Op, permit: &Permit<ability::PowerEnvironment>) -> Result<(), Error> {
    let environment = permitted(tx, permit).await?;
    let row = store::lock(tx, environment.id).await?;
    let table = row.as_ref().map(|row| &row.timetable);
    let stops = table.and_then(|table| table.stops_at).ok_or(Error::NoStop("it is not going to stop by itself"))?;
    let schedule = table.and_then(|table| table.schedule.as_ref());
    let next = schedule.and_then(|schedule| schedule.next_stop(stops));
    let next = next.ok_or(Error::NoStop("its template stops it after a time: put that off instead"))?;
    let warned = row.map_or(0, |row| warned(row.now, next));
    store::set_next(tx, environment.id, Some(next), None, SignedDuration::ZERO, warned).await?;
    let detail = json!({"skipped": stops, "next": next});
    audit::append(tx, op, about(&environment, "environment.stop_skipped").detail(detail)).await?;
    Ok(())
}

/// Puts the next stop off, by at most [`MOST_DELAY`] in all.
pub async fn delay_stop(
    tx: &mut Tx,
    op: &Op,
    permit: &Permit<ability::PowerEnvironment>,
    by: SignedDuration,
) -> Result<(), Error> {
    let environment = permitted(tx, permit).await?;
    let row = store::lock(tx, environment.id).await?;
    let (row, stops) = row
        .and_then(|row| row.timetable.stops_at.map(|stops| (row, stops)))
        .ok_or(Error::NoStop("it is not going to stop by itself"))?;
    let delayed = row.timetable.delayed.saturating_add(by);
    if !by.is_positive() || delayed > MOST_DELAY {
        return Err(Error::NoStop("a stop can be put off by 4 hours in all"));
    }
    let next = stops.saturating_add(by).map_err(|_| Error::NoStop("that is too late"))?;
    store::set_next(tx, environment.id, Some(next), None, delayed, warned(row.now, next)).await?;
    let detail = json!({"before": stops, "after": next});
    audit::append(tx, op, about(&environment, "environment.stop_delayed").detail(detail)).await?;
    Ok(())
}

async fn permitted(tx: &mut Tx, permit: &Permit<ability::PowerEnvironment>) -> Result<Environment, Error> {
    let id: EnvironmentId = permit.resource().parse().map_err(|_| Error::NotFound)?;
    super::load(tx, id).await
}

/// Sets the next stop of what is ready, and the next start of what is stopped. A stop that stands
/// there already stays: it may have been put off, or be overdue.
pub(super) async fn arm(tx: &mut Tx, id: EnvironmentId, state: State) -> crate::db::Result<()> {
    let declared = store::declared(tx, id).await?;
    store::set_auto_stop(tx, id, catalog::auto_stop_of(&declared)).await?;
    let Some(row) = store::lock(tx, id).await? else { return Ok(()) };
    let table = &row.timetable;
    match state {
        State::Ready => {
            let after_start = table.auto_stop.and_then(|length| row.now.saturating_add(length).ok());
            let stop = table.schedule.as_ref().and_then(|schedule| schedule.next_stop(row.now));
            let first = stop.into_iter().chain(after_start).min();
            let (next, delayed) = table.stops_at.map_or((first, SignedDuration::ZERO), |at| (Some(at), table.delayed));
            store::set_next(tx, id, next, None, delayed, next.map_or(0, |next| warned(row.now, next))).await
        }
        State::Stopped => {
            let start = table.schedule.as_ref().and_then(|schedule| schedule.next_start(row.now));
            store::set_next(tx, id, None, start, SignedDuration::ZERO, 0).await
        }
        State::Deleted => store::forget(tx, id).await,
        _ => Ok(()),
    }
}

/// Which warnings a stop does not need any more: those whose time was over when it was set.
fn warned(now: Timestamp, next: Timestamp) -> i16 {
    match next.duration_since(now).as_secs() {
        ..=3600 => 2,
        3601..=86_400 => 1,
        _ => 0,
    }
}

/// What is due now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// A stop.
    Stop,
    /// A start.
    Start,
}

/// What is due, by the database's clock, the most overdue first.
pub async fn due(connection: &mut PgConnection, limit: i64) -> Result<Vec<(EnvironmentId, Due)>, Error> {
    Ok(store::due(connection, limit).await?)
}

/// What was due is asked for, or refused for good: the one after it is the next one.
pub async fn advance(tx: &mut Tx, id: EnvironmentId, due: Due) -> Result<(), Error> {
    let Some(row) = store::lock(tx, id).await? else { return Ok(()) };
    let (schedule, now) = (row.timetable.schedule.as_ref(), row.now);
    let (stop, start) = match due {
        Due::Stop => (schedule.and_then(|schedule| schedule.next_stop(now)), row.timetable.starts_at),
        Due::Start => (row.timetable.stops_at, schedule.and_then(|schedule| schedule.next_start(now))),
    };
    let warned = stop.map_or(0, |stop| warned(now, stop));
    Ok(store::set_next(tx, id, stop, start, SignedDuration::ZERO, warned).await?)
}

/// Warns of stops a day and an hour before: one audit record each; the pages show the time.
pub async fn warn_stops(tx: &mut Tx, op: &Op, limit: i64) -> Result<usize, Error> {
    let warned = store::mark_warned(tx, limit).await?;
    for stop in &warned {
        let entry = Entry::new("environment.stop_warned", Object::new("environment", stop.id.0, stop.name.clone()))
            .project(stop.project)
            .environment(stop.id)
            .detail(json!({"stops_at": stop.at}));
        audit::append(tx, op, entry).await?;
    }
    Ok(warned.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_stop_stays_at_its_time_of_day_when_the_clocks_change() {
        let days = ["mo", "tu", "we", "th", "fr", "sa", "su"];
        let schedule = Schedule::parse("Europe/Vienna", &days, "19:00", "02:30").unwrap();
        // Summer time ends on 25 October 2026 and begins on 28 March 2027.
        assert_eq!(schedule.next_stop(at("2026-10-24T12:00:00Z")), Some(at("2026-10-24T17:00:00Z")));
        assert_eq!(schedule.next_stop(at("2026-10-24T17:00:00Z")), Some(at("2026-10-25T18:00:00Z")));
        assert_eq!(schedule.next_stop(at("2027-03-27T18:00:00Z")), Some(at("2027-03-28T17:00:00Z")));
        // 02:30 is there twice, and then not at all.
        assert_eq!(schedule.next_start(at("2026-10-24T22:00:00Z")), Some(at("2026-10-25T00:30:00Z")));
        assert_eq!(schedule.next_start(at("2026-10-25T00:30:00Z")), Some(at("2026-10-26T01:30:00Z")));
        assert_eq!(schedule.next_start(at("2027-03-28T00:00:00Z")), Some(at("2027-03-28T01:30:00Z")));
    }

    #[test]
    fn only_the_chosen_days_count() {
        let schedule = Schedule::parse("UTC", &["5", "mo", "fr"], "18:00", "").unwrap();
        assert_eq!(schedule.days, [Weekday::Monday, Weekday::Friday]);
        // 20 November 2026 is a Friday.
        assert_eq!(schedule.next_stop(at("2026-11-20T18:00:00Z")), Some(at("2026-11-23T18:00:00Z")));
        assert_eq!(schedule.next_start(at("2026-11-20T18:00:00Z")), None);
    }

    #[test]
    fn what_cannot_be_read_is_told_by_field() {
        let pointers = |zone: &str, days: &[&str], stop: &str, start: &str| -> Vec<String> {
            let errors = Schedule::parse(zone, days, stop, start).unwrap_err();
            errors.into_iter().map(|error| error.pointer).collect()
        };
        assert_eq!(pointers("Mars/Base", &["mo", "x"], "7 pm", "8:61"), ["/zone", "/days", "/stop", "/start"]);
        assert_eq!(pointers("UTC", &["mo"], "", ""), ["/stop"]);
        assert_eq!(pointers("UTC", &[], "19:00", ""), ["/days"]);
        assert_eq!(pointers("UTC", &["mo"], "19:00", "19:00"), ["/start"]);
    }
}
