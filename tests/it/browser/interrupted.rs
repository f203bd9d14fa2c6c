//! What app.js does by itself: it says that a session has ended, and keeps a long log short.

use super::browser::Browser;
use super::stage::Stage;

/// A link of its own: tests that run at the same time share people, and these have drafts.
const FORM: &str = "/catalog/postgres-database/request?project=payments&test=interrupted";

#[tokio::test]
async fn a_session_that_ends_under_a_form_is_told_once_and_loses_nothing() {
    let stage = Stage::get().await;
    let b = Browser::of(&stage, true, "developer").await;
    b.open(FORM).await;
    b.see_in("#verdict", "still to fill in").await;
    b.command("Network.clearBrowserCookies", serde_json::json!({})).await;
    b.fill("#f-name", "typed-without-a-session").await;
    b.see_in("#toasts", "Your session has ended. What you typed is still here. Sign in in a new tab").await;
    // Each further change is refused, too; one message is enough.
    b.fill("#f-reason", "More.").await;
    b.until("the second refusal", async || {
        let refused =
            "return performance.getEntriesByType('resource').filter((one) => one.responseStatus === 401).length";
        b.eval(refused).await.as_u64().filter(|n| *n >= 2)
    })
    .await;
    b.eval("return new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))").await;
    assert_eq!(b.eval("return document.querySelectorAll('#toasts .toast').length").await, 1);
    assert_eq!(b.value("#f-name").await, "typed-without-a-session");
    assert_eq!(b.attribute("#signed-out", "target").await.as_deref(), Some("_blank"));
    let same_page = "return new URL(document.querySelector('#signed-out').href).pathname";
    assert_eq!(b.eval(same_page).await, "/sign-in");
    b.no_complaints(&["status of 401"]).await;
}

/// Lines as the stream of a run brings them.
const ADD: &str = "
    const rows = document.getElementById('log-lines');
    let number = Number([...rows.querySelectorAll('.log-line')].at(-1).id.slice(1));
    const model = rows.querySelector('.log-line');
    const many = document.createDocumentFragment();
    for (let i = 0; i < arguments_count; i += 1) {
        const line = model.cloneNode(true);
        number += 1;
        line.id = `L${number}`;
        many.append(line);
    }
    rows.append(many);
    return number;";

#[tokio::test]
async fn a_log_that_grows_in_the_page_is_cut_at_its_beginning() {
    let stage = Stage::get().await;
    let b = Browser::of(&stage, true, "developer").await;
    b.open("/catalog/practice-cloud/request?project=payments&test=log").await;
    b.fill("#f-name", "log-grows").await;
    b.press("Create").await;
    let environment = b.until_at("the environment", |path| path.starts_with("/environments/env_")).await;
    b.see_later("main", "Ready").await;
    b.open(&environment).await;
    b.click("main a[href^='/runs/run_']").await;
    b.until_at("the run", |path| path.starts_with("/runs/run_")).await;
    b.see_in("#log", "").await;
    let add = |count: usize| ADD.replace("arguments_count", &count.to_string());
    let count = "return document.querySelectorAll('#log .log-line').length";
    let earlier = "return document.getElementById('log-earlier').hidden";
    // Nobody follows this one: it keeps 5000 lines, cut in larger pieces.
    b.eval(&add(5000)).await;
    assert_eq!(b.eval(earlier).await, true, "cut too early");
    let last = b.eval(&add(1000)).await.as_u64().unwrap();
    b.until("the log is cut", async || (b.eval(count).await == 5000).then_some(())).await;
    let first = last - 5000;
    assert_eq!(b.eval("return document.querySelector('#log .log-line').id").await, format!("L{}", first + 1));
    assert_eq!(b.eval(earlier).await, false);
    let href = b.eval("return document.querySelector('#log-earlier a').getAttribute('href')").await;
    assert_eq!(href, format!("?line={first}#L{first}"));
    b.no_complaints(&[]).await;
}
