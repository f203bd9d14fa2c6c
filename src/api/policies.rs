//! Policies: their versions, checking a text, and a version's way into force.

use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Admins, Caller};
use super::error::Problem;
use super::extract::{Body, NoBody, if_match};
use super::page::List;
use crate::app::policy_version_resource;
use crate::policy::versions::{self, PolicyVersion, RuleDifference, VersionOrigin, VersionState, VersionText};
use crate::policy::{Effect, Permit, Resource, ability};

type Tagged<T> = ([(HeaderName, String); 1], Json<T>);

/// A version of the policies.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PolicyVersion)]
pub struct VersionView {
    id: String,
    number: i32,
    state: VersionState,
    origin: VersionOrigin,
    /// SHA-256 of schema and text, when it was last written.
    digest: String,
    /// What it is for.
    note: String,
    /// Who began it.
    author: String,
    /// Everybody who wrote in it or proposed it: nobody of them publishes it.
    editors: Vec<String>,
    /// The number of the version that it was made from.
    based_on: Option<i32>,
    /// Counts its changes; the same as the `ETag`.
    generation: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    proposed_at: Option<Timestamp>,
    proposed_by: Option<String>,
    published_at: Option<Timestamp>,
    /// Null: Paddock itself, or nobody yet.
    published_by: Option<String>,
    /// The text in Cedar; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// The rules that differ from what is in force; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<ChangeView>>,
}

/// What becomes of a rule.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyDifference)]
pub enum DifferenceView {
    Added,
    Removed,
    Changed,
}

/// A rule that differs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PolicyChange)]
pub struct ChangeView {
    id: String,
    difference: DifferenceView,
    effect: Effect,
    reason: String,
    /// What changed, in words.
    words: Vec<String>,
}

fn changes(before: &str, after: &str) -> Vec<ChangeView> {
    let view = |change: versions::RuleChange| {
        let (difference, words) = match change.difference {
            RuleDifference::Added => (DifferenceView::Added, Vec::new()),
            RuleDifference::Removed => (DifferenceView::Removed, Vec::new()),
            RuleDifference::Changed(words) => (DifferenceView::Changed, words),
        };
        ChangeView { id: change.id, difference, effect: change.effect, reason: change.reason, words }
    };
    versions::compare(before, after).into_iter().map(view).collect()
}

impl From<PolicyVersion> for VersionView {
    fn from(version: PolicyVersion) -> Self {
        let (proposed_at, proposed_by) = version.proposed.unzip();
        let (published_at, published_by) = version.published.unzip();
        Self {
            id: version.id.to_string(),
            number: version.number,
            state: version.state,
            origin: version.origin,
            digest: version.digest.to_string(),
            note: version.note,
            author: version.author,
            editors: version.editors.into_iter().map(|(_, label)| label).collect(),
            based_on: version.based_on,
            generation: version.generation,
            created_at: version.created_at,
            updated_at: version.updated_at,
            proposed_at,
            proposed_by,
            published_at,
            published_by: published_by.flatten(),
            source: None,
            changes: None,
        }
    }
}

async fn view(caller: &Caller<Admins>, version: PolicyVersion) -> Result<Tagged<VersionView>, Problem> {
    let text = versions::text_of(&mut *caller.app.db.acquire().await?, version.id).await?;
    let tag = [(header::ETAG, format!("\"{}\"", version.generation))];
    let changes = changes(&caller.app.policy.source(), &text.source);
    Ok((tag, Json(VersionView { source: Some(text.source), changes: Some(changes), ..version.into() })))
}

/// The permit to write policies; a refusal is written down.
async fn write(
    caller: &Caller<Admins>,
    action: &'static str,
    version: impl std::fmt::Display,
) -> Result<Permit<ability::ManagePolicies>, Problem> {
    match caller.permit_platform(Resource::platform()) {
        Ok(permit) => Ok(permit),
        Err(refused) => {
            caller.app.record_refused_policies(&caller.op, action, &format!("version {version}")).await?;
            Err(refused)
        }
    }
}

/// The newest versions of the policies, the newest first.
#[utoipa::path(get, path = "/policies", tag = "policies", security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = List<VersionView>)))]
pub async fn list_policies(caller: Caller<Admins>) -> Result<Json<List<VersionView>>, Problem> {
    let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let all = versions::list(&mut *caller.app.db.acquire().await?).await?;
    Ok(List::whole(all.into_iter().map(Into::into).collect()))
}

/// One version, with its text and what it changes.
#[utoipa::path(get, path = "/policies/{number}", tag = "policies", params(("number" = i32, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = VersionView)))]
pub async fn get_policies(caller: Caller<Admins>, Path(number): Path<i32>) -> Result<Tagged<VersionView>, Problem> {
    let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let version = caller.app.policy_version(number).await?;
    view(&caller, version).await
}

/// The text of a draft.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyDraft)]
pub struct DraftText {
    /// All rules, in Cedar.
    source: String,
    /// What it is for.
    #[serde(default)]
    note: String,
}

/// Begins a draft. Nothing changes for anybody until it is published.
#[utoipa::path(post, path = "/policies", tag = "policies", request_body = DraftText,
    security(("token" = ["admin"]), ("session" = [])),
    responses((status = 201, body = VersionView), (status = 409, description = "The rules come from a folder")))]
pub async fn draft_policies(
    caller: Caller<Admins>,
    Body(draft): Body<DraftText>,
) -> Result<(StatusCode, Tagged<VersionView>), Problem> {
    let permit = write(&caller, "policy_version.drafted", "new").await?;
    let written = Some((draft.source.as_str(), draft.note.as_str()));
    let version = caller.app.draft_policies(&caller.op, &permit, None, written).await?;
    Ok((StatusCode::CREATED, view(&caller, version).await?))
}

/// Gives a draft another text; it need not be valid yet.
#[utoipa::path(put, path = "/policies/{number}", tag = "policies", request_body = DraftText,
    params(("number" = i32, Path), ("If-Match" = Option<String>, Header, description = "The ETag of the version: 412 when it has changed")),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = VersionView)))]
pub async fn write_policies(
    caller: Caller<Admins>,
    Path(number): Path<i32>,
    headers: HeaderMap,
    Body(draft): Body<DraftText>,
) -> Result<Tagged<VersionView>, Problem> {
    let permit = write(&caller, "policy_version.written", number).await?;
    let text = (draft.source.as_str(), draft.note.as_str());
    let version = caller.app.write_policies(&caller.op, &permit, number, if_match(&headers)?, text).await?;
    view(&caller, version).await
}

/// A text to be checked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyText)]
pub struct CheckText {
    /// All rules, in Cedar.
    source: String,
}

/// Something that is wrong with a text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PolicyProblem)]
pub struct ProblemView {
    /// From 1; null: it is about the whole.
    line: Option<usize>,
    /// From 1, in characters.
    column: Option<usize>,
    rule: Option<String>,
    message: String,
    hint: Option<String>,
}

/// What a check found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PolicyCheck)]
pub struct CheckedView {
    valid: bool,
    problems: Vec<ProblemView>,
    /// The rules that differ from what is in force.
    changes: Vec<ChangeView>,
    /// The text as Cedar's formatter lays it out; null when it cannot be read.
    formatted: Option<String>,
}

/// Checks a text, stores nothing.
#[utoipa::path(post, path = "/policies/check", tag = "policies", request_body = CheckText,
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = CheckedView)))]
pub async fn check_policies(caller: Caller<Admins>, Body(text): Body<CheckText>) -> Result<Json<CheckedView>, Problem> {
    let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let text = VersionText { source: text.source, schema: None };
    let problems = caller.app.check_policies(text.clone()).await?;
    Ok(Json(CheckedView {
        valid: problems.is_empty(),
        problems: problems
            .into_iter()
            .map(|problem| ProblemView {
                line: problem.place.map(|(line, _)| line),
                column: problem.place.map(|(_, column)| column),
                rule: problem.rule,
                message: problem.message,
                hint: problem.hint,
            })
            .collect(),
        changes: changes(&caller.app.policy.source(), &text.source),
        formatted: versions::formatted(&text.source).ok(),
    }))
}

/// Asks another admin to publish a draft, which must be valid.
#[utoipa::path(post, path = "/policies/{number}/propose", tag = "policies", params(("number" = i32, Path)),
    security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = VersionView), (status = 422, description = "The text is not valid")))]
pub async fn propose_policies(
    caller: Caller<Admins>,
    Path(number): Path<i32>,
    headers: HeaderMap,
    _: NoBody,
) -> Result<Tagged<VersionView>, Problem> {
    let permit = write(&caller, "policy_version.proposed", number).await?;
    let version = caller.app.propose_policies(&caller.op, &permit, number, if_match(&headers)?).await?;
    view(&caller, version).await
}

/// Makes a draft of a proposed version again.
#[utoipa::path(post, path = "/policies/{number}/take-back", tag = "policies", params(("number" = i32, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = VersionView)))]
pub async fn take_back_policies(
    caller: Caller<Admins>,
    Path(number): Path<i32>,
    headers: HeaderMap,
    _: NoBody,
) -> Result<Tagged<VersionView>, Problem> {
    let permit = write(&caller, "policy_version.taken_back", number).await?;
    let version = caller.app.take_back_policies(&caller.op, &permit, number, if_match(&headers)?).await?;
    view(&caller, version).await
}

/// Gives a draft or a proposed version up.
#[utoipa::path(post, path = "/policies/{number}/discard", tag = "policies", params(("number" = i32, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = VersionView)))]
pub async fn discard_policies(
    caller: Caller<Admins>,
    Path(number): Path<i32>,
    headers: HeaderMap,
    _: NoBody,
) -> Result<Tagged<VersionView>, Problem> {
    let permit = write(&caller, "policy_version.discarded", number).await?;
    let version = caller.app.discard_policies(&caller.op, &permit, number, if_match(&headers)?).await?;
    view(&caller, version).await
}

/// What was in force when somebody looked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyPublication)]
pub struct Publication {
    /// The number of the version that it shall replace: 412 when another one is in force by now.
    in_force: i32,
}

/// Puts a proposed version in force, in every process. Nobody publishes what they wrote themselves.
#[utoipa::path(post, path = "/policies/{number}/publish", tag = "policies", request_body = Publication,
    params(("number" = i32, Path), ("If-Match" = Option<String>, Header, description = "The ETag of the version: 412 when it has changed")),
    security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = VersionView), (status = 403, description = "You wrote in it")))]
pub async fn publish_policies(
    caller: Caller<Admins>,
    Path(number): Path<i32>,
    headers: HeaderMap,
    Body(seen): Body<Publication>,
) -> Result<Tagged<VersionView>, Problem> {
    // Who may not look does not learn which versions there are.
    let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let version = caller.app.policy_version(number).await?;
    let permit: Result<Permit<ability::PublishPolicies>, Problem> =
        caller.permit_platform(policy_version_resource(&version));
    let permit = match permit {
        Ok(permit) => permit,
        Err(refused) => {
            let label = format!("version {number}");
            caller.app.record_refused_policies(&caller.op, "policy_version.published", &label).await?;
            return Err(refused);
        }
    };
    let seen = (if_match(&headers)?, Some(seen.in_force));
    let version = caller.app.publish_policies(&caller.op, &permit, number, seen).await?;
    view(&caller, version).await
}
