//! The palette, the drafts and the log as a person uses them in a browser with scripts.

use thirtyfour::Key;

use super::browser::Browser;
use super::stage::Stage;

/// A draft is a person's: of this form of the lead no other test makes one.
const FORM: &str = "/catalog/service-repository/request?project=payments";

#[tokio::test]
async fn the_palette_leads_anywhere_by_keyboard() {
    let stage = Stage::get().await;
    let b = Browser::of(&stage, true, "developer").await;
    b.open("/requests").await;
    b.see("").await;
    b.control_k().await;
    b.see_in("#palette-found", "Preferences").await;
    b.inspect("palette").await;
    b.eval("document.querySelector('#palette input').focus()").await;
    b.keys("postgres").await;
    b.see_in("#palette-found", "Request Postgres database").await;
    b.keys(Key::Down).await;
    b.keys(Key::Down).await;
    assert_eq!(b.eval("return document.activeElement.matches('[data-hit]')").await, true);
    b.keys(Key::Up).await;
    b.keys(Key::Up).await;
    assert_eq!(b.eval("return document.activeElement.name").await, "q");
    b.keys(Key::Escape).await;
    assert_eq!(b.eval("return document.getElementById('palette').open").await, false);
    b.control_k().await;
    b.keys("preferences").await;
    b.until("there is one hit", async || {
        (b.eval("return document.querySelectorAll('#palette-found [data-hit]').length").await == 1).then_some(())
    })
    .await;
    b.keys(Key::Enter).await;
    b.until_at("the page of preferences", |path| path == "/preferences").await;
    b.inspect("preferences").await;
    b.open("/search?q=data").await;
    b.inspect("search").await;
    b.no_complaints(&[]).await;
}

#[tokio::test]
async fn a_draft_goes_on_after_the_session_has_ended() {
    let stage = Stage::get().await;
    let b = Browser::of(&stage, true, "lead").await;
    b.open(FORM).await;
    b.choose("environment_type", "test").await;
    b.fill("#f-name", "drafted-db").await;
    b.fill("#f-reason", "Typed and not sent.").await;
    b.see_in(".verdict-saved", "Draft saved").await;
    b.until("all of it is saved", async || {
        let saved = b.eval("return decodeURIComponent(document.querySelector('.verdict-share a').href)").await;
        saved.as_str().filter(|link| link.contains("not+sent")).map(|_| ())
    })
    .await;
    b.driver.delete_all_cookies().await.unwrap();
    b.open(FORM).await;
    b.click("button[name=person][value=lead]").await;
    b.see("This is your draft").await;
    assert_eq!(b.value("#f-name").await, "drafted-db");
    assert_eq!(b.value("#f-reason").await, "Typed and not sent.");
    b.see_in("#verdict", "Nobody has to agree").await;
    b.click(".verdict-share summary").await;
    b.inspect("request-form-draft").await;
    // It stays open while the verdict is told anew.
    b.fill("#f-name", "drafted-db-2").await;
    b.until("the verdict is new", async || {
        let link = b.eval("return document.querySelector('.verdict-share a').href").await;
        link.as_str().filter(|link| link.contains("drafted-db-2")).map(|_| ())
    })
    .await;
    assert_eq!(b.eval("return document.querySelector('.verdict-share').open").await, true);
    b.press("Start over").await;
    b.until("the form is empty", async || b.value("#f-name").await.is_empty().then_some(())).await;
    b.no_complaints(&[]).await;
}

impl Browser {
    async fn control_k(&self) {
        let keys = self.driver.action_chain().key_down(Key::Control).send_keys("k").key_up(Key::Control);
        keys.perform().await.unwrap();
    }
}
