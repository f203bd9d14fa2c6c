//! Replay: which stored decisions a version of the policies would make otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::Path;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Admins, Caller};
use super::decisions::RuleView;
use super::error::Problem;
use super::extract::Query;
use crate::app::requests_of_decisions;
use crate::base::cursor::Cursor;
use crate::base::id::{DecisionId, RequestId};
use crate::cost;
use crate::policy::replay::{Flip, FlipKind};
use crate::policy::replay_sums::{ByKind, FlipSum, FlipSums};
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
    /// How many flip and what they cost, by project; null is the platform.
    by_project: Vec<FlipSumView>,
    /// The same by the teams of whoever asked, so that somebody of two counts in both; null is no team.
    by_team: Vec<FlipSumView>,
    /// The currency of all amounts, ISO 4217: that of the price book.
    currency: String,
    /// SHA-256 of the set in force that they are compared with.
    in_force_digest: String,
    /// SHA-256 of this version's set.
    digest: String,
    /// Give it back as `cursor` to go on; null: that was all.
    next_cursor: Option<String>,
}

/// What flips in one way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PolicyFlipSum)]
pub struct FlipSumView {
    /// The slug of the project or the team.
    slug: Option<String>,
    flip: FlipKind,
    /// How many decisions.
    flips: u64,
    /// How many of them had no price when they were made: nothing of them is in the sum.
    without_price: u64,
    /// What the others asked for costs in a month while it runs, as far as it had a price.
    #[schema(value_type = String, example = "12.30")]
    cost_per_month: Decimal,
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
    /// What it costs in a month while it runs, as it was told then; null: nothing of it had a price, or it changes no
    /// cost.
    #[schema(value_type = Option<String>, example = "12.30")]
    cost_per_month: Option<Decimal>,
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
    let currency = cost::currency(&mut connection).await?;
    let mut sums = FlipSums::default();
    part.flips.iter().for_each(|flip| sums.add(flip));
    let (before, after) = replay.digests();
    Ok(Json(ReplayView {
        decisions: part.seen,
        not_replayable: part.lost,
        flips: part.flips.into_iter().map(|flip| view(&flip, requests.get(&flip.id).copied())).collect(),
        by_project: summed(&sums.projects),
        by_team: summed(&sums.teams),
        currency,
        in_force_digest: before.to_string(),
        digest: after.to_string(),
        next_cursor: part.next.map(|next| next.encode()),
    }))
}

fn summed(sums: &BTreeMap<String, ByKind>) -> Vec<FlipSumView> {
    let kinds = sums.iter().flat_map(|(slug, kinds)| kinds.iter().zip(FlipKind::ALL).map(move |one| (slug, one)));
    let some = kinds.filter(|(_, (sum, _))| sum.flips > 0);
    let view = |(slug, (sum, flip)): (&String, (&FlipSum, FlipKind))| FlipSumView {
        slug: Some(slug.clone()).filter(|slug| !slug.is_empty()),
        flip,
        flips: sum.flips,
        without_price: sum.without_price,
        cost_per_month: sum.cost(),
    };
    some.map(view).collect()
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
        cost_per_month: flip.cost_per_month(),
        before: (&flip.before).into(),
        after: (&flip.after).into(),
    }
}
