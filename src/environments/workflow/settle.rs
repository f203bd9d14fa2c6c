//! The first and the last transaction of a run, shared with the run's own state.

use std::collections::BTreeMap;

use serde_json::json;

use super::Shared;
use super::provision::Collected;
use crate::audit::{Entry, Outcome};
use crate::base::failpoint::reach;
use crate::base::{Op, SealError};
use crate::db::{Error, Result, Tx};
use crate::environments::service::about;
use crate::environments::store::{call_backs, contents, drift, states, transitions};
use crate::environments::{Environment, Operation, State, outputs, schedule};
use crate::orchestrator::{Ending, Run, StepContext, StepError};
use crate::projects;
use crate::providers::{Output, Stream};

impl Shared {
    /// Tells the request that a worker took its run.
    pub async fn started(&self, tx: &mut Tx, op: &Op, run: &Run) -> Result<()> {
        match run.request {
            Some(request) => self.requests.started(tx, op, request, run.id).await,
            None => Ok(()),
        }
    }

    /// Looks whether this worker can do the work at all.
    pub async fn prepare(&self, context: &StepContext) -> std::result::Result<Vec<u8>, StepError> {
        let job = self.job(context).await?;
        if let Err(reason) = self.provider.check().await {
            return Err(StepError::Failed(format!("This worker cannot run {}: {reason}", self.provider.name())));
        }
        let line = format!(
            "{} {} in {} ({}) with {}, {} template files",
            self.operation.title(),
            job.environment_name,
            job.project,
            job.environment_type,
            self.provider.name(),
            job.files.len()
        );
        context.log(Stream::Paddock, &line).await?;
        Ok(Vec::new())
    }

    /// Create and update end: ready with outputs and resources, or failed with the first real error.
    pub async fn settle_provision(
        &self,
        tx: &mut Tx,
        op: &Op,
        run: &Run,
        ending: &Ending,
        checkpoints: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Vec<Entry>> {
        let environment = self.environment(tx, run).await?;
        let from = environment.state;
        match ending {
            Ending::Succeeded => {
                let blob = checkpoints.get("collect").ok_or(Error::Corrupt("collect checkpoint"))?;
                self.store_collected(tx, op, run, &environment, blob).await?;
                expect(transitions::ready(tx, environment.id, from).await?)?;
                schedule::arm(tx, environment.id, State::Ready).await?;
                drift::begin_anew(tx, environment.id).await?;
            }
            Ending::Failed { error, .. } | Ending::Faulted { error } => {
                expect(transitions::failed(tx, environment.id, from, error).await?)?;
            }
            Ending::Canceled => {
                let error = "Canceled. What was made until then may be there: retry, change or delete.";
                expect(transitions::failed(tx, environment.id, from, error).await?)?;
            }
        }
        let action = match (ending, self.operation) {
            (Ending::Succeeded, Operation::Update) => "environment.updated",
            (Ending::Succeeded, _) => "environment.ready",
            (Ending::Failed { .. } | Ending::Faulted { .. } | Ending::Canceled, _) => "environment.failed",
        };
        self.tell(tx, op, run, ending, &environment, action).await
    }

    /// Delete ends: deleted, or faulted so that a person sees it.
    pub async fn settle_tear_down(&self, tx: &mut Tx, op: &Op, run: &Run, ending: &Ending) -> Result<Vec<Entry>> {
        let environment = self.environment(tx, run).await?;
        let id = environment.id;
        let action = match ending {
            Ending::Succeeded => {
                expect(transitions::move_to(tx, id, environment.state, State::Deleted, None).await?)?;
                contents::set_outputs(tx, id, &[]).await?;
                contents::set_resources(tx, id, &[]).await?;
                contents::set_provider_state(tx, id, None).await?;
                states::forget(tx, id).await?;
                schedule::arm(tx, id, State::Deleted).await?;
                drift::remove(tx, id).await?;
                let cause = projects::Cause { request: run.request, run: Some(run.id) };
                released(projects::release(tx, id, cause).await)?;
                "environment.deleted"
            }
            // Refused before anything was removed.
            Ending::Failed { step, error } if step == "guard" => {
                expect(transitions::failed(tx, id, environment.state, error).await?)?;
                "environment.failed"
            }
            Ending::Failed { .. } | Ending::Faulted { .. } | Ending::Canceled => {
                let error =
                    ending.error().unwrap_or("The clean-up was canceled: some of it may be left. Delete again.");
                expect(transitions::move_to(tx, id, environment.state, State::Faulted, Some(error)).await?)?;
                "environment.faulted"
            }
        };
        self.tell(tx, op, run, ending, &environment, action).await
    }

    /// What the audit log and the request are told of an end.
    pub async fn tell(
        &self,
        tx: &mut Tx,
        op: &Op,
        run: &Run,
        ending: &Ending,
        environment: &Environment,
        action: &'static str,
    ) -> Result<Vec<Entry>> {
        reach("environment.moved");
        call_backs::forget(tx, run.id).await?;
        let outcome = if *ending == Ending::Succeeded { Outcome::Succeeded } else { Outcome::Failed };
        let detail = json!({"attempt": run.attempt, "error": ending.error(), "step": ending.step()});
        let mut entry = about(environment, action).run(run.id).outcome(outcome).detail(detail);
        entry.request = run.request;
        let mut told = vec![entry];
        if let Some(request) = run.request {
            told.extend(self.requests.ended(tx, op, request, run.id, ending).await?);
        }
        reach("request.told");
        Ok(told)
    }

    /// Outputs and resources take the place of what was known before.
    pub async fn store_collected(
        &self,
        tx: &mut Tx,
        op: &Op,
        run: &Run,
        environment: &Environment,
        blob: &[u8],
    ) -> Result<()> {
        let plain = self.sealer.open(&checkpoint_place(run), blob).map_err(corrupt)?;
        let collected: Collected = serde_json::from_slice(&plain).map_err(|_| Error::Corrupt("collect checkpoint"))?;
        let values =
            collected.outputs.into_iter().map(|(name, sensitive, value)| Output { name, sensitive, value }).collect();
        let sealed = outputs::seal(op, &self.sealer, environment.id, values).map_err(|_| Error::Corrupt("output"))?;
        contents::set_outputs(tx, environment.id, &sealed).await?;
        contents::set_resources(tx, environment.id, &collected.resources).await
    }

    /// A checkpoint that may hold secrets.
    pub fn seal_checkpoint(
        &self,
        context: &StepContext,
        collected: &Collected,
    ) -> std::result::Result<Vec<u8>, StepError> {
        let plain = serde_json::to_vec(collected).map_err(StepError::internal)?;
        self.sealer.seal(context.op.entropy(), &checkpoint_place(&context.run), &plain).map_err(StepError::internal)
    }
}

fn checkpoint_place(run: &Run) -> String {
    format!("run_step/{}/collect", run.id)
}

fn corrupt(_: SealError) -> Error {
    Error::Corrupt("collect checkpoint")
}

/// To give back asks nobody for room: what can go wrong is the store.
fn released(result: std::result::Result<(), projects::Error>) -> Result<()> {
    result.map_err(|error| match error {
        projects::Error::Db(error) => error,
        _ => Error::Corrupt("quota"),
    })
}

/// The environment is locked and its state was read under the lock: a miss is a defect.
pub fn expect(moved: bool) -> Result<()> {
    if moved { Ok(()) } else { Err(Error::Corrupt("environment state")) }
}
