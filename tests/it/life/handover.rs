//! An owner who is gone leaves nothing invisible: a list, a mark, and another member who takes it over.

use axum::http::StatusCode;
use paddock::base::Actor;
use paddock::base::id::EnvironmentId;
use paddock::identity;
use paddock::policy::Role;
use serde_json::{Value, json};

use crate::api::{create, text};
use crate::support::http::{Client, Site};

async fn names(client: &Client) -> Vec<String> {
    let list = client.json("/api/v1/environments?owner_gone=true").await;
    list["items"].as_array().unwrap().iter().map(|one| text(one, "/name").to_owned()).collect()
}

#[tokio::test]
async fn what_a_person_leaves_behind_is_listed_and_handed_over() {
    let site = Site::start().await;
    site.grant("leaver", Role::Developer, Some("payments")).await;
    site.grant("mover", Role::Developer, Some("payments")).await;
    let (lead, admin, developer) =
        (site.client("lead").await, site.client("admin").await, site.client("developer").await);
    let mut ids = Vec::new();
    for login in ["leaver", "mover", "developer"] {
        let client = site.client(login).await;
        let made = client.post("/api/v1/requests", &create("dev", &format!("of-{login}"))).await;
        ids.push(text(&made.expect(StatusCode::CREATED), "/environment/id").parse::<EnvironmentId>().unwrap());
    }
    assert_eq!(names(&admin).await, [] as [&str; 0]);

    // One is deactivated, the other leaves the project.
    let leaver = site.person("leaver").await;
    identity::set_active(&site.test.app.db, &site.test.op(Actor::Operator), leaver.id, false).await.unwrap();
    let mover = site.person("mover").await;
    site.sql(&format!("DELETE FROM role_binding WHERE person_id = '{}'", mover.id.0)).await;
    for client in [&admin, &lead, &developer] {
        assert_eq!(names(client).await, ["of-mover", "of-leaver"]);
    }
    // A role through a team, or on the platform, is one as well.
    site.grant("mover", Role::Lead, None).await;
    assert_eq!(names(&admin).await, ["of-leaver"]);
    site.sql(&format!("DELETE FROM role_binding WHERE person_id = '{}'", mover.id.0)).await;
    site.grant("mover", Role::Auditor, Some("payments")).await;
    assert_eq!(names(&admin).await, ["of-mover", "of-leaver"], "an auditor looks after nothing");

    let mut browser = site.test.browser_of("lead").await;
    browser.get("/environments?view=gone").await.shows(&["of-leaver", "of-mover", "Owner gone"]);
    let path = format!("/environments/{}", ids[0]);
    browser.get(&path).await.shows(&["Owner gone", "LEAVER is gone", "Hand over"]);
    let mut reader = site.test.browser_of("developer").await;
    let page = reader.get(&path).await;
    page.shows(&["LEAVER is gone"]);
    page.hides(&["f-hand-over-to"]);

    let give = format!("/api/v1/environments/{}/hand-over", ids[0]);
    let body = |to: &str, reason: &str| json!({"to": to, "reason": reason});
    assert_eq!(developer.post(&give, &body("developer", "mine")).await.status, StatusCode::FORBIDDEN);
    for (to, reason) in [("leaver", "so"), ("mover", "so"), ("admin", "so"), ("nobody", "so"), ("developer", " ")] {
        let refused = lead.post(&give, &body(to, reason)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{to}: {}", refused.text);
    }
    let given = lead.post(&give, &body("developer", "Leaver has left")).await.expect(StatusCode::OK);
    assert_eq!((text(&given, "/owner/name"), &given["owner_gone"]), ("Dana Reyes", &Value::Bool(false)));
    assert_eq!(names(&admin).await, ["of-mover"]);
    let answer =
        browser.post(&format!("/environments/{}/hand-over", ids[1]), &[("to", "developer"), ("reason", "moved")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    assert_eq!(names(&admin).await, [] as [&str; 0]);
    let told = "SELECT count(*) FROM audit_record WHERE action = 'environment.handed_over' AND actor_label = 'lead'
                AND detail ->> 'to' = 'developer' AND detail ->> 'from' IN ('leaver', 'mover')";
    assert_eq!(site.number(told).await, 2);
    let page = reader.get(&format!("/environments/{}", ids[0])).await;
    page.shows(&["handed of-leaver over from leaver to developer", "Leaver has left"]);
    page.hides(&["Owner gone"]);
}
