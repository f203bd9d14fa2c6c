//! The pages of quotas: who may look and change, what is wrong beside its field, and what developers meet.

use axum::http::StatusCode;

use crate::support::app::TestApp;

#[tokio::test]
async fn an_admin_adds_changes_and_removes_a_quota() {
    let test = TestApp::start().await;
    let mut admin = test.browser_of("admin").await;
    admin.get("/admin/queue").await.shows(&["href=\"/admin/quotas\""]);
    let list = admin.get("/admin/quotas").await;
    list.shows(&["Environment types of projects", "payments dev", "storefront prod", "Add a quota"]);
    admin.get("/admin/quotas/new").await.shows(&["name=\"scope\"", "name=\"of\"", "name=\"maximum\""]);

    let mut fields =
        vec![("scope", "team"), ("of", "nobody"), ("dimension", "VCPU"), ("maximum", "-1"), ("stopped", "free")];
    let refused = admin.post("/admin/quotas/new", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows(&["3 things need a change", "value=\"nobody\"", "value=\"VCPU\"", "value=\"-1\""]);
    refused.shows(&["short name of a team", "lower-case letters"]);
    fields[0] = ("scope", "user");
    fields[1] = ("of", "");
    fields[2] = ("dimension", "vcpu");
    fields[3] = ("maximum", "many");
    admin.post("/admin/quotas/new", &fields).await.shows(&["whole number, such as 10", "value=\"many\""]);
    fields[3] = ("maximum", "16");
    assert_eq!(admin.post("/admin/quotas/new", &fields).await.location(), "/admin/quotas");
    let list = admin.get("/admin/quotas").await;
    list.shows(&[
        "There is a quota of vcpu of each user now.",
        "Each user without their own",
        "What is stopped does not",
    ]);
    let again = admin.post("/admin/quotas/new", &fields).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    again.shows(&["There is a quota for this already"]);

    let at = list.text.find("Each user without their own").unwrap();
    let before = &list.text[..at];
    let href = before.rsplit("href=\"").next().unwrap().split('"').next().unwrap().to_owned();
    let page = admin.get(&href).await;
    page.shows(&["Vcpu of each user", "value=\"16\"", "Remove it"]);
    let generation = page.value_of("generation");
    let change = [("maximum", "20"), ("stopped", "counts"), ("generation", generation.as_str())];
    assert_eq!(admin.post(&href, &change).await.location(), "/admin/quotas");
    let stale = admin.post(&href, &change).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    stale.shows(&["Somebody changed the quota in the meantime"]);
    assert_eq!(admin.post(&format!("{href}/remove"), &[]).await.location(), "/admin/quotas");
    assert_eq!(admin.get(&href).await.status, StatusCode::NOT_FOUND);
    admin.get("/audit?action=quota.changed").await.shows(&["changed the quota of vcpu of each user"]);
}

#[tokio::test]
async fn only_admins_change_quotas_and_others_who_try_are_written_down() {
    let test = TestApp::start().await;
    let mut auditor = test.browser_of("auditor").await;
    auditor.get("/admin/quotas").await.shows(&["payments dev"]);
    auditor.get("/admin/quotas").await.hides(&["Add a quota", "/admin/quotas/quo_"]);
    for login in ["auditor", "lead", "developer"] {
        let mut other = test.browser_of(login).await;
        let fields = [("scope", "organisation"), ("dimension", "vcpu"), ("maximum", "1"), ("stopped", "counts")];
        assert_eq!(other.post("/admin/quotas/new", &fields).await.status, StatusCode::FORBIDDEN, "{login}");
    }
    let tried = "SELECT count(*) FROM audit_record WHERE action = 'quota.added' AND outcome = 'denied'";
    let count: i64 = sqlx::query_scalar(tried).fetch_one(test.app.db.pool()).await.unwrap();
    assert_eq!(count, 3);
    let made: i64 = sqlx::query_scalar("SELECT count(*) FROM quota WHERE dimension = 'vcpu'")
        .fetch_one(test.app.db.pool())
        .await
        .unwrap();
    assert_eq!(made, 0);
}
