//! The live verdict over HTTP in a large organisation (10,000 people, 1,000 rules, 100,000 decisions, requests and
//! runs, 20,000 environments, of which 1,000 live in the project that is asked about), without and with a budget,
//! against the same verdict in a small one: nothing grows with the size of the tables.

use std::time::{Duration, Instant};

use paddock::policy::PolicyEngine;
use serde_json::json;

use crate::load::Client;
use crate::world::{World, serve};
use crate::{SPAN, decide, result};

/// How many fill in a form at once.
const FORMS: usize = 4;
/// The longest that 95 of 100 answers may take.
const GATE: Duration = Duration::from_millis(50);

/// What an organisation has after some years, made of the first environment, request, decision and run.
const LARGE: [&str; 10] = [
    "INSERT INTO project (id, slug, name)
     SELECT gen_random_uuid(), 'project-' || n, 'Project ' || n FROM generate_series(0, 99) AS n",
    "INSERT INTO person (id, login, display_name)
     SELECT gen_random_uuid(), 'person-' || n, 'Person ' || n FROM generate_series(1, 10000) AS n",
    "INSERT INTO role_binding (id, role, person_id, project_id)
     SELECT gen_random_uuid(), CASE WHEN p.number % 10 = 0 THEN 'lead' ELSE 'developer' END, p.id, o.id
     FROM (SELECT id, row_number() OVER (ORDER BY id) AS number FROM person WHERE login LIKE 'person-%') p
     JOIN (SELECT id, row_number() OVER (ORDER BY id) AS number FROM project WHERE slug LIKE 'project-%') o
       ON o.number = p.number % 100 + 1",
    // 50 more leads and 500 more developers of the project that is asked about.
    "INSERT INTO role_binding (id, role, person_id, project_id)
     SELECT gen_random_uuid(), CASE WHEN p.number % 11 = 0 THEN 'lead' ELSE 'developer' END, p.id,
            (SELECT id FROM project WHERE slug = 'payments')
     FROM (SELECT id, row_number() OVER (ORDER BY id) AS number FROM person WHERE login LIKE 'person-%') p
     WHERE p.number <= 550",
    "INSERT INTO environment (id, project_id, project_environment_type_id, template_id, template_version_id, owner_id,
         name, kind, state, inputs, seed, lifetime_seconds, created_at)
     SELECT gen_random_uuid(), CASE WHEN n <= 2000 THEN e.project_id ELSE o.id END, e.project_environment_type_id, e.template_id,
         e.template_version_id, e.owner_id, 'large-' || n, e.kind, 'provisioning', e.inputs, e.seed, e.lifetime_seconds,
         now() - n * interval '1 minute'
     FROM (SELECT * FROM environment ORDER BY created_at LIMIT 1) e, generate_series(1, 20000) AS n
     JOIN (SELECT id, row_number() OVER (ORDER BY id) AS number FROM project WHERE slug LIKE 'project-%') o
       ON o.number = n % 100 + 1",
    // Half of them live; the trigger writes what they were.
    "UPDATE environment SET state = 'ready', ready_at = now(), expires_at = now() + interval '60 days'
     WHERE name LIKE 'large-%'",
    "UPDATE environment SET state = 'deleting' WHERE name LIKE 'large-%' AND substr(name, 7)::int % 2 = 0",
    "UPDATE environment SET state = 'deleted', deleted_at = now() WHERE name LIKE 'large-%' AND state = 'deleting'",
    "WITH made AS (
         INSERT INTO decision (id, outcome, input, policy_digest, rules, requirements, sentence, would_be_allowed, created_at)
         SELECT gen_random_uuid(), outcome, input, policy_digest, rules, requirements, sentence, would_be_allowed,
             now() - n * interval '5 minutes'
         FROM (SELECT * FROM decision ORDER BY created_at LIMIT 1) d, generate_series(1, 100000) AS n
         RETURNING id, created_at)
     INSERT INTO request (id, operation, status, requester_id, requester_label, project_id, project_environment_type_id,
         template_id, template_version_id, environment_name, decision_id, inputs, digest, created_at, decided_at, finished_at)
     SELECT gen_random_uuid(), r.operation, 'denied', r.requester_id, r.requester_label, r.project_id,
         r.project_environment_type_id, r.template_id, r.template_version_id, r.environment_name, made.id, r.inputs,
         r.digest, made.created_at, made.created_at, made.created_at
     FROM made, (SELECT * FROM request ORDER BY created_at LIMIT 1) r",
    // In parts: each run locks the lane of its environment until the commit.
    "DO $$ BEGIN FOR part IN 0..19 LOOP
         INSERT INTO run (id, kind, subject_id, project_id, label, state, attempt, created_at, started_at, ended_at)
         SELECT gen_random_uuid(), r.kind, e.id, e.project_id, r.label, 'succeeded', 1, e.created_at,
             e.created_at + interval '1 second', e.created_at + interval '40 seconds'
         FROM (SELECT * FROM environment WHERE name LIKE 'large-%' AND substr(name, 7)::int % 20 = part) e,
             generate_series(1, 5), (SELECT * FROM run ORDER BY created_at LIMIT 1) r;
         COMMIT;
     END LOOP; END $$",
];

pub async fn run(world: &World) {
    let before = measure(&world.address, &world.token).await;
    large(world).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("many.cedar"), decide::many_rules(&PolicyEngine::embedded().unwrap())).unwrap();
    let (served, address, _) = serve(&world.url, Some(folder.path())).await;
    let without = measure(&address, &world.token).await;
    sqlx::query(
        "INSERT INTO budget (project_id, amount, warn_above, approve_above, deny_above)
         SELECT id, 1000000000, 80, 90, 100 FROM project WHERE slug = 'payments'",
    )
    .execute(world.app.db.pool())
    .await
    .unwrap();
    let with = measure(&address, &world.token).await;
    drop(served);
    let after = measure(&world.address, &world.token).await;
    let small = (at(&before, 50) + at(&after, 50)) / 2;
    for (what, took) in [("verdict, small / large organisation", without), ("the same with a budget", with)] {
        let more = format!(
            "median {:.1?} of {small:.1?}, p95 {:.1?} (gate {GATE:.0?}) of {:.1?}",
            at(&took, 50),
            at(&took, 95),
            at(&before, 95)
        );
        result(what, small.as_secs_f64() / at(&took, 50).as_secs_f64(), 0.5, &more);
        if at(&took, 95) > GATE {
            println!("{what}, p95                                  ABOVE its gate");
        }
    }
}

async fn large(world: &World) {
    let pool = world.app.db.pool();
    // Setting up takes longer than a request may.
    let mut connection = pool.acquire().await.unwrap();
    sqlx::query("SET statement_timeout = 0").execute(&mut *connection).await.unwrap();
    sqlx::query("RESET ROLE").execute(&mut *connection).await.unwrap();
    for statement in LARGE {
        sqlx::query(statement).execute(&mut *connection).await.unwrap();
    }
    sqlx::query("ANALYZE").execute(&mut *connection).await.unwrap();
    connection.close().await.unwrap();
}

/// How long each answer took, shortest first.
async fn measure(address: &str, token: &str) -> Vec<Duration> {
    let started = Instant::now();
    let forms = (0..FORMS).map(|form| async move {
        let mut client = Client::connect(address, token).await;
        let mut took = Vec::new();
        while started.elapsed() < SPAN {
            let place = if took.len() % 2 == 0 { "dev" } else { "prod" };
            let body = json!({
                "operation": "create", "project": "payments", "environment_type": place,
                "template": "postgres-database", "name": format!("form-{form}-{}", took.len()), "inputs": {"size": "small"},
            });
            let began = Instant::now();
            let status = client.post("/api/v1/verdicts", "none", &body.to_string()).await;
            took.push(began.elapsed());
            assert_eq!(status, 200, "{}", client.answer());
        }
        took
    });
    let mut all: Vec<Duration> = futures_util::future::join_all(forms).await.into_iter().flatten().collect();
    all.sort_unstable();
    all
}

fn at(took: &[Duration], percent: usize) -> Duration {
    took[took.len() * percent / 100]
}
