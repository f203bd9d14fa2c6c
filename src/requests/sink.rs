//! What a run's progress means for its request: in the run's own transactions.

use async_trait::async_trait;

use super::store::requests;
use super::{Error, RequestStatus, carry_out};
use crate::base::Op;
use crate::base::id::{RequestId, RunId};
use crate::db::{self, Tx};
use crate::environments::RequestSink;
use crate::orchestrator::Ending;

/// Tells requests how their runs go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sink;

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

    async fn ended(&self, tx: &mut Tx, op: &Op, request: RequestId, _: RunId, ending: &Ending) -> db::Result<()> {
        let Some(found) = requests::lock(tx, request).await? else { return Ok(()) };
        let to = match ending {
            Ending::Succeeded => RequestStatus::Succeeded,
            Ending::Failed { .. } | Ending::Faulted { .. } => RequestStatus::Failed,
            Ending::Canceled => RequestStatus::Canceled,
        };
        stored(carry_out::finish(tx, op, &found, found.status, to, ending.error()).await)
    }
}

fn stored(result: Result<(), Error>) -> db::Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(Error::Db(error)) => Err(error),
        Err(_) => Err(db::Error::Corrupt("request status")),
    }
}
