//! Quotas: listing, adding, changing and removing them.

use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Admins, Caller};
use super::error::Problem;
use super::extract::{Body, Id, if_match};
use super::page::List;
use crate::base::id::QuotaId;
use crate::policy::{Permit, Resource, ability};
use crate::projects::{self, ListedQuota, NewQuota, QuotaScope, QuotaTerms, WhenFull};

type Tagged<T> = ([(HeaderName, String); 1], Json<T>);

/// A quota, wherever it holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformQuota)]
pub struct QuotaView {
    id: String,
    /// What it is for.
    scope: QuotaScope,
    /// Which: a slug, a login, `payments dev`. Null: the organisation, or each team or user.
    of: Option<String>,
    /// Whether it is one for each team or user that has none of its own.
    for_each: bool,
    /// What is counted.
    dimension: String,
    limit: i64,
    /// Whether what stopped environments take counts.
    count_stopped: bool,
    /// What becomes of requests that find it full.
    when_full: WhenFull,
    /// How many requests wait in line for it.
    waiting: i64,
    /// Counts its changes; the same as the `ETag`.
    generation: i64,
    /// Taken by environments that are there, those that are stopped apart; where it is one for each, by
    /// `fullest`.
    used: i64,
    /// Taken by requests that wait or run.
    reserved: i64,
    /// What stopped environments take.
    stopped: i64,
    /// Who has taken the most, where it is one for each.
    fullest: Option<String>,
}

impl From<ListedQuota> for QuotaView {
    fn from(one: ListedQuota) -> Self {
        let quota = one.quota;
        let text = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            id: quota.id.to_string(),
            scope: quota.scope,
            of: text(quota.of),
            for_each: one.for_each,
            dimension: quota.dimension,
            limit: quota.maximum,
            count_stopped: quota.count_stopped,
            when_full: quota.when_full,
            waiting: quota.waiting,
            generation: one.generation,
            used: quota.used,
            reserved: quota.reserved,
            stopped: quota.stopped,
            fullest: text(one.fullest).filter(|_| one.for_each),
        }
    }
}

fn tagged(one: ListedQuota) -> Tagged<QuotaView> {
    ([(header::ETAG, format!("\"{}\"", one.generation))], Json(one.into()))
}

/// The permit to change quotas; a refusal is written down.
async fn manage(
    caller: &Caller<Admins>,
    action: &'static str,
    quota: &str,
) -> Result<Permit<ability::ManageQuotas>, Problem> {
    match caller.permit_platform(Resource::platform()) {
        Ok(permit) => Ok(permit),
        Err(refused) => {
            caller.app.record_refused_quota(&caller.op, action, quota).await?;
            Err(refused)
        }
    }
}

/// Every quota with what is taken of it.
#[utoipa::path(get, path = "/quotas", tag = "quotas", security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = List<QuotaView>)))]
pub async fn list_quotas(caller: Caller<Admins>) -> Result<Json<List<QuotaView>>, Problem> {
    let permit: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let quotas = projects::quotas(&mut *caller.app.db.acquire().await?, &permit).await?;
    Ok(List::whole(quotas.into_iter().map(Into::into).collect()))
}

/// One quota.
#[utoipa::path(get, path = "/quotas/{id}", tag = "quotas", params(("id" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = QuotaView)))]
pub async fn get_quota(caller: Caller<Admins>, Id(id): Id<QuotaId>) -> Result<Tagged<QuotaView>, Problem> {
    let permit: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    Ok(tagged(projects::quota(&mut *caller.app.db.acquire().await?, &permit, id).await?))
}

/// A quota to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewQuota)]
pub struct QuotaDraft {
    /// What it is for.
    scope: QuotaScope,
    /// Which: a slug, a login, `payments/dev` for an environment type of a project. Left out: the
    /// organisation, or each team or user that has no quota of its own.
    #[serde(default)]
    of: String,
    /// `environments`, or what templates declare under `quotas`.
    dimension: String,
    limit: i64,
    /// Whether what stopped environments take counts.
    #[serde(default = "yes")]
    count_stopped: bool,
    /// What becomes of requests that find it full; left out, they are denied.
    #[serde(default)]
    when_full: WhenFull,
}

fn yes() -> bool {
    true
}

/// Adds a quota. What is there already counts in it from the beginning.
#[utoipa::path(post, path = "/quotas", tag = "quotas", request_body = QuotaDraft,
    security(("token" = ["admin"]), ("session" = [])),
    responses((status = 201, body = QuotaView), (status = 409, description = "There is a quota for this already")))]
pub async fn add_quota(
    caller: Caller<Admins>,
    Body(draft): Body<QuotaDraft>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Tagged<QuotaView>), Problem> {
    let permit = manage(&caller, "quota.added", &draft.dimension).await?;
    let QuotaDraft { scope, of, dimension, limit, count_stopped, when_full } = draft;
    let terms = QuotaTerms { maximum: limit, count_stopped, when_full };
    let new = NewQuota { scope, of, dimension, terms };
    let made = caller.app.add_quota(&caller.op, &permit, &new).await?;
    let location = [(header::LOCATION, format!("/api/v1/quotas/{}", made.quota.id))];
    Ok((StatusCode::CREATED, location, tagged(made)))
}

/// A change of a quota; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QuotaChangeDraft)]
pub struct ChangeDraft {
    limit: Option<i64>,
    /// Whether what stopped environments take counts.
    count_stopped: Option<bool>,
    /// What becomes of requests that find it full. Who waits in line keeps their place.
    when_full: Option<WhenFull>,
}

/// Changes a quota. A lower limit touches nothing that is there.
#[utoipa::path(patch, path = "/quotas/{id}", tag = "quotas", request_body = ChangeDraft,
    params(("id" = String, Path),
           ("If-Match" = Option<String>, Header, description = "The ETag of the quota: 412 when it has changed")),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = QuotaView)))]
pub async fn change_quota(
    caller: Caller<Admins>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Body(draft): Body<ChangeDraft>,
) -> Result<Tagged<QuotaView>, Problem> {
    let permit = manage(&caller, "quota.changed", &name).await?;
    let generation = if_match(&headers)?;
    let read: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let id: QuotaId = name.parse().map_err(|_| projects::Error::NoQuota)?;
    let before = projects::quota(&mut *caller.app.db.acquire().await?, &read, id).await?;
    let terms = QuotaTerms {
        maximum: draft.limit.unwrap_or(before.quota.maximum),
        count_stopped: draft.count_stopped.unwrap_or(before.quota.count_stopped),
        when_full: draft.when_full.unwrap_or(before.quota.when_full),
    };
    // What was left out is as it was looked at here.
    let generation = generation.or(Some(before.generation));
    Ok(tagged(caller.app.change_quota(&caller.op, &permit, (id, generation), terms).await?))
}

/// Removes a quota. What is there stays.
#[utoipa::path(delete, path = "/quotas/{id}", tag = "quotas", params(("id" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 204, description = "It is removed")))]
pub async fn remove_quota(caller: Caller<Admins>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    let permit = manage(&caller, "quota.removed", &name).await?;
    let id: QuotaId = name.parse().map_err(|_| projects::Error::NoQuota)?;
    caller.app.remove_quota(&caller.op, &permit, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
