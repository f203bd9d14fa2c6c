//! Typing while the form is shaped anew by an answer that is still on its way.

use super::browser::Browser;
use super::stage::Stage;

/// A link of its own: tests that run at the same time share people, and these have drafts.
const FORM: &str = "/catalog/postgres-database/request?project=payments&test=typing";

/// Answers arrive, but the page gets them only when the test lets them go.
const HOLD: &str = "
    window.held = [];
    const real = window.fetch;
    window.fetch = async (...all) => {
        const answer = await real(...all);
        // One that is asked for, but not there yet, when they are let go, is not held either.
        if (window.fetch !== real) await new Promise((go) => window.held.push(go));
        return answer;
    };
    window.letGo = () => { window.fetch = real; for (const go of window.held) go(); };";

#[tokio::test]
async fn what_is_typed_before_the_answer_comes_stays() {
    let stage = Stage::get().await;
    let b = Browser::of(&stage, true, "developer").await;
    b.open(FORM).await;
    b.fill("#f-name", "sent-with-the-question").await;
    // Chosen before: prod offers other lifetimes at other places of the list.
    b.select("#f-lifetime", "1d").await;
    b.see_in("#verdict", "Nobody has to agree").await;
    b.at_rest().await;
    b.eval(HOLD).await;
    b.choose("environment_type", "prod").await;
    b.until("the form is on its way", async || b.eval("return held.length").await.as_u64().filter(|n| *n > 0)).await;
    b.fill("#f-name", "typed-meanwhile").await;
    b.choose("inputs/size", "large").await;
    b.fill("#f-inputs-connection-limit", "7").await;
    b.fill("#f-reason", "Typed meanwhile, too.").await;
    // Left: a field without the focus is what an answer would overwrite.
    b.select("#f-lifetime", "3d").await;
    b.eval("document.activeElement.blur(); letGo()").await;
    b.see_in("#section-where", "Production").await;
    b.see_in("#verdict", "Needs one approval").await;
    b.at_rest().await;
    let now = b
        .eval(
            "return ['#f-name', '[name=\"inputs/size\"]:checked', '#f-inputs-connection-limit', '#f-reason',
        '#f-lifetime'].map((css) => document.querySelector(css).value).join('|')",
        )
        .await;
    assert_eq!(now, "typed-meanwhile|large|7|Typed meanwhile, too.|3d");
    b.no_complaints(&[]).await;
}

#[tokio::test]
async fn what_was_chosen_stays_chosen_where_the_list_is_another() {
    let stage = Stage::get().await;
    let b = Browser::of(&stage, true, "developer").await;
    b.open(&format!("{FORM}-choices")).await;
    b.select("#f-lifetime", "1d").await;
    for kind in ["prod", "test", "dev"] {
        b.choose("environment_type", kind).await;
        let asked = if kind == "prod" { "Needs one approval" } else { "Nobody has to agree" };
        b.see_in("#verdict", asked).await;
        b.at_rest().await;
        assert_eq!(b.value("#f-lifetime").await, "1d", "in {kind}");
    }
    b.no_complaints(&[]).await;
}

impl Browser {
    /// Waits until nothing is on its way.
    async fn at_rest(&self) {
        self.until("nothing is on its way", async || {
            let busy = "return document.querySelectorAll('.htmx-request').length";
            (self.eval(busy).await == 0).then_some(())
        })
        .await;
    }
}
