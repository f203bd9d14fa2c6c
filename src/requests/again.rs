//! From a request that was taken before to the rows it is about, as they are now.

use serde_json::Map;
use sqlx::PgConnection;

use super::resolve::{Resolved, enabled};
use super::{Error, Request, objections};
use crate::base::FieldError;
use crate::environments::{self, Operation};
use crate::{catalog, projects};

/// What a request asks for that was taken before, as things are now; the secret inputs stay sealed. What would
/// not be taken any more is an error.
pub async fn resolve_again(
    connection: &mut PgConnection,
    request: &Request,
    exception: bool,
) -> Result<Resolved, Error> {
    let project = projects::find(connection, &request.project_slug).await?.ok_or(Error::NotFound)?;
    let types = projects::environment_types(connection, project.id).await?;
    let place = types.iter().find(|place| place.id == request.place).cloned().ok_or(Error::NotFound)?;
    let (template, _) = catalog::get_template(connection, &request.template_slug).await?;
    let version = catalog::get_version(connection, request.version_id).await?;
    let mut errors = Vec::new();
    let environment = match request.environment.filter(|_| request.operation != Operation::Create) {
        Some(id) => Some(environments::find(connection, id).await?.ok_or(environments::Error::NotFound)?),
        None => {
            projects::pick_environment_type(&project, &types, &request.environment_type)?;
            errors.extend(version.requestable().err().map(|reason| FieldError::new("/template", reason)));
            None
        }
    };
    let operation = request.operation.as_str();
    let actions = catalog::actions_of(&version.manifest);
    let mut resolved = Resolved {
        operation: request.operation,
        project,
        place,
        alternatives: enabled(types),
        template,
        environment,
        action: actions.into_iter().find(|action| action.is_power() && action.name == operation),
        name: request.environment_name.clone(),
        inputs: request.inputs.clone(),
        secret_inputs: Map::new(),
        lifetime: request.lifetime,
        reason: request.reason.clone(),
        exception,
        version,
        errors,
    };
    objections::collect(connection, &mut resolved).await?;
    if resolved.errors.is_empty() { Ok(resolved) } else { Err(Error::Invalid(resolved.errors)) }
}
