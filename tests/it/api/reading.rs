//! Lists and single things.

use axum::http::StatusCode;
use paddock::base::cursor::Cursor;
use paddock::environments::{self, Filter};
use paddock::policy::Role;
use paddock::projects;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{create, text};
use crate::support::http::Site;

fn names(page: &Value, pointer: &str) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|one| text(one, pointer).to_owned()).collect()
}

#[tokio::test]
async fn lists_are_walked_page_by_page() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    for number in 0..5 {
        client.post("/api/v1/requests", &create("dev", &format!("orders-{number}"))).await.expect(StatusCode::CREATED);
    }
    let auditor = site.client("auditor").await;
    for (client, path) in [
        (&client, "/api/v1/environments?"),
        (&client, "/api/v1/requests?"),
        (&client, "/api/v1/templates?"),
        (&client, "/api/v1/projects?"),
        (&auditor, "/api/v1/audit?"),
    ] {
        let whole = names(&client.json(&format!("{path}limit=100")).await, "/id");
        let mut walked = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = client.json(&format!("{path}limit=2{cursor}")).await;
            walked.extend(names(&page, "/id"));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(walked, whole, "{path}");
        assert!(whole.len() >= 2, "{path}");
    }
}

/// As many rows are read as a page shows, and one more, of each project: not those that are newer in a
/// large project to find what is in a small one, and not those that are gone.
#[tokio::test]
async fn a_page_of_environments_reads_no_more_than_it_shows() {
    let site = Site::start().await;
    let developer = site.client("developer").await;
    developer.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
    site.sql(
        "INSERT INTO environment (id, project_id, project_environment_type_id, template_id, template_version_id, owner_id,
             name, kind, state, inputs, seed, lifetime_seconds, created_at, deleted_at)
         SELECT gen_random_uuid(), e.project_id, e.project_environment_type_id, e.template_id, e.template_version_id,
             e.owner_id, 'copy-' || n, e.kind, CASE WHEN n > 200 THEN 'deleted' ELSE 'requested' END, e.inputs, e.seed,
             e.lifetime_seconds, now() + n * interval '1 hour', CASE WHEN n > 200 THEN now() END
         FROM environment e, generate_series(1, 5000) AS n WHERE e.name = 'orders'",
    )
    .await;
    site.sql("ANALYZE environment").await;
    // The planner knows of one project only, as where a single one has nearly all.
    let mut body = create("dev", "basket");
    body["project"] = json!("storefront");
    developer.post("/api/v1/requests", &body).await.expect(StatusCode::CREATED);
    let mut tx = site.test.app.db.begin().await.unwrap();
    let mut of = async |slug: &str| projects::find(&mut tx, slug).await.unwrap().unwrap().id;
    let (large, small) = (of("payments").await, of("storefront").await);
    for projects in [None, Some(vec![large]), Some(vec![small]), Some(vec![large, small])] {
        let most = 51 * projects.as_ref().map_or(1, Vec::len);
        let filter = Filter { projects: projects.clone(), ..Filter::default() };
        let expected: Vec<Uuid> = sqlx::query_scalar(
            "SELECT id FROM environment WHERE state <> 'deleted' AND ($1::uuid[] IS NULL OR project_id = ANY ($1))
             ORDER BY created_at DESC, id DESC",
        )
        .bind(projects.map(|ids| ids.iter().map(|id| id.0).collect::<Vec<_>>()))
        .fetch_all(&mut *tx)
        .await
        .unwrap();
        // Postgres keeps a plan from the sixth time on.
        for _ in 0..6 {
            environments::list(&mut tx, &filter, None, 50).await.unwrap();
        }
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let before = rows_read(&mut tx).await;
            let page = environments::list(&mut tx, &filter, after, 50).await.unwrap();
            let read = rows_read(&mut tx).await - before;
            assert!(read <= most, "{read} rows were read for {} of {filter:?}", page.items.len());
            found.extend(page.items.iter().map(|one| one.id.0));
            let Some(next) = page.next_cursor else { break };
            after = Some(Cursor::decode(&next).unwrap());
        }
        assert_eq!(found, expected, "{filter:?}");
    }
}

async fn rows_read(connection: &mut sqlx::PgConnection) -> usize {
    let query = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'environment'";
    sqlx::query_scalar::<_, i64>(query).fetch_one(connection).await.unwrap().try_into().unwrap()
}

#[tokio::test]
async fn environments_are_filtered() {
    let site = Site::start().await;
    let (developer, lead) = (site.client("developer").await, site.client("lead").await);
    developer.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
    developer.post("/api/v1/requests", &create("prod", "ledger")).await.expect(StatusCode::CREATED);
    lead.post("/api/v1/requests", &create("test", "payouts")).await.expect(StatusCode::CREATED);
    let me = text(&developer.json("/api/v1/me").await, "/id").to_owned();
    for (query, expected) in [
        (String::new(), vec!["payouts", "ledger", "orders"]),
        ("mine=true".to_owned(), vec!["ledger", "orders"]),
        (format!("owner={me}"), vec!["ledger", "orders"]),
        ("environment_type=test".to_owned(), vec!["payouts"]),
        ("state=requested".to_owned(), vec!["ledger"]),
        ("project=storefront".to_owned(), vec![]),
        ("project=payments&query=ORD".to_owned(), vec!["orders"]),
        ("template=postgres-database&state=provisioning".to_owned(), vec!["payouts", "orders"]),
        ("expires_before=2020-01-01T00:00:00Z".to_owned(), vec![]),
    ] {
        assert_eq!(
            names(&developer.json(&format!("/api/v1/environments?{query}")).await, "/name"),
            expected,
            "{query}"
        );
    }
    let denied = developer.get("/api/v1/environments?project=nowhere").await;
    denied.expect(StatusCode::BAD_REQUEST);
    assert_eq!(denied.pointers(), ["/project"]);
}

#[tokio::test]
async fn templates_by_id_slug_and_version() {
    let site = Site::start().await;
    let client = site.client("developer").await;
    let all = client.json("/api/v1/templates").await;
    let one = all["items"].as_array().unwrap().iter().find(|one| one["slug"] == "postgres-database").unwrap();
    assert_eq!((&one["state"], &one["requestable"]), (&json!("published"), &json!(true)));
    let by_slug = client.json("/api/v1/templates/postgres-database").await;
    assert_eq!(by_slug, client.json(&format!("/api/v1/templates/{}", text(one, "/id"))).await);
    let version = text(&by_slug, "/version");
    let by_text = client.json(&format!("/api/v1/templates/postgres-database/versions/{version}")).await;
    assert_eq!(by_text, client.json("/api/v1/templates/postgres-database/versions/1").await);
    assert_eq!(by_text, by_slug["current"]);
    client.get("/api/v1/templates/nothing").await.expect(StatusCode::NOT_FOUND);
    client.get("/api/v1/templates/postgres-database/versions/9.9").await.expect(StatusCode::NOT_FOUND);
    // Nobody who may not make anything there is offered anything.
    let auditor = site.client("auditor").await;
    assert_eq!(auditor.json("/api/v1/templates?project=payments").await["items"], json!([]));
    let none = client.get("/api/v1/runs/env_1").await;
    none.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_answer_to_a_request_is_what_is_read_of_it_afterwards() {
    let site = Site::start().await;
    let developer = site.client("developer").await;
    for (kind, lifetime, status) in
        [("dev", "2d", "approved"), ("dev", "365d", "denied"), ("prod", "2d", "awaiting_approval")]
    {
        let mut body = create(kind, &format!("orders-{status}").replace('_', "-"));
        body["lifetime"] = json!(lifetime);
        let answer = developer.post("/api/v1/requests", &body).await;
        let told = answer.expect(StatusCode::CREATED);
        assert_eq!(text(&told, "/status"), status);
        assert_eq!(developer.json(answer.header("location")).await, told, "{status}");
    }
}

#[tokio::test]
async fn the_log_of_a_project_is_for_its_auditors() {
    let site = Site::start().await;
    let developer = site.client("developer").await;
    developer.post("/api/v1/requests", &create("dev", "orders")).await.expect(StatusCode::CREATED);
    let mut other = create("dev", "shop-db");
    other["project"] = json!("storefront");
    developer.post("/api/v1/requests", &other).await.expect(StatusCode::CREATED);
    site.grant("watcher", Role::Auditor, Some("storefront")).await;
    let watcher = site.client("watcher").await;
    let seen = watcher.json("/api/v1/audit?limit=100").await;
    let storefront = text(&watcher.json("/api/v1/projects/storefront").await, "/id").to_owned();
    assert!(names(&seen, "/project_id").iter().all(|project| *project == storefront), "{seen:#}");
    let auditor = site.client("auditor").await;
    let foreign = auditor.json("/api/v1/audit?project=payments&action=request.submitted").await;
    let id = text(&foreign, "/items/0/id");
    watcher.get(&format!("/api/v1/audit/{id}")).await.expect(StatusCode::FORBIDDEN);
    watcher.get("/api/v1/audit?project=payments").await.expect(StatusCode::FORBIDDEN);
    auditor.get("/api/v1/audit/aud_0193c3f2000070008000000000000000").await.expect(StatusCode::NOT_FOUND);
    for (query, pointer) in [("object=x", "/object"), ("from=yesterday", "/from"), ("outcome=odd", "/outcome")] {
        let answer = auditor.get(&format!("/api/v1/audit?{query}")).await;
        answer.expect(StatusCode::BAD_REQUEST);
        assert_eq!(answer.pointers(), [pointer]);
    }
    let none = auditor.json("/api/v1/audit?to=2020-01-01T00:00:00Z").await;
    assert_eq!(none["items"], json!([]));
}
