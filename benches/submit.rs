//! Submit over HTTP (policy, quota, audit, run: one commit) against pgbench running the same writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;

use crate::load::Client;
use crate::world::World;
use crate::{CLIENTS, SPAN, pgbench, result};

/// The statements of one allowed create, in their order, with ids made on the server: who asks, the
/// one transaction, and what the answer shows.
const SCRIPT: &str = "
\\set n random(1, 9000000000000000000)
SELECT t.id, t.scopes, p.* FROM api_token t JOIN person p ON p.id = t.person_id WHERE p.login = 'bench' AND p.active AND t.expires_at > now();
SELECT b.role, b.project_id FROM role_binding b WHERE b.person_id = (SELECT id FROM person WHERE login = 'bench');
BEGIN;
SELECT pg_advisory_xact_lock(hashtextextended('k' || :n::bigint, 0));
SELECT id FROM request WHERE requester_id = (SELECT id FROM person WHERE login = 'bench') AND idempotency_key = 'k' || :n::bigint;
SELECT * FROM project WHERE slug = 'payments';
SELECT * FROM project_environment_type p JOIN environment_type t ON t.id = p.environment_type_id;
SELECT * FROM template WHERE slug = 'postgres-database';
SELECT * FROM template_version WHERE state = 'published' AND template_id = (SELECT id FROM template WHERE slug = 'postgres-database');
INSERT INTO decision (id, outcome, input, policy_digest, rules, requirements, sentence, would_be_allowed)
    SELECT gen_random_uuid(), outcome, input, policy_digest, rules, requirements, sentence, would_be_allowed FROM decision LIMIT 1;
SELECT * FROM target LIMIT 1;
INSERT INTO environment (id, project_id, project_environment_type_id, template_id, template_version_id, owner_id, name, kind, state, inputs, seed, lifetime_seconds)
    SELECT md5('e' || :n::bigint)::uuid, project_id, project_environment_type_id, template_id, template_version_id, owner_id, gen_random_uuid()::text, kind, 'requested', inputs, seed, lifetime_seconds FROM environment LIMIT 1;
INSERT INTO audit_record (id, operation_id, actor_kind, actor_label, action, object_kind, object_label, outcome, channel)
    VALUES (gen_random_uuid(), gen_random_uuid(), 'person', 'developer', 'environment.requested', 'environment', 'x', 'succeeded', 'api');
INSERT INTO request (id, operation, status, requester_id, requester_label, project_id, project_environment_type_id, template_id, template_version_id, environment_name, decision_id, inputs, digest)
    SELECT md5('r' || :n::bigint)::uuid, operation, 'approved', requester_id, requester_label, project_id, project_environment_type_id, template_id, template_version_id, environment_name, decision_id, inputs, digest FROM request LIMIT 1;
INSERT INTO audit_record (id, operation_id, actor_kind, actor_label, action, object_kind, object_label, outcome, channel)
    VALUES (gen_random_uuid(), gen_random_uuid(), 'person', 'developer', 'request.submitted', 'request', 'x', 'succeeded', 'api');
SELECT r.*, p.slug, t.slug FROM request r JOIN project p ON p.id = r.project_id JOIN template t ON t.id = r.template_id WHERE r.id = md5('r' || :n::bigint)::uuid;
SELECT id FROM environment WHERE id = md5('e' || :n::bigint)::uuid FOR UPDATE;
SELECT e.*, p.slug, t.slug, v.version, o.login FROM environment e JOIN project p ON p.id = e.project_id JOIN template t ON t.id = e.template_id
    JOIN template_version v ON v.id = e.template_version_id JOIN person o ON o.id = e.owner_id WHERE e.id = md5('e' || :n::bigint)::uuid;
UPDATE environment SET state = 'provisioning' WHERE id = md5('e' || :n::bigint)::uuid AND state = 'requested';
INSERT INTO run (id, kind, subject_id, project_id, label, state) SELECT gen_random_uuid(), 'none.bench', gen_random_uuid(), id, 'x', 'queued' FROM project LIMIT 1;
INSERT INTO audit_record (id, operation_id, actor_kind, actor_label, action, object_kind, object_label, outcome, channel)
    VALUES (gen_random_uuid(), gen_random_uuid(), 'person', 'developer', 'environment.provisioning', 'environment', 'x', 'succeeded', 'api');
SELECT * FROM quota_holding WHERE environment_id = md5('e' || :n::bigint)::uuid FOR UPDATE;
SELECT * FROM quota_counter ORDER BY quota_id, subject LIMIT 1 FOR UPDATE;
UPDATE quota_counter SET reserved = reserved + 1 WHERE (quota_id, subject) = (SELECT quota_id, subject FROM quota_counter ORDER BY quota_id, subject LIMIT 1);
INSERT INTO quota_entry (environment_id, dimension, kind, reserved, used, stopped) VALUES (md5('e' || :n::bigint)::uuid, 'environments', 'reserve', 1, 0, 0);
INSERT INTO quota_holding (environment_id, dimension, reserved, used, stopped) VALUES (md5('e' || :n::bigint)::uuid, 'environments', 1, 0, 0);
COMMIT;
SELECT r.*, p.slug, t.slug FROM request r JOIN project p ON p.id = r.project_id JOIN template t ON t.id = r.template_id WHERE r.id = md5('r' || :n::bigint)::uuid;
";

/// The first environment, of which the measurements make theirs.
pub async fn first(world: &World) {
    submit(&mut Client::connect(&world.address, &world.token).await, "bench-first").await;
}

pub async fn run(world: &World) {
    let before = pgbench::rate(&world.url, SCRIPT);
    let ours = rate(world).await;
    let after = pgbench::rate(&world.url, SCRIPT);
    let probe = f64::midpoint(before, after);
    result("submit / pgbench, same statements", ours / probe, 0.5, &format!("{ours:.0}/s of {probe:.0}/s"));
}

async fn submit(client: &mut Client, name: &str) {
    let body = json!({
        "operation": "create", "project": "payments", "environment_type": "dev",
        "template": "postgres-database", "name": name, "inputs": {"size": "small"},
    });
    let status = client.post("/api/v1/requests", name, &body.to_string()).await;
    assert_eq!(status, 201, "{}", client.answer());
}

async fn rate(world: &World) -> f64 {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let clients = (0..CLIENTS).map(|_| async {
        let mut client = Client::connect(&world.address, &world.token).await;
        while started.elapsed() < SPAN {
            let number = next.fetch_add(1, Ordering::Relaxed);
            submit(&mut client, &format!("bench-{number}")).await;
        }
    });
    futures_util::future::join_all(clients).await;
    next.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}
