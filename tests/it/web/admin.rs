//! Catalog sources: their problems with file and line, adding one, and for whom.

use std::fs;

use axum::http::StatusCode;

use crate::support::app::TestApp;

#[tokio::test]
async fn problems_of_a_bad_template_are_shown_with_file_and_line() {
    let test = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("broken");
    fs::create_dir(&bad).unwrap();
    fs::write(bad.join("paddock.yaml"), "name: Broken\nprovider: postgres\ncolour: red\n").unwrap();
    let mut admin = test.browser_of("admin").await;
    admin.get("/admin/catalog").await.shows(&["sample", "Synced", "Sync now", "Add a source", "Postgres database"]);
    admin.get("/admin/catalog").await.shows(&["href=\"/admin/queue\"", "href=\"/admin/workers\""]);

    let path = folder.path().to_str().unwrap();
    let wrong = [("slug", "Not A Slug"), ("kind", "folder"), ("location", "relative/path"), ("folder", "../up")];
    let refused = admin.post("/admin/catalog", &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows(&["3 things need a change", "href=\"#f-slug\"", "value=\"Not A Slug\"", "value=\"relative/path\""]);
    let taken = admin.post("/admin/catalog", &[("slug", "sample"), ("kind", "folder"), ("location", path)]).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    taken.shows(&["exists already"]);

    let added = admin.post("/admin/catalog", &[("slug", "mine"), ("kind", "folder"), ("location", path)]).await;
    assert!(added.location().starts_with("/admin/catalog#src_"), "{}", added.location());
    let page = admin.get("/admin/catalog").await;
    page.shows(&["mine", "broken/paddock.yaml:3", "colour", "Postgres database"]);
    let sync = page.text.rsplit("action=\"/admin/catalog/").next().unwrap().split('"').next().unwrap().to_owned();
    let again = admin.post(&format!("/admin/catalog/{sync}"), &[]).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn only_admins_change_the_catalog() {
    let test = TestApp::start().await;
    let mut admin = test.browser_of("admin").await;
    let page = admin.get("/admin/catalog").await;
    let sync = page.text.split("action=\"/admin/catalog/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for who in ["developer", "lead", "auditor"] {
        let mut other = test.browser_of(who).await;
        let looked = other.get("/admin/catalog").await;
        if who == "auditor" {
            looked.shows(&["sample"]);
            looked.hides(&["Sync now", "Add a source"]);
        } else {
            assert_eq!(looked.status, StatusCode::FORBIDDEN, "{who}");
            looked.shows(&["Needs the role admin or auditor on the platform."]);
        }
        for path in ["/admin/catalog".to_owned(), format!("/admin/catalog/{sync}")] {
            let refused = other.post(&path, &[("slug", "x"), ("kind", "folder"), ("location", "/tmp")]).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{who} {path}");
            refused.shows(&["Needs the role admin on the platform."]);
        }
    }
}
