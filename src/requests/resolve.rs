//! From a draft to the rows it is about, with every value checked. Used by verdict and submit.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{Caller, Cost, Draft, Error, Intent, objections, quota};
use crate::base::id::EnvironmentId;
use crate::base::text::{NUL_REFUSED, Name, nul_places};
use crate::base::{Digest, ErrorKind, FieldError, Kinded, Op, Sealer};
use crate::catalog::{self, ActionSpec, TemplateVersion, schema};
use crate::environments::{self, Environment, Operation};
use crate::policy::{Action, Context, Question, Resource, ResourceKind};
use crate::projects::{self, Project, ProjectEnvironmentType};

/// A draft with everything that it is about.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The operation.
    pub operation: Operation,
    /// The project.
    pub project: Project,
    /// Its environment type.
    pub place: ProjectEnvironmentType,
    /// The slugs of all that are enabled there: what could be asked for instead.
    pub alternatives: Vec<String>,
    /// The template.
    pub template: catalog::Template,
    /// The version.
    pub version: TemplateVersion,
    /// The environment, unless it is to be made.
    pub environment: Option<Environment>,
    /// What the template declares for a power operation or an action.
    pub action: Option<ActionSpec>,
    /// The environment's name.
    pub name: String,
    /// The inputs, without the secret ones.
    pub inputs: Map<String, Value>,
    /// The secret ones.
    pub secret_inputs: Map<String, Value>,
    /// How long it is to live.
    pub lifetime: Option<SignedDuration>,
    /// Why.
    pub reason: String,
    /// An exception is asked for.
    pub exception: bool,
    /// What is wrong, each with its pointer. Empty before anything is stored.
    pub errors: Vec<FieldError>,
}

/// Looks everything up and checks every value. What makes it impossible to go on is an error; wrong
/// values are collected in [`Resolved::errors`].
pub async fn resolve(connection: &mut PgConnection, sealer: &Sealer, draft: &Draft) -> Result<Resolved, Error> {
    let mut resolved = match &draft.intent {
        Intent::Create { .. } => new_environment(connection, &draft.intent).await?,
        other => match other.environment() {
            Some(id) => existing_environment(connection, sealer, id, other).await?,
            None => return Err(Error::NotFound),
        },
    };
    resolved.reason = draft.reason.trim().to_owned();
    resolved.exception = draft.exception;
    if resolved.exception && resolved.reason.is_empty() {
        resolved
            .errors
            .push(FieldError::new("/reason", "say why there should be an exception: who grants it reads this"));
    }
    if resolved.reason.chars().count() > 2000 {
        resolved.errors.push(FieldError::new("/reason", "must be at most 2,000 characters long"));
    }
    if resolved.reason.contains('\0') {
        resolved.errors.push(FieldError::new("/reason", NUL_REFUSED));
    }
    objections::collect(connection, &mut resolved).await?;
    // Wrong inputs are told as such; only right ones must give an amount.
    if resolved.errors.is_empty() && matches!(resolved.operation, Operation::Create | Operation::Update) {
        let amounts = quota::demand(&resolved.version, &resolved.inputs);
        resolved.errors.extend(amounts.err().unwrap_or_default());
        let charges = catalog::charges_of(&resolved.version, &resolved.inputs);
        resolved.errors.extend(charges.err().unwrap_or_default());
    }
    Ok(resolved)
}

pub(super) fn missing(pointer: &str, detail: String) -> Error {
    Error::Invalid(vec![FieldError::new(pointer, detail)])
}

/// What a draft names and what is not there is wrong in the draft; an outage stays an outage.
pub(super) fn absent<E: Kinded + Into<Error>>(pointer: &str, error: E) -> Error {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Invalid => missing(pointer, error.to_string()),
        ErrorKind::Unauthenticated
        | ErrorKind::Denied
        | ErrorKind::Conflict
        | ErrorKind::Stale
        | ErrorKind::Limited
        | ErrorKind::Unavailable
        | ErrorKind::Internal => error.into(),
    }
}

async fn new_environment(connection: &mut PgConnection, intent: &Intent) -> Result<Resolved, Error> {
    let Intent::Create { project, environment_type, template, version, name, inputs, lifetime } = intent else {
        return Err(Error::NotFound);
    };
    let project = projects::find(connection, project)
        .await?
        .ok_or_else(|| missing("/project", format!("there is no project “{project}”")))?;
    let types = projects::environment_types(connection, project.id).await?;
    let place = projects::pick_environment_type(&project, &types, environment_type)
        .map_err(|error| absent("/environment_type", error))?;
    let (found, current) =
        catalog::get_template(connection, template).await.map_err(|error| absent("/template", error))?;
    let version = match version {
        Some(number) => catalog::get_version_number(connection, found.id, *number)
            .await
            .map_err(|error| absent("/version", error))?,
        None => current,
    };
    let mut errors = Vec::new();
    if let Err(reason) = version.requestable() {
        errors.push(FieldError::new("/template", reason));
    }
    if let Err(error) = name.parse::<Name>() {
        errors.push(FieldError::new("/name", error.to_string()));
    }
    let lifetime = checked_lifetime(lifetime.unwrap_or(place.default_lifetime), &mut errors);
    let (inputs, secret_inputs) = checked_inputs(&version.inputs_schema, inputs.clone(), &mut errors);
    Ok(Resolved {
        operation: Operation::Create,
        project,
        place,
        alternatives: enabled(types),
        template: found,
        version,
        environment: None,
        action: None,
        name: name.clone(),
        inputs,
        secret_inputs,
        lifetime: Some(lifetime),
        reason: String::new(),
        exception: false,
        errors,
    })
}

async fn existing_environment(
    connection: &mut PgConnection,
    sealer: &Sealer,
    id: EnvironmentId,
    intent: &Intent,
) -> Result<Resolved, Error> {
    let environment = environments::find(connection, id).await?.ok_or(environments::Error::NotFound)?;
    let project = projects::find(connection, &environment.project.slug).await?.ok_or(Error::NotFound)?;
    let types = projects::environment_types(connection, project.id).await?;
    let place = types.iter().find(|place| place.id == environment.place.id).cloned().ok_or(Error::NotFound)?;
    let (template, _) = catalog::get_template(connection, &environment.template.slug).await?;
    let mut version = catalog::get_version(connection, environment.template.version_id).await?;
    let mut errors = Vec::new();
    let mut inputs = environment.inputs.clone();
    let mut secret_inputs = Map::new();
    let mut lifetime = None;
    let action = declared(&version, intent)?;
    match intent {
        Intent::Update { generation, version: number, inputs: changes, .. } => {
            if generation.is_some_and(|generation| generation != environment.generation) {
                return Err(environments::Error::Stale.into());
            }
            if let Some(number) = number {
                version = catalog::get_version_number(connection, template.id, *number)
                    .await
                    .map_err(|error| absent("/version", error))?;
            }
            let mut all = environment.inputs.clone();
            all.extend(changes.clone());
            schema::carry_over(&mut all, environments::secret_inputs(connection, sealer, id).await?);
            all.retain(|_, value| !value.is_null());
            (inputs, secret_inputs) = checked_inputs(&version.inputs_schema, all, &mut errors);
        }
        Intent::Act { inputs: given, .. } => {
            if let Some(action) = &action {
                (inputs, secret_inputs) = checked_inputs(&action.inputs, given.clone(), &mut errors);
            }
        }
        Intent::Extend { lifetime: wanted, .. } => lifetime = Some(checked_lifetime(*wanted, &mut errors)),
        Intent::Create { .. } | Intent::Power { .. } | Intent::Delete { .. } => {}
    }
    let name = environment.name.clone();
    Ok(Resolved {
        operation: intent.operation(),
        project,
        place,
        alternatives: enabled(types),
        template,
        version,
        environment: Some(environment),
        action,
        name,
        inputs,
        secret_inputs,
        lifetime,
        reason: String::new(),
        exception: false,
        errors,
    })
}

/// What the environment's own version declares for a power operation or an action.
fn declared(version: &TemplateVersion, intent: &Intent) -> Result<Option<ActionSpec>, Error> {
    let (name, pointer) = match intent {
        Intent::Power { power, .. } => (power.as_str(), "/operation"),
        Intent::Act { action, .. } => (action.as_str(), "/action"),
        Intent::Create { .. } | Intent::Update { .. } | Intent::Extend { .. } | Intent::Delete { .. } => {
            return Ok(None);
        }
    };
    let actions = catalog::actions_of(&version.manifest);
    let power = matches!(intent, Intent::Power { .. });
    let found = actions.iter().find(|action| action.name == name && action.is_power() == power);
    let known: Vec<&str> = actions.iter().map(|action| action.name.as_str()).collect();
    let known = if known.is_empty() {
        "it declares no actions".to_owned()
    } else {
        format!("its actions are {}", known.join(", "))
    };
    found.cloned().map(Some).ok_or_else(|| {
        missing(pointer, format!("version {} of its template does not declare “{name}”: {known}", version.version))
    })
}

pub(super) fn enabled(types: Vec<ProjectEnvironmentType>) -> Vec<String> {
    types.into_iter().filter(|place| place.enabled).map(|place| place.slug).collect()
}

/// The maximum is a rule of policy, so that its denial says what would be allowed; here only what
/// makes no sense is refused.
pub(super) fn checked_lifetime(lifetime: SignedDuration, errors: &mut Vec<FieldError>) -> SignedDuration {
    if lifetime < SignedDuration::from_mins(5) {
        errors.push(FieldError::new("/lifetime", "must be at least 5 minutes"));
    } else if lifetime > SignedDuration::from_hours(24 * 3660) {
        errors.push(FieldError::new("/lifetime", "must be at most 10 years"));
    }
    lifetime
}

/// What policy calls an operation.
pub(super) fn action_of(operation: Operation) -> Action {
    match operation {
        Operation::Create => Action::CreateEnvironment,
        Operation::Update => Action::UpdateEnvironment,
        Operation::Extend => Action::ExtendEnvironment,
        Operation::Start | Operation::Stop | Operation::Hibernate | Operation::Restart => Action::PowerEnvironment,
        Operation::Act => Action::ActOnEnvironment,
        Operation::Delete => Action::DeleteEnvironment,
    }
}

pub(super) fn checked_inputs(
    schema: &Value,
    inputs: Map<String, Value>,
    errors: &mut Vec<FieldError>,
) -> (Map<String, Value>, Map<String, Value>) {
    let inputs = schema::complete(schema, inputs);
    let places = nul_places("/inputs", &Value::Object(inputs.clone()));
    errors.extend(places.into_iter().map(|place| FieldError::new(place, NUL_REFUSED)));
    if let Err(found) = schema::validate(schema, &inputs) {
        errors
            .extend(found.into_iter().map(|error| FieldError::new(format!("/inputs{}", error.pointer), error.detail)));
    }
    schema::split_secrets(schema, &inputs)
}

impl Resolved {
    /// The template's own action that is asked for; none for a power operation.
    pub fn asked_action(&self) -> Option<&ActionSpec> {
        self.action.as_ref().filter(|action| !action.is_power())
    }

    /// What is asked for: “Create orders-db”.
    pub fn label(&self) -> String {
        self.operation.label(self.asked_action().map(|action| action.title.as_str()), &self.name)
    }

    /// The question that policy is asked: now, at this cost.
    pub fn question(&self, op: &Op, caller: Caller<'_>, cost: &Cost) -> Question {
        let action = action_of(self.operation);
        let id = self.environment.as_ref().map(|environment| environment.id.to_string()).unwrap_or_default();
        let owner = match &self.environment {
            Some(environment) => Some(environment.owner.id.to_string()),
            None => caller.person().map(|id| id.to_string()),
        };
        let resource = Resource {
            project: Some(self.project.slug.clone()),
            environment_type: Some(self.place.slug.clone()),
            template: Some(self.template.slug.clone()),
            provider: Some(self.version.provider.clone()),
            owner,
            requester: caller.person().map(|id| id.to_string()),
            ..Resource::new(ResourceKind::Environment, id)
        };
        let context = Context {
            inputs: self.inputs.clone(),
            lifetime_seconds: self.lifetime_seconds(),
            maximum_lifetime_seconds: Some(self.place.maximum_lifetime.as_secs()),
            operation: self.action.as_ref().map(|action| action.name.clone()),
            exception: self.exception,
            at: Some(op.now()),
            cost_per_month: cost.per_month(),
            asked_role: None,
            channel: op.origin.channel.to_owned(),
        };
        Question { action, principal: caller.principal(Some(self.project.id)), resource, context }
    }

    /// What is asked for. For a delete what is left of the lifetime, by the database's clock, and for an exception
    /// too: it must not outlast what the rule allows.
    fn lifetime_seconds(&self) -> Option<i64> {
        let left = || self.environment.as_ref().and_then(|environment| environment.remaining);
        let lifetime = match self.operation {
            Operation::Delete => left(),
            Operation::Create
            | Operation::Update
            | Operation::Extend
            | Operation::Start
            | Operation::Stop
            | Operation::Hibernate
            | Operation::Restart
            | Operation::Act => self.lifetime.or_else(|| self.exception.then(left).flatten()),
        };
        lifetime.map(|lifetime| lifetime.as_secs())
    }

    /// Digest of all that is asked for; secret inputs go in by their own digest.
    pub fn digest(&self) -> Digest {
        let secrets: BTreeMap<&String, String> =
            self.secret_inputs.iter().map(|(name, value)| (name, Digest::of_json(value).to_string())).collect();
        let mut asked = json!({
            "operation": self.operation,
            "project": self.project.id,
            "environment_type": self.place.slug,
            "version": self.version.digest,
            "environment": self.environment.as_ref().map(|environment| environment.id),
            "generation": self.environment.as_ref().map(|environment| environment.generation),
            "name": self.name,
            "inputs": self.inputs,
            "secret_inputs": secrets,
            "lifetime_seconds": self.lifetime.map(|lifetime| lifetime.as_secs()),
        });
        if let (Some(action), Value::Object(asked)) = (self.asked_action(), &mut asked) {
            asked.insert("action".to_owned(), action.name.clone().into());
        }
        if let (true, Value::Object(asked)) = (self.exception, &mut asked) {
            asked.insert("exception".to_owned(), true.into());
        }
        Digest::of_json(&asked)
    }
}
