//! When an environment stops and starts by itself: the card on its page, the form, skip and delay.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;

use super::view::{ScheduleCard, SchedulePage};
use super::{actions, id_of, readable};
use crate::base::{FieldError, Kinded as _};
use crate::catalog::ActionSpec;
use crate::catalog::form::{Choice, Control, Field};
use crate::environments::{self, Environment, Error, Schedule, State, Timetable, day_name};
use crate::policy::ability;
use crate::web::answer::{self, Form};
use crate::web::error::{PageError, sentence};
use crate::web::shell::Section;
use crate::web::ui::{Crumb, Fact, NextEvent};
use crate::web::visitor::Visitor;
use crate::web::words::{Times, length};
use crate::web::{frame, urls};

const DAYS: [(&str, &str); 7] = [
    ("mo", "Monday"),
    ("tu", "Tuesday"),
    ("we", "Wednesday"),
    ("th", "Thursday"),
    ("fr", "Friday"),
    ("sa", "Saturday"),
    ("su", "Sunday"),
];

/// The card of what can be stopped; none for everything else.
pub(super) fn card(
    visitor: &Visitor,
    environment: &Environment,
    declared: &[ActionSpec],
    table: Option<&Timetable>,
) -> Option<ScheduleCard> {
    if !declared.iter().any(|action| action.name == "stop") || environment.state == State::Deleted {
        return None;
    }
    let (id, times) = (environment.id, visitor.times());
    let mut facts = Vec::new();
    if let Some(schedule) = table.and_then(|table| table.schedule.as_ref()) {
        facts.push(Fact::new("Days", days(schedule)));
        for (label, time) in [("Stops at", schedule.stop), ("Starts at", schedule.start)] {
            facts.extend(time.map(|time| Fact::new(label, format!("{} {}", time.strftime("%H:%M"), schedule.zone))));
        }
    }
    if let Some(after) = table.and_then(|table| table.auto_stop) {
        facts.push(Fact::new("Stops after", format!("{} of running", length(after))));
    }
    let near = |label: &str, at| Fact { when: Some(times.at(at)), ..Fact::new(label, String::new()) };
    let stops = table.and_then(|table| table.stops_at).filter(|_| environment.state == State::Ready);
    facts.extend(stops.map(|at| near("Next stop", at)));
    let starts = table.and_then(|table| table.starts_at).filter(|_| environment.state == State::Stopped);
    facts.extend(starts.map(|at| near("Next start", at)));
    let may = actions::denied::<ability::PowerEnvironment>(visitor, environment).is_none();
    let scheduled = table.is_some_and(|table| table.schedule.as_ref().is_some_and(|one| one.stop.is_some()));
    Some(ScheduleCard {
        facts,
        edit_href: may.then(|| urls::environment_schedule(id)),
        skip_action: stops.filter(|_| may && scheduled).map(|_| urls::environment_stop_skip(id)),
        delay_action: stops.filter(|_| may).map(|_| urls::environment_stop_delay(id)),
    })
}

/// “Monday to Friday”, “every day”, “mo, we”.
fn days(schedule: &Schedule) -> String {
    let names: Vec<&str> = schedule.days.iter().copied().map(day_name).collect();
    match names.as_slice() {
        [_, _, _, _, _, _, _] => "every day".to_owned(),
        ["mo", "tu", "we", "th", "fr"] => "Monday to Friday".to_owned(),
        few => {
            let long = few.iter().filter_map(|name| DAYS.iter().find(|(short, _)| short == name));
            long.map(|(_, long)| *long).collect::<Vec<_>>().join(", ")
        }
    }
}

/// The stop or start by itself that comes before the end.
pub(super) fn next_event(environment: &Environment, table: Option<&Timetable>, times: &Times) -> Option<NextEvent> {
    let table = table?;
    let (first, at) = match environment.state {
        State::Ready => ("Stops", table.stops_at?),
        State::Stopped => ("Starts", table.starts_at?),
        _ => return None,
    };
    if environment.expires_at.is_some_and(|end| end <= at) {
        return None;
    }
    let soon = at.duration_since(times.now()) < SignedDuration::from_hours(1);
    let then = if soon { times.near(at).shown } else { String::new() };
    let aside = environment.expires_at.map(|end| format!("deletes {}", times.at(end).shown)).unwrap_or_default();
    Some(NextEvent { first: first.to_owned(), at: Some(times.at(at)), then, aside, soon })
}

/// `GET /environments/{environment}/schedule`
pub async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let environment = readable(&visitor, &mut connection, id_of(&id)?).await?;
    let table = environments::timetable(&mut connection, environment.id).await?;
    drop(connection);
    let form = typed(&visitor, table.and_then(|table| table.schedule).as_ref());
    answer::page(&page(&visitor, &environment, &form, &[]).await?)
}

/// `POST /environments/{environment}/schedule`
pub async fn post(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    let environment = readable(&visitor, &mut *visitor.app.db.acquire().await?, id_of(&id)?).await?;
    let back = urls::environment(environment.id);
    let permit = visitor.app.permit_on::<ability::PowerEnvironment>(&visitor.op, &visitor.access, &environment);
    let permit = permit.map_err(|denied| PageError::from(denied).link(&environment.name, &back))?;
    let chosen: Vec<&str> = form.0.iter().filter(|(name, _)| name == "days").map(|(_, day)| day.as_str()).collect();
    let schedule = if form.has("_none") {
        None
    } else {
        match Schedule::parse(form.get("zone").trim(), &chosen, form.get("stop"), form.get("start")) {
            Ok(schedule) => Some(schedule),
            Err(errors) => {
                let page = page(&visitor, &environment, &form, &errors).await?;
                return Ok((StatusCode::UNPROCESSABLE_ENTITY, answer::page(&page)?).into_response());
            }
        }
    };
    let set = visitor.app.set_schedule(&visitor.op, &permit, schedule.as_ref()).await;
    set.map_err(|error| PageError::from(error).link(&environment.name, &back))?;
    let said = if schedule.is_some() { "The schedule is set." } else { "It has no schedule any more." };
    Ok(answer::see_other_saying(&back, said))
}

/// `POST /environments/{environment}/schedule/skip`
pub async fn skip(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let environment = readable(&visitor, &mut *visitor.app.db.acquire().await?, id_of(&id)?).await?;
    let permit = visitor.app.permit_on::<ability::PowerEnvironment>(&visitor.op, &visitor.access, &environment);
    let back = urls::environment(environment.id);
    let permit = permit.map_err(|denied| PageError::from(denied).link(&environment.name, &back))?;
    done(&environment, visitor.app.skip_stop(&visitor.op, &permit).await, "The next stop is skipped.")
}

/// `POST /environments/{environment}/schedule/delay`: by an hour.
pub async fn delay(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let environment = readable(&visitor, &mut *visitor.app.db.acquire().await?, id_of(&id)?).await?;
    let permit = visitor.app.permit_on::<ability::PowerEnvironment>(&visitor.op, &visitor.access, &environment);
    let back = urls::environment(environment.id);
    let permit = permit.map_err(|denied| PageError::from(denied).link(&environment.name, &back))?;
    let hour = SignedDuration::from_hours(1);
    done(&environment, visitor.app.delay_stop(&visitor.op, &permit, hour).await, "The next stop is an hour later.")
}

fn done(environment: &Environment, result: Result<(), Error>, said: &str) -> Result<Response, PageError> {
    let back = urls::environment(environment.id);
    match result {
        Ok(()) => Ok(answer::see_other_saying(&back, said)),
        Err(error) => {
            tracing::debug!(kind = ?error.kind(), "the stop stays as it is");
            Err(PageError::from(error).link(&environment.name, back))
        }
    }
}

/// The schedule as the form's values; a sensible one where there is none.
fn typed(visitor: &Visitor, schedule: Option<&Schedule>) -> Form {
    let mut pairs = Vec::new();
    let time =
        |time: Option<jiff::civil::Time>| time.map(|time| time.strftime("%H:%M").to_string()).unwrap_or_default();
    match schedule {
        Some(schedule) => {
            pairs.push(("zone".to_owned(), schedule.zone.clone()));
            pairs.push(("stop".to_owned(), time(schedule.stop)));
            pairs.push(("start".to_owned(), time(schedule.start)));
            pairs.extend(schedule.days.iter().map(|day| ("days".to_owned(), day_name(*day).to_owned())));
        }
        None => {
            pairs.push(("zone".to_owned(), visitor.zone.name().to_owned()));
            pairs.push(("stop".to_owned(), "19:00".to_owned()));
            pairs.extend(DAYS.iter().take(5).map(|(day, _)| ("days".to_owned(), (*day).to_owned())));
        }
    }
    Form(pairs)
}

async fn page(
    visitor: &Visitor,
    environment: &Environment,
    form: &Form,
    errors: &[FieldError],
) -> Result<SchedulePage, PageError> {
    let text = |value: &str, placeholder: &str| Control::Text {
        value: value.to_owned(),
        pattern: None,
        min_length: None,
        max_length: Some(60),
        placeholder: Some(placeholder.to_owned()),
    };
    let chosen = |day: &str| form.0.iter().any(|(name, value)| name == "days" && value == day);
    let choices = DAYS
        .iter()
        .map(|(day, label)| Choice {
            value: (*day).to_owned(),
            label: (*label).to_owned(),
            help: None,
            selected: chosen(day),
        })
        .collect();
    let help = "Wall-clock time, also after the clocks change. Leave it empty for never.";
    let fields = vec![
        field(errors, "days", "Days", None, Control::Checks { choices }),
        field(errors, "stop", "Stop at", Some(help), text(form.get("stop"), "19:00")),
        field(errors, "start", "Start at", None, text(form.get("start"), "08:00")),
        field(errors, "zone", "Time zone", None, text(form.get("zone"), "Europe/Vienna")),
    ];
    let name = &environment.name;
    Ok(SchedulePage {
        shell: frame::shell(visitor, Section::Environments, &format!("Schedule of {name}")).await?,
        crumbs: vec![Crumb::to("Environments", urls::ENVIRONMENTS), Crumb::to(name, urls::environment(environment.id))],
        name: name.clone(),
        action: urls::environment_schedule(environment.id),
        back_href: urls::environment(environment.id),
        fields,
    })
}

fn field(found: &[FieldError], name: &str, label: &str, help: Option<&str>, control: Control) -> Field {
    let pointer = format!("/{name}");
    let errors = found.iter().filter(|error| error.pointer == pointer).map(|error| sentence(&error.detail)).collect();
    Field {
        pointer,
        name: name.to_owned(),
        label: label.to_owned(),
        help: help.map(str::to_owned),
        required: name == "days" || name == "zone",
        read_only: false,
        secret: false,
        control,
        errors,
    }
}
