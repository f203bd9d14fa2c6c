//! What an environment is, in rows: details, resources, runs, next event, first error.

use super::view::{OutputRow, ResourceRow, RunRow};
use crate::base::id::RequestId;
use crate::environments::{Environment, Operation, OutputView, State};
use crate::orchestrator::{Run, RunState};
use crate::policy::Rule;
use crate::providers::Resource;
use crate::web::requests::values;
use crate::web::ui::{Fact, Failure, NextEvent, Pill};
use crate::web::urls;
use crate::web::words::{Times, length, listed};

/// The card "Details".
pub(super) fn details(
    environment: &Environment,
    exception: Option<&(RequestId, Vec<Rule>)>,
    times: &Times,
) -> Vec<Fact> {
    let template = &environment.template;
    let mut facts = vec![
        Fact::new("Owner", environment.owner.name.clone()),
        Fact::new("Project", environment.project.name.clone()),
        Fact::new("Environment type", environment.place.slug.clone()),
        Fact::link("Template", template.name.clone(), urls::template(&template.slug)),
        Fact::new("Version", template.version.clone()),
        Fact::time("Asked for", times.at(environment.created_at)),
    ];
    if let Some(at) = environment.ready_at {
        facts.push(Fact::time("Ready since", times.at(at)));
    }
    if let Some(at) = environment.deleted_at {
        facts.push(Fact::time("Deleted", times.at(at)));
    }
    facts.push(Fact::new("Lifetime", length(environment.lifetime)));
    if let Some((request, rules)) = exception {
        let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
        facts.push(Fact::link("Exception", format!("from {}", listed(&ids, "and")), urls::request(*request)));
    }
    facts.push(Fact::id("Id", environment.id.to_string()));
    facts
}

pub(super) fn output(view: OutputView) -> OutputRow {
    OutputRow { name: view.name, value: view.value.as_ref().map(values::text), sensitive: view.sensitive }
}

pub(super) fn resource(resource: Resource) -> ResourceRow {
    ResourceRow { name: resource.address, kind: resource.r#type, id: resource.provider_id.unwrap_or_default() }
}

pub(super) fn run(run: &Run, times: &Times) -> RunRow {
    RunRow {
        operation: operation_of(run).to_owned(),
        href: urls::run(run.id),
        pill: Pill::of(run.state.as_str()),
        attempt: if run.attempt == 0 { "not begun".to_owned() } else { format!("attempt {}", run.attempt) },
        took: took(run, times),
        when: times.near(run.started_at.unwrap_or(run.created_at)),
    }
}

/// "Create", from the run's kind `create.postgres`; "Plan" from `plan.postgres`.
pub fn operation_of(run: &Run) -> &str {
    let word = run.kind.split('.').next().unwrap_or_default();
    match word {
        "plan" => return "Plan",
        "drift" => return "Check for drift",
        _ => {}
    }
    Operation::ALL.into_iter().find(|operation| operation.as_str() == word).map_or(word, |operation| operation.title())
}

/// How long a run has taken until now or until its end.
pub fn took(run: &Run, times: &Times) -> String {
    let Some(started) = run.started_at else { return String::new() };
    length(run.ended_at.unwrap_or_else(|| times.now()).duration_since(started))
}

/// What happens by itself next.
pub(super) fn next_event(environment: &Environment, times: &Times) -> Option<NextEvent> {
    let place = &environment.place;
    let aside = format!("at most {} in {}", length(place.maximum_lifetime), place.slug);
    let event = |first, at, then, soon| Some(NextEvent { first, at, then, aside: aside.clone(), soon });
    match (environment.state, environment.expires_at) {
        (State::Deleting | State::Deleted | State::Faulted, _) => None,
        (_, None) => {
            event(format!("Lives {} from when it is ready", length(environment.lifetime)), None, String::new(), false)
        }
        (_, Some(at)) if at <= times.now() => {
            event("Its time is over".to_owned(), None, "it is deleted now".to_owned(), true)
        }
        (_, Some(at)) => {
            let soon = environment.remaining.is_some_and(|left| left.as_hours() < 24);
            let near = if soon { times.near(at).shown } else { String::new() };
            event("Deletes".to_owned(), Some(times.at(at)), near, soon)
        }
    }
}

/// The first real error of what went wrong last.
pub(super) fn failure(environment: &Environment, last: Option<&Run>, times: &Times) -> Option<Failure> {
    let advice = match environment.state {
        State::Failed => "Retry it, change its inputs, or delete it.",
        State::Faulted => {
            "Something may be left at the provider. Delete it again; if that does not help, a platform admin must look."
        }
        _ => return None,
    };
    let text = environment.last_error.clone().unwrap_or_else(|| "No error was recorded.".to_owned());
    let title = match last {
        Some(run) if run.state == RunState::Canceled => format!("{} was canceled", operation_of(run)),
        Some(run) => format!("{} failed after {}", operation_of(run), took(run, times)),
        None => "It failed".to_owned(),
    };
    Some(Failure { title, text, advice: advice.to_owned() })
}
