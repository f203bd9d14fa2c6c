//! Approve with changes: whoever may review a request suggests what they would agree to, and the requester accepts
//! it or not.
//!
//! What was asked for is never altered. Who accepts takes the request back and sends another one with the changes, in
//! one transaction: policy, quota and budget decide about it as about any other, and approvals bind to it. What would
//! be refused then is refused when it is suggested: the whole is tried, and rolled back.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::store::{requests, reviews, suggestions};
use super::submit::Keyed;
use super::{
    Caller, Draft, Error, Intent, ProgressedRequirement, Request, RequestStatus, Requests, ReviewVerdict, Submitted,
    carry_out, review, stand_in,
};
use crate::audit::{self, Entry, Object, Outcome as Ended};
use crate::base::id::{DelegationId, PersonId, RequestId, ReviewId, SuggestionId};
use crate::base::text::NUL_REFUSED;
use crate::base::{FieldError, Op};
use crate::catalog::{self, schema};
use crate::db::{self, Tx};
use crate::environments::{self, Operation};
use crate::identity;
use crate::orchestrator::Event;
use crate::policy::{self, Action, Outcome, Permit, ability};

/// What has become of a suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SuggestionState {
    /// Nobody has decided on it.
    Open,
    /// The requester sent the request with these changes.
    Accepted,
    /// The requester does not want them.
    Declined,
    /// The same reviewer suggested something else later.
    Replaced,
}

/// Changes that a reviewer would agree to.
#[derive(Debug, Clone)]
pub struct Suggestion {
    /// Its id.
    pub id: SuggestionId,
    /// The request that it is about.
    pub request: RequestId,
    /// Who suggests it.
    pub reviewer: PersonId,
    /// Their name.
    pub reviewer_name: String,
    /// The absent person in whose place they do, and that person's name.
    pub absent: Option<(PersonId, String)>,
    /// By which delegation.
    pub delegation: Option<DelegationId>,
    /// All inputs as they would be, without the secret ones, which stay as they are.
    pub inputs: Map<String, Value>,
    /// The lifetime as it would be; none: the operation has none.
    pub lifetime: Option<SignedDuration>,
    /// Why.
    pub reason: String,
    /// What has become of it.
    pub state: SuggestionState,
    /// When it was made.
    pub at: Timestamp,
    /// When it was accepted, declined or replaced.
    pub decided_at: Option<Timestamp>,
    /// The request that came of it.
    pub successor: Option<RequestId>,
}

impl Suggestion {
    /// The reviewer by name, and for whom they say it.
    pub fn who(&self) -> String {
        stand_in::for_somebody(&self.reviewer_name, self.absent.as_ref().map(|(_, name)| name.as_str()))
    }
}

/// What a reviewer would change.
#[derive(Debug, Clone, Copy)]
pub struct Changes<'a> {
    /// Inputs to change; null takes one away. The others stay.
    pub inputs: &'a Map<String, Value>,
    /// Another lifetime.
    pub lifetime: Option<SignedDuration>,
    /// Why: the requester reads it.
    pub reason: &'a str,
}

impl Requests {
    /// Suggests changes to the requester. An open suggestion of the same reviewer is replaced.
    pub async fn suggest(
        &self,
        op: &Op,
        caller: Caller<'_>,
        id: RequestId,
        changes: Changes<'_>,
    ) -> Result<SuggestionId, Error> {
        let mut dry = self.db.begin().await?;
        let (request, suggestion) = self.suggestion(&mut dry, op, caller, id, changes).await?;
        let requester = request.requester.ok_or(Error::WrongStatus("Paddock itself asked: approve or reject it"))?;
        let access = identity::load_access(&mut dry, requester).await?;
        self.replace(&mut dry, op, Caller::Person(&access), &request, &suggestion).await?;
        dry.rollback().await?;

        let mut tx = self.db.begin().await?;
        let (request, suggestion) = self.suggestion(&mut tx, op, caller, id, changes).await?;
        suggestions::insert(&mut tx, &suggestion).await?;
        audit::append(&mut tx, op, entry(&request, &suggestion, "suggestion.made", Value::Null)).await?;
        tx.commit().await?;
        Ok(suggestion.id)
    }

    /// What the caller suggests, if they may and it is one; with the request, locked.
    async fn suggestion(
        &self,
        tx: &mut Tx,
        op: &Op,
        caller: Caller<'_>,
        id: RequestId,
        changes: Changes<'_>,
    ) -> Result<(Request, Suggestion), Error> {
        let request = requests::lock(tx, id).await?.ok_or(Error::NotFound)?;
        let question = self.question_about(op, caller, Action::ReviewRequest, &request);
        let _: Permit<ability::ReviewRequest> = self.policy.permit(&question)?;
        let Caller::Person(access) = caller else { return Err(Error::WrongStatus("only a person can review")) };
        if request.requester == Some(access.person.id) {
            return Err(Error::WrongStatus("nobody reviews their own request"));
        }
        waits(&request)?;
        let reason = checked_reason(changes.reason)?;
        let before = reviews::requirements(tx, id).await?;
        let said = reviews::list_of(tx, &[id]).await?.remove(&id).unwrap_or_default();
        let alone = self.policy.allows(&review::unaided(question));
        let place = stand_in::place(caller, &request, ReviewVerdict::Approved, alone, (&before, &said));
        self.absent_may(tx, op, place, &request).await?;
        let inputs = changed_inputs(tx, &request, &changes).await?;
        let lifetime = changed_lifetime(&request, changes.lifetime)?;
        if inputs == request.inputs && lifetime == request.lifetime {
            return Err(invalid("", "nothing is changed: change something, or approve it as it is"));
        }
        let suggestion = Suggestion {
            id: SuggestionId::new(op.clock(), op.entropy()),
            request: id,
            reviewer: access.person.id,
            reviewer_name: access.person.display_name.clone(),
            absent: place.map(|one| (one.absent, one.absent_name.clone())),
            delegation: place.map(|one| one.delegation),
            inputs,
            lifetime,
            reason: reason.to_owned(),
            state: SuggestionState::Open,
            at: op.now(),
            decided_at: None,
            successor: None,
        };
        Ok((request, suggestion))
    }

    /// The requester agrees: another request, with the changes, takes the place of this one.
    ///
    /// Where there is no plan to be seen, whoever suggested it has agreed with that; else they are asked about the plan.
    pub async fn accept(
        &self,
        op: &Op,
        caller: Caller<'_>,
        id: RequestId,
        suggestion: SuggestionId,
    ) -> Result<Submitted, Error> {
        let mut tx = self.db.begin().await?;
        let (request, suggestion) = self.own(&mut tx, op, caller, id, suggestion).await?;
        let submitted = self.replace(&mut tx, op, caller, &request, &suggestion).await?;
        if !suggestions::decide(&mut tx, suggestion.id, SuggestionState::Accepted, Some(submitted.id)).await? {
            return Err(DECIDED);
        }
        let agreed = self.agreed(&mut tx, op, &suggestion, submitted.id).await?;
        let detail = json!({"successor": submitted.id, "approved_by": agreed.then_some(&suggestion.reviewer_name)});
        audit::append(&mut tx, op, entry(&request, &suggestion, "suggestion.accepted", detail)).await?;
        tx.commit().await?;
        self.signals.send(Event::Queue);
        Ok(submitted)
    }

    /// The requester does not: the request waits as it was.
    pub async fn decline(
        &self,
        op: &Op,
        caller: Caller<'_>,
        id: RequestId,
        suggestion: SuggestionId,
    ) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        let (request, suggestion) = self.own(&mut tx, op, caller, id, suggestion).await?;
        if !suggestions::decide(&mut tx, suggestion.id, SuggestionState::Declined, None).await? {
            return Err(DECIDED);
        }
        audit::append(&mut tx, op, entry(&request, &suggestion, "suggestion.declined", Value::Null)).await?;
        Ok(tx.commit().await?)
    }

    /// An open suggestion for a request of the caller's that waits, both locked.
    async fn own(
        &self,
        tx: &mut Tx,
        op: &Op,
        caller: Caller<'_>,
        id: RequestId,
        suggestion: SuggestionId,
    ) -> Result<(Request, Suggestion), Error> {
        let request = requests::lock(tx, id).await?.ok_or(Error::NotFound)?;
        let question = self.question_about(op, caller, Action::WithdrawRequest, &request);
        let _: Permit<ability::WithdrawRequest> = self.policy.permit(&question)?;
        // A set that lets others withdraw lets nobody agree in the requester's name.
        if request.requester.is_none() || request.requester != caller.person() {
            return Err(Error::WrongStatus("only who made the request agrees to changes"));
        }
        waits(&request)?;
        let found = suggestions::of(tx, &[id]).await?.remove(&id).unwrap_or_default();
        let found = found.into_iter().find(|one| one.id == suggestion && one.request == id);
        let found = found.ok_or(Error::NoSuggestion)?;
        if found.state != SuggestionState::Open {
            return Err(DECIDED);
        }
        Ok((request, found))
    }

    /// Takes the request back and sends the other one.
    async fn replace(
        &self,
        tx: &mut Tx,
        op: &Op,
        requester: Caller<'_>,
        request: &Request,
        suggestion: &Suggestion,
    ) -> Result<Submitted, Error> {
        let draft = self.draft_of(tx, request, suggestion).await?;
        carry_out::finish(tx, op, request, RequestStatus::AwaitingApproval, RequestStatus::Withdrawn, None).await?;
        review::discard(tx, op, request).await?;
        let submitted = self.submit_in(tx, op, requester, &draft, Keyed::once(&draft), None).await?;
        match &submitted.decision {
            Some(decision) if decision.outcome == Outcome::Denied => {
                Err(Error::WouldBeDenied(decision.sentence.clone()))
            }
            _ => Ok(submitted),
        }
    }

    async fn draft_of(&self, tx: &mut Tx, request: &Request, suggestion: &Suggestion) -> Result<Draft, Error> {
        let version = catalog::get_version(tx, request.version_id).await?;
        let decided = policy::find_decision(tx, request.decision_id).await?.ok_or(db::Error::Corrupt("decision"))?;
        let blob = requests::secret_inputs(tx, request.id).await?;
        let place = carry_out::secrets_place(request.id);
        let secrets = environments::open_secret_inputs(&self.sealer, &place, blob.as_deref())?;
        let mut inputs = suggestion.inputs.clone();
        let intent = match (request.operation, request.environment) {
            (Operation::Create, _) => {
                schema::carry_over(&mut inputs, secrets);
                Intent::Create {
                    project: request.project_slug.clone(),
                    environment_type: request.environment_type.clone(),
                    template: request.template_slug.clone(),
                    version: Some(version.number),
                    name: request.environment_name.clone(),
                    inputs,
                    lifetime: suggestion.lifetime,
                }
            }
            (Operation::Update, Some(id)) => {
                let environment = environments::find(tx, id).await?.ok_or(Error::NotFound)?;
                schema::carry_over(&mut inputs, secrets);
                for name in environment.inputs.keys() {
                    inputs.entry(name.clone()).or_insert(Value::Null);
                }
                Intent::Update { environment: id, generation: None, version: Some(version.number), inputs }
            }
            (Operation::Extend, Some(environment)) => {
                let lifetime = suggestion.lifetime.ok_or(Error::NotFound)?;
                Intent::Extend { environment, lifetime }
            }
            _ => return Err(UNCHANGEABLE),
        };
        Ok(Draft { intent, reason: request.reason.clone(), exception: decided.question.context.exception })
    }

    /// Whoever suggested it has agreed to it, where nothing else is to be seen and their approval counts. In the place of
    /// somebody absent they are asked again: that person may be back.
    async fn agreed(&self, tx: &mut Tx, op: &Op, suggestion: &Suggestion, id: RequestId) -> Result<bool, Error> {
        let request = requests::find(tx, id).await?.ok_or(Error::NotFound)?;
        let Some(digest) = request.bound_to() else { return Ok(false) };
        if request.status != RequestStatus::AwaitingApproval || suggestion.delegation.is_some() {
            return Ok(false);
        }
        let access = identity::load_access(tx, suggestion.reviewer).await?;
        let question = self.question_about(op, Caller::Person(&access), Action::ReviewRequest, &request);
        let before = reviews::requirements(tx, id).await?;
        let mut awaited = ProgressedRequirement::awaited(&before).flat_map(ProgressedRequirement::groups);
        if !awaited.any(|group| stand_in::holds(&access, &request, group)) || !self.policy.allows(&question) {
            return Ok(false);
        }
        let review = reviews::NewReview {
            id: ReviewId::new(op.clock(), op.entropy()),
            request: id,
            reviewer: suggestion.reviewer,
            delegation: None,
            verdict: ReviewVerdict::Approved,
            reason: &suggestion.reason,
            digest,
        };
        reviews::insert(tx, &review).await?;
        self.approved(tx, op, &request, &before).await?;
        Ok(true)
    }
}

const DECIDED: Error = Error::WrongStatus("this suggestion was decided on already");
const UNCHANGEABLE: Error = Error::WrongStatus("there is nothing about it to change: approve or reject it");

fn waits(request: &Request) -> Result<(), Error> {
    match request.status {
        RequestStatus::AwaitingApproval => Ok(()),
        _ => Err(Error::WrongStatus("the request does not wait for approval any more")),
    }
}

fn invalid(pointer: &str, detail: &str) -> Error {
    Error::Invalid(vec![FieldError::new(pointer, detail)])
}

fn checked_reason(reason: &str) -> Result<&str, Error> {
    let reason = reason.trim();
    match reason {
        "" => Err(invalid("/reason", "say why, so that the requester can agree")),
        _ if reason.contains('\0') => Err(invalid("/reason", NUL_REFUSED)),
        _ if reason.chars().count() > 2000 => Err(invalid("/reason", "must be at most 2,000 characters long")),
        _ => Ok(reason),
    }
}

/// All inputs as they would be. Whether they are right is found out when it is tried.
async fn changed_inputs(tx: &mut Tx, request: &Request, changes: &Changes<'_>) -> Result<Map<String, Value>, Error> {
    match request.operation {
        Operation::Create | Operation::Update => {}
        Operation::Extend if changes.inputs.is_empty() => return Ok(request.inputs.clone()),
        Operation::Extend => return Err(invalid("/inputs", "an extension has no inputs")),
        _ => return Err(UNCHANGEABLE),
    }
    let version = catalog::get_version(tx, request.version_id).await?;
    let (_, secrets) = schema::split_secrets(&version.inputs_schema, changes.inputs);
    if let Some(name) = secrets.keys().next() {
        let detail = "is secret: only who made the request can change it";
        return Err(invalid(&format!("/inputs/{name}"), detail));
    }
    let mut inputs = request.inputs.clone();
    for (name, value) in changes.inputs {
        inputs.insert(name.clone(), value.clone());
    }
    inputs.retain(|_, value| !value.is_null());
    Ok(schema::split_secrets(&version.inputs_schema, &schema::complete(&version.inputs_schema, inputs)).0)
}

fn changed_lifetime(request: &Request, wanted: Option<SignedDuration>) -> Result<Option<SignedDuration>, Error> {
    match (request.operation, wanted) {
        (Operation::Create | Operation::Extend, Some(wanted)) => Ok(Some(wanted)),
        (_, None) => Ok(request.lifetime),
        (_, Some(_)) => Err(invalid("/lifetime", "only what is created or extended has a lifetime to change")),
    }
}

fn entry(request: &Request, suggestion: &Suggestion, action: &'static str, more: Value) -> Entry {
    let mut detail = json!({
        "suggestion": suggestion.id,
        "reviewer": suggestion.reviewer_name,
        "for": suggestion.absent.as_ref().map(|(_, name)| name),
        "inputs": suggestion.inputs,
        "lifetime_seconds": suggestion.lifetime.map(|lifetime| lifetime.as_secs()),
        "reason": suggestion.reason,
    });
    if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), more) {
        detail.extend(more);
    }
    let entry = Entry::new(action, Object::new("suggestion", suggestion.id.0, request.label()))
        .project(request.project)
        .request(request.id)
        .decision(request.decision_id)
        .outcome(Ended::Succeeded)
        .detail(detail);
    match request.environment {
        Some(environment) => entry.environment(environment),
        None => entry,
    }
}
