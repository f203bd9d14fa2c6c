//! The page on which somebody says who decides while they are away.

use axum::http::StatusCode;

use crate::support::app::TestApp;
use crate::support::http::Site;

const PAGE: &str = "/preferences/delegations";

#[tokio::test]
async fn it_is_given_in_the_viewers_zone_seen_by_both_and_taken_back() {
    let site = Site::serve(TestApp::start().await).await;
    let (mut lead, mut admin) = (site.test.browser_of("lead").await, site.test.browser_of("admin").await);
    lead.get(PAGE).await.shows(&["Nobody decides for you", "Let somebody decide for you", "A day and a time in UTC."]);
    admin.get(PAGE).await.hides(&["You decide for others"]);
    let until =
        (jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date() + jiff::Span::new().days(10)).to_string();
    let fields = [("to", "admin"), ("until", &format!("{until} 12:00")), ("note", "In the mountains")];
    lead.post("/preferences", &[("zone", "Asia/Kolkata"), ("back", PAGE)]).await;
    lead.get(PAGE).await.shows(&["A day and a time in Asia/Kolkata."]);
    let given = lead.post(PAGE, &fields).await;
    assert_eq!((given.status, given.location()), (StatusCode::SEE_OTHER, PAGE));
    let kept =
        format!("SELECT count(*) FROM delegation WHERE ends_at = '{until}T06:30:00Z' AND note = 'In the mountains'");
    assert_eq!(site.number(&kept).await, 1);
    let page = lead.get(PAGE).await;
    page.shows(&["Holds", "In the mountains", "Take back"]);
    page.hides(&["Nobody decides for you"]);
    let theirs = admin.get(PAGE).await;
    theirs.shows(&["You decide for others", "In the mountains"]);
    theirs.hides(&["Take back"]);
    let action = page.text.split("action=\"/preferences/delegations/").nth(1).expect("one to take back");
    let action = format!("{PAGE}/{}", action.split('"').next().unwrap());
    assert_eq!(admin.post(&action, &[]).await.status, StatusCode::NOT_FOUND);
    lead.get(PAGE).await.shows(&["Holds"]);
    assert_eq!(lead.post(&action, &[]).await.status, StatusCode::SEE_OTHER);
    lead.get(PAGE).await.shows(&["Taken back"]);
    admin.get(PAGE).await.hides(&["You decide for others"]);
    assert_eq!(lead.post(&action, &[]).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field() {
    let site = Site::serve(TestApp::start().await).await;
    let mut lead = site.test.browser_of("lead").await;
    let wrong = lead.post(PAGE, &[("to", "nobody-here"), ("from", "soon"), ("until", ""), ("note", "kept")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    wrong.shows(&["id=\"f-from-error\"", "id=\"f-until-error\"", "value=\"nobody-here\"", "kept"]);
    let wrong = lead.post(PAGE, &[("to", "lead"), ("until", "2099-01-01 10:00")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    wrong.shows(&["id=\"f-to-error\"", "Is you: let somebody else decide"]);
    let wrong = lead.post(PAGE, &[("to", "nobody-here"), ("until", "2099-01-01 10:00")]).await;
    wrong.shows(&["id=\"f-to-error\"", "id=\"f-until-error\"", "At most 90 days"]);
    assert_eq!(site.number("SELECT count(*) FROM delegation").await, 0);
}
