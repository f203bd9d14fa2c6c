//! An environment as a row of the list, and as a line of the CSV.

use jiff::SignedDuration;

use super::view::EnvironmentRow;
use crate::base::csv;
use crate::environments::{Environment, State};
use crate::web::ui::{Person, Pill};
use crate::web::words::{Times, length};
use crate::web::{icons, urls};

/// What ends within this time is amber.
const SOON: SignedDuration = SignedDuration::from_hours(24);

/// The row; `current` is the published version of its template.
pub(super) fn row(environment: &Environment, current: Option<&str>, times: &Times) -> EnvironmentRow {
    let (template, state) = (&environment.template, environment.state);
    let lives = !matches!(state, State::Deleted | State::Deleting | State::Faulted);
    let ends = environment.expires_at.filter(|_| lives);
    let newer = current.filter(|current| lives && *current != template.version);
    EnvironmentRow {
        name: environment.name.clone(),
        href: urls::environment(environment.id),
        icon: icons::of_template(&template.icon),
        environment_type: environment.place.slug.clone(),
        project: environment.project.slug.clone(),
        pill: Pill::of(state.as_str()),
        marks: marks(environment),
        template: template.name.clone(),
        version: template.version.clone(),
        newer: newer.map(Pill::newer_version),
        owner: Person::named(&environment.owner.name),
        ends: ends.map(|at| times.near(at)),
        ends_note: note(environment, times),
        soon: lives && environment.remaining.is_some_and(|left| left < SOON),
        overdue: overdue(environment),
    }
}

/// The marks beside the state.
pub(super) fn marks(environment: &Environment) -> Vec<Pill> {
    let gone = environment.owner.gone && environment.state != State::Deleted;
    let drifted = environment.drifted_since.map(|_| Pill::drifted());
    drifted.into_iter().chain(gone.then(Pill::owner_gone)).collect()
}

fn overdue(environment: &Environment) -> Option<String> {
    let past = environment.remaining.is_some_and(|left| left.is_negative());
    match environment.state {
        State::Faulted => Some("clean-up failed".to_owned()),
        State::Ready | State::Stopped | State::Failed if past => Some("overdue".to_owned()),
        _ => None,
    }
}

fn note(environment: &Environment, times: &Times) -> String {
    match (environment.state, environment.expires_at, environment.deleted_at) {
        (State::Deleted, _, Some(at)) => format!("deleted {}", times.near(at).shown),
        (State::Deleted | State::Deleting | State::Faulted, ..) => String::new(),
        // What is far away is shown as its day already.
        (_, Some(at), _) => Some(times.day(at)).filter(|day| *day != times.near(at).shown).unwrap_or_default(),
        (_, None, _) => format!("{} from when it is ready", length(environment.lifetime)),
    }
}

/// The heading of the CSV.
pub(super) const CSV_HEAD: &str = "name,id,state,project,type,template,version,owner,created,ends,drifted since\r\n";

/// The line (RFC 4180) of an environment.
pub(super) fn csv(environment: &Environment) -> String {
    let ends = environment.expires_at.map(|at| at.to_string()).unwrap_or_default();
    let cells = [
        environment.name.as_str(),
        &environment.id.to_string(),
        environment.state.as_str(),
        &environment.project.slug,
        &environment.place.slug,
        &environment.template.slug,
        &environment.template.version,
        &environment.owner.name,
        &environment.created_at.to_string(),
        &ends,
        &environment.drifted_since.map(|at| at.to_string()).unwrap_or_default(),
    ];
    csv::line(&cells)
}
