//! Requirements and reviews.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::id::{DelegationId, PersonId, RequestId, RequirementId, ReviewId};
use crate::base::{Digest, Op};
use crate::db::{Error, Result};
use crate::policy::{Escalation, Group, Requirement, Role};
use crate::requests::seats::{self, Seats};
use crate::requests::{ProgressedRequirement, Review, ReviewVerdict, Rung};

/// A review to be inserted.
pub struct NewReview<'a> {
    pub id: ReviewId,
    pub request: RequestId,
    pub reviewer: PersonId,
    /// By which delegation; none: in the reviewer's own name.
    pub delegation: Option<DelegationId>,
    pub verdict: ReviewVerdict,
    pub reason: &'a str,
    pub digest: Digest,
}

/// More who must agree.
pub async fn insert_requirements(
    connection: &mut PgConnection,
    op: &Op,
    request: RequestId,
    requirements: &[Requirement],
) -> Result<()> {
    for requirement in requirements {
        let id = RequirementId::new(op.clock(), op.entropy());
        insert_requirement(connection, id, request, requirement).await?;
    }
    let all = self::requirements(connection, request).await?;
    keep_awaited(connection, request, &all).await
}

async fn insert_requirement(
    connection: &mut PgConnection,
    id: RequirementId,
    request: RequestId,
    requirement: &Requirement,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO approval_requirement (id, request_id, rule_id, who, role, team, count, step)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.0,
        request.0,
        requirement.rule_id,
        requirement.who,
        requirement.by.role() as Option<Role>,
        requirement.by.team(),
        i32::try_from(requirement.count).unwrap_or(i32::MAX),
        i32::try_from(requirement.step).unwrap_or(i32::MAX)
    )
    .execute(&mut *connection)
    .await?;
    for (rung, escalation) in (1_i16..).zip(&requirement.escalation) {
        sqlx::query!(
            "INSERT INTO approval_escalation (requirement_id, rung, after_seconds, role, team)
             VALUES ($1, $2, $3, $4, $5)",
            id.0,
            rung,
            escalation.after_seconds,
            escalation.to.role() as Option<Role>,
            escalation.to.team()
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

struct RequirementRow {
    request_id: RequestId,
    id: RequirementId,
    rule_id: String,
    who: String,
    role: Option<Role>,
    team: Option<String>,
    count: i32,
    step: i32,
    escalation: Value,
    approved_by: Vec<Uuid>,
}

/// A rung as it comes, with its requirement.
#[derive(Deserialize)]
struct RungRow {
    #[serde(flatten)]
    rule: Escalation,
    due: Option<Timestamp>,
    since: Option<Timestamp>,
}

/// Requirements with their progress, by step. An approval can count for a requirement when it was given for
/// what waits now, and the reviewer holds the role, on the platform, in the project or in its environment type, by
/// themselves or through a team, or is in the team that is asked, or stands in now for somebody of whom that is so; it
/// counts for one, and so does all that is said in the place of one person ([`seats`]).
pub async fn requirements_of(
    connection: &mut PgConnection,
    requests: &[RequestId],
) -> Result<BTreeMap<RequestId, Vec<ProgressedRequirement>>> {
    let requests: Vec<Uuid> = requests.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        RequirementRow,
        r#"SELECT a.request_id AS "request_id: _", a.id AS "id: _", a.rule_id, a.who, a.role AS "role: _", a.team, a.count,
               a.step,
               (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('after_seconds', e.after_seconds,
                        'role', e.role, 'team', e.team, 'due', e.due_at, 'since', e.since)) ORDER BY e.rung), '[]')
                FROM approval_escalation e WHERE e.requirement_id = a.id) AS "escalation!",
               (SELECT coalesce(array_agg(coalesce(d.person_id, v.reviewer_id) ORDER BY v.created_at, v.id), '{}')
                FROM review v LEFT JOIN delegation d ON d.id = v.delegation_id
                WHERE v.request_id = a.request_id AND v.verdict = 'approved'
                  AND v.request_digest = coalesce(r.approval_digest, r.digest)
                  AND v.reviewer_id IS DISTINCT FROM r.requester_id
                  AND CASE WHEN v.delegation_id IS NOT NULL THEN EXISTS (
                      SELECT FROM stand_in s WHERE s.requirement_id = a.id AND s.delegation_id = v.delegation_id
                        AND s.delegate_id = v.reviewer_id)
                  ELSE EXISTS (
                      SELECT FROM approval_group g WHERE g.requirement_id = a.id AND (
                          EXISTS (
                              SELECT FROM role_now b
                              WHERE b.role = g.role AND role_counts(b.project_id, b.project_environment_type_id,
                                                                    r.project_id, r.project_environment_type_id)
                                AND (b.person_id = v.reviewer_id OR b.team_id IN (
                                    SELECT m.team_id FROM team_member m WHERE m.person_id = v.reviewer_id)))
                          OR EXISTS (
                              SELECT FROM team_member m JOIN team t ON t.id = m.team_id
                              WHERE t.slug = g.team AND m.person_id = v.reviewer_id))) END) AS "approved_by!"
           FROM approval_requirement a JOIN request r ON r.id = a.request_id
           WHERE a.request_id = ANY ($1) ORDER BY a.step, a.rule_id"#,
        &requests
    )
    .fetch_all(connection)
    .await?;
    let mut found: BTreeMap<RequestId, Vec<RequirementRow>> = BTreeMap::new();
    for row in rows {
        found.entry(row.request_id).or_default().push(row);
    }
    found.into_iter().map(|(request, rows)| Ok((request, progressed(rows)?))).collect()
}

fn progressed(rows: Vec<RequirementRow>) -> Result<Vec<ProgressedRequirement>> {
    let wanted: Vec<Seats> = rows
        .iter()
        .map(|row| Seats {
            count: usize::try_from(row.count).unwrap_or(0),
            people: row.approved_by.iter().copied().map(PersonId).collect(),
        })
        .collect();
    let filled = seats::fill(&wanted);
    let progressed = |(row, people): (RequirementRow, Vec<PersonId>)| {
        let RequirementRow { request_id: _, id, rule_id, who, role, team, count, step, escalation, approved_by: _ } =
            row;
        let approvals = i64::try_from(people.len()).unwrap_or(i64::MAX);
        let by = Group::of(role, team).ok_or(Error::Corrupt("requirement"))?;
        let rungs: Vec<RungRow> = serde_json::from_value(escalation).map_err(|_| Error::Corrupt("escalation"))?;
        let escalation = rungs.into_iter().map(|RungRow { rule, due, since }| Rung { rule, due, since }).collect();
        Ok(ProgressedRequirement { id, rule_id, who, by, escalation, count, step, approvals })
    };
    rows.into_iter().zip(filled).map(progressed).collect()
}

/// Keeps which requirements wait now, and since when: their people find the request in their list, and their ladders
/// begin.
pub async fn keep_awaited(
    connection: &mut PgConnection,
    request: RequestId,
    all: &[ProgressedRequirement],
) -> Result<()> {
    let awaited: Vec<Uuid> = ProgressedRequirement::awaited(all).map(|one| one.id.0).collect();
    sqlx::query!(
        "UPDATE approval_requirement
         SET awaited = id = ANY ($2), awaited_since = CASE WHEN id = ANY ($2) THEN now() END
         WHERE request_id = $1
           AND (awaited IS DISTINCT FROM (id = ANY ($2)) OR (id = ANY ($2)) = (awaited_since IS NULL))",
        request.0,
        &awaited
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "UPDATE approval_escalation e
         SET due_at = CASE WHEN a.awaited THEN coalesce(e.due_at, now() + make_interval(secs => e.after_seconds)) END
         FROM approval_requirement a
         WHERE a.id = e.requirement_id AND a.request_id = $1 AND e.since IS NULL AND a.awaited = (e.due_at IS NULL)",
        request.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Nobody else is asked any more.
pub async fn end_ladders(connection: &mut PgConnection, request: RequestId) -> Result<()> {
    sqlx::query!(
        "UPDATE approval_escalation e SET due_at = NULL FROM approval_requirement a
         WHERE a.id = e.requirement_id AND a.request_id = $1 AND e.due_at IS NOT NULL",
        request.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Requests of which a requirement has waited so long that others are asked as well, by the database's clock, locked.
pub async fn lock_escalating(connection: &mut PgConnection, limit: i64) -> Result<Vec<RequestId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT r.id AS "id: _" FROM request r
           WHERE r.status = 'awaiting_approval' AND r.id IN (
               SELECT a.request_id FROM approval_escalation e JOIN approval_requirement a ON a.id = e.requirement_id
               WHERE e.due_at <= now() ORDER BY e.due_at LIMIT $1)
           FOR UPDATE SKIP LOCKED"#,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// From now on, those whose time has come count as well. Returns who they are.
pub async fn escalate(connection: &mut PgConnection, request: RequestId) -> Result<Vec<Group>> {
    let rows = sqlx::query!(
        r#"UPDATE approval_escalation e SET since = now(), due_at = NULL FROM approval_requirement a
           WHERE a.id = e.requirement_id AND a.request_id = $1 AND e.due_at <= now()
           RETURNING e.role AS "role: Role", e.team"#,
        request.0
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| Group::of(row.role, row.team).ok_or(Error::Corrupt("escalation"))).collect()
}

/// The requirements of one request.
pub async fn requirements(connection: &mut PgConnection, request: RequestId) -> Result<Vec<ProgressedRequirement>> {
    Ok(requirements_of(connection, &[request]).await?.remove(&request).unwrap_or_default())
}

pub async fn insert(connection: &mut PgConnection, review: &NewReview<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO review (id, request_id, reviewer_id, verdict, reason, request_digest, delegation_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        review.id.0,
        review.request.0,
        review.reviewer.0,
        review.verdict as ReviewVerdict,
        review.reason,
        &review.digest.0,
        review.delegation.map(|id| id.0)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes the requirements of a request away, to be replaced, but that of this rule.
pub async fn forget_requirements(connection: &mut PgConnection, request: RequestId, but: &str) -> Result<()> {
    sqlx::query!("DELETE FROM approval_requirement WHERE request_id = $1 AND rule_id <> $2", request.0, but)
        .execute(connection)
        .await?;
    Ok(())
}

struct ReviewRow {
    request_id: RequestId,
    id: ReviewId,
    reviewer_id: PersonId,
    display_name: String,
    absent_id: Option<PersonId>,
    absent_name: Option<String>,
    holds: bool,
    verdict: ReviewVerdict,
    reason: String,
    created_at: jiff_sqlx::Timestamp,
    counts: bool,
}

pub async fn list_of(
    connection: &mut PgConnection,
    requests: &[RequestId],
) -> Result<BTreeMap<RequestId, Vec<Review>>> {
    let requests: Vec<Uuid> = requests.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        ReviewRow,
        r#"SELECT v.request_id AS "request_id: _", v.id AS "id: _", v.reviewer_id AS "reviewer_id: _", p.display_name,
               absent.id AS "absent_id?: _", absent.display_name AS "absent_name?",
               v.delegation_id IS NULL OR EXISTS (SELECT FROM delegation_now n WHERE n.id = v.delegation_id) AS "holds!",
               v.verdict AS "verdict: _", v.reason, v.created_at,
               v.request_digest = coalesce(r.approval_digest, r.digest) AS "counts!"
           FROM review v JOIN person p ON p.id = v.reviewer_id JOIN request r ON r.id = v.request_id
           LEFT JOIN delegation d ON d.id = v.delegation_id LEFT JOIN person absent ON absent.id = d.person_id
           WHERE v.request_id = ANY ($1) ORDER BY v.created_at, v.id"#,
        &requests
    )
    .fetch_all(connection)
    .await?;
    let mut found: BTreeMap<RequestId, Vec<Review>> = BTreeMap::new();
    for row in rows {
        found.entry(row.request_id).or_default().push(Review {
            id: row.id,
            reviewer: row.reviewer_id,
            reviewer_name: row.display_name,
            absent: row.absent_id.zip(row.absent_name),
            holds: row.holds,
            verdict: row.verdict,
            reason: row.reason,
            at: row.created_at.to_jiff(),
            counts: row.counts,
        });
    }
    Ok(found)
}
