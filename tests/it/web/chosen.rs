//! What the viewer chooses about what they see: zone, project, and the search over everything.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use paddock::requests::{Caller, Draft, Intent};

use crate::support::app::{TestApp, inputs};

async fn ask(test: &TestApp, who: &str, project: &str, name: &str) {
    let person = test.person(who).await;
    let draft = Draft {
        exception: false,
        intent: Intent::Create {
            project: project.to_owned(),
            environment_type: "dev".to_owned(),
            template: "postgres-database".to_owned(),
            version: None,
            name: name.to_owned(),
            inputs: inputs(json!({"size": "small"})),
            lifetime: None,
        },
        reason: String::new(),
    };
    test.app.requests.submit(&test.op_as(&person), Caller::Person(&person), &draft, None).await.unwrap();
}

#[tokio::test]
async fn times_are_in_the_zone_of_the_browser_until_one_is_chosen() {
    let test = TestApp::start().await;
    ask(&test, "developer", "payments", "orders-db").await;
    let mut browser = test.browser_of("developer").await;
    let page = browser.get("/environments").await;
    let link = page.text.split("href=\"/environments/env_").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let environment = format!("/environments/env_{link}");
    browser.get(&environment).await.shows(&["Times in UTC", " UTC</time>", "<time datetime=\"20"]);

    browser.cookies.insert("paddock_browser_zone".to_owned(), "Asia/Kolkata".to_owned());
    let page = browser.get(&environment).await;
    page.shows(&["Times in Asia/Kolkata", " UTC+5:30</time>"]);
    page.hides(&[" UTC</time>"]);
    // Machines read the same moment in every zone.
    assert!(page.text.split("datetime=\"").skip(1).all(|rest| rest.split('"').next().unwrap().ends_with('Z')));

    let set = browser.post("/preferences", &[("zone", "america/st_johns"), ("back", &environment)]).await;
    assert_eq!((set.status, set.location()), (StatusCode::SEE_OTHER, environment.as_str()));
    browser.get(&environment).await.shows(&["Times in America/St_Johns", " UTC-"]);
    let refused = browser.post("/preferences", &[("zone", "Mars/Olympus"), ("back", "/")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows(&["There is no zone of this name", "value=\"Mars/Olympus\""]);
    browser.get(&environment).await.shows(&["Times in America/St_Johns"]);
    browser.post("/preferences", &[("zone", ""), ("back", "/")]).await;
    browser.get("/preferences").await.shows(&["Times are in Asia/Kolkata", "<option value=\"Europe/Oslo\">"]);

    // What is no zone counts for nothing.
    browser.cookies.insert("paddock_browser_zone".to_owned(), "../../etc/passwd".to_owned());
    browser.get(&environment).await.shows(&["Times in UTC"]);
}

#[tokio::test]
async fn the_chosen_project_narrows_the_lists_and_starts_the_form() {
    let test = TestApp::start().await;
    ask(&test, "developer", "payments", "orders-db").await;
    ask(&test, "developer", "storefront", "basket-db").await;
    let mut browser = test.browser_of("developer").await;
    browser.get("/").await.shows(&["All projects", "orders-db", "basket-db", "href=\"/environments\""]);

    let back = browser.post("/preferences", &[("project", "storefront"), ("back", "/environments?q=db&after=x")]).await;
    assert_eq!(back.location(), "/environments?q=db&project=storefront");
    let list = browser.get(back.location()).await;
    list.shows(&["basket-db", "Remove filter Project", "href=\"/requests?project=storefront\""]);
    list.hides(&["orders-db"]);
    let home = browser.get("/").await;
    home.shows(&["basket-db", "in storefront"]);
    home.hides(&["orders-db"]);
    browser.get("/requests?project=storefront").await.hides(&["orders-db"]);
    browser.get("/catalog/postgres-database/request").await.shows(&["<option value=\"storefront\" selected>"]);

    // The lists of others keep to what they may see; a name that is not theirs changes nothing.
    let mut auditor = test.browser_of("auditor").await;
    let records = auditor.get("/audit?project=storefront&action=request.*").await;
    records.shows(&["basket-db", "Remove filter Project storefront"]);
    records.hides(&["orders-db"]);
    auditor.get("/audit?project=nowhere").await.shows(&["No record fits"]);

    let back = browser.post("/preferences", &[("project", ""), ("back", "/environments?project=storefront")]).await;
    assert_eq!(back.location(), "/environments");
    browser.cookies.insert("paddock_project".to_owned(), "somebody-elses".to_owned());
    browser.get("/").await.shows(&["All projects", "orders-db", "basket-db"]);
}

#[tokio::test]
async fn the_search_finds_what_the_viewer_may_see() {
    let test = TestApp::start().await;
    ask(&test, "developer", "payments", "orders-db").await;
    let mut browser = test.browser_of("developer").await;
    let page = browser.get("/search?q=orders").await;
    page.shows(&["<h1>Search</h1>", "orders-db", "Postgres database in payments, dev", "Create orders-db"]);
    browser.get("/search?q=post").await.shows(&["Request Postgres database", "/catalog/postgres-database/request"]);
    browser.get("/search").await.shows(&["Environments", "Preferences"]);
    let none = browser.get("/search?q=%3Cscript%3E").await;
    none.shows(&["Nothing that you may see has “&#60;script&#62;”"]);
    browser.get("/search?q=audit").await.hides(&["href=\"/audit\" data-hit"]);
    test.browser_of("auditor").await.get("/search?q=audit").await.shows(&["href=\"/audit\" data-hit"]);

    // The palette gets what was found alone.
    let ask_part = Request::get("/search?q=orders").header("hx-request", "true").header("hx-request-type", "partial");
    let part = browser.send(ask_part.body(Body::empty()).unwrap()).await;
    part.shows(&["orders-db"]);
    part.hides(&["<html"]);

    let own = "DELETE FROM role_binding WHERE project_id IS NOT NULL";
    sqlx::query(own).execute(&mut *test.app.db.acquire().await.unwrap()).await.unwrap();
    let gone = browser.get("/search?q=orders").await;
    // The own request stays one's own.
    gone.hides(&["/environments/env_"]);
}
