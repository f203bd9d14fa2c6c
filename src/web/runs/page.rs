//! `GET /runs/{run}`: everything about one run, as it is now.

use axum::extract::Path;
use axum::response::Response;

use super::find;
use super::log;
use super::view::{LiveRun, RunPage};
use super::window::{LINES, Window};
use super::{outline, readable};
use crate::base::id::RunId;
use crate::db::Connection;
use crate::environments::{self, Environment, State};
use crate::orchestrator::{self, LogLine, Run, RunState, RunStep, Waiting, Why};
use crate::policy::ability;
use crate::web::answer::{self, Query};
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::{Action, Crumb, Fact, Failure, NextEvent, Pill, When};
use crate::web::visitor::Visitor;
use crate::web::words::{Times, length};
use crate::web::{frame, urls};

/// The page.
pub async fn page(visitor: Visitor, Path(id): Path<String>, query: Query) -> Result<Response, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let (run, environment) = readable(&visitor, &mut connection, &id).await?;
    let steps = orchestrator::steps(&mut connection, run.id).await?;
    if query.has("at") {
        return find::jump(&mut connection, &run, &steps, query.get("at")).await;
    }
    let shown = shown(&mut connection, run.id, &query).await?;
    let plan = environments::planned(&mut connection, &visitor.app.sealer, run.id).await?;
    let timings = environments::resource_timings(&mut connection, run.id).await?;
    let lede = lede(&visitor, &mut connection, &run, &environment).await?;
    let line = match run.state {
        RunState::Queued => orchestrator::place_in_line(&mut connection, run.id).await?,
        _ => None,
    };
    drop(connection);
    let times = visitor.times();
    let mut before = None;
    let (window, lines) = (shown.window, shown.lines);
    let page = RunPage {
        shell: frame::shell(&visitor, Section::Environments, &run.label).await?,
        crumbs: crumbs(&environment),
        title: run.label.clone(),
        pill: pill(&run),
        lede,
        next_event: next_event(&run, line.as_ref(), &times),
        actions: actions(&visitor, &run, &environment),
        failure: failure(&run, &steps, &times),
        plan: plan.map(|plan| outline::plan(plan, &timings, &times)),
        facts: facts(&run, &environment, &times),
        steps: outline::steps(run.id, &steps, &lines, &times),
        steps_summary: outline::summary(&steps),
        log: log::entries(&lines, &mut before, &steps, &times),
        log_href: urls::run_log(run.id),
        page_href: urls::run(run.id),
        first_error_href: run.error.is_some().then(|| format!("{}?at=error", urls::run(run.id))),
        waiting: waiting(&run).filter(|_| shown.follows),
        live: (!run.state.is_terminal()).then(|| LiveRun {
            page: visitor.here.clone(),
            events: urls::run_events(run.id, window.last()),
            follows: shown.follows,
        }),
        q: shown.q,
        found: shown.found,
        earlier_href: shown.earlier,
        later_href: shown.later,
    };
    answer::page(&page)
}

/// The lines of a page, and what is beside them.
struct Shown {
    window: Window,
    lines: Vec<LogLine>,
    q: String,
    found: Option<String>,
    earlier: Option<String>,
    later: Option<String>,
    /// New lines belong to it.
    follows: bool,
}

async fn shown(connection: &mut Connection, run: RunId, query: &Query) -> Result<Shown, PageError> {
    let length = orchestrator::log_length(connection, run).await?;
    let window = Window::of(query, length);
    let q = find::asked(query.get("q"));
    if q.is_empty() {
        let lines = orchestrator::log_lines(connection, run, window.first - 1, LINES).await?;
        let (earlier, later) = (window.earlier(run), window.later(run));
        return Ok(Shown { window, lines, q, found: None, earlier, later, follows: window.is_end() });
    }
    let after = query.get("after").parse().unwrap_or(0);
    let found = find::words(connection, run, (after, length), &q).await?;
    let summary = find::summary(&found, &q, after.clamp(0, length), length);
    let later = found.on(run, &q, length);
    Ok(Shown { window, lines: found.lines, q, found: Some(summary), earlier: None, later, follows: false })
}

fn crumbs(environment: &Environment) -> Vec<Crumb> {
    let href = urls::environment(environment.id);
    vec![
        Crumb::to("Environments", urls::ENVIRONMENTS),
        Crumb::to(&environment.name, &href),
        Crumb::to("Runs", format!("{href}#runs")),
    ]
}

fn pill(run: &Run) -> Pill {
    let pill = Pill::of(run.state.as_str());
    if run.cancel_requested && !run.state.is_terminal() { pill.saying("Canceling") } else { pill }
}

async fn lede(
    visitor: &Visitor,
    connection: &mut Connection,
    run: &Run,
    environment: &Environment,
) -> Result<String, PageError> {
    let template = &environment.template;
    let (project, place) = (&environment.project.slug, &environment.place.slug);
    let what = format!("{} {} · {project}, {place}", template.name, template.version);
    let request = match run.request {
        Some(id) => visitor.app.requests.find(connection, id).await?,
        None => None,
    };
    Ok(request.map_or_else(|| what.clone(), |request| format!("{what} · asked by {}", request.requester_label)))
}

/// What it waits for, or how long it runs.
fn next_event(run: &Run, line: Option<&Waiting>, times: &Times) -> Option<NextEvent> {
    let attempt = format!("Attempt {} of at most {}", run.attempt.max(1), run.max_attempts);
    let event = |first: &str, at: Option<When>, then: &str| {
        Some(NextEvent { first: first.to_owned(), at, then: then.to_owned(), aside: attempt.clone(), soon: false })
    };
    match run.state {
        RunState::Queued if run.run_at > times.now() => {
            event("Tries again", Some(times.near(run.run_at)), "the last attempt met an error")
        }
        RunState::Queued => match line {
            Some(line) => Some(in_line(run, line, times)),
            None => event("Waits for a worker, queued", Some(times.near(run.created_at)), ""),
        },
        RunState::Running => {
            let for_how_long = run.started_at.map(|at| length(times.now().duration_since(at))).unwrap_or_default();
            event(&format!("Running for {for_how_long}"), None, "")
        }
        RunState::Succeeded | RunState::Failed | RunState::Canceled | RunState::Faulted => None,
    }
}

/// Why it waits, its place in line and when it is likely to start.
fn in_line(run: &Run, line: &Waiting, times: &Times) -> NextEvent {
    let starts = line.starts_in.and_then(|after| times.now().checked_add(after).ok()).map(|at| times.near(at));
    let sentence = line.why.sentence();
    let held = sentence.trim_end_matches('.').to_owned();
    let (first, at, then) = match (&line.why, starts) {
        (Why::Frozen { until: Some(at), .. }, _) => (format!("{held}, until"), Some(times.at(*at)), String::new()),
        (Why::Circuit { of, environments, until }, _) => (
            format!("Held by errors of {of}; a run tries it again"),
            Some(times.near(*until)),
            format!("{environments} environments in a row met one."),
        ),
        (Why::Frozen { .. } | Why::NoWorker { .. }, _) | (_, None) => {
            (held, line.why.until().map(|at| times.near(at)), String::new())
        }
        (_, Some(at)) => ("Likely to start".to_owned(), Some(at), sentence),
    };
    let aside = match line.position {
        Some(place) => format!("Place {place} in the queue"),
        None => format!("Attempt {} of at most {}", run.attempt.max(1), run.max_attempts),
    };
    NextEvent { first, at, then, aside, soon: false }
}

fn actions(visitor: &Visitor, run: &Run, environment: &Environment) -> Vec<Action> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    let action = |label: &str, href, icon, variant| Action {
        label: label.to_owned(),
        href,
        icon,
        variant,
        post: true,
        new_tab: false,
    };
    let mut actions = Vec::new();
    if !run.state.is_terminal()
        && !run.cancel_requested
        && app.permit_on::<ability::CancelRun>(op, access, environment).is_ok()
    {
        actions.push(action("Cancel run", urls::run_cancel(run.id), "square", "danger"));
    }
    let ended_badly = run.state.is_terminal() && run.state != RunState::Succeeded && run.request.is_some();
    let open = matches!(environment.state, State::Failed | State::Faulted);
    if ended_badly && open && app.permit_on::<ability::RetryRun>(op, access, environment).is_ok() {
        actions.push(action("Retry", urls::run_retry(run.id), "rotate-cw", "primary"));
    }
    actions
}

/// The first real error on top, also while another attempt is due.
fn failure(run: &Run, steps: &[RunStep], times: &Times) -> Option<Failure> {
    let text = run.error.clone().filter(|_| run.state != RunState::Running)?;
    let step = run.error_step.as_deref();
    let took = step.and_then(|name| steps.iter().find(|step| step.name == name)).map(|step| outline::took(step, times));
    let title = match (step, took) {
        (Some(step), Some(took)) => format!("{} failed after {took}", outline::title(step)),
        (Some(step), None) => format!("{} failed", outline::title(step)),
        (None, _) => "The run failed".to_owned(),
    };
    let advice = match run.state {
        RunState::Queued | RunState::Running => "Paddock tries again by itself.",
        RunState::Faulted => "Its worker was lost too often. Retry it; if it stays, a platform admin must look.",
        RunState::Failed | RunState::Canceled | RunState::Succeeded => {
            "Correct the cause and retry, or change the inputs of the environment. What was made until then is kept."
        }
    };
    Some(Failure { title, text, advice: advice.to_owned() })
}

fn waiting(run: &Run) -> Option<String> {
    match run.state {
        RunState::Queued => Some("waiting for a worker".to_owned()),
        RunState::Running => Some("waiting for the next line".to_owned()),
        RunState::Succeeded | RunState::Failed | RunState::Canceled | RunState::Faulted => None,
    }
}

fn facts(run: &Run, environment: &Environment, times: &Times) -> Vec<Fact> {
    let mut facts = vec![Fact::link("Environment", &environment.name, urls::environment(environment.id))];
    if let Some(request) = run.request {
        facts.push(Fact::link("Request", &run.label, urls::request(request)));
    }
    facts.push(Fact::time("Queued", times.at(run.created_at)));
    if let Some(at) = run.started_at {
        facts.push(Fact::time("Started", times.at(at)));
    }
    if let Some(at) = run.ended_at {
        facts.push(Fact::time("Ended", times.at(at)));
    }
    if let Some(worker) = &run.worker {
        facts.push(Fact::new("Worker", worker));
    }
    facts.push(Fact::id("Id", run.id.to_string()));
    facts
}
