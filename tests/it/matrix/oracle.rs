//! What must be true whenever all runs are at rest, whatever was killed on the way.

use super::subject::Environments;
use super::world::World;

/// Each query names what must not be there; the answer says which and why.
type Claims = [(&'static str, &'static str)];

/// Of every run, also of one that only plans.
const OF_RUNS: &Claims = &[
    (
        "a run did not succeed",
        "SELECT label, state || ' ' || coalesce(error_step, '') || ' ' || coalesce(error, '')
         FROM run WHERE state <> 'succeeded'",
    ),
    ("too many attempts", "SELECT label, attempt::text FROM run WHERE attempt > max_attempts"),
    (
        "a step is left open",
        "SELECT r.label, s.name || ' ' || s.status FROM run_step s JOIN run r ON r.id = s.run_id
         WHERE s.status <> 'succeeded'",
    ),
    (
        "a transition has not exactly one audit record",
        "SELECT r.label, a.action || ' ' || a.records FROM run r
         CROSS JOIN LATERAL (
             SELECT action, (SELECT count(*) FROM audit_record x WHERE x.run_id = r.id AND x.action = w.action) AS records
             FROM (VALUES (CASE split_part(r.label, ' ', 1) WHEN 'Create' THEN 'environment.ready'
                           WHEN 'Update' THEN 'environment.updated' WHEN 'Plan:' THEN 'request.planned'
                           WHEN 'Stop' THEN 'environment.stopped' WHEN 'Start' THEN 'environment.started'
                           WHEN 'Rotate' THEN 'environment.acted' WHEN 'Check' THEN 'drift.asked'
                           WHEN 'Destroy' THEN 'orphan.destroyed' ELSE 'environment.deleted' END)) w (action)) a
         WHERE a.records <> 1",
    ),
    (
        "an attempt has not exactly one record of its beginning",
        "SELECT r.label, r.attempt || ' attempts, ' || count(a.id) || ' records' FROM run r
         LEFT JOIN audit_record a ON a.run_id = r.id AND a.action = 'run.started'
         GROUP BY r.id HAVING count(a.id) <> r.attempt OR count(DISTINCT a.detail ->> 'attempt') <> r.attempt",
    ),
    (
        "a return to the queue has not exactly one record",
        "SELECT r.label, r.attempt || ' attempts, ' || count(a.id) || ' records' FROM run r
         LEFT JOIN audit_record a ON a.run_id = r.id AND a.action = 'run.requeued'
         GROUP BY r.id HAVING count(a.id) <> r.attempt - 1",
    ),
    (
        "a log has gaps",
        "SELECT r.label, r.log_seq || ' ' || count(l.seq) || ' ' || max(l.seq) FROM run r
         JOIN log_line l ON l.run_id = r.id GROUP BY r.id HAVING count(l.seq) <> r.log_seq OR max(l.seq) <> r.log_seq",
    ),
    (
        "a check found what is not there, or could not look",
        "SELECT e.name, d.result || ' ' || d.differences FROM environment_drift d JOIN environment e ON e.id = d.environment_id
         WHERE d.result <> 'looked' OR d.drifted_since IS NOT NULL",
    ),
    ("a lock of a state is left", "SELECT environment_id::text, lock_id FROM state_lock"),
];

/// When every request was carried out.
const WHEN_NONE_WAITS: &Claims = &[(
    "a request was lost or did not succeed",
    "SELECT environment_name, operation || ' ' || status FROM request WHERE status <> 'succeeded'",
)];

/// Of the requests that were carried out.
const OF_ENDS: &Claims = &[
    (
        "an environment is not in the state of the last request that was carried out",
        "SELECT e.name, e.state FROM environment e
         JOIN LATERAL (SELECT operation FROM request r WHERE r.environment_id = e.id AND r.status = 'succeeded'
                       ORDER BY created_at DESC, id DESC LIMIT 1) last ON true
         WHERE e.state <> CASE last.operation WHEN 'delete' THEN 'deleted' WHEN 'stop' THEN 'stopped' ELSE 'ready' END",
    ),
    (
        "a request has not exactly one record of its end",
        "SELECT q.environment_name, q.operation || ' ' || count(a.id) FROM request q
         LEFT JOIN audit_record a ON a.request_id = q.id AND a.action = 'request.succeeded'
         WHERE q.status = 'succeeded' GROUP BY q.id HAVING count(a.id) <> 1",
    ),
    (
        "a request was not carried out by exactly one run",
        "SELECT q.environment_name, q.operation || ' ' || count(r.id) FROM request q
         LEFT JOIN run r ON r.request_id = q.id AND r.kind NOT LIKE 'plan.%'
         WHERE q.status = 'succeeded' GROUP BY q.id HAVING count(r.id) <> 1",
    ),
    (
        "a deleted environment still has something",
        "SELECT e.name, 'resources or outputs' FROM environment e WHERE e.state = 'deleted'
         AND (EXISTS (SELECT FROM environment_resource r WHERE r.environment_id = e.id)
              OR EXISTS (SELECT FROM environment_output o WHERE o.environment_id = e.id)
              OR e.provider_state IS NOT NULL)",
    ),
    (
        "a ready environment has nothing",
        "SELECT e.name, 'no outputs' FROM environment e WHERE e.state = 'ready'
         AND NOT EXISTS (SELECT FROM environment_output o WHERE o.environment_id = e.id)",
    ),
    (
        "the quota does not agree with what is there",
        "SELECT q.dimension, q.used || ' used, ' || q.reserved || ' reserved, not ' || e.used || ' and ' || e.reserved
         FROM (
             SELECT q.dimension, q.project_environment_type_id, coalesce(c.used + c.stopped, 0) AS used,
                 coalesce(c.reserved, 0) AS reserved
             FROM quota q LEFT JOIN quota_counter c ON c.quota_id = q.id) q CROSS JOIN LATERAL (
             SELECT count(*) FILTER (WHERE state <> 'requested') AS used,
                 count(*) FILTER (WHERE state = 'requested') AS reserved
             FROM environment WHERE state <> 'deleted'
                 AND project_environment_type_id = q.project_environment_type_id) e
         WHERE (q.used, q.reserved) <> (e.used, e.reserved)",
    ),
];

/// Of the requests that wait for the approval of their plan.
const OF_PLANS: &Claims = &[
    (
        "a request was lost",
        "SELECT environment_name, status FROM request WHERE status NOT IN ('succeeded', 'awaiting_approval')",
    ),
    (
        "a request has not exactly one plan that a review binds to",
        "SELECT q.environment_name, count(p.run_id) || ' plans' FROM request q
         LEFT JOIN request_plan p ON p.request_id = q.id AND p.run_id = q.plan_run_id
         WHERE q.status = 'awaiting_approval'
         GROUP BY q.id HAVING count(p.run_id) <> 1 OR q.approval_digest IS NULL
             OR (SELECT count(*) FROM request_plan every WHERE every.request_id = q.id) <> 1",
    ),
    (
        "the plan of a create wrote something",
        "SELECT e.name, e.state FROM environment e JOIN request q ON q.environment_id = e.id
         WHERE q.status = 'awaiting_approval' AND q.operation = 'create'
           AND (e.state <> 'requested' OR e.provider_state IS NOT NULL
             OR EXISTS (SELECT FROM state_version v WHERE v.environment_id = e.id)
             OR EXISTS (SELECT FROM environment_resource r WHERE r.environment_id = e.id)
             OR EXISTS (SELECT FROM environment_output o WHERE o.environment_id = e.id))",
    ),
    (
        "the plan of a change wrote something",
        "SELECT e.name, q.operation || ' ' || e.state FROM environment e JOIN request q ON q.environment_id = e.id
         WHERE q.status = 'awaiting_approval' AND q.operation <> 'create'
           AND (e.state <> 'ready' OR (q.operation = 'update' AND e.inputs = q.inputs)
             OR EXISTS (SELECT FROM state_version v WHERE v.environment_id = e.id AND v.written_at > q.created_at))",
    ),
];

/// What is wrong with the runs alone.
pub async fn complaints_of_runs(world: &World) -> Vec<String> {
    ask(world, &[OF_RUNS]).await
}

/// What is wrong with the tables and the target, when every request was carried out.
pub async fn complaints(world: &World, environments: &Environments) -> Vec<String> {
    let mut wrong = complaints_beside_the_target(world).await;
    wrong.extend((world.subject.audit)(world, environments));
    wrong
}

/// The same of the tables alone.
pub async fn complaints_beside_the_target(world: &World) -> Vec<String> {
    ask(world, &[OF_RUNS, OF_ENDS, WHEN_NONE_WAITS]).await
}

/// The same when some requests wait for an approval. What they ask for is in no history.
pub async fn complaints_while_some_wait(world: &World, environments: &Environments) -> Vec<String> {
    let mut wrong = ask(world, &[OF_RUNS, OF_ENDS, OF_PLANS]).await;
    wrong.extend((world.subject.audit)(world, environments));
    wrong
}

async fn ask(world: &World, claims: &[&Claims]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (what, query) in claims.iter().copied().flatten() {
        wrong.extend(world.rows(query).await.into_iter().map(|(who, why)| format!("{what}: {who}: {why}")));
    }
    wrong
}

#[track_caller]
pub fn assert_none(wrong: &[String], world: &World) {
    assert!(
        wrong.is_empty(),
        "{}: {} complaints:\n{}\n{}",
        world.subject.name,
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n"),
        world.said()
    );
}
