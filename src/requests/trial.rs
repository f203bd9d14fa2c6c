//! A request that nobody makes: what policy would be asked if this person asked for this there.

use jiff::SignedDuration;
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::resolve::{absent, action_of, checked_inputs, checked_lifetime, missing};
use super::{Error, cost};
use crate::base::Op;
use crate::catalog::{self, TemplateVersion};
use crate::environments::Operation;
use crate::identity;
use crate::policy::{Context, Question, Resource, ResourceKind};
use crate::projects;

/// What is tried. The environment need not exist.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The login name of who would ask.
    pub person: String,
    /// The slug of the project.
    pub project: String,
    /// The slug of the environment type.
    pub environment_type: String,
    /// The slug of the template; its current version is meant.
    pub template: String,
    /// What would be asked for.
    pub operation: Operation,
    /// For [`Operation::Act`]: which of the template's actions.
    pub action: Option<String>,
    /// Whether the environment is theirs, or somebody else's. What is created is theirs.
    pub own: bool,
    /// The inputs; what is left out takes its default.
    pub inputs: Map<String, Value>,
    /// How long it is to live, for a delete how long it still would; `None`: the default.
    pub lifetime: Option<SignedDuration>,
}

/// The owner of what is somebody else's: nobody has this id.
const SOMEBODY_ELSE: &str = "usr_somebody_else";

/// The question, as a submit would ask it. What is wrong with the trial is told by field.
pub async fn trial_question(connection: &mut PgConnection, op: &Op, trial: &Trial) -> Result<Question, Error> {
    let person = identity::find_person(connection, &trial.person).await?;
    let person = person.ok_or_else(|| missing("/person", format!("there is nobody called “{}”", trial.person)))?;
    let access = identity::load_access(connection, person.id).await?;
    let project = projects::find(connection, &trial.project).await?;
    let project = project.ok_or_else(|| missing("/project", format!("there is no project “{}”", trial.project)))?;
    let types = projects::environment_types(connection, project.id).await?;
    let place = types.into_iter().find(|place| place.slug == trial.environment_type);
    let place = place.ok_or_else(|| {
        let detail = format!("the project {} has no environment type “{}”", project.slug, trial.environment_type);
        missing("/environment_type", detail)
    })?;
    let found = catalog::get_template(connection, &trial.template).await;
    let (template, version) = found.map_err(|error| absent("/template", error))?;
    let mut errors = Vec::new();
    let lifetime = match trial.operation {
        Operation::Create | Operation::Extend | Operation::Delete => {
            let lifetime = trial.lifetime.unwrap_or(place.default_lifetime);
            let what_is_left = trial.operation == Operation::Delete;
            Some(if what_is_left { lifetime } else { checked_lifetime(lifetime, &mut errors) })
        }
        Operation::Update => trial.lifetime,
        Operation::Start | Operation::Stop | Operation::Hibernate | Operation::Restart | Operation::Act => None,
    };
    let (operation, schema) = asked_of(trial, &version)?;
    let (inputs, _) = checked_inputs(&schema, trial.inputs.clone(), &mut errors);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let cost = cost_of(connection, op, trial.operation, (&version, &inputs), lifetime).await?;
    let asker = person.id.to_string();
    let own = trial.own || trial.operation == Operation::Create;
    let resource = Resource {
        project: Some(project.slug),
        environment_type: Some(place.slug),
        template: Some(template.slug),
        provider: Some(version.provider),
        owner: Some(if own { asker.clone() } else { SOMEBODY_ELSE.to_owned() }),
        requester: Some(asker),
        ..Resource::new(ResourceKind::Environment, if trial.operation == Operation::Create { "" } else { "env_trial" })
    };
    let context = Context {
        inputs,
        operation,
        exception: false,
        at: Some(op.now()),
        cost_per_month: cost,
        asked_role: None,
        lifetime_seconds: lifetime.map(|lifetime| lifetime.as_secs()),
        maximum_lifetime_seconds: Some(place.maximum_lifetime.as_secs()),
        channel: op.origin.channel.to_owned(),
    };
    Ok(Question {
        action: action_of(trial.operation),
        principal: access.principal(Some(project.id)),
        resource,
        context,
    })
}

/// What it would cost in a month, where the operation changes that.
async fn cost_of(
    connection: &mut PgConnection,
    op: &Op,
    operation: Operation,
    (version, inputs): (&TemplateVersion, &Map<String, Value>),
    lifetime: Option<SignedDuration>,
) -> Result<Option<String>, Error> {
    match operation {
        Operation::Create | Operation::Update | Operation::Extend => {
            Ok(cost::told(connection, op, version, inputs, lifetime).await?.per_month())
        }
        Operation::Start
        | Operation::Stop
        | Operation::Hibernate
        | Operation::Restart
        | Operation::Act
        | Operation::Delete => Ok(None),
    }
}

/// What the context calls the operation, and the schema of its inputs.
fn asked_of(trial: &Trial, version: &TemplateVersion) -> Result<(Option<String>, Value), Error> {
    if Operation::POWER.contains(&trial.operation) {
        return Ok((Some(trial.operation.as_str().to_owned()), version.inputs_schema.clone()));
    }
    if trial.operation != Operation::Act {
        return Ok((None, version.inputs_schema.clone()));
    }
    let name = trial.action.as_deref().unwrap_or_default();
    let actions = catalog::actions_of(&version.manifest);
    let action = actions.into_iter().find(|action| action.name == name && !action.is_power());
    let action = action.ok_or_else(|| missing("/action", format!("the template has no action “{name}”")))?;
    Ok((Some(action.name), action.inputs))
}
