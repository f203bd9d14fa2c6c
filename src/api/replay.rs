//! Replay: which stored decisions a version of the policies would make otherwise.

use std::time::Duration;

use axum::Json;
use axum::extract::Path;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Admins, Caller};
use super::decisions::RuleView;
use super::error::Problem;
use super::extract::Query;
use crate::app::requests_of_decisions;
use crate::base::cursor::Cursor;
use crate::base::id::{DecisionId, RequestId};
use crate::policy::replay::{Flip, FlipKind};
use crate::policy::{Action, Decision, Outcome, Permit, Resource, ability};

/// How long one answer looks.
const BUDGET: Duration = Duration::from_millis(1500);

/// Which decisions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReplayQuery {
    /// Decisions made after this moment; 90 days ago when it is left out.
    since: Option<Timestamp>,
    /// Where the last answer ended: its `next_cursor`.
    cursor: Option<String>,
}

/// A part of a replay. An answer takes a bounded time; the sums are those of this part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PolicyReplay)]
pub struct ReplayView {
    /// How many stored decisions were made again.
    decisions: u64,
    /// How many of them could not be: what was asked, or the rules in force, do not fit this Paddock.
    not_replayable: u64,
    /// Those that come out otherwise, the oldest first.
    flips: Vec<FlipView>,
    /// SHA-256 of the set in force that they are compared with.
    in_force_digest: String,
    /// SHA-256 of this version's set.
    digest: String,
    /// Give it back as `cursor` to go on; null: that was all.
    next_cursor: Option<String>,
}

/// A decision that comes out otherwise.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PolicyFlip)]
pub struct FlipView {
    flip: FlipKind,
    decision_id: String,
    /// The request that it was made for.
    request_id: Option<String>,
    at: Timestamp,
    project: Option<String>,
    /// Who asked.
    person: String,
    action: Action,
    /// What was asked, in words.
    asked: String,
    /// What the rules in force say.
    before: SideView,
    /// What this version says.
    after: SideView,
}

/// What a set of rules says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PolicySide)]
pub struct SideView {
    outcome: Outcome,
    sentence: String,
    rules: Vec<RuleView>,
}

impl From<&Decision> for SideView {
    fn from(decision: &Decision) -> Self {
        Self {
            outcome: decision.outcome,
            sentence: decision.sentence.clone(),
            rules: decision.rules.iter().map(Into::into).collect(),
        }
    }
}

/// Makes stored decisions again by this version and by what is in force, and lists those that flip.
/// Changes nothing. It tells of everybody's decisions: who calls may read the whole audit log.
#[utoipa::path(get, path = "/policies/{number}/replay", tag = "policies", params(("number" = i32, Path), ReplayQuery),
    security(("token" = ["admin", "audit"]), ("session" = [])),
    responses((status = 200, body = ReplayView), (status = 422, description = "The text is not valid")))]
pub async fn replay_policies(
    caller: Caller<Admins>,
    Path(number): Path<i32>,
    Query(query): Query<ReplayQuery>,
) -> Result<Json<ReplayView>, Problem> {
    let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let permit: Permit<ability::ReadAudit> = caller.permit_platform(Resource::audit_log(None))?;
    let since = query.since.or_else(|| caller.op.now().checked_sub(SignedDuration::from_hours(90 * 24)).ok());
    let from = match query.cursor {
        Some(text) => Cursor::decode(&text).map_err(|error| Problem::malformed("/cursor", error.to_string()))?,
        None => Cursor { at: since.unwrap_or(Timestamp::UNIX_EPOCH), id: uuid::Uuid::nil() },
    };
    let (_, replay) = caller.app.replay_of(&permit, number).await?;
    let mut connection = caller.app.db.acquire().await?;
    let part = replay.part(&mut connection, from, BUDGET).await?;
    let ids: Vec<DecisionId> = part.flips.iter().map(|flip| flip.id).collect();
    let requests = requests_of_decisions(&mut connection, &ids).await?;
    let (before, after) = replay.digests();
    Ok(Json(ReplayView {
        decisions: part.seen,
        not_replayable: part.lost,
        flips: part.flips.into_iter().map(|flip| view(&flip, requests.get(&flip.id).copied())).collect(),
        in_force_digest: before.to_string(),
        digest: after.to_string(),
        next_cursor: part.next.map(|next| next.encode()),
    }))
}

fn view(flip: &Flip, request: Option<RequestId>) -> FlipView {
    FlipView {
        flip: flip.kind,
        decision_id: flip.id.to_string(),
        request_id: request.map(|id| id.to_string()),
        at: flip.at,
        project: flip.question.resource.project.clone(),
        person: flip.question.principal.login.clone(),
        action: flip.question.action,
        asked: flip.question.asked(),
        before: (&flip.before).into(),
        after: (&flip.after).into(),
    }
}
