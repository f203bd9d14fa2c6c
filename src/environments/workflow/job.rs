//! From the database to a provider's job, at the beginning of each step.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::Shared;
use crate::base::id::EnvironmentId;
use crate::environments::host::StepHost;
use crate::environments::service::{inputs_place, open_secret_inputs, seed_place};
use crate::environments::store::{contents, rows};
use crate::environments::{Environment, Error, plans};
use crate::orchestrator::{StepContext, StepError};
use crate::providers::{Job, ProviderError, TemplateFile};
use crate::{catalog, projects};

impl Shared {
    /// Everything that the provider needs; masks the secrets in the log from here on.
    pub async fn job(&self, context: &StepContext) -> Result<Job, StepError> {
        self.load(context).await.map_err(StepError::internal)
    }

    async fn load(&self, context: &StepContext) -> Result<Job, Error> {
        let id = EnvironmentId(context.run.subject);
        let mut connection = context.db().acquire().await?;
        let environment = rows::find(&mut connection, id).await?.ok_or(Error::NotFound)?;
        let sealed = contents::sealed(&mut connection, id).await?;
        let secret_inputs = open_secret_inputs(&self.sealer, &inputs_place(id), sealed.secret_inputs.as_deref())?;
        let seed = self.sealer.open(&seed_place(id), &sealed.seed)?;
        let version = environment.template.version_id;
        let (config, files) = template(&mut connection, version).await?;
        let target = match environment.target {
            Some(target) => projects::open_target(&mut connection, &self.sealer, target).await?,
            None => None,
        };
        let mut inputs = environment.inputs.clone();
        let secret_names = secret_inputs.keys().cloned().collect();
        context.mask(texts(&secret_inputs)).await;
        catalog::schema::merge(&mut inputs, secret_inputs);
        let plan =
            context.checkpoint(plans::STEP).map(|blob| plans::open(&self.sealer, context.run.id, blob)).transpose()?;
        Ok(Job {
            environment: id,
            environment_name: environment.name.clone(),
            environment_type: environment.place.slug.clone(),
            project: environment.project.slug.clone(),
            run: context.run.id,
            attempt: context.run.attempt,
            generation: environment.generation,
            operation: self.operation.as_str(),
            inputs,
            secret_inputs: secret_names,
            config,
            files: Arc::new(files),
            plan: plan.map(Arc::new),
            target,
            seed: seed.try_into().map_err(|_| crate::db::Error::Corrupt("seed"))?,
            cancel: context.cancel.clone(),
        })
    }

    /// The environment of a run.
    pub async fn environment(
        &self,
        connection: &mut sqlx::PgConnection,
        run: &crate::orchestrator::Run,
    ) -> crate::db::Result<Environment> {
        rows::lock(connection, EnvironmentId(run.subject)).await?.ok_or(crate::db::Error::RowNotFound)
    }

    /// The provider's way to us.
    pub fn host<'a>(&'a self, context: &'a StepContext) -> StepHost<'a> {
        StepHost { context, sealer: &self.sealer, environment: EnvironmentId(context.run.subject) }
    }
}

/// Every text inside secret inputs.
fn texts(inputs: &Map<String, Value>) -> Vec<SecretString> {
    let mut found = Vec::new();
    let mut rest: Vec<&Value> = inputs.values().collect();
    while let Some(value) = rest.pop() {
        match value {
            Value::String(text) => found.push(SecretString::from(text.as_str())),
            Value::Array(items) => rest.extend(items),
            Value::Object(map) => rest.extend(map.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found
}

async fn template(
    connection: &mut sqlx::PgConnection,
    version: crate::base::id::TemplateVersionId,
) -> Result<(Value, Vec<TemplateFile>), Error> {
    let found = catalog::get_version(connection, version).await.map_err(store_error)?;
    let files = catalog::template_files(connection, version).await.map_err(store_error)?;
    Ok((found.provider_config, files))
}

fn store_error(error: catalog::CatalogError) -> Error {
    match error {
        catalog::CatalogError::Store(error) => Error::Db(error),
        _ => Error::Db(crate::db::Error::Corrupt("template version")),
    }
}

fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// How a provider's error ends a step.
pub fn step_error(error: ProviderError) -> StepError {
    match error {
        // A program may print anything; what cannot be stored must not keep the run from ending.
        ProviderError::Failed { message } => StepError::Failed(storable(&message)),
        ProviderError::Retryable { message } => StepError::Retryable(storable(&message)),
        ProviderError::Canceled | ProviderError::LeaseLost => StepError::Interrupted,
        ProviderError::Internal(source) => StepError::Internal(source),
    }
}
