//! Without a mouse, and after something went wrong: nothing that was typed is lost.

use std::sync::Arc;

use thirtyfour::Key;

use super::browser::Browser;
use super::stage::Stage;

/// A link of its own: tests that run at the same time share people, and these have drafts.
const FORM: &str = "/catalog/postgres-database/request?project=payments&test=keyboard";

#[tokio::test]
async fn a_request_and_its_approval_by_keyboard() {
    let stage = Stage::get().await;
    let b = Browser::of(&stage, true, "developer").await;
    b.open(FORM).await;
    b.keys(Key::Tab).await;
    assert_eq!(b.eval("return document.activeElement.className").await, "skip", "the first stop skips to the content");
    b.tab_to("input[name=environment_type]").await;
    b.arrow_to("prod").await;
    b.see_in("#verdict", "Needs one approval").await;
    b.tab_to("#f-name").await;
    b.keys("x").await;
    b.tab_to("#f-reason").await;
    b.keys("By keyboard.").await;
    // At once: the verdict that typing asked for comes while its button has the focus.
    b.tab_to("#verdict button").await;
    b.see_in("#verdict", "still to fill in or to correct").await;
    assert_eq!(b.eval("return document.activeElement.matches('#verdict button')").await, true, "the focus is lost");
    b.keys(Key::Enter).await;
    // Refused: the focus is at the summary, and a line of it leads to the field.
    b.see_in("#errors", "Name").await;
    assert_eq!(b.eval("return document.activeElement.id").await, "errors");
    assert_eq!(b.value("#f-reason").await, "By keyboard.");
    assert_eq!(b.value("#f-name").await, "x");
    b.inspect_refused().await;
    b.tab_to("#errors a").await;
    b.keys(Key::Enter).await;
    b.until("the focus is in the field", async || {
        (b.eval("return document.activeElement.id").await == "f-name").then_some(())
    })
    .await;
    b.keys(Key::End).await;
    b.keys("-by-keyboard").await;
    b.tab_to("#verdict button").await;
    b.keys(Key::Enter).await;
    b.until_at("the request", |path| path.starts_with("/requests/req_")).await;
    b.see("x-by-keyboard").await;
    b.see_later("#live", "Waits for").await;
    approve_by_keyboard(&stage).await;
    b.see_later(".page-title", "Succeeded").await;
    b.no_complaints(&["status of 422"]).await;
}

async fn approve_by_keyboard(stage: &Arc<Stage>) {
    let lead = Browser::of(stage, true, "lead").await;
    lead.open("/approvals").await;
    lead.see("x-by-keyboard").await;
    let focused = "return document.activeElement.textContent.includes('x-by-keyboard')";
    lead.until("j comes to the request", async || {
        lead.keys("j").await;
        lead.eval(focused).await.as_bool().filter(|yes| *yes)
    })
    .await;
    lead.keys(Key::Enter).await;
    lead.until_at("the approval", |path| path.starts_with("/approvals/req_")).await;
    lead.tab_to("#f-reason").await;
    lead.keys("Agreed, without a mouse.").await;
    lead.tab_to("button[value=approve]").await;
    lead.keys(Key::Enter).await;
    lead.see("pproved").await;
    lead.no_complaints(&[]).await;
}

#[tokio::test]
async fn what_was_typed_outlives_the_session() {
    let stage = Stage::get().await;
    for script in [true, false] {
        let name = if script { "patient-db" } else { "patient-db-2" };
        let b = Browser::of(&stage, script, "developer").await;
        b.open(&format!("{FORM}&environment_type=test")).await;
        b.fill("#f-name", name).await;
        b.fill("#f-reason", "Typed before the session ended.").await;
        b.driver.delete_all_cookies().await.unwrap();
        b.click("#verdict .verdict-foot button[data-busy], #verdict .verdict-bar button").await;
        b.see("Your session has ended").await;
        let here = b.driver.window().await.unwrap();
        b.press("Sign in, in a new tab").await;
        let there = b
            .until("there is a new tab", async || {
                b.driver.windows().await.unwrap().into_iter().find(|window| *window != here)
            })
            .await;
        b.driver.switch_to_window(there).await.unwrap();
        b.click("button[name=person][value=developer]").await;
        b.until_at("home", |path| path == "/").await;
        b.driver.close_window().await.unwrap();
        b.driver.switch_to_window(here).await.unwrap();
        b.press("Send it again").await;
        b.until_at("the environment", |path| path.starts_with("/environments/env_")).await;
        b.see(name).await;
        b.see_later(".page-title", "Ready").await;
        b.no_complaints(&["status of 401"]).await;
    }
}

impl Browser {
    async fn inspect_refused(&self) {
        self.listen(&["status of 422"]).await;
        self.inspect("request-form-refused").await;
        // Looking at it in every width does not move the focus.
        self.eval("document.getElementById('errors').focus()").await;
    }

    /// Tabs on until the focus is there and can be seen.
    async fn tab_to(&self, css: &str) {
        for _ in 0..150 {
            self.keys(Key::Tab).await;
            let there = format!("return document.activeElement.matches('{css}')");
            if self.eval(&there).await == true {
                let seen = "const style = getComputedStyle(document.activeElement);
                    const beside = document.activeElement.closest('label');
                    const shows = (s) => s.outlineStyle !== 'none' || s.boxShadow !== 'none';
                    return shows(style) || (beside !== null && shows(getComputedStyle(beside)));";
                assert_eq!(self.eval(seen).await, true, "the focus at {css} can't be seen");
                return;
            }
        }
        self.fail(&format!("Tab never comes to {css}")).await;
    }

    /// Arrows on until the radio button with the value is chosen.
    async fn arrow_to(&self, value: &str) {
        for _ in 0..10 {
            if self.eval("return document.activeElement.value").await == value {
                return;
            }
            self.keys(Key::Right).await;
        }
        self.fail(&format!("arrows never come to {value}")).await;
    }
}
