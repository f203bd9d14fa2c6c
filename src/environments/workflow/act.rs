//! Power operations and actions: prepare → guard → act → collect.
//!
//! What was refused before it began leaves the environment as it was, and so does an action that
//! ended with an error of its own: the environment is no worse for that. After everything else that
//! went wrong nobody knows whether it runs: it is failed, and can be tried again.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::Shared;
use super::settle::expect;
use crate::audit::Entry;
use crate::base::Op;
use crate::base::failpoint::reach;
use crate::db::{Error, Result, Tx};
use crate::environments::store::transitions;
use crate::environments::{Environment, Operation, State, schedule};
use crate::orchestrator::{Ending, Run, StepContext, StepError, Workflow};

/// The workflow of power operations and actions.
pub struct Act(pub Shared);

#[async_trait]
impl Workflow for Act {
    fn steps(&self) -> &'static [&'static str] {
        &["prepare", "guard", "act", "collect"]
    }

    async fn started(&self, tx: &mut Tx, op: &Op, run: &Run) -> Result<()> {
        self.0.started(tx, op, run).await
    }

    async fn step(&self, context: &StepContext, name: &str) -> std::result::Result<Vec<u8>, StepError> {
        match name {
            "prepare" => self.0.prepare(context).await,
            "guard" => self.0.guard(context).await,
            "act" => {
                let job = self.0.job(context).await?;
                self.0.look_first(context, &job).await?;
                reach("provider.call");
                let outcome = self.0.provider.act(&job, &self.0.host(context)).await;
                Shared::effect(outcome)
            }
            _ => self.0.collect(context).await,
        }
    }

    async fn settle(
        &self,
        tx: &mut Tx,
        op: &Op,
        run: &Run,
        ending: &Ending,
        checkpoints: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Vec<Entry>> {
        let environment = self.0.environment(tx, run).await?;
        let action = match ending {
            Ending::Succeeded => {
                let blob = checkpoints.get("collect").ok_or(Error::Corrupt("collect checkpoint"))?;
                self.0.store_collected(tx, op, run, &environment, blob).await?;
                self.succeeded(tx, &environment).await?
            }
            Ending::Failed { step, .. } if self.left_as_it_was(step) => {
                expect(transitions::move_to(tx, environment.id, environment.state, self.before(), None).await?)?;
                "environment.action_failed"
            }
            Ending::Failed { .. } | Ending::Faulted { .. } | Ending::Canceled => {
                let error = ending.error().unwrap_or("Canceled. Nobody knows how far it came: retry it.");
                expect(transitions::failed(tx, environment.id, environment.state, error).await?)?;
                "environment.failed"
            }
        };
        self.0.tell(tx, op, run, ending, &environment, action).await
    }
}

impl Act {
    async fn succeeded(&self, tx: &mut Tx, environment: &Environment) -> Result<&'static str> {
        let (id, from) = (environment.id, environment.state);
        Ok(match self.0.operation {
            Operation::Stop | Operation::Hibernate => {
                expect(transitions::move_to(tx, id, from, State::Stopped, None).await?)?;
                schedule::arm(tx, id, State::Stopped).await?;
                "environment.stopped"
            }
            other => {
                expect(transitions::ready(tx, id, from).await?)?;
                schedule::arm(tx, id, State::Ready).await?;
                match other {
                    Operation::Start => "environment.started",
                    Operation::Restart => "environment.restarted",
                    _ => "environment.acted",
                }
            }
        })
    }

    /// Whether an error in this step tells that nothing has changed.
    fn left_as_it_was(&self, step: &str) -> bool {
        step == "prepare" || step == "guard" || self.0.operation == Operation::Act
    }

    /// The state that it came from.
    fn before(&self) -> State {
        if self.0.operation == Operation::Start { State::Stopped } else { State::Ready }
    }
}
