//! Who am I, and what may I do where.

use std::collections::BTreeMap;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::{Caller, Reads};
use super::error::Problem;
use crate::base::id::ProjectId;
use crate::environments::Operation;
use crate::identity::Credential;
use crate::policy::{Action, Context, Outcome, Question, Resource, ResourceKind, Role};
use crate::projects::{self, Place, Project};

/// The caller.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The person, or the program.
    id: String,
    login: String,
    name: String,
    email: Option<String>,
    /// A program rather than a person.
    service: bool,
    teams: Vec<TeamView>,
    roles: Vec<HeldRole>,
    /// The scopes of the token that this request came with; null for a session.
    token_scopes: Option<Vec<String>>,
    abilities: Abilities,
}

/// A team of the caller.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Team)]
pub struct TeamView {
    id: String,
    slug: String,
    name: String,
}

/// Roles at one scope.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldRole {
    /// `platform`, `project`, or `environment_type`.
    #[schema(value_type = String)]
    scope: &'static str,
    /// The project's slug, unless the scope is the platform.
    project: Option<String>,
    /// The environment type's slug, when the scope is one of a project.
    environment_type: Option<String>,
    roles: Vec<Role>,
}

/// What the caller may do, by policy and by their token.
#[derive(Debug, Serialize, ToSchema)]
pub struct Abilities {
    /// On the platform as a whole.
    platform: Vec<Action>,
    /// In projects; those with nothing allowed are left out.
    projects: Vec<ProjectAbilities>,
}

/// What the caller may do in a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectAbilities {
    /// The project's slug.
    project: String,
    actions: Vec<Action>,
    environment_types: Vec<TypeAbilities>,
}

/// What the caller may do in an environment type of a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct TypeAbilities {
    /// The environment type's slug.
    environment_type: String,
    /// With the environments and requests there.
    actions: Vec<Action>,
    /// What they may ask for about environments of their own.
    /// For each operation: allowed, denied, or needs approval.
    #[schema(value_type = std::collections::BTreeMap<String, Outcome>)]
    operations: BTreeMap<&'static str, Outcome>,
}

const PLATFORM: [Action; 6] = [
    Action::ReadCatalog,
    Action::ReadAudit,
    Action::ManageCatalog,
    Action::ReadAdmin,
    Action::ManageQueue,
    Action::ManageTokens,
];

const PROJECT: [Action; 5] =
    [Action::ReadProject, Action::ReadEnvironment, Action::ReadRequest, Action::ReviewRequest, Action::ReadAudit];

const TYPE: [Action; 3] = [Action::ReadEnvironment, Action::ReadRequest, Action::ReviewRequest];

/// The caller: teams, roles by scope, and what they may do where.
#[utoipa::path(get, path = "/me", tag = "me", security(("token" = ["read"]), ("session" = [])),
    responses((status = 200, body = Me)))]
pub async fn get_me(caller: Caller<Reads>) -> Result<Json<Me>, Problem> {
    let all = caller.projects().await?;
    let ids: Vec<ProjectId> = all.iter().map(|project| project.id).collect();
    let places = projects::places(&mut *caller.app.db.acquire().await?, &ids).await?;
    let access = caller.access();
    let person = &access.person;
    let teams = access.teams.iter();
    Ok(Json(Me {
        id: person.id.to_string(),
        login: person.login.clone(),
        name: person.display_name.clone(),
        email: person.email.clone(),
        service: person.service,
        teams: teams
            .map(|team| TeamView { id: team.id.to_string(), slug: team.slug.clone(), name: team.name.clone() })
            .collect(),
        roles: roles(&caller, &all),
        token_scopes: match caller.credential() {
            Credential::Session(_) => None,
            Credential::Token { scopes, .. } => Some(scopes.iter().map(|scope| scope.as_str().to_owned()).collect()),
        },
        abilities: abilities(&caller, &all, &places),
    }))
}

fn roles(caller: &Caller<Reads>, projects: &[Project]) -> Vec<HeldRole> {
    let access = caller.access();
    let mut held = Vec::new();
    if !access.platform_roles.is_empty() {
        let roles = access.platform_roles.iter().copied().collect();
        held.push(HeldRole { scope: "platform", project: None, environment_type: None, roles });
    }
    for project in projects {
        if let Some(roles) = access.project_roles.get(&project.id) {
            let roles = roles.iter().copied().collect();
            held.push(HeldRole {
                scope: "project",
                project: Some(project.slug.clone()),
                environment_type: None,
                roles,
            });
        }
        held.extend(access.places_in(project.id).map(|(kind, here)| HeldRole {
            scope: "environment_type",
            project: Some(project.slug.clone()),
            environment_type: Some(kind.clone()),
            roles: here.roles.iter().copied().collect(),
        }));
    }
    held
}

fn abilities(caller: &Caller<Reads>, projects: &[Project], places: &[Place]) -> Abilities {
    let platform = PLATFORM.into_iter().filter(|action| caller.may(&on_platform(caller, *action))).collect();
    let mut found = Vec::new();
    for project in projects {
        let actions: Vec<Action> =
            PROJECT.into_iter().filter(|action| caller.may(&in_project(caller, *action, project))).collect();
        let types: Vec<TypeAbilities> = places
            .iter()
            .filter(|place| place.kind.project == project.id && place.kind.enabled)
            .map(|place| type_abilities(caller, project, place))
            .collect();
        let denied = |one: &TypeAbilities| one.operations.values().all(|outcome| *outcome == Outcome::Denied);
        let nothing = types.iter().all(|one| one.actions.is_empty() && denied(one));
        if !actions.is_empty() || !nothing {
            found.push(ProjectAbilities { project: project.slug.clone(), actions, environment_types: types });
        }
    }
    Abilities { platform, projects: found }
}

fn on_platform(caller: &Caller<Reads>, action: Action) -> Question {
    let resource = match action {
        Action::ReadAudit => Resource::audit_log(None),
        _ => Resource::platform(),
    };
    caller.app.platform_question(&caller.op, caller.access(), action, resource)
}

fn in_project(caller: &Caller<Reads>, action: Action, project: &Project) -> Question {
    caller.app.project_question(&caller.op, caller.access(), action, project)
}

fn type_abilities(caller: &Caller<Reads>, project: &Project, place: &Place) -> TypeAbilities {
    let operations = Operation::ALL.into_iter().map(|operation| {
        let action = match operation {
            Operation::Create => Action::CreateEnvironment,
            Operation::Update => Action::UpdateEnvironment,
            Operation::Extend => Action::ExtendEnvironment,
            Operation::Start | Operation::Stop | Operation::Hibernate | Operation::Restart => Action::PowerEnvironment,
            Operation::Act => Action::ActOnEnvironment,
            Operation::Delete => Action::DeleteEnvironment,
        };
        let outcome = if caller.reaches(action) {
            caller.app.policy.decide(&about_own(caller, action, project, place)).outcome
        } else {
            Outcome::Denied
        };
        (operation.as_str(), outcome)
    });
    let allowed = |action: &Action| {
        let mut question = in_project(caller, *action, project);
        question.resource.environment_type = Some(place.kind.slug.clone());
        caller.may(&question)
    };
    TypeAbilities {
        environment_type: place.kind.slug.clone(),
        actions: TYPE.into_iter().filter(allowed).collect(),
        operations: operations.collect(),
    }
}

fn about_own(caller: &Caller<Reads>, action: Action, project: &Project, place: &Place) -> Question {
    let principal = caller.access().principal(Some(project.id));
    let resource = Resource {
        project: Some(project.slug.clone()),
        environment_type: Some(place.kind.slug.clone()),
        owner: Some(principal.id.clone()),
        ..Resource::new(ResourceKind::Environment, "")
    };
    let context = Context {
        channel: caller.op.origin.channel.to_owned(),
        lifetime_seconds: Some(place.kind.default_lifetime.as_secs()),
        maximum_lifetime_seconds: Some(place.kind.maximum_lifetime.as_secs()),
        at: Some(caller.op.now()),
        ..Context::default()
    };
    Question { action, principal, resource, context }
}
