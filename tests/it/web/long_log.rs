//! A log that is longer than any page: windows, permanent links, the first error, the search.

use axum::http::StatusCode;
use paddock::base::id::RunId;
use paddock::requests::{Caller, Draft, Intent};
use serde_json::json;

use crate::support::app::{TestApp, inputs};
use crate::support::pages::{Answer, Browser};

/// How many lines the log has.
const LENGTH: i64 = 120_000;

/// A run that failed in its step "apply", with a log that was written by nobody. The step begins at
/// line 60 000, writes to its error stream at 60 500, and the word is in every thousandth line.
async fn failed(test: &TestApp) -> RunId {
    let developer = test.person("developer").await;
    let intent = Intent::Create {
        project: "payments".to_owned(),
        environment_type: "dev".to_owned(),
        template: "postgres-database".to_owned(),
        version: None,
        name: "long-db".to_owned(),
        inputs: inputs(json!({"size": "small"})),
        lifetime: None,
    };
    let draft = Draft { intent, reason: String::new(), exception: false };
    let requests = &test.app.requests;
    let id = requests.submit(&test.op_as(&developer), Caller::Person(&developer), &draft, None).await.unwrap().id;
    let mut connection = test.app.db.acquire().await.unwrap();
    let run = requests.find(&mut connection, id).await.unwrap().unwrap().run.unwrap();
    for statement in [
        "INSERT INTO log_line (run_id, seq, at, attempt, step, stream, text)
         SELECT $1, n, timestamptz '2026-11-21 10:00:00Z' + n * interval '10 ms', 1,
             CASE WHEN n < 60000 THEN 'plan' ELSE 'apply' END, CASE WHEN n = 60500 THEN 'stderr' ELSE 'stdout' END,
             'line ' || n || CASE WHEN n % 1000 = 0 THEN ' Needle' ELSE '' END
         FROM generate_series(1, 120000) AS n WHERE $1 IS NOT NULL",
        "INSERT INTO run_step (run_id, name, position, status, attempt, started_at, ended_at)
         SELECT $1, name, position, status, 1, timestamptz '2026-11-21 10:00:00Z' + begins * interval '10 ms', now()
         FROM (VALUES ('plan', 1, 'succeeded', 0), ('apply', 2, 'failed', 60000)) AS s (name, position, status, begins)",
        "UPDATE run SET state = 'running', attempt = 1, log_seq = 120000, started_at = now(), lease_until = now() WHERE id = $1",
        "UPDATE run SET state = 'failed', error = 'it broke', error_step = 'apply', lease_until = NULL, ended_at = now() WHERE id = $1",
    ] {
        sqlx::query(statement).bind(run.0).execute(&mut *connection).await.unwrap();
    }
    run
}

/// The numbers of the first and the last line, and how many there are.
fn lines(page: &Answer) -> (i64, i64, usize) {
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let numbers: Vec<i64> =
        page.text.split(" id=\"L").skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect();
    (numbers[0], numbers[numbers.len() - 1], numbers.len())
}

/// Where a link with these words leads.
fn link(page: &Answer, words: &str) -> String {
    let before = page.text.split(&format!(">{words}</a>")).next().unwrap();
    let href = before.rsplit("href=\"").next().unwrap().split('"').next().unwrap();
    href.replace("&#38;", "&").replace("&amp;", "&")
}

async fn lands(browser: &mut Browser, address: &str) -> String {
    let answer = browser.get(address).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    answer.location().to_owned()
}

#[tokio::test]
async fn a_page_shows_a_window_of_a_long_log() {
    let test = TestApp::start().await;
    let run = failed(&test).await;
    let mut browser = test.browser_of("developer").await;
    let path = format!("/runs/{run}");
    let end = browser.get(&path).await;
    assert_eq!(lines(&end), (LENGTH - 499, LENGTH, 500));
    end.shows(&["it broke", "First error", "href=\"?line=120000#L120000\""]);
    let earlier = link(&end, "Earlier lines");
    assert_eq!(earlier, format!("{path}?from={}#L{}", LENGTH - 999, LENGTH - 500));
    let page = browser.get(&earlier).await;
    assert_eq!(lines(&page), (LENGTH - 999, LENGTH - 500, 500));
    assert_eq!(lines(&browser.get(&link(&page, "Later lines")).await).0, LENGTH - 499);
    assert_eq!(lines(&browser.get(&link(&page, "Newest lines")).await).1, LENGTH);
    // A permanent link shows what is around the line, the first page has nothing before it.
    assert_eq!(lines(&browser.get(&format!("{path}?line=5000")).await), (4750, 5249, 500));
    assert_eq!(lines(&browser.get(&format!("{path}?from=1")).await), (1, 500, 500));
    assert!(end.text.len() < 400_000, "{} bytes", end.text.len());

    // The first error is far from the end, and so is the beginning of its step.
    end.shows(&["?at=apply", "?at=error"]);
    assert_eq!(lands(&mut browser, &format!("{path}?at=apply")).await, format!("{path}?line=60000#L60000"));
    let error = lands(&mut browser, &format!("{path}?at=error")).await;
    assert_eq!(error, format!("{path}?line=60500#L60500"));
    browser.get(&error).await.shows(&["id=\"L60500\" data-stream=\"stderr\""]);
    // Without an error stream it is the word, and without that the end.
    let quiet = "UPDATE log_line SET stream = 'stdout', text = 'an ERROR' WHERE seq = 60500";
    sqlx::query(quiet).execute(&mut *test.app.db.acquire().await.unwrap()).await.unwrap();
    assert_eq!(lands(&mut browser, &format!("{path}?at=error")).await, format!("{path}?line=60500#L60500"));

    let mut stranger = test.browser_of("admin").await;
    sqlx::query("DELETE FROM role_binding").execute(&mut *test.app.db.acquire().await.unwrap()).await.unwrap();
    for address in [format!("{path}?at=error"), format!("{path}?q=Needle")] {
        let refused = stranger.get(&address).await;
        assert!(refused.status.is_client_error(), "{} for somebody who may not read it", refused.status);
        refused.hides(&["Needle 1"]);
    }
}

#[tokio::test]
async fn a_search_reads_one_part_of_a_long_log_after_the_other() {
    let test = TestApp::start().await;
    let run = failed(&test).await;
    let mut browser = test.browser_of("developer").await;
    let found = browser.get(&format!("/runs/{run}?q=needle")).await;
    assert_eq!(lines(&found), (1000, 50_000, 50));
    found.shows(&["50 lines with “needle”, of lines 1 to 50000", "href=\"?line=7000#L7000\"", "value=\"needle\""]);
    let on = browser.get(&link(&found, "Search on")).await;
    assert_eq!(lines(&on), (51_000, 100_000, 50));
    let last = browser.get(&link(&on, "Search on")).await;
    assert_eq!(lines(&last), (101_000, 120_000, 20));
    last.hides(&["Search on"]);
    // More than a page takes: it goes on where the page ends.
    let many = browser.get(&format!("/runs/{run}?q=line+1")).await;
    assert_eq!(lines(&many).2, 200);
    let next = browser.get(&link(&many, "Search on")).await;
    assert_eq!(lines(&next).0, lines(&many).1 + 1);
    let none = browser.get(&format!("/runs/{run}?q=%25_%27x&after=100000")).await;
    none.shows(&["0 lines with “%_&#39;x”, of lines 100001 to 120000", "Show the log again"]);
}
