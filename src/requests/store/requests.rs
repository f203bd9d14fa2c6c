//! Rows of `request`.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::Digest;
use crate::base::cursor::{Cursor, MAX_PAGE};
use crate::base::id::{
    DecisionId, DelegationId, EnvironmentId, PersonId, ProjectEnvironmentTypeId, ProjectId, RequestId, RunId,
    TemplateId, TemplateVersionId,
};
use crate::db::{Error, Result};
use crate::environments::Operation;
use crate::policy::{Group, Role};
use crate::requests::{Caller, Filter, Request, RequestStatus, Resolved, StandIn};

/// A request to be inserted.
pub struct NewRequest<'a> {
    pub id: RequestId,
    pub caller: Caller<'a>,
    pub resolved: &'a Resolved,
    pub status: RequestStatus,
    pub environment: Option<EnvironmentId>,
    pub decision: DecisionId,
    pub secrets: Option<&'a [u8]>,
    pub key: Option<&'a str>,
    pub body: Digest,
    pub lapses_in: Option<Duration>,
}

pub async fn insert(connection: &mut PgConnection, new: &NewRequest<'_>) -> Result<()> {
    let resolved = new.resolved;
    sqlx::query!(
        "INSERT INTO request (id, operation, status, requester_id, requester_label, project_id,
             project_environment_type_id, template_id, template_version_id, environment_id, environment_name,
             decision_id, inputs, secret_inputs, digest, lifetime_seconds, reason, idempotency_key, body_digest,
             lapses_at, action, action_title, decided_at, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
             now() + make_interval(secs => $20), $21, $22,
             CASE WHEN $3 NOT IN ('awaiting_approval', 'awaiting_quota') THEN now() END, CASE WHEN $3 = 'denied' THEN now() END)",
        new.id.0,
        resolved.operation as Operation,
        new.status as RequestStatus,
        new.caller.person().map(|id| id.0),
        new.caller.label(),
        resolved.project.id.0,
        resolved.place.id.0,
        resolved.template.id.0,
        resolved.version.id.0,
        new.environment.map(|id| id.0),
        resolved.name,
        new.decision.0,
        Value::Object(resolved.inputs.clone()),
        new.secrets,
        &resolved.digest().0,
        resolved.lifetime.map(|lifetime| lifetime.as_secs()),
        resolved.reason,
        new.key,
        &new.body.0,
        new.lapses_in.map(|time| time.as_secs_f64()),
        resolved.asked_action().map(|action| action.name.as_str()),
        resolved.asked_action().map(|action| action.title.as_str()),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The request that this person made with this key, and the digest of its draft. Others with the
/// same person and key wait here until this transaction ends.
pub async fn with_key(
    connection: &mut PgConnection,
    person: PersonId,
    key: &str,
) -> Result<Option<(RequestId, Digest)>> {
    let lock = format!("{person}/{key}");
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", lock).execute(&mut *connection).await?;
    let row = sqlx::query!(
        r#"SELECT id AS "id: RequestId", body_digest FROM request WHERE requester_id = $1 AND idempotency_key = $2"#,
        person.0,
        key
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok((row.id, digest(row.body_digest.unwrap_or_default())?))).transpose()
}

fn digest(bytes: Vec<u8>) -> Result<Digest> {
    bytes.try_into().map(Digest).map_err(|_| Error::Corrupt("digest"))
}

struct Row {
    id: RequestId,
    operation: Operation,
    action: Option<String>,
    action_title: Option<String>,
    status: RequestStatus,
    position: Option<i64>,
    requester_id: Option<PersonId>,
    requester_label: String,
    project_id: ProjectId,
    project_slug: String,
    place_id: ProjectEnvironmentTypeId,
    environment_type: String,
    template_id: TemplateId,
    template_slug: String,
    template_name: String,
    version_id: TemplateVersionId,
    version: String,
    environment_id: Option<EnvironmentId>,
    environment_name: String,
    decision_id: DecisionId,
    inputs: Value,
    lifetime_seconds: Option<i64>,
    reason: String,
    digest: Vec<u8>,
    plan_run_id: Option<RunId>,
    approval_digest: Option<Vec<u8>>,
    asked: Vec<String>,
    stand_ins: Json<Vec<StandInRow>>,
    lapses_at: Option<jiff_sqlx::Timestamp>,
    waiting_since: Option<jiff_sqlx::Timestamp>,
    reminded_at: Option<jiff_sqlx::Timestamp>,
    created_at: jiff_sqlx::Timestamp,
    decided_at: Option<jiff_sqlx::Timestamp>,
    finished_at: Option<jiff_sqlx::Timestamp>,
    run_id: Option<RunId>,
}

/// A [`StandIn`] as it comes.
#[derive(Deserialize)]
struct StandInRow {
    delegation: Uuid,
    absent: Uuid,
    absent_name: String,
    deputy: Uuid,
    deputy_name: String,
    role: Option<Role>,
    team: Option<String>,
}

impl TryFrom<StandInRow> for StandIn {
    type Error = Error;

    fn try_from(row: StandInRow) -> Result<Self> {
        Ok(Self {
            delegation: DelegationId(row.delegation),
            absent: PersonId(row.absent),
            absent_name: row.absent_name,
            deputy: PersonId(row.deputy),
            deputy_name: row.deputy_name,
            group: Group::of(row.role, row.team).ok_or(Error::Corrupt("requirement"))?,
        })
    }
}

impl TryFrom<Row> for Request {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let Value::Object(inputs) = row.inputs else { return Err(Error::Corrupt("request input")) };
        Ok(Self {
            id: row.id,
            operation: row.operation,
            action: row.action,
            action_title: row.action_title,
            status: row.status,
            position: row.position,
            requester: row.requester_id,
            requester_label: row.requester_label,
            project: row.project_id,
            project_slug: row.project_slug,
            place: row.place_id,
            environment_type: row.environment_type,
            template: row.template_id,
            template_slug: row.template_slug,
            template_name: row.template_name,
            version_id: row.version_id,
            version: row.version,
            environment: row.environment_id,
            environment_name: row.environment_name,
            decision_id: row.decision_id,
            inputs,
            lifetime: row.lifetime_seconds.map(SignedDuration::from_secs),
            reason: row.reason,
            digest: digest(row.digest)?,
            plan_run: row.plan_run_id,
            approval_digest: row.approval_digest.map(digest).transpose()?,
            asked: row.asked.iter().filter_map(|group| group.parse().ok()).collect(),
            stand_ins: row.stand_ins.0.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
            lapses_at: row.lapses_at.map(jiff_sqlx::Timestamp::to_jiff),
            waiting_since: row.waiting_since.map(jiff_sqlx::Timestamp::to_jiff),
            reminded_at: row.reminded_at.map(jiff_sqlx::Timestamp::to_jiff),
            created_at: row.created_at.to_jiff(),
            decided_at: row.decided_at.map(jiff_sqlx::Timestamp::to_jiff),
            finished_at: row.finished_at.map(jiff_sqlx::Timestamp::to_jiff),
            run: row.run_id,
        })
    }
}

/// Rows with the names of what they belong to.
///
/// One by its key and many by theirs are two statements on purpose: Postgres keeps a plan for each,
/// and planning seven tables anew costs more than reading them.
macro_rules! named {
    ($tail:tt, $ids:expr) => {
        sqlx::query_as!(
            Row,
            r#"SELECT r.id AS "id: _", r.operation AS "operation: _", r.action, r.action_title, r.status AS "status: _",
               CASE WHEN r.status = 'awaiting_quota' THEN (
                   SELECT 1 + count(DISTINCT o.request_id) FROM quota_line_stand s JOIN quota_line_stand o
                     ON o.quota_id = s.quota_id AND o.subject = s.subject AND o.place < s.place
                   WHERE s.request_id = r.id) END AS position,
               r.requester_id AS "requester_id: _", r.requester_label,
               p.id AS "project_id: _", p.slug AS project_slug, w.id AS "place_id: _", et.slug AS environment_type,
               t.id AS "template_id: _", t.slug AS template_slug, t.name AS template_name,
               v.id AS "version_id: _", v.version, r.environment_id AS "environment_id: _", r.environment_name,
               r.decision_id AS "decision_id: _", r.inputs, r.lifetime_seconds, r.reason, r.digest,
               r.plan_run_id AS "plan_run_id: _", r.approval_digest,
               ARRAY(SELECT DISTINCT coalesce(g.role, 'team:' || g.team) FROM approval_group g
                     WHERE g.request_id = r.id) AS "asked!: Vec<String>",
               (SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('delegation', s.delegation_id,
                        'absent', s.person_id, 'absent_name', absent.display_name, 'deputy', s.delegate_id,
                        'deputy_name', deputy.display_name, 'role', s.role, 'team', s.team)), '[]')
                FROM stand_in s JOIN person absent ON absent.id = s.person_id JOIN person deputy ON deputy.id = s.delegate_id
                WHERE s.request_id = r.id) AS "stand_ins!: Json<Vec<StandInRow>>", r.lapses_at,
               CASE WHEN r.status = 'awaiting_approval' THEN (
                   SELECT min(coalesce(a.awaited_since, r.created_at)) FROM approval_requirement a
                   WHERE a.request_id = r.id AND a.awaited) END AS waiting_since, r.reminded_at, r.created_at, r.decided_at, r.finished_at,
               (SELECT id FROM run WHERE request_id = r.id AND kind NOT LIKE 'plan.%'
                ORDER BY created_at DESC, id DESC LIMIT 1) AS "run_id: _"
           FROM request r
           JOIN project p ON p.id = r.project_id
           JOIN project_environment_type w ON w.id = r.project_environment_type_id
           JOIN environment_type et ON et.id = w.environment_type_id
           JOIN template t ON t.id = r.template_id
           JOIN template_version v ON v.id = r.template_version_id "#
                + $tail,
            $ids
        )
    };
}

pub async fn find(connection: &mut PgConnection, id: RequestId) -> Result<Option<Request>> {
    let row = named!("WHERE r.id = $1", id.0).fetch_optional(connection).await?;
    row.map(TryInto::try_into).transpose()
}

/// Those with these ids, newest first.
async fn load(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Request>> {
    let rows = named!("WHERE r.id = ANY ($1) ORDER BY r.created_at DESC, r.id DESC", ids);
    let rows = rows.fetch_all(connection).await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The row, locked until the transaction ends.
pub async fn lock(connection: &mut PgConnection, id: RequestId) -> Result<Option<Request>> {
    sqlx::query!("SELECT id FROM request WHERE id = $1 FOR UPDATE", id.0).fetch_optional(&mut *connection).await?;
    find(connection, id).await
}

pub async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Request>> {
    let projects: Option<Vec<Uuid>> = filter.projects.as_ref().map(|ids| ids.iter().map(|id| id.0).collect());
    let mine = filter.to_review.as_ref();
    let (partly, places): (Vec<Uuid>, Vec<Uuid>) = filter.parts.iter().map(|(one, part)| (one.0, part.0)).unzip();
    let held = mine.map(|mine| mine.roles.as_slice()).unwrap_or_default();
    let (there, types): (Vec<_>, Vec<_>) = held.iter().map(|one| (one.0.map(|id| id.0), one.1.map(|id| id.0))).unzip();
    let roles: Vec<String> = held.iter().map(|(_, _, role)| role.to_string()).collect();
    let (pressing, after_seconds) = filter.pressing.map(|(pressing, after)| (pressing, after.as_secs_f64())).unzip();
    let ids = sqlx::query_scalar!(
        "SELECT id FROM request r
         WHERE ($1::uuid[] IS NULL OR requester_id = $2
                OR (project_id = ANY ($1) AND (project_id <> ALL ($15) OR project_environment_type_id = ANY ($16))))
           AND ($3::uuid IS NULL OR requester_id = $3) AND ($4::text IS NULL OR status = $4)
           AND ($5::uuid IS NULL OR environment_id = $5) AND ($10::timestamptz IS NULL OR (created_at, id) < ($10, $11))
           AND ($6::uuid IS NULL OR (status = 'awaiting_approval' AND requester_id IS DISTINCT FROM $6
               AND (r.plan_run_id IS NULL OR r.approval_digest IS NOT NULL)
               AND NOT EXISTS (SELECT FROM review v LEFT JOIN delegation_now d ON d.id = v.delegation_id
                               WHERE v.request_id = r.id AND (v.reviewer_id = $6 OR d.person_id = $6)
                               AND v.request_digest = coalesce(r.approval_digest, r.digest))
               AND EXISTS (
                   SELECT FROM approval_requirement a JOIN approval_group g ON g.requirement_id = a.id
                   WHERE a.request_id = r.id AND a.awaited
                     AND (g.team = ANY ($14) OR EXISTS (
                         SELECT FROM unnest($7::uuid[], $8::uuid[], $9::text[]) AS held (project_id, place_id, role)
                         WHERE held.role = g.role AND role_counts(held.project_id, held.place_id, r.project_id,
                                                                  r.project_environment_type_id)) OR EXISTS (
                         SELECT FROM stand_in s
                         WHERE s.requirement_id = a.id AND s.delegate_id = $6 AND NOT EXISTS (
                             SELECT FROM review v LEFT JOIN delegation_now d ON d.id = v.delegation_id
                             WHERE v.request_id = r.id AND v.verdict = 'approved'
                               AND v.request_digest = coalesce(r.approval_digest, r.digest)
                               AND s.person_id IN (d.person_id, v.reviewer_id)))))))
           AND ($17::bool IS NULL OR $17 = EXISTS (
                   SELECT FROM approval_requirement a, coalesce(a.awaited_since, r.created_at) AS since
                   WHERE a.request_id = r.id AND a.awaited AND (since <= now() - make_interval(secs => $18) OR r.reminded_at >= since)))
           AND ($13::text IS NULL OR strpos(lower(environment_name), lower($13)) > 0)
         ORDER BY created_at DESC, id DESC LIMIT $12",
        projects.as_deref(),
        filter.or_requester.map(|id| id.0),
        filter.requester.map(|id| id.0),
        filter.status as Option<RequestStatus>,
        filter.environment.map(|id| id.0),
        mine.map(|mine| mine.person.0),
        &there as &[Option<Uuid>],
        &types as &[Option<Uuid>],
        &roles,
        after.map(|cursor| cursor.at.to_sqlx()) as Option<jiff_sqlx::Timestamp>,
        after.map(|cursor| cursor.id),
        limit.clamp(1, MAX_PAGE) + 1,
        filter.query,
        mine.map(|mine| mine.teams.as_slice()),
        &partly,
        &places,
        pressing,
        after_seconds,
    )
    .fetch_all(&mut *connection)
    .await?;
    load(connection, &ids).await
}

/// Requests of an environment that wait, in line or for approval, locked.
pub async fn waiting_for(connection: &mut PgConnection, environment: EnvironmentId) -> Result<Vec<Request>> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM request WHERE environment_id = $1 AND status IN ('awaiting_quota', 'awaiting_approval') FOR UPDATE",
        environment.0
    )
    .fetch_all(&mut *connection)
    .await?;
    load(connection, &ids).await
}

/// Requests whose turn did not come, or that nobody approved, in time, by the database's clock, locked.
pub async fn lock_lapsed(connection: &mut PgConnection, limit: i64) -> Result<Vec<Request>> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM request WHERE status IN ('awaiting_quota', 'awaiting_approval') AND lapses_at <= now()
         ORDER BY lapses_at LIMIT $1 FOR UPDATE SKIP LOCKED",
        limit
    )
    .fetch_all(&mut *connection)
    .await?;
    load(connection, &ids).await
}

/// Moves a request on. False: it is not in `from` any more.
pub async fn move_to(
    connection: &mut PgConnection,
    id: RequestId,
    from: RequestStatus,
    to: RequestStatus,
) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE request SET status = $3,
             decided_at = CASE WHEN $2 = 'awaiting_approval' OR $2 = 'awaiting_quota' AND $3 <> 'awaiting_approval'
                               THEN now() ELSE decided_at END,
             finished_at = CASE WHEN $3 IN ('denied', 'rejected', 'withdrawn', 'lapsed', 'succeeded', 'failed', 'canceled')
                                THEN now() END
         WHERE id = $1 AND status = $2",
        id.0,
        from as RequestStatus,
        to as RequestStatus
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// The requester asks for an answer. False: it does not wait for an approval, or they asked within this time.
pub async fn remind(connection: &mut PgConnection, id: RequestId, every: Duration) -> Result<bool> {
    let reminded = sqlx::query!(
        "UPDATE request SET reminded_at = now()
         WHERE id = $1 AND status = 'awaiting_approval'
           AND (reminded_at IS NULL OR reminded_at <= now() - make_interval(secs => $2))",
        id.0,
        every.as_secs_f64()
    );
    Ok(reminded.execute(connection).await?.rows_affected() == 1)
}

/// What time it is, by the database's clock.
pub async fn now(connection: &mut PgConnection) -> Result<Timestamp> {
    let now = sqlx::query_scalar!(r#"SELECT now() AS "now!: jiff_sqlx::Timestamp""#).fetch_one(connection).await?;
    Ok(now.to_jiff())
}

pub async fn secret_inputs(connection: &mut PgConnection, id: RequestId) -> Result<Option<Vec<u8>>> {
    Ok(sqlx::query_scalar!("SELECT secret_inputs FROM request WHERE id = $1", id.0).fetch_one(connection).await?)
}

/// The decision that counts from now on.
pub async fn set_decision(connection: &mut PgConnection, id: RequestId, decision: DecisionId) -> Result<()> {
    sqlx::query!("UPDATE request SET decision_id = $2 WHERE id = $1", id.0, decision.0).execute(connection).await?;
    Ok(())
}

/// The requests that have these decisions.
pub async fn of_decisions(
    connection: &mut PgConnection,
    decisions: &[DecisionId],
) -> Result<BTreeMap<DecisionId, RequestId>> {
    let ids: Vec<Uuid> = decisions.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT decision_id AS "decision: DecisionId", id AS "request: RequestId" FROM request
           WHERE decision_id = ANY ($1)"#,
        &ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.decision, row.request)).collect())
}

/// The decision that counts for a request.
pub async fn decision_of(connection: &mut PgConnection, id: RequestId) -> Result<Option<DecisionId>> {
    let found = sqlx::query_scalar!(r#"SELECT decision_id AS "id: DecisionId" FROM request WHERE id = $1"#, id.0);
    Ok(found.fetch_optional(connection).await?)
}
