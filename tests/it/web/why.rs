//! Why somebody can or cannot do something, on every page.

use axum::http::StatusCode;
use serde_json::json;

use crate::api::{create, text};
use crate::support::app::TestApp;
use crate::support::http::Site;

#[tokio::test]
async fn every_page_leads_to_what_one_may_do_there_and_why() {
    let site = Site::serve(TestApp::start().await).await;
    let mut dana = site.test.browser_of("developer").await;
    dana.get("/catalog").await.shows(&["Why can’t I …?", "/why?of=%2Fcatalog"]);
    let refused = dana.get("/admin/quotas").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.shows(&["href=\"/why?of=%2Fadmin%2Fquotas\""]);
    let page = dana.get("/why?of=%2Fcatalog").await;
    page.shows(&["In Payments", "Create an environment in dev", "With approval", "Asks a lead of payments"]);
    // Rule, role and scope.
    page.shows(&["Manage quotas", "admin on the platform", "/preferences/roles?role=admin"]);
    page.shows(&["Read the audit log", "lead in payments", "/preferences/roles?role=lead&#38;project=payments"]);
    page.hides(&["The environment", "is not there, or you may not see it"]);
    let other = dana.get("/why?of=%2Fcatalog&project=storefront").await;
    other.shows(&["In Storefront", "lead in storefront"]);
    other.hides(&["In Payments"]);
}

#[tokio::test]
async fn what_an_address_names_is_told_of_to_those_who_may_see_it() {
    let site = Site::serve(TestApp::start().await).await;
    let lead = site.client("lead").await;
    let mut new = create("dev", "secret-orders");
    new["project"] = json!("storefront");
    let request = lead.post("/api/v1/requests", &new).await.expect(StatusCode::CREATED);
    let environment = text(&request, "/environment/id").to_owned();
    let (environment, request) =
        (format!("/why?of=/environments/{environment}/update"), format!("/why?of=/requests/{}", text(&request, "/id")));
    let mut dana = site.test.browser_of("developer").await;
    let page = dana.get(&environment).await;
    page.shows(&["The environment secret-orders", "Delete an environment", "lead in storefront", "In Storefront"]);
    dana.get(&request).await.shows(&["The request", "Approve or reject a request", "lead in storefront"]);
    lead_sees(&site, &request).await;

    site.sql(
        "DELETE FROM role_binding WHERE person_id = (SELECT id FROM person WHERE login = 'developer')
         AND project_id = (SELECT id FROM project WHERE slug = 'storefront')",
    )
    .await;
    for hidden in [&environment, &request] {
        let page = dana.get(hidden).await;
        page.shows(&["is not there, or you may not see it", "In Payments"]);
        page.hides(&["secret-orders", "storefront"]);
        // As if it was not there.
        let id = hidden.split('/').find(|step| step.contains('_')).unwrap();
        let none = format!("{}_0193c3f2000070008000000000000000", &id[..3]);
        let missing = dana.get(&hidden.replace(id, &none)).await;
        assert_eq!(missing.text.replace(&none, id), page.text);
    }
}

/// Nobody reviews their own: no role helps, and the rule says so.
async fn lead_sees(site: &Site, request: &str) {
    let page = site.test.browser_of("lead").await.get(request).await;
    page.shows(&["nobody-reviews-their-own"]);
}
