//! The audit log, for those who may read it: all of it, or that of single projects.

use axum::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::caller::{Audits, Caller};
use super::error::Problem;
use super::extract::{Id, Query};
use super::page::{List, Paging};
use crate::audit::{self, AuditRecord, Filter, Outcome};
use crate::base::id::{AuditRecordId, EnvironmentId, OperationId, ProjectId};
use crate::policy::{Resource, ability};
use crate::projects;

/// An audit record.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditRecord)]
pub struct AuditView {
    id: String,
    /// When, by the database's clock.
    at: Timestamp,
    /// The actor's name at that time.
    actor: String,
    /// `person`, `system`, `operator` or `anonymous`.
    actor_kind: String,
    actor_id: Option<String>,
    /// The API token that was used.
    token_id: Option<String>,
    /// What was done: `request.submitted`.
    action: String,
    /// The id of what it was done to.
    object: Option<String>,
    object_kind: String,
    /// Its name at that time.
    object_label: String,
    outcome: Outcome,
    /// Ties records of one piece of work together.
    operation_id: String,
    project_id: Option<String>,
    environment_id: Option<String>,
    request_id: Option<String>,
    run_id: Option<String>,
    decision_id: Option<String>,
    /// `web`, `api`, `cli`, `worker` or `reconciler`.
    channel: String,
    /// The peer's address.
    address: Option<String>,
    #[schema(value_type = Object)]
    detail: Value,
}

/// Which records.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// The actor's name: a login, `operator`, `paddock worker`.
    actor: Option<String>,
    /// The action; `request.*` for all of a kind.
    action: Option<String>,
    /// The id of anything; of an environment, a request or a run with all that belongs to it.
    object: Option<String>,
    /// The same for an environment.
    #[param(value_type = Option<String>)]
    environment: Option<EnvironmentId>,
    outcome: Option<Outcome>,
    /// One operation.
    #[param(value_type = Option<String>)]
    operation_id: Option<OperationId>,
    /// Only of this project, by its slug.
    project: Option<String>,
    /// Not before.
    from: Option<Timestamp>,
    /// Before.
    to: Option<Timestamp>,
    /// At most this many, 1 to 100.
    limit: Option<i64>,
    /// From the page before.
    cursor: Option<String>,
}

/// Audit records, newest first.
#[utoipa::path(get, path = "/audit", tag = "audit", params(AuditQuery),
    security(("token" = ["audit"]), ("session" = [])), responses((status = 200, body = List<AuditView>)))]
pub async fn list_audit(
    caller: Caller<Audits>,
    Query(query): Query<AuditQuery>,
) -> Result<Json<List<AuditView>>, Problem> {
    let paging = Paging::read(query.limit, query.cursor.as_deref())?;
    let mut only = readable_projects(&caller).await?;
    let mut connection = caller.app.db.acquire().await?;
    if let Some(slug) = &query.project {
        let project = projects::find(&mut connection, slug).await?;
        let project = project.ok_or_else(|| Problem::malformed("/project", format!("there is no project “{slug}”")))?;
        caller.permit_project::<ability::ReadAudit>(&project)?;
        only = Some(vec![project.id]);
    }
    let object = query.object.as_deref().map(any_id).transpose()?;
    if let (Some(_), Some(_)) = (object, query.environment) {
        return Err(Problem::malformed("/environment", "use either `object` or `environment`"));
    }
    let filter = Filter {
        actor: query.actor,
        action: query.action,
        object: object.or(query.environment.map(|id| id.0)),
        outcome: query.outcome,
        operation: query.operation_id,
        from: query.from,
        to: query.to,
        projects: only,
    };
    let page = audit::list(&mut connection, &filter, paging.after, paging.limit).await?;
    Ok(Json(page.map(AuditView::from).into()))
}

/// One audit record.
#[utoipa::path(get, path = "/audit/{id}", tag = "audit", params(("id" = String, Path)),
    security(("token" = ["audit"]), ("session" = [])), responses((status = 200, body = AuditView)))]
pub async fn get_audit_record(caller: Caller<Audits>, Id(id): Id<AuditRecordId>) -> Result<Json<AuditView>, Problem> {
    let only = readable_projects(&caller).await?;
    let found = audit::get(&mut *caller.app.db.acquire().await?, id).await?;
    let record = found.ok_or_else(|| Problem::not_found("audit record"))?;
    let readable = only.is_none_or(|ids| record.project_id.is_some_and(|project| ids.contains(&project)));
    if !readable {
        caller.permit_platform::<ability::ReadAudit>(Resource::audit_log(None))?;
    }
    Ok(Json(record.into()))
}

/// The projects whose log the caller may read; `None` is everything, and nothing at all is refused.
async fn readable_projects(caller: &Caller<Audits>) -> Result<Option<Vec<ProjectId>>, Problem> {
    let mut connection = caller.app.db.acquire().await?;
    Ok(caller.app.readable_audit(&mut connection, &caller.op, caller.access()).await??.projects())
}

/// The id of anything, by its text form.
fn any_id(text: &str) -> Result<Uuid, Problem> {
    let hex = text.split_once('_').map(|(_, hex)| hex).filter(|hex| hex.len() == 32);
    let id = hex.and_then(|hex| Uuid::try_parse(hex).ok());
    id.ok_or_else(|| Problem::malformed("/object", format!("must be an id such as env_0193c3f2…, not “{text}”")))
}

impl From<AuditRecord> for AuditView {
    fn from(record: AuditRecord) -> Self {
        Self {
            id: record.id.to_string(),
            at: record.at,
            actor: record.actor,
            actor_kind: record.actor_kind,
            actor_id: record.actor_id.map(|id| id.to_string()),
            token_id: record.token_id.map(|id| id.to_string()),
            action: record.action,
            object: record.object,
            object_kind: record.object_kind,
            object_label: record.object_label,
            outcome: record.outcome,
            operation_id: record.operation_id.to_string(),
            project_id: record.project_id.map(|id| id.to_string()),
            environment_id: record.environment_id.map(|id| id.to_string()),
            request_id: record.request_id.map(|id| id.to_string()),
            run_id: record.run_id.map(|id| id.to_string()),
            decision_id: record.decision_id.map(|id| id.to_string()),
            channel: record.channel,
            address: record.address,
            detail: record.detail,
        }
    }
}
