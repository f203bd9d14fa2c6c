//! What a run's progress means for its request: in the run's own transactions.

use std::time::Duration;

use async_trait::async_trait;

use super::store::requests;
use super::{Error, Request, RequestStatus, carry_out, quota};
use crate::audit::Entry;
use crate::base::id::{RequestId, RunId};
use crate::base::{Op, Sealer};
use crate::db::{self, Connection, Tx};
use crate::environments::{self, Asked, Planned, RequestSink, Wish, Work};
use crate::orchestrator::Ending;
use crate::policy::PolicyEngine;
use crate::providers::Plan;

/// Tells requests how their runs go, and asks them whether a run may go on.
#[derive(Debug, Clone)]
pub struct Sink {
    /// Who may do what, now.
    pub policy: PolicyEngine,
    /// Seals plans, opens secret inputs.
    pub sealer: Sealer,
    /// How long a request waits for a new approval.
    pub approval_time: Duration,
}

#[async_trait]
impl RequestSink for Sink {
    async fn started(&self, tx: &mut Tx, op: &Op, request: RequestId, _: RunId) -> db::Result<()> {
        let Some(found) = requests::lock(tx, request).await? else { return Ok(()) };
        if found.status != RequestStatus::Approved {
            return Ok(());
        }
        let (from, to) = (RequestStatus::Approved, RequestStatus::Running);
        stored(carry_out::finish(tx, op, &found, from, to, None).await)
    }

    async fn ended(
        &self,
        tx: &mut Tx,
        op: &Op,
        request: RequestId,
        run: RunId,
        ending: &Ending,
    ) -> db::Result<Option<Entry>> {
        let Some(found) = requests::lock(tx, request).await? else { return Ok(None) };
        if let Some(why) = asks_again(&found, ending)
            && stored(self.ask_again(tx, op, &found, why).await)?
        {
            return Ok(None);
        }
        stored(quota::follow(tx, &found, run, ending).await)?;
        let to = match ending {
            Ending::Succeeded => RequestStatus::Succeeded,
            Ending::Failed { .. } | Ending::Faulted { .. } => RequestStatus::Failed,
            Ending::Canceled => RequestStatus::Canceled,
        };
        stored(carry_out::end(tx, &found, found.status, to, ending.error()).await.map(Some))
    }

    async fn wish(&self, connection: &mut Connection, request: RequestId) -> db::Result<Option<Wish>> {
        stored(self.wished(connection, request).await)
    }

    async fn planned(
        &self,
        tx: &mut Tx,
        op: &Op,
        request: RequestId,
        run: RunId,
        planned: Planned<'_>,
    ) -> db::Result<()> {
        stored(self.take_plan(tx, op, request, run, planned).await)
    }

    async fn asked(&self, connection: &mut Connection, request: RequestId) -> db::Result<Option<Asked>> {
        let Some(found) = requests::find(connection, request).await? else { return Ok(None) };
        let Some(action) = found.action else { return Ok(None) };
        let blob = requests::secret_inputs(connection, request).await?;
        let place = carry_out::secrets_place(request);
        let opened = environments::open_secret_inputs(&self.sealer, &place, blob.as_deref());
        let secret_inputs = stored(opened.map_err(Error::from))?;
        Ok(Some(Asked { action, inputs: found.inputs, secret_inputs }))
    }

    async fn approved_plan(&self, connection: &mut Connection, request: RequestId) -> db::Result<Option<Plan>> {
        match requests::find(connection, request).await?.and_then(|request| request.plan_run) {
            Some(run) => stored(self.open_plan(connection, run).await),
            None => Ok(None),
        }
    }

    async fn guard(
        &self,
        connection: &mut Connection,
        request: RequestId,
        work: Work<'_>,
    ) -> db::Result<Result<(), String>> {
        Ok(stored(self.refusal(connection, request, work).await)?.map_or(Ok(()), Err))
    }
}

/// Why a request must be approved anew, if its run met something else than what was approved.
fn asks_again<'a>(request: &Request, ending: &'a Ending) -> Option<&'a str> {
    match ending {
        Ending::Failed { step, error } if step == "guard" || error.starts_with(Plan::STALE) => {
            request.plan_run.map(|_| error.as_str())
        }
        Ending::Failed { .. } | Ending::Succeeded | Ending::Faulted { .. } | Ending::Canceled => None,
    }
}

fn stored<T>(result: Result<T, Error>) -> db::Result<T> {
    match result {
        Ok(value) => Ok(value),
        Err(Error::Db(error)) => Err(error),
        Err(error) => {
            tracing::error!(%error, "a run cannot be told to its request");
            Err(db::Error::Corrupt("request"))
        }
    }
}
