//! The catalog and a template's page.

use crate::support::app::TestApp;

fn names(text: &str) -> Vec<String> {
    let links = text.split("class=\"row-link\" href=\"/catalog/").skip(1);
    links.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

fn count_of(text: &str, value: &str) -> String {
    let at = text.find(&format!("value=\"{value}\"")).unwrap_or_else(|| panic!("no choice {value}"));
    text[at..].split("class=\"n\">").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn search_and_facets_live_in_the_address() {
    let test = TestApp::start().await;
    let mut browser = test.browser_of("developer").await;
    let all = browser.get("/catalog").await;
    assert_eq!(
        names(&all.text),
        ["postgres-database", "practice-cloud", "service-repository", "terraform-stack", "dev-workspace"]
    );
    all.shows(&["5 templates"]);
    assert_eq!([count_of(&all.text, "postgres"), count_of(&all.text, "terraform")], ["1", "1"]);

    let one = browser.get("/catalog?provider=postgres").await;
    assert_eq!(names(&one.text), ["postgres-database"]);
    one.shows(&["1 of 5 templates", "Remove filter Made by Postgres"]);
    assert_eq!(count_of(&one.text, "terraform"), "1", "a question does not narrow its own counts");
    let two = browser.get("/catalog?provider=postgres&provider=terraform").await;
    assert_eq!(names(&two.text), ["postgres-database", "terraform-stack"]);
    let found = browser.get("/catalog?q=git").await;
    assert_eq!(names(&found.text), ["service-repository"]);
    let none = browser.get("/catalog?q=nothing-like-that").await;
    none.shows(&["No template fits", "href=\"/catalog\""]);
}

#[tokio::test]
async fn a_template_tells_what_it_asks_and_who_may_have_it() {
    let test = TestApp::start().await;
    let page = test.browser_of("developer").await.get("/catalog/postgres-database").await;
    page.shows(&[
        "href=\"/catalog/postgres-database/request\"",
        "payments, prod",
        "storefront, dev",
        "Needs approval",
        "one of Small, Medium or Large",
        "connection_limit",
        "Published",
        "1.1.0",
    ]);
    page.hides(&["<script>alert"]);
    let page = test.browser_of("auditor").await.get("/catalog/postgres-database").await;
    page.shows(&["Denied"]);
    page.hides(&["href=\"/catalog/postgres-database/request\""]);
}

/// Policy allows it, and still it cannot be had where nobody has said on what it is made.
#[tokio::test]
async fn a_template_tells_where_a_target_is_missing() {
    let test = TestApp::start().await;
    let mut browser = test.browser_of("developer").await;
    let page = browser.get("/catalog/dev-workspace").await;
    page.shows(&["Not yet", "Payments, dev has no runner host: an admin binds a target of the provider ssh to it."]);
    page.hides(&["href=\"/catalog/dev-workspace/request\"", ">Allowed<"]);
    let page = browser.get("/catalog/postgres-database").await;
    page.hides(&["Not yet"]);
}
