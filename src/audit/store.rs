//! All SQL of the audit log.

use std::collections::BTreeMap;

use jiff_sqlx::ToSqlx;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{AuditRecord, Entry, Filter, Outcome};
use crate::base::cursor::{Cursor, MAX_PAGE};
use crate::base::id::{
    AuditRecordId, CatalogSourceId, DecisionId, EnvironmentId, OperationId, PersonId, ProjectId, RequestId, RunId,
    SessionId, TargetId, TeamId, TemplateId, TemplateVersionId, TokenId,
};
use crate::base::{Actor, Op};
use crate::db::Result;

struct Row {
    id: AuditRecordId,
    at: jiff_sqlx::Timestamp,
    operation_id: OperationId,
    actor_kind: String,
    actor_id: Option<PersonId>,
    actor_label: String,
    token_id: Option<TokenId>,
    action: String,
    object_kind: String,
    object_id: Option<Uuid>,
    object_label: String,
    project_id: Option<ProjectId>,
    environment_id: Option<EnvironmentId>,
    request_id: Option<RequestId>,
    run_id: Option<RunId>,
    decision_id: Option<DecisionId>,
    outcome: Outcome,
    channel: String,
    address: Option<String>,
    detail: Value,
}

impl From<Row> for AuditRecord {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: row.at.to_jiff(),
            operation_id: row.operation_id,
            object: row.object_id.map(|id| prefixed(&row.object_kind, id)),
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            actor: row.actor_label,
            token_id: row.token_id,
            action: row.action,
            object_kind: row.object_kind,
            object_label: row.object_label,
            project_id: row.project_id,
            environment_id: row.environment_id,
            request_id: row.request_id,
            run_id: row.run_id,
            decision_id: row.decision_id,
            outcome: row.outcome,
            channel: row.channel,
            address: row.address,
            detail: row.detail,
        }
    }
}

/// The outside form of an object's id.
fn prefixed(kind: &str, id: Uuid) -> String {
    match kind {
        "environment" => EnvironmentId(id).to_string(),
        "request" => RequestId(id).to_string(),
        "run" => RunId(id).to_string(),
        "template" => TemplateId(id).to_string(),
        "template_version" => TemplateVersionId(id).to_string(),
        "catalog_source" => CatalogSourceId(id).to_string(),
        "person" => PersonId(id).to_string(),
        "team" => TeamId(id).to_string(),
        "project" => ProjectId(id).to_string(),
        "session" => SessionId(id).to_string(),
        "token" => TokenId(id).to_string(),
        "target" => TargetId(id).to_string(),
        "decision" => DecisionId(id).to_string(),
        _ => id.simple().to_string(),
    }
}

/// A record that is on its way, of this operation.
pub(super) struct New<'a> {
    pub id: AuditRecordId,
    pub op: &'a Op,
    pub entry: Entry,
}

fn token(op: &Op) -> Option<Uuid> {
    match &op.actor {
        Actor::Person { token, .. } => token.map(|id| id.0),
        Actor::System { .. } | Actor::Operator | Actor::Anonymous => None,
    }
}

pub(super) async fn insert(connection: &mut PgConnection, records: &[New<'_>]) -> Result<()> {
    let (actions, objects, outcomes, details) = (
        column(records, |new| new.entry.action.to_owned()),
        column(records, |new| new.entry.object.kind.to_owned()),
        column(records, |new| outcome_name(new.entry.outcome).to_owned()),
        column(records, |new| new.entry.detail.clone()),
    );
    sqlx::query!(
        "INSERT INTO audit_record (id, operation_id, actor_kind, actor_id, actor_label, token_id, action,
             object_kind, object_id, object_label, project_id, environment_id, request_id, run_id, decision_id,
             outcome, channel, address, detail)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::uuid[], $7::text[],
             $8::text[], $9::uuid[], $10::text[], $11::uuid[], $12::uuid[], $13::uuid[], $14::uuid[], $15::uuid[],
             $16::text[], $17::text[], $18::text[], $19::jsonb[])",
        &column(records, |new| new.id.0),
        &column(records, |new| new.op.id.0),
        &column(records, |new| new.op.actor.kind().to_owned()),
        &column(records, |new| new.op.actor.person().map(|id| id.0)) as &[Option<Uuid>],
        &column(records, |new| new.op.actor.to_string()),
        &column(records, |new| token(new.op)) as &[Option<Uuid>],
        &actions,
        &objects,
        &column(records, |new| new.entry.object.id) as &[Option<Uuid>],
        &column(records, |new| new.entry.object.label.clone()),
        &column(records, |new| new.entry.project.map(|id| id.0)) as &[Option<Uuid>],
        &column(records, |new| new.entry.environment.map(|id| id.0)) as &[Option<Uuid>],
        &column(records, |new| new.entry.request.map(|id| id.0)) as &[Option<Uuid>],
        &column(records, |new| new.entry.run.map(|id| id.0)) as &[Option<Uuid>],
        &column(records, |new| new.entry.decision.map(|id| id.0)) as &[Option<Uuid>],
        &outcomes,
        &column(records, |new| new.op.origin.channel.to_owned()),
        &column(records, |new| new.op.origin.address.clone()) as &[Option<String>],
        &details,
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn column<T>(records: &[New<'_>], part: impl Fn(&New<'_>) -> T) -> Vec<T> {
    records.iter().map(part).collect()
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Denied => "denied",
        Outcome::Failed => "failed",
    }
}

/// Records newest first: the only place that reads them whole.
async fn load(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<AuditRecord>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: _", at, operation_id AS "operation_id: _", actor_kind, actor_id AS "actor_id: _",
               actor_label, token_id AS "token_id: _", action, object_kind, object_id, object_label,
               project_id AS "project_id: _", environment_id AS "environment_id: _", request_id AS "request_id: _",
               run_id AS "run_id: _", decision_id AS "decision_id: _", outcome AS "outcome: _", channel, address,
               detail
           FROM audit_record WHERE id = ANY ($1)
           ORDER BY at DESC, id DESC"#,
        ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) async fn find(connection: &mut PgConnection, id: AuditRecordId) -> Result<Option<AuditRecord>> {
    Ok(load(connection, &[id.0]).await?.pop())
}

pub(super) async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<AuditRecord>> {
    let prefix = filter.action.as_deref().and_then(|action| action.strip_suffix('*'));
    let exact = filter.action.as_deref().filter(|action| !action.ends_with('*'));
    let projects: Option<Vec<Uuid>> = filter.projects.as_ref().map(|ids| ids.iter().map(|id| id.0).collect());
    let ids = sqlx::query_scalar!(
        "SELECT id FROM audit_record
         WHERE ($1::text IS NULL OR actor_label = $1)
           AND ($2::text IS NULL OR action = $2)
           AND ($3::text IS NULL OR starts_with(action, $3))
           AND ($4::uuid IS NULL OR object_id = $4 OR environment_id = $4 OR request_id = $4 OR run_id = $4)
           AND ($5::text IS NULL OR outcome = $5)
           AND ($6::uuid IS NULL OR operation_id = $6)
           AND ($7::timestamptz IS NULL OR at >= $7)
           AND ($8::timestamptz IS NULL OR at < $8)
           AND ($9::uuid[] IS NULL OR project_id = ANY ($9))
           AND ($10::timestamptz IS NULL OR (at, id) < ($10, $11))
         ORDER BY at DESC, id DESC
         LIMIT $12",
        filter.actor,
        exact,
        prefix,
        filter.object,
        filter.outcome as Option<Outcome>,
        filter.operation.map(|id| id.0),
        filter.from.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
        filter.to.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
        projects.as_deref(),
        after.map(|cursor| cursor.at.to_sqlx()) as Option<jiff_sqlx::Timestamp>,
        after.map(|cursor| cursor.id),
        limit.clamp(1, MAX_PAGE) + 1,
    )
    .fetch_all(&mut *connection)
    .await?;
    load(connection, &ids).await
}

/// The requests that these decisions were recorded with.
pub async fn requests_of_decisions(
    connection: &mut PgConnection,
    decisions: &[DecisionId],
) -> Result<BTreeMap<DecisionId, RequestId>> {
    let ids: Vec<Uuid> = decisions.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT DISTINCT decision_id AS "decision: DecisionId", request_id AS "request: RequestId" FROM audit_record
           WHERE decision_id = ANY ($1) AND request_id IS NOT NULL"#,
        &ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter_map(|row| row.decision.zip(row.request)).collect())
}
