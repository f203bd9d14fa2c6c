//! `GET /why?of=`: what the viewer may do at some address and what not, by which rule, and which role would help.
//!
//! What the address names is told of only to those who may see it: to others it is as if it was not there.

pub mod view;

use axum::response::Response;

use self::view::{WhyPage, WhyRow, WhySection};
use super::answer::{self, Query};
use super::error::PageError;
use super::shell::Section;
use super::ui::{Pill, Rule, choice};
use super::visitor::Visitor;
use super::{environments, frame, requests, roles, urls};
use crate::base::id::{EnvironmentId, RunId};
use crate::catalog::form::Choice;
use crate::db::Connection;
use crate::environments::Environment;
use crate::orchestrator;
use crate::policy::{self, Action, Effect, Outcome, Question, Resource, ResourceKind};
use crate::projects::{self, Project, ProjectEnvironmentType};
use crate::requests::{Caller, Request};

/// What an action is asked about here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Platform,
    Project,
    Environment,
    Request,
    /// Its own page says it: what can be asked for under Your roles.
    Elsewhere,
}

/// A new action must choose where it is told of.
fn about(action: Action) -> About {
    match action {
        Action::ReadCatalog
        | Action::ManageCatalog
        | Action::ReadAdmin
        | Action::ManageQueue
        | Action::ManageTargets
        | Action::ManageQuotas
        | Action::ManagePrices
        | Action::ManageRoles
        | Action::ManageOrphans
        | Action::ManagePolicies
        | Action::PublishPolicies
        | Action::ManageTokens => About::Platform,
        Action::ReadProject | Action::ReadAudit | Action::CreateEnvironment => About::Project,
        Action::UpdateEnvironment
        | Action::ExtendEnvironment
        | Action::PowerEnvironment
        | Action::ActOnEnvironment
        | Action::DeleteEnvironment
        | Action::RetryRun
        | Action::CancelRun
        | Action::CheckDrift
        | Action::AcceptDrift
        | Action::HandOver
        | Action::ReadEnvironment
        | Action::RevealOutput => About::Environment,
        Action::ReadRequest | Action::ReviewRequest | Action::WithdrawRequest => About::Request,
        Action::AskForRole | Action::BreakGlass => About::Elsewhere,
    }
}

fn actions(of: About) -> impl Iterator<Item = Action> {
    Action::ALL.iter().copied().filter(move |action| about(*action) == of)
}

/// What an address names, for those who may see it.
enum Thing {
    Environment(Box<Environment>),
    Request(Box<Request>),
    /// It is not there, or not for the viewer to see.
    Hidden,
    /// It is no such address.
    Nothing,
}

impl Thing {
    fn project(&self) -> Option<&str> {
        match self {
            Self::Environment(environment) => Some(&environment.project.slug),
            Self::Request(request) => Some(&request.project_slug),
            Self::Hidden | Self::Nothing => None,
        }
    }
}

/// The page.
pub async fn page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let thing = thing(&visitor, &mut connection, query.get("of")).await?;
    let projects = visitor.projects(&mut connection).await?;
    let asked = Some(query.get("project")).filter(|slug| !slug.is_empty());
    let wanted = asked.or(thing.project()).or(visitor.scope.as_deref());
    let chosen = projects.iter().find(|project| Some(project.slug.as_str()) == wanted).or(projects.first());
    let types = match chosen {
        Some(project) => projects::environment_types(&mut connection, project.id).await?,
        None => Vec::new(),
    };
    drop(connection);
    let mut sections = Vec::new();
    sections.extend(of_thing(&visitor, &thing));
    sections.extend(chosen.map(|project| of_project(&visitor, project, &types)));
    sections.push(of_platform(&visitor));
    let mut shell = frame::shell(&visitor, Section::Elsewhere, "What you may do").await?;
    // A changed preference comes back here, and the menu asks about the same address again.
    shell.here = urls::why(query.get("of"));
    answer::page(&WhyPage {
        shell,
        of: query.get("of").to_owned(),
        note: matches!(thing, Thing::Hidden)
            .then_some("What this address names is not there, or you may not see it. What you may do elsewhere:"),
        projects: choices(&projects, chosen),
        sections,
    })
}

fn choices(projects: &[Project], chosen: Option<&Project>) -> Vec<Choice> {
    let is_chosen = |project: &Project| chosen.is_some_and(|chosen| chosen.id == project.id);
    projects.iter().map(|project| choice(&project.slug, &project.name, None, is_chosen(project))).collect()
}

/// What a path such as `/environments/env_…/update` names.
async fn thing(visitor: &Visitor, connection: &mut Connection, path: &str) -> Result<Thing, PageError> {
    let path = path.split('?').next().unwrap_or_default();
    let mut steps = path.trim_start_matches('/').split('/');
    let (Some(kind), Some(id)) = (steps.next(), steps.next()) else { return Ok(Thing::Nothing) };
    Ok(match kind {
        "environments" => environment(visitor, connection, id.parse().ok()).await?,
        "runs" => {
            let run = match id.parse::<RunId>() {
                Ok(id) => orchestrator::find(connection, id).await?,
                Err(_) => None,
            };
            environment(visitor, connection, run.map(|run| EnvironmentId(run.subject))).await?
        }
        "requests" | "approvals" => match requests::detail::load(visitor, connection, id).await {
            Ok(detail) => Thing::Request(Box::new(detail.request)),
            Err(error) if error.is_refusal() => Thing::Hidden,
            Err(error) => return Err(error),
        },
        _ => Thing::Nothing,
    })
}

async fn environment(
    visitor: &Visitor,
    connection: &mut Connection,
    id: Option<EnvironmentId>,
) -> Result<Thing, PageError> {
    let Some(id) = id else { return Ok(Thing::Hidden) };
    match environments::readable(visitor, connection, id).await {
        Ok(environment) => Ok(Thing::Environment(Box::new(environment))),
        Err(error) if error.is_refusal() => Ok(Thing::Hidden),
        Err(error) => Err(error),
    }
}

fn of_thing(visitor: &Visitor, thing: &Thing) -> Option<WhySection> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    let (title, rows) = match thing {
        Thing::Environment(one) => {
            let question = |action| app.environment_question(op, access, action, one);
            let rows = actions(About::Environment).map(|action| row(visitor, action.words(), &question(action)));
            (format!("The environment {}", one.name), rows.collect())
        }
        Thing::Request(one) => {
            let question = |action| app.requests.question_about(op, Caller::Person(access), action, one);
            let rows = actions(About::Request).map(|action| row(visitor, action.words(), &question(action)));
            (format!("The request {}", requests::rows::title(one)), rows.collect())
        }
        Thing::Hidden | Thing::Nothing => return None,
    };
    Some(WhySection {
        id: "thing",
        title,
        help: "As it is now. The state of things may still be in the way: its page says so.",
        rows,
    })
}

fn of_project(visitor: &Visitor, project: &Project, types: &[ProjectEnvironmentType]) -> WhySection {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    let mut rows = Vec::new();
    for action in actions(About::Project) {
        if action == Action::CreateEnvironment {
            for place in types.iter().filter(|place| place.enabled) {
                let mut question = app.project_question(op, access, action, project);
                question.resource.environment_type = Some(place.slug.clone());
                question.resource.owner = Some(access.person.id.to_string());
                question.context.lifetime_seconds = Some(place.default_lifetime.as_secs());
                question.context.maximum_lifetime_seconds = Some(place.maximum_lifetime.as_secs());
                rows.push(row(visitor, &format!("create an environment in {}", place.slug), &question));
            }
        } else {
            rows.push(row(visitor, action.words(), &app.project_question(op, access, action, project)));
        }
    }
    let mut review = app.project_question(op, access, Action::ReviewRequest, project);
    rows.push(row(visitor, "approve or reject requests of others", &review));
    for (kind, _) in access.places_in(project.id) {
        review.resource.environment_type = Some(kind.clone());
        rows.push(row(visitor, &format!("approve or reject requests of others in {kind}"), &review));
    }
    WhySection {
        id: "project",
        title: format!("In {}", project.name),
        help: "Without a template and inputs; the form of a request says it for what you type.",
        rows,
    }
}

fn of_platform(visitor: &Visitor) -> WhySection {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    let question = |action| {
        let resource = match action {
            Action::PublishPolicies => Resource::new(ResourceKind::PolicyVersion, ""),
            _ => Resource::platform(),
        };
        app.platform_question(op, access, action, resource)
    };
    let rows = actions(About::Platform).map(|action| row(visitor, action.words(), &question(action))).collect();
    WhySection { id: "platform", title: "On the platform".to_owned(), help: "Whatever the project.", rows }
}

fn row(visitor: &Visitor, what: &str, question: &Question) -> WhyRow {
    let policy = &visitor.app.policy;
    let decision = policy.decide(question);
    let pill = match decision.outcome {
        Outcome::Allowed => Pill::of("allowed").saying("Yes"),
        Outcome::NeedsApproval => Pill::of("needs_approval").saying("With approval"),
        Outcome::Denied => Pill::of("denied").saying("No"),
    };
    let project = question.resource.project.as_deref();
    let place = project.map_or_else(|| "on the platform".to_owned(), |slug| format!("in {slug}"));
    let help = policy.roles_that_help(question).into_iter();
    WhyRow {
        what: super::error::sentence(what).trim_end_matches('.').to_owned(),
        pill,
        rules: decision.rules.iter().map(rule).collect(),
        asks: decision.requirements.iter().map(|one| one.who.clone()).collect(),
        help: help.map(|role| (format!("{role} {place}"), roles::ask_href(role.as_str(), project))).collect(),
    }
}

fn rule(of: &policy::Rule) -> Rule {
    let mut rule = Rule::from(of);
    if of.effect == Effect::Default {
        "No rule lets you.".clone_into(&mut rule.text);
    }
    rule
}
