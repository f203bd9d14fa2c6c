//! Approve, reject, withdraw, retry.

use serde_json::json;

use super::store::{requests, reviews};
use super::{
    Caller, Error, ProgressedRequirement, Request, RequestStatus, Requests, ReviewVerdict, StandIn, carry_out, plan,
    quota, stand_in,
};
use crate::audit;
use crate::base::id::{RequestId, ReviewId, RunId};
use crate::base::text::NUL_REFUSED;
use crate::base::{Digest, FieldError, Op};
use crate::environments::{self, Operation, State};
use crate::identity;
use crate::orchestrator::Event;
use crate::policy::{Denied, Permit, Question, Resource, ResourceKind, ability};

impl Requests {
    /// The question whether `caller` may do `action` with this request.
    pub fn question_about(
        &self,
        op: &Op,
        caller: Caller<'_>,
        action: crate::policy::Action,
        request: &Request,
    ) -> Question {
        let resource = Resource {
            project: Some(request.project_slug.clone()),
            environment_type: Some(request.environment_type.clone()),
            template: Some(request.template_slug.clone()),
            requester: request.requester.map(|id| id.to_string()),
            asked: request.asked.clone(),
            borrowed: stand_in::borrowed(request, caller, action),
            ..Resource::new(ResourceKind::Request, request.id.to_string())
        };
        let context = crate::policy::Context { channel: op.origin.channel.to_owned(), ..Default::default() };
        Question { action, principal: caller.principal(Some(request.project)), resource, context }
    }

    /// One person's verdict. The last approval that was missing carries the request out.
    pub async fn review(
        &self,
        op: &Op,
        caller: Caller<'_>,
        id: RequestId,
        verdict: ReviewVerdict,
        reason: &str,
    ) -> Result<Request, Error> {
        self.review_seen(op, caller, id, verdict, reason, None).await
    }

    /// The same; `seen` is the digest that they looked at, where they say it: a request that has
    /// another plan by now is not what they agree to.
    pub async fn review_seen(
        &self,
        op: &Op,
        caller: Caller<'_>,
        id: RequestId,
        verdict: ReviewVerdict,
        reason: &str,
        seen: Option<&str>,
    ) -> Result<Request, Error> {
        let reason = checked_reason(verdict, reason)?;
        let mut tx = self.db.begin().await?;
        let request = requests::lock(&mut tx, id).await?.ok_or(Error::NotFound)?;
        let question = self.question_about(op, caller, crate::policy::Action::ReviewRequest, &request);
        let permit: Permit<ability::ReviewRequest> = self.policy.permit(&question)?;
        let reviewer = caller.person().ok_or(Error::WrongStatus("only a person can review"))?;
        // Policy forbids it too; a policy set that somebody changed must not be the only guard (I6).
        if request.requester == Some(reviewer) {
            return Err(Error::WrongStatus("nobody reviews their own request"));
        }
        if request.status == RequestStatus::AwaitingQuota {
            return Err(Error::WrongStatus("the request waits in line for a quota; it asks for approval after that"));
        }
        if request.status != RequestStatus::AwaitingApproval {
            return Err(Error::WrongStatus("the request does not wait for approval any more"));
        }
        let digest = digest_of(&request, verdict, seen)?;
        let before = reviews::requirements(&mut tx, id).await?;
        let said = reviews::list_of(&mut tx, &[id]).await?.remove(&id).unwrap_or_default();
        let alone = self.policy.allows(&unaided(question));
        let place = stand_in::place(caller, &request, verdict, alone, (&before, &said));
        self.absent_may(&mut tx, op, place, &request).await?;
        let review = reviews::NewReview {
            id: ReviewId::new(op.clock(), op.entropy()),
            request: id,
            reviewer,
            delegation: place.map(|one| one.delegation),
            verdict,
            reason,
            digest,
        };
        reviews::insert(&mut tx, &review).await.map_err(|error| {
            if error.is_constraint("review_once") {
                Error::WrongStatus("you have reviewed this request already")
            } else {
                error.into()
            }
        })?;
        let mut detail = json!({"verdict": verdict, "reason": reason, "policy_digest": permit.policy_digest()});
        if let (Some(one), Some(detail)) = (place, detail.as_object_mut()) {
            detail.insert("for".to_owned(), json!(one.absent_name));
            detail.insert("for_id".to_owned(), json!(one.absent));
            detail.insert("delegation".to_owned(), json!(one.delegation));
        }
        audit::append(&mut tx, op, carry_out::about(&request, "request.reviewed").detail(detail)).await?;
        match verdict {
            ReviewVerdict::Rejected => self.reject(&mut tx, op, &request).await?,
            ReviewVerdict::Approved => self.approved(&mut tx, op, &request, &before).await?,
        }
        let request = requests::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
        tx.commit().await?;
        self.signals.send(Event::Queue);
        Ok(request)
    }

    /// What the absent person may not do themselves, nobody does in their place.
    pub(super) async fn absent_may(
        &self,
        tx: &mut crate::db::Tx,
        op: &Op,
        place: Option<&StandIn>,
        request: &Request,
    ) -> Result<(), Error> {
        let Some(one) = place else { return Ok(()) };
        let absent = identity::load_access(tx, one.absent).await?;
        let question = self.question_about(op, Caller::Person(&absent), crate::policy::Action::ReviewRequest, request);
        let _: Permit<ability::ReviewRequest> = self.policy.permit(&unaided(question))?;
        Ok(())
    }

    async fn reject(&self, tx: &mut crate::db::Tx, op: &Op, request: &Request) -> Result<(), Error> {
        carry_out::finish(tx, op, request, RequestStatus::AwaitingApproval, RequestStatus::Rejected, None).await?;
        discard(tx, op, request).await
    }

    /// One more has agreed: it goes on, or the next are asked.
    pub(super) async fn approved(
        &self,
        tx: &mut crate::db::Tx,
        op: &Op,
        request: &Request,
        before: &[ProgressedRequirement],
    ) -> Result<(), Error> {
        let requirements = reviews::requirements(tx, request.id).await?;
        counts(before, &requirements)?;
        if requirements.is_empty() || ProgressedRequirement::open_step(&requirements).is_some() {
            return Ok(reviews::keep_awaited(tx, request.id, &requirements).await?);
        }
        carry_out::finish(tx, op, request, RequestStatus::AwaitingApproval, RequestStatus::Approved, None).await?;
        carry_out::carry_out(tx, op, &self.sealer, request.id).await
    }

    /// The requester takes the request back.
    pub async fn withdraw(&self, op: &Op, caller: Caller<'_>, id: RequestId) -> Result<Request, Error> {
        let mut tx = self.db.begin().await?;
        let request = requests::lock(&mut tx, id).await?.ok_or(Error::NotFound)?;
        let question = self.question_about(op, caller, crate::policy::Action::WithdrawRequest, &request);
        let _: Permit<ability::WithdrawRequest> = self.policy.permit(&question)?;
        if !matches!(request.status, RequestStatus::AwaitingQuota | RequestStatus::AwaitingApproval) {
            return Err(Error::WrongStatus("only a request that waits, in line or for approval, can be withdrawn"));
        }
        carry_out::finish(&mut tx, op, &request, request.status, RequestStatus::Withdrawn, None).await?;
        discard(&mut tx, op, &request).await?;
        let request = requests::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
        tx.commit().await?;
        // What it held is free for who waits in line.
        self.signals.send(Event::Queue);
        Ok(request)
    }

    /// Tries a failed or canceled request again, with a new run; one that waits and has no plan is
    /// planned again. The caller has the permit to.
    pub async fn retry(&self, op: &Op, permit: &Permit<ability::RetryRun>, id: RequestId) -> Result<RunId, Error> {
        let mut tx = self.db.begin().await?;
        let request = requests::lock(&mut tx, id).await?.ok_or(Error::NotFound)?;
        let environment = request.environment.ok_or(Error::NotFound)?;
        if permit.resource() != environment.to_string() {
            return Err(Error::NotFound);
        }
        if request.status == RequestStatus::AwaitingApproval {
            let run = plan::again(&mut tx, op, &request).await?;
            tx.commit().await?;
            self.signals.send(Event::Queue);
            return Ok(run);
        }
        if !matches!(request.status, RequestStatus::Failed | RequestStatus::Canceled) {
            return Err(Error::WrongStatus("only a request that failed or was canceled can be retried"));
        }
        let run = environments::retry(&mut tx, op, environment, request.operation, request.action_title.as_deref(), id)
            .await?;
        match requests::move_to(&mut tx, id, request.status, RequestStatus::Running).await {
            Ok(true) => {}
            Ok(false) => return Err(Error::WrongStatus("the request has moved on in the meantime")),
            Err(error) if error.is_constraint("request_open") => return Err(Error::Busy(None)),
            Err(error) => return Err(error.into()),
        }
        audit::append(&mut tx, op, carry_out::about(&request, "request.retried").run(run)).await?;
        quota::take_again(&mut tx, &request, environment).await?;
        tx.commit().await?;
        self.signals.send(Event::Queue);
        Ok(run)
    }
}

/// An approval that brings nobody nearer is refused, so that nobody believes to have agreed: it fills a seat of the
/// step whose turn it is, or none.
fn counts(before: &[ProgressedRequirement], after: &[ProgressedRequirement]) -> Result<(), Error> {
    let Some(open) = ProgressedRequirement::open_step(before) else { return Ok(()) };
    let agreed = |all: &[ProgressedRequirement]| -> i64 {
        all.iter().filter(|one| one.step <= open).map(|one| one.approvals).sum()
    };
    if agreed(after) > agreed(before) {
        return Ok(());
    }
    let awaited: Vec<&str> = ProgressedRequirement::awaited(before).map(|one| one.who.as_str()).collect();
    let awaited = awaited.join(" and ");
    let later = after.iter().zip(before).any(|(after, before)| after.approvals > before.approvals);
    Err(Error::NotAwaited(if later {
        format!("it is not your turn yet: first it needs {awaited}")
    } else {
        format!("it needs {awaited}, and your approval would not count for that")
    }))
}

/// What a rejected, withdrawn or lapsed create leaves: nothing.
pub(super) async fn discard(tx: &mut crate::db::Tx, op: &Op, request: &Request) -> Result<(), Error> {
    match (request.operation, request.environment) {
        // One that asked again has a run behind it: what that left is looked after like any other.
        (Operation::Create, Some(id)) if environments::load(tx, id).await?.state == State::Requested => {
            Ok(environments::discard(tx, op, id).await?)
        }
        _ => Ok(()),
    }
}

/// The question without what others let them decide.
pub(super) fn unaided(mut question: Question) -> Question {
    question.resource.borrowed.clear();
    question
}

/// What a review binds to; `seen` is what the reviewer looked at, where they say it.
fn digest_of(request: &Request, verdict: ReviewVerdict, seen: Option<&str>) -> Result<Digest, Error> {
    match (request.bound_to(), verdict) {
        (Some(digest), ReviewVerdict::Approved) if seen.is_some_and(|seen| seen != digest.to_string()) => {
            Err(Error::NotAsReviewed)
        }
        (Some(digest), _) => Ok(digest),
        (None, ReviewVerdict::Rejected) => Ok(request.digest),
        (None, ReviewVerdict::Approved) => {
            Err(Error::WrongStatus("its plan is not made yet; it can be approved once there is one to see"))
        }
    }
}

fn checked_reason(verdict: ReviewVerdict, reason: &str) -> Result<&str, Error> {
    let reason = reason.trim();
    let detail = match verdict {
        ReviewVerdict::Rejected if reason.is_empty() => "say why, so that the requester can do better",
        _ if reason.contains('\0') => NUL_REFUSED,
        _ if reason.chars().count() > 2000 => "must be at most 2,000 characters long",
        _ => return Ok(reason),
    };
    Err(Error::Invalid(vec![FieldError::new("/reason", detail)]))
}

impl From<&Denied> for Error {
    fn from(denied: &Denied) -> Self {
        Self::Denied(denied.clone())
    }
}
