//! A requester asks for an answer: those who can approve the request see at once that somebody waits for them.
//!
//! The reminder is nothing but a time that stands with the request. It is told to whoever finds the request in their
//! inbox, so it goes away for each when they have reviewed it, and when the request goes on. It counts for those who
//! were asked by then: a later step is not late when its turn begins.

use std::time::Duration;

use super::store::requests;
use super::{Caller, Error, Request, RequestStatus, Requests, carry_out};
use crate::audit;
use crate::base::Op;
use crate::base::id::RequestId;
use crate::policy::{Action, Permit, ability};

/// A request is asked about once in this time.
pub const REMINDED_EVERY: Duration = Duration::from_secs(4 * 3600);

const DOES_NOT_WAIT: &str = "it does not wait for an approval";

impl Requests {
    /// The requester asks for an answer. The database's clock and row decide whether it is too early, so of many at
    /// once one gets through.
    pub async fn remind(&self, op: &Op, caller: Caller<'_>, id: RequestId) -> Result<Request, Error> {
        let mut tx = self.db.begin().await?;
        let request = requests::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
        let question = self.question_about(op, caller, Action::WithdrawRequest, &request);
        let _: Permit<ability::WithdrawRequest> = self.policy.permit(&question)?;
        // A set that lets others withdraw lets nobody speak in the requester's name.
        if request.requester.is_none() || request.requester != caller.person() {
            return Err(Error::WrongStatus("only who made the request asks for an answer"));
        }
        if request.status != RequestStatus::AwaitingApproval {
            return Err(Error::WrongStatus(DOES_NOT_WAIT));
        }
        if request.bound_to().is_none() {
            return Err(Error::WrongStatus("its plan is not made yet, so nobody can answer"));
        }
        if !requests::remind(&mut tx, id, REMINDED_EVERY).await? {
            let now = requests::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
            let waits = now.status == RequestStatus::AwaitingApproval;
            let early = "you asked for an answer less than 4 hours ago; whoever can approve it sees that";
            return Err(Error::WrongStatus(if waits { early } else { DOES_NOT_WAIT }));
        }
        audit::append(&mut tx, op, carry_out::about(&request, "request.reminded")).await?;
        let request = requests::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
        tx.commit().await?;
        Ok(request)
    }
}
