//! Requests: drafts, verdicts, submit, approval.
//!
//! Invariants. A verdict and the decision of a submit are made by the same code from the same
//! draft, so they cannot differ. Submit is one transaction: request, decision, quota, audit record,
//! environment and run, or nothing (I4). The same idempotency key with the same body gives the same
//! request, with another body an error (I8). A review binds to the digest of what was asked for;
//! nobody reviews their own (I6), also not in the place of somebody else. Where an approval is needed, the plan is made first, by a run that
//! writes nothing; a review binds to inputs, template version, plan, policy and approvers, and the
//! guard of the run refuses anything else: the request asks again. What was asked for is carried out
//! once, when it is approved. Changes that a reviewer suggests are a new request of the requester's, decided anew, once
//! they agree.

mod again;
mod approvers;
mod budget;
mod caller;
mod carry_out;
mod cost;
mod delegations;
mod draft;
mod error;
mod guard;
mod line;
mod model;
mod objections;
mod plan;
mod quota;
mod reconcile;
mod reminder;
mod resolve;
mod review;
mod saved;
mod seats;
mod service;
mod sink;
mod stand_in;
mod store;
mod submit;
mod suggestions;
mod trial;
mod verdict;

use crate::db::SealedColumn;
pub use approvers::people_of;
pub use budget::{BUDGET_RULE, budget_of};
pub use caller::Caller;
pub use cost::Cost;
pub use delegations::{Delegation, NewDelegation};
pub use draft::{Draft, Intent};
pub use error::Error;
pub use model::{
    Filter, Mine, PlanProgress, ProgressedRequirement, Request, RequestDetail, RequestPlan, RequestStatus, Review,
    ReviewVerdict, Rung, Submitted,
};
pub use quota::{QuotaChange, Shortage};
pub use reminder::REMINDED_EVERY;
pub use resolve::Resolved;
pub use saved::{NewSavedDraft, SavedDraft, discard_draft, drafts_of, find_draft, save_draft};
pub use service::{Requests, Settings};
pub use sink::Sink;
pub use stand_in::StandIn;
pub use store::requests::{decision_of, of_decisions};
pub use submit::QUOTA_RULE;
pub use suggestions::{Changes, Suggestion, SuggestionState};
pub use trial::{Trial, trial_question};
pub use verdict::{Approver, OfferedException, Verdict};

/// Where secrets of requests are that may be written again.
pub const SEALED: &[SealedColumn] = &[SealedColumn::new("request", "secret_inputs")];
/// Where such are that stay as they are.
pub const SEALED_FOR_GOOD: &[SealedColumn] = &[SealedColumn::new("request_plan", "plan")];
