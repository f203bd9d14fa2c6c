//! `GET /environments/{environment}`, and its secret outputs.

use axum::extract::Path;
use axum::response::Response;

use super::view::{EnvironmentPage, OutputsFragment};
use super::{actions, drift, facts, handover, id_of, readable, schedule, versions};
use crate::audit;
use crate::catalog::{self, TemplateVersion};
use crate::db::Connection;
use crate::environments::{self, Environment, OutputView, State};
use crate::orchestrator::{self, Run};
use crate::policy::{Action, ability};
use crate::requests::{Filter, RequestStatus};
use crate::web::answer::{self, Form};
use crate::web::audit::sentence::Names;
use crate::web::error::PageError;
use crate::web::requests::values;
use crate::web::shell::Section;
use crate::web::ui::{CostView, Crumb, Pill, TimelineItem};
use crate::web::visitor::Visitor;
use crate::web::{cost, frame, urls};

/// How much of its past the page shows.
const RUNS: i64 = 20;
const RECORDS: i64 = 60;
/// What the sentences beside them say already.
const QUIET: [&str; 11] = [
    "environment.requested",
    "environment.provisioning",
    "environment.updating",
    "environment.starting",
    "environment.stopping",
    "environment.restarting",
    "environment.acting",
    "environment.deleting",
    "request.started",
    "request.succeeded",
    "request.failed",
];

/// The page.
pub async fn page(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let environment = readable(&visitor, &mut connection, id_of(&id)?).await?;
    let outputs = environments::list_outputs(&mut connection, environment.id).await?;
    answer::page(&filled(&visitor, &mut connection, &environment, outputs).await?)
}

/// `POST …/reveal`: one secret output is shown, once, and that is recorded.
pub async fn reveal(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let environment = readable(&visitor, &mut connection, id_of(&id)?).await?;
    let back = urls::environment(environment.id);
    let permit = visitor.app.permit_on::<ability::RevealOutput>(&visitor.op, &visitor.access, &environment);
    let name = form.get("name");
    let permit = match permit {
        Ok(permit) => permit,
        Err(denied) => {
            visitor.app.record_refused_reveal(&visitor.op, &environment, &[name.to_owned()]).await?;
            return Err(PageError::from(denied).link(&environment.name, &back));
        }
    };
    if name.is_empty() {
        return Err(PageError::invalid("Say which output to show.").link(&environment.name, back));
    }
    let mut tx = visitor.app.db.begin().await?;
    let (sealer, names) = (&visitor.app.sealer, [name.to_owned()]);
    let outputs = environments::reveal(&mut tx, &visitor.op, sealer, &permit, &environment, &names).await?;
    tx.commit().await?;
    if visitor.htmx {
        let outputs = outputs.into_iter().map(facts::output).collect();
        let reveal_action = Some(urls::environment_reveal(environment.id));
        return answer::page(&OutputsFragment { outputs, reveal_action });
    }
    let mut page = filled(&visitor, &mut connection, &environment, outputs).await?;
    // Its own address would ask again, and take what is shown away.
    page.live = false;
    answer::page(&page)
}

async fn filled(
    visitor: &Visitor,
    connection: &mut Connection,
    environment: &Environment,
    outputs: Vec<OutputView>,
) -> Result<EnvironmentPage, PageError> {
    let times = visitor.times();
    let version = catalog::get_version(connection, environment.template.version_id).await?;
    let resources = environments::resources(connection, environment.id).await?;
    let runs = orchestrator::runs_of(connection, environment.id.0, RUNS).await?;
    let timeline = timeline(visitor, connection, environment).await?;
    let last = runs.first();
    let table = environments::timetable(connection, environment.id).await?;
    let declared = catalog::actions_of(&version.manifest);
    let (mut actions, cannot) = actions::of(visitor, environment, &declared, last);
    if let Some(connect) = catalog::connect_of(&version.manifest).filter(|_| environment.state == State::Ready) {
        actions.insert(0, actions::connect(environment, &connect));
    }
    let (template, place) = (&environment.template, &environment.place.slug);
    let (project, owner) = (&environment.project.slug, &environment.owner.name);
    let mut shell = frame::shell(visitor, Section::Environments, &environment.name).await?;
    shell.here = urls::environment(environment.id);
    let may_reveal = actions::denied::<ability::RevealOutput>(visitor, environment).is_none();
    let versions = if may_reveal { versions::rows(visitor, connection, environment, &runs).await? } else { Vec::new() };
    let exception = visitor.app.requests.exception_of(connection, environment.id).await?;
    Ok(EnvironmentPage {
        shell,
        crumbs: vec![Crumb::to("Environments", urls::ENVIRONMENTS)],
        name: environment.name.clone(),
        pill: Pill::of(environment.state.as_str()),
        marks: super::row::marks(environment),
        lede: format!("{} {} · {project}, {place} · owned by {owner}", template.name, template.version),
        next_event: schedule::next_event(environment, table.as_ref(), &times)
            .or_else(|| facts::next_event(environment, &times)),
        schedule: schedule::card(visitor, environment, &declared, table.as_ref()),
        actions,
        live: is_changing(environment.state) || last.is_some_and(|run| !run.state.is_terminal()),
        working: working(last, &times),
        in_line: in_line(visitor, connection, environment).await?,
        failure: facts::failure(environment, last, &times),
        outputs: outputs.into_iter().map(facts::output).collect(),
        reveal_action: may_reveal.then(|| urls::environment_reveal(environment.id)),
        resources: resources.into_iter().map(facts::resource).collect(),
        inputs: values::facts(&version.inputs_schema, &environment.inputs),
        facts: facts::details(environment, exception.as_ref(), &times),
        cost: costs(visitor, connection, environment, &version).await?,
        spent: cost::spent(&environments::costs::accrued(connection, environment.id).await?, &times),
        cannot,
        timeline,
        audit_href: audit_href(visitor, environment),
        runs: runs.iter().map(|run| facts::run(run, &times)).collect(),
        versions,
        drift: drift::card(visitor, connection, environment, &times).await?,
        hand_over: handover::card(visitor, connection, environment).await?,
    })
}

/// What it costs while it is there.
async fn costs(
    visitor: &Visitor,
    connection: &mut Connection,
    environment: &Environment,
    version: &TemplateVersion,
) -> Result<Option<CostView>, PageError> {
    if environment.state == State::Deleted {
        return Ok(None);
    }
    let found = visitor.app.estimate_of(connection, &visitor.op, environment, version).await?;
    Ok(found.as_ref().map(cost::of))
}

/// Something works on it, or may begin to by itself.
fn is_changing(state: State) -> bool {
    match state {
        State::Ready | State::Stopped | State::Failed | State::Faulted | State::Deleted => false,
        State::Requested
        | State::Provisioning
        | State::Updating
        | State::Stopping
        | State::Starting
        | State::Deleting => true,
    }
}

/// The run that works on it: words and address.
fn working(last: Option<&Run>, times: &crate::web::words::Times) -> Option<(String, String)> {
    let run = last.filter(|run| !run.state.is_terminal())?;
    let words = match (run.cancel_requested, run.started_at) {
        (true, _) => format!("{}: being canceled", run.label),
        (false, None) => format!("{}: waits for a worker", run.label),
        (false, Some(_)) => format!("{}: running for {}", run.label, facts::took(run, times)),
    };
    Some((words, urls::run(run.id)))
}

/// The request for it that waits in line for a quota.
async fn in_line(
    visitor: &Visitor,
    connection: &mut Connection,
    environment: &Environment,
) -> Result<Option<(String, String)>, PageError> {
    let status = Some(RequestStatus::AwaitingQuota);
    let filter = Filter { environment: Some(environment.id), status, ..Filter::default() };
    let found = visitor.app.requests.list(connection, &filter, None, 1).await?.items;
    Ok(found.first().and_then(|request| {
        let words = format!("{}: waits in line for a quota, as number {}", request.label(), request.position?);
        Some((words, urls::request(request.id)))
    }))
}

fn audit_href(visitor: &Visitor, environment: &Environment) -> Option<String> {
    let project = crate::projects::Project {
        id: environment.project.id,
        slug: environment.project.slug.clone(),
        name: environment.project.name.clone(),
        summary: String::new(),
    };
    let question = visitor.app.project_question(&visitor.op, &visitor.access, Action::ReadAudit, &project);
    visitor.app.policy.decide(&question).is_allowed().then(|| urls::audit_of(environment.id))
}

/// What happened, newest first.
async fn timeline(
    visitor: &Visitor,
    connection: &mut Connection,
    environment: &Environment,
) -> Result<Vec<TimelineItem>, PageError> {
    let times = visitor.times();
    let filter = audit::Filter { object: Some(environment.id.0), ..audit::Filter::default() };
    let mut records = audit::list(connection, &filter, None, RECORDS).await?.items;
    records.retain(|record| !QUIET.contains(&record.action.as_str()));
    let names = Names::of(connection, &records).await?;
    let items = records.iter().map(|record| {
        let said = names.sentence(record);
        let href = record.run_id.map(urls::run).or_else(|| record.request_id.map(urls::request));
        TimelineItem {
            look: said.look,
            icon: said.icon,
            sentence: said.text,
            href,
            note: said.note,
            when: times.near(record.at),
        }
    });
    Ok(items.collect())
}
