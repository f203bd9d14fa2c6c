//! Requirements and reviews.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::id::{PersonId, RequestId, RequirementId, ReviewId};
use crate::base::{Digest, Op};
use crate::db::Result;
use crate::policy::{Requirement, Role};
use crate::requests::seats::{self, Seats};
use crate::requests::{ProgressedRequirement, Review, ReviewVerdict};

/// A review to be inserted.
pub struct NewReview<'a> {
    pub id: ReviewId,
    pub request: RequestId,
    pub reviewer: PersonId,
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
        "INSERT INTO approval_requirement (id, request_id, rule_id, who, role, count, step)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        id.0,
        request.0,
        requirement.rule_id,
        requirement.who,
        requirement.role as Role,
        i32::try_from(requirement.count).unwrap_or(i32::MAX),
        i32::try_from(requirement.step).unwrap_or(i32::MAX)
    )
    .execute(connection)
    .await?;
    Ok(())
}

struct RequirementRow {
    request_id: RequestId,
    id: RequirementId,
    rule_id: String,
    who: String,
    role: Role,
    count: i32,
    step: i32,
    approved_by: Vec<Uuid>,
}

/// Requirements with their progress, by step. An approval can count for a requirement when it was given for
/// what waits now, and the reviewer holds the role, on the platform or in the project, by themselves or
/// through a team; it counts for one ([`seats`]).
pub async fn requirements_of(
    connection: &mut PgConnection,
    requests: &[RequestId],
) -> Result<BTreeMap<RequestId, Vec<ProgressedRequirement>>> {
    let requests: Vec<Uuid> = requests.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        RequirementRow,
        r#"SELECT a.request_id AS "request_id: _", a.id AS "id: _", a.rule_id, a.who, a.role AS "role: _", a.count,
               a.step,
               (SELECT coalesce(array_agg(v.reviewer_id ORDER BY v.created_at, v.id), '{}') FROM review v
                WHERE v.request_id = a.request_id AND v.verdict = 'approved'
                  AND v.request_digest = coalesce(r.approval_digest, r.digest)
                  AND v.reviewer_id IS DISTINCT FROM r.requester_id
                  AND EXISTS (
                      SELECT FROM role_binding b
                      WHERE b.role = a.role AND (b.project_id IS NULL OR b.project_id = r.project_id)
                        AND (b.person_id = v.reviewer_id OR b.team_id IN (
                            SELECT m.team_id FROM team_member m WHERE m.person_id = v.reviewer_id)))) AS "approved_by!"
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
    Ok(found.into_iter().map(|(request, rows)| (request, progressed(rows))).collect())
}

fn progressed(rows: Vec<RequirementRow>) -> Vec<ProgressedRequirement> {
    let wanted: Vec<Seats> = rows
        .iter()
        .map(|row| Seats {
            count: usize::try_from(row.count).unwrap_or(0),
            people: row.approved_by.iter().copied().map(PersonId).collect(),
        })
        .collect();
    let filled = seats::fill(&wanted);
    let progressed = |(row, people): (RequirementRow, Vec<PersonId>)| {
        let RequirementRow { request_id: _, id, rule_id, who, role, count, step, approved_by: _ } = row;
        let approvals = i64::try_from(people.len()).unwrap_or(i64::MAX);
        ProgressedRequirement { id, rule_id, who, role, count, step, approvals }
    };
    rows.into_iter().zip(filled).map(progressed).collect()
}

/// Keeps which requirements wait now: their people find the request in their list.
pub async fn keep_awaited(
    connection: &mut PgConnection,
    request: RequestId,
    all: &[ProgressedRequirement],
) -> Result<()> {
    let awaited: Vec<Uuid> = ProgressedRequirement::awaited(all).map(|one| one.id.0).collect();
    sqlx::query!(
        "UPDATE approval_requirement SET awaited = id = ANY ($2)
         WHERE request_id = $1 AND awaited IS DISTINCT FROM (id = ANY ($2))",
        request.0,
        &awaited
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The requirements of one request.
pub async fn requirements(connection: &mut PgConnection, request: RequestId) -> Result<Vec<ProgressedRequirement>> {
    Ok(requirements_of(connection, &[request]).await?.remove(&request).unwrap_or_default())
}

pub async fn insert(connection: &mut PgConnection, review: &NewReview<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO review (id, request_id, reviewer_id, verdict, reason, request_digest)
         VALUES ($1, $2, $3, $4, $5, $6)",
        review.id.0,
        review.request.0,
        review.reviewer.0,
        review.verdict as ReviewVerdict,
        review.reason,
        &review.digest.0
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
               v.verdict AS "verdict: _", v.reason, v.created_at,
               v.request_digest = coalesce(r.approval_digest, r.digest) AS "counts!"
           FROM review v JOIN person p ON p.id = v.reviewer_id JOIN request r ON r.id = v.request_id
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
            verdict: row.verdict,
            reason: row.reason,
            at: row.created_at.to_jiff(),
            counts: row.counts,
        });
    }
    Ok(found)
}
