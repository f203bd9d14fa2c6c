//! From the database to a provider's job, at the beginning of each step.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::{Shared, Wish};
use crate::base::Digest;
use crate::base::failpoint::reach;
use crate::base::id::EnvironmentId;
use crate::environments::host::StepHost;
use crate::environments::service::{inputs_place, open_secret_inputs, seed_place};
use crate::environments::store::{contents, rows};
use crate::environments::{Change, Environment, Error, Operation, State, plans};
use crate::orchestrator::{StepContext, StepError};
use crate::providers::{Job, JobAction, ProviderError, Stream, TemplateFile};
use crate::{catalog, projects};

impl Shared {
    /// Everything that the provider needs; masks the secrets in the log from here on.
    pub async fn job(&self, context: &StepContext) -> Result<Job, StepError> {
        self.load(context, None).await.map_err(StepError::internal)
    }

    /// The same for what a request wishes, as it would be once that is approved.
    pub async fn job_of(&self, context: &StepContext, wish: Wish) -> Result<Job, StepError> {
        self.load(context, Some(wish)).await.map_err(StepError::internal)
    }

    async fn load(&self, context: &StepContext, wish: Option<Wish>) -> Result<Job, Error> {
        let id = EnvironmentId(context.run.subject);
        let mut connection = context.db().acquire().await?;
        let environment = rows::find(&mut connection, id).await?.ok_or(Error::NotFound)?;
        let sealed = contents::sealed(&mut connection, id).await?;
        let seed = self.sealer.open(&seed_place(id), &sealed.seed)?;
        let operation = wish.as_ref().map_or(self.operation, |wish| wish.operation);
        let change = match wish.and_then(|wish| wish.change) {
            Some(change) => change,
            None => Change {
                generation: environment.generation,
                version: environment.template.version_id,
                target: environment.target,
                inputs: environment.inputs.clone(),
                secret_inputs: open_secret_inputs(&self.sealer, &inputs_place(id), sealed.secret_inputs.as_deref())?,
            },
        };
        let Change { generation, version, target, mut inputs, secret_inputs } = change;
        let (config, files, manifest) = template(&mut connection, version).await?;
        let action = self.action(context, &mut connection, operation, &manifest).await?;
        let target = match target {
            Some(target) => projects::open_target(&mut connection, &self.sealer, target).await?,
            None => None,
        };
        let secret_names = secret_inputs.keys().cloned().collect();
        context.mask(texts(&secret_inputs)).await;
        context.mask(target.iter().flat_map(crate::providers::Target::secret_texts)).await;
        catalog::schema::merge(&mut inputs, secret_inputs);
        let plan =
            context.checkpoint(plans::STEP).map(|blob| plans::open(&self.sealer, context.run.id, blob)).transpose()?;
        Ok(Job {
            environment: id,
            environment_name: environment.name.clone(),
            environment_type: environment.place.slug.clone(),
            project: environment.project.slug.clone(),
            run: context.run.id,
            since: context.run.started_at.ok_or(crate::db::Error::Corrupt("run"))?,
            attempt: context.run.attempt,
            generation,
            operation: operation.as_str(),
            stopped: environment.state == State::Stopped,
            action,
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

    /// The action of the run, as the environment's own version declares it.
    async fn action(
        &self,
        context: &StepContext,
        connection: &mut crate::db::Connection,
        operation: Operation,
        manifest: &Value,
    ) -> Result<Option<JobAction>, Error> {
        let asked = match (operation, context.run.request) {
            (Operation::Act, Some(request)) => self.requests.asked(connection, request).await?,
            _ => None,
        };
        let name = asked.as_ref().map_or(operation.as_str(), |asked| asked.action.as_str());
        let Some(spec) = catalog::actions_of(manifest).into_iter().find(|spec| spec.name == name) else {
            return Ok(None);
        };
        let (mut inputs, secret_inputs) = asked.map(|asked| (asked.inputs, asked.secret_inputs)).unwrap_or_default();
        context.mask(texts(&secret_inputs)).await;
        catalog::schema::merge(&mut inputs, secret_inputs);
        Ok(Some(JobAction { name: spec.name, run: spec.run, once: spec.repeat == catalog::RepeatClass::Once, inputs }))
    }

    /// Where an earlier attempt began this step, nobody knows how far it came: what is there is looked
    /// at before anything is done (I9).
    pub async fn look_first(&self, context: &StepContext, job: &Job) -> Result<(), StepError> {
        if !context.unsure {
            return Ok(());
        }
        let line = match self.provider.read_back(job, &self.host(context)).await {
            Ok(found) if found.is_empty() => {
                "Looked first, because an earlier attempt began this: nothing is there".to_owned()
            }
            Ok(found) => {
                let names: Vec<String> = found.iter().map(ToString::to_string).collect();
                format!("Looked first, because an earlier attempt began this: there is {}", names.join(", "))
            }
            // It looks once more by itself, and refuses in its own words.
            Err(ProviderError::Failed { message }) => {
                format!("What an earlier attempt did cannot be looked at: {message}")
            }
            Err(error) => return Err(step_error(error)),
        };
        context.log(Stream::Paddock, &line).await
    }

    /// How a change at the target ended.
    pub fn effect(outcome: Result<(), ProviderError>) -> Result<Vec<u8>, StepError> {
        outcome.map_err(effect_error)?;
        reach("provider.answered");
        Ok(Vec::new())
    }

    /// Removes everything of the environment at the target.
    pub async fn destroy(&self, context: &StepContext) -> Result<Vec<u8>, StepError> {
        let job = self.job(context).await?;
        self.look_first(context, &job).await?;
        reach("provider.call");
        let outcome = self.provider.destroy(&job, &self.host(context)).await;
        Self::effect(outcome)
    }

    /// Never “deleted” without a look: what is still there is named.
    pub async fn verify_gone(&self, context: &StepContext) -> Result<Vec<u8>, StepError> {
        let job = self.job(context).await?;
        reach("provider.call");
        let left = self.provider.read_back(&job, &self.host(context)).await.map_err(step_error)?;
        reach("provider.answered");
        if left.is_empty() {
            context.log(Stream::Paddock, "Nothing is left.").await?;
            return Ok(Vec::new());
        }
        let names: Vec<&str> = left.iter().map(|resource| resource.address.as_str()).collect();
        Err(StepError::Retryable(format!("Still there after destroy: {}", names.join(", "))))
    }

    /// The digest of all that the provider is given, but for what differs between the run that plans
    /// and the one that applies, and for the credential, which may be renewed at any time.
    pub fn digest(job: &Job) -> Digest {
        let files = job.files.iter().map(|file| json!([file.path, file.executable, Digest::of(&file.content)]));
        let mut all = json!({
            "environment": job.environment,
            "name": job.environment_name,
            "environment_type": job.environment_type,
            "project": job.project,
            "operation": job.operation,
            "inputs": job.inputs,
            "config": job.config,
            "files": files.collect::<Vec<_>>(),
            "target": job.target.as_ref().map(|target| json!([target.slug, target.settings])),
        });
        if let (Some(action), Value::Object(all)) = (&job.action, &mut all) {
            all.insert("action".to_owned(), json!([action.name, action.run, action.inputs]));
        }
        Digest::of_json(&all)
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
        StepHost {
            context,
            sealer: &self.sealer,
            environment: EnvironmentId(context.run.subject),
            signals: &self.signals,
            public_url: &self.public_url,
            read_only: false,
        }
    }

    /// The same for a plan: nothing can be saved through it.
    pub fn read_only_host<'a>(&'a self, context: &'a StepContext) -> StepHost<'a> {
        StepHost { read_only: true, ..self.host(context) }
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
) -> Result<(Value, Vec<TemplateFile>, Value), Error> {
    let found = catalog::get_version(connection, version).await.map_err(store_error)?;
    let files = catalog::template_files(connection, version).await.map_err(store_error)?;
    Ok((found.provider_config, files, found.manifest))
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

/// How a provider's error ends a step that changes something at the target.
fn effect_error(error: ProviderError) -> StepError {
    match error {
        ProviderError::Unknown { message } => {
            StepError::Unknown(format!("{}.", storable(&message).trim_end_matches('.')))
        }
        error => step_error(error),
    }
}

/// How a provider's error ends a step that only looks.
pub fn step_error(error: ProviderError) -> StepError {
    match error {
        // A program may print anything; what cannot be stored must not keep the run from ending.
        ProviderError::Failed { message } => StepError::Failed(storable(&message)),
        ProviderError::Retryable { message } | ProviderError::Unknown { message } => {
            StepError::Retryable(storable(&message))
        }
        ProviderError::Canceled | ProviderError::LeaseLost => StepError::Interrupted,
        ProviderError::Internal(source) => StepError::Internal(source),
    }
}
