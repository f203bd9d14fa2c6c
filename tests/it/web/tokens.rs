//! API tokens that people make for themselves: shown once, never wider than the person, revoked by nobody else.

use axum::http::StatusCode;
use paddock::identity::{self, Scope};

use crate::support::app::TestApp;
use crate::support::pages::Answer;

const TOKENS: &str = "/preferences/tokens";

fn secret_of(page: &Answer) -> String {
    let at = page.text.find("pdkp_").unwrap_or_else(|| panic!("{} without a token:\n{}", page.status, page.text));
    page.text[at..].chars().take(54).collect()
}

/// The scopes that a token reaches; none when it is refused.
async fn reached(test: &TestApp, token: &str) -> Vec<Scope> {
    match identity::authenticate_token(&mut test.app.db.acquire().await.unwrap(), &test.app.identity, token).await {
        Ok(found) => Scope::ALL.into_iter().filter(|scope| found.reaches(*scope)).collect(),
        Err(identity::IdentityError::TokenInvalid) => Vec::new(),
        Err(other) => panic!("{other:?}"),
    }
}

fn revoke_address(page: &Answer) -> String {
    let at = page.text.split("action=\"/preferences/tokens/").nth(1).expect("a token to revoke");
    format!("{TOKENS}/{}", at.split('"').next().unwrap())
}

async fn count(test: &TestApp) -> i64 {
    let mut connection = test.app.db.acquire().await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM api_token").fetch_one(&mut *connection).await.unwrap()
}

#[tokio::test]
async fn a_token_is_shown_once_and_works() {
    let test = TestApp::start().await;
    let mut browser = test.browser_of("developer").await;
    browser.get(TOKENS).await.shows(&["You have no API token", "Make a token", "value=\"30d\" selected"]);
    let fields = [("name", " deploy pipeline "), ("ttl", "7d"), ("scopes", "request")];
    let made = browser.post(TOKENS, &fields).await;
    assert_eq!((made.status, made.header("cache-control")), (StatusCode::OK, "no-store"));
    let token = secret_of(&made);
    made.shows(&["Copy the token “deploy pipeline” now", "shown this once"]);
    assert_eq!(reached(&test, &token).await, [Scope::Read, Scope::Request]);

    let page = browser.get(TOKENS).await;
    page.shows(&["deploy pipeline", &format!("…{}", &token[50..]), "read, request", "Revoke"]);
    page.hides(&["pdkp_", "You have no API token"]);
    // The same form once more, as after a reload: no second token, and what was typed is still there.
    let again = browser.post(TOKENS, &fields).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    again.shows(&[
        "A token that works has this name",
        "href=\"#f-name\"",
        "id=\"f-name-error\"",
        "value=\"request\" checked",
    ]);
    again.hides(&["pdkp_"]);
    assert_eq!(count(&test).await, 1);

    let mut auditor = test.browser_of("auditor").await;
    let records = auditor.get("/audit?action=token.*").await;
    records.shows(&["1 record", "made the API token deploy pipeline"]);
    assert!(!records.text.contains(&token[5..40]));
}

#[tokio::test]
async fn wrong_values_are_told_beside_their_fields_and_make_nothing() {
    let test = TestApp::start().await;
    let mut browser = test.browser_of("developer").await;
    let long = "x".repeat(101);
    for (fields, told) in [
        (vec![("name", " "), ("ttl", "7d")], vec!["f-name-error", "Give the token a name of 1 to 100 characters"]),
        (vec![("name", long.as_str()), ("ttl", "7d")], vec!["f-name-error", long.as_str()]),
        (vec![("name", "a\0b"), ("ttl", "7d")], vec!["f-name-error"]),
        (vec![("name", "ci")], vec!["f-ttl-error", "Must be one of the list", "value=\"ci\""]),
        (vec![("name", "ci"), ("ttl", "9999d")], vec!["f-ttl-error"]),
        (vec![("name", "ci"), ("ttl", "7d"), ("scopes", "*")], vec!["f-scopes-error", "“*” is not a scope"]),
        (
            vec![("name", ""), ("ttl", ""), ("scopes", "all")],
            vec!["3 things need a change", "f-name-error", "f-ttl-error", "f-scopes-error"],
        ),
    ] {
        let refused = browser.post(TOKENS, &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
        refused.shows(&told);
    }
    assert_eq!(count(&test).await, 0);
}

#[tokio::test]
async fn scopes_are_offered_and_given_as_far_as_the_persons_roles_go() {
    let test = TestApp::start().await;
    for (who, reach) in [
        ("developer", &["request"][..]),
        ("lead", &["request", "review"]),
        ("auditor", &["request", "admin", "audit"]),
        ("admin", &["request", "admin", "audit"]),
    ] {
        let mut browser = test.browser_of(who).await;
        let page = browser.get(TOKENS).await;
        for scope in ["request", "review", "admin", "audit"] {
            let offered = page.text.contains(&format!("name=\"scopes\" value=\"{scope}\""));
            assert_eq!(offered, reach.contains(&scope), "{who} {scope}");
            // Whatever the page offers: a form can be written by hand.
            let name = format!("for {scope}");
            let made = browser.post(TOKENS, &[("name", &name), ("ttl", "7d"), ("scopes", scope)]).await;
            if offered {
                assert!(reached(&test, &secret_of(&made)).await.contains(&scope.parse().unwrap()), "{who} {scope}");
            } else {
                assert_eq!(made.status, StatusCode::UNPROCESSABLE_ENTITY, "{who} {scope}");
                made.shows(&[&format!("You have no role for “{scope}”"), "f-scopes-error"]);
                made.hides(&["pdkp_"]);
            }
        }
    }
}

#[tokio::test]
async fn a_token_is_seen_and_revoked_by_its_owner_alone() {
    let test = TestApp::start().await;
    let mut owner = test.browser_of("developer").await;
    let token = secret_of(&owner.post(TOKENS, &[("name", "of the owner"), ("ttl", "7d")]).await);
    let revoke = revoke_address(&owner.get(TOKENS).await);
    for who in ["lead", "admin", "auditor"] {
        let mut other = test.browser_of(who).await;
        other.get(TOKENS).await.hides(&["of the owner"]);
        assert_eq!(other.post(&revoke, &[]).await.status, StatusCode::NOT_FOUND, "{who}");
    }
    let mut nobody = test.browser();
    assert_eq!(nobody.post(&revoke, &[]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(reached(&test, &token).await, [Scope::Read]);
    for wrong in ["tok_00000000000000000000000000000000", "nonsense"] {
        let answer = owner.post(&format!("{TOKENS}/{wrong}/revoke"), &[]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{wrong}");
    }

    let done = owner.post(&revoke, &[]).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, TOKENS));
    assert_eq!(reached(&test, &token).await, []);
    let page = owner.get(TOKENS).await;
    page.shows(&["The token is revoked", "Revoked", "of the owner"]);
    page.hides(&[&revoke]);
    assert_eq!(owner.post(&revoke, &[]).await.status, StatusCode::NOT_FOUND, "once");
    let records = test.browser_of("auditor").await.get("/audit?action=token.revoked").await;
    records.shows(&["1 record", "Dana Reyes", "revoked the API token of the owner"]);
    // Its name is free again.
    owner.post(TOKENS, &[("name", "of the owner"), ("ttl", "7d")]).await.shows(&["pdkp_"]);
}

#[tokio::test]
async fn an_expired_token_is_shown_as_such_and_refused() {
    let test = TestApp::start().await;
    let mut browser = test.browser_of("developer").await;
    let token = secret_of(&browser.post(TOKENS, &[("name", "old"), ("ttl", "7d")]).await);
    let past = "UPDATE api_token SET expires_at = now() - interval '1 s'";
    sqlx::query(past).execute(&mut *test.app.db.acquire().await.unwrap()).await.unwrap();
    assert_eq!(reached(&test, &token).await, []);
    let page = browser.get(TOKENS).await;
    page.shows(&["Expired"]);
    page.hides(&["/revoke\""]);
}

#[tokio::test]
async fn where_policy_lets_nobody_make_tokens_the_form_is_gone_and_a_post_is_refused() {
    let forbids = r#"@id("no-tokens") @reason("Tokens are made by the platform team.")
        forbid (principal, action == Action::"ManageTokens", resource);"#;
    let test = TestApp::start_with(TestApp::policies_and(forbids)).await;
    let mut browser = test.browser_of("admin").await;
    browser.get(TOKENS).await.hides(&["Make a token"]);
    let refused = browser.post(TOKENS, &[("name", "ci"), ("ttl", "7d")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.shows(&["Tokens are made by the platform team."]);
    let refused = browser.post(&format!("{TOKENS}/tok_00000000000000000000000000000000/revoke"), &[]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(count(&test).await, 0);
}
