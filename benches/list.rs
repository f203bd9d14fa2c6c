//! The environments list, 50 rows over HTTP, against pgbench with the same query; and whether it
//! stays the same from a thousand rows to the most.

use std::time::Instant;

use crate::load::Client;
use crate::world::World;
use crate::{CLIENTS, SPAN, pgbench, result};

const QUERY: &str = "
SELECT e.*, p.slug, p.name, et.slug, w.maximum_lifetime_seconds, t.slug, t.name, t.icon, v.version, v.provider, o.login, o.display_name
FROM (SELECT * FROM environment WHERE state <> 'deleted' ORDER BY created_at DESC, id DESC LIMIT 51) e
JOIN project p ON p.id = e.project_id
JOIN project_environment_type w ON w.id = e.project_environment_type_id
JOIN environment_type et ON et.id = w.environment_type_id
JOIN template t ON t.id = e.template_id
JOIN template_version v ON v.id = e.template_version_id
JOIN person o ON o.id = e.owner_id
ORDER BY e.created_at DESC, e.id DESC;
";

pub async fn run(world: &World) {
    let most: i64 = std::env::var("PADDOCK_BENCH_ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let mut first = None;
    for rows in [1_000, most] {
        fill(world, rows).await;
        let before = pgbench::rate(&world.url, QUERY);
        let ours = rate(world).await;
        let after = pgbench::rate(&world.url, QUERY);
        let probe = f64::midpoint(before, after);
        let more = format!("{ours:.0}/s of {probe:.0}/s at {rows} environments");
        result("environments list, 50 rows / pgbench", ours / probe, 0.25, &more);
        let base = *first.get_or_insert(ours);
        if rows == most {
            result("environments list, most rows / 1,000 rows", ours / base, 0.8, "");
        }
    }
}

async fn fill(world: &World, rows: i64) {
    sqlx::query(
        "INSERT INTO environment (id, project_id, project_environment_type_id, template_id, template_version_id, owner_id,
             name, kind, state, inputs, seed, lifetime_seconds, created_at)
         SELECT gen_random_uuid(), e.project_id, e.project_environment_type_id, e.template_id, e.template_version_id,
             e.owner_id, 'list-' || n || '-' || random(), e.kind, 'requested', e.inputs, e.seed, e.lifetime_seconds,
             now() - n * interval '1 second'
         FROM (SELECT * FROM environment LIMIT 1) e,
             generate_series(1, $1 - (SELECT count(*) FROM environment WHERE state <> 'deleted')) AS n",
    )
    .bind(rows)
    .execute(&mut *superuser(world).await)
    .await
    .unwrap();
    sqlx::query("ANALYZE").execute(&mut *superuser(world).await).await.unwrap();
}

async fn superuser(world: &World) -> Box<sqlx::PgConnection> {
    use sqlx::Connection as _;
    Box::new(sqlx::PgConnection::connect(&world.url).await.unwrap())
}

async fn rate(world: &World) -> f64 {
    let started = Instant::now();
    let clients = (0..CLIENTS).map(|_| async {
        let mut client = Client::connect(&world.address, &world.token).await;
        let mut count = 0_u64;
        while started.elapsed() < SPAN {
            let status = client.get("/api/v1/environments?limit=50").await;
            assert_eq!(status, 200, "{}", client.answer());
            count += 1;
        }
        count
    });
    let counts = futures_util::future::join_all(clients).await;
    counts.into_iter().sum::<u64>() as f64 / started.elapsed().as_secs_f64()
}
