//! A rule as an admin writes it, another one publishes it, and a developer meets it in the form.

use std::sync::Arc;

use super::browser::Browser;
use super::stage::Stage;

const RULE: &str = "\\n@id(\"no-large-databases\")\\n@reason(\"Large databases are not made here.\")\\nforbid (principal, action == \
                    Action::\"CreateEnvironment\", resource)\\nwhen { context.inputs.texts.hasTag(\"size\") && \
                    context.inputs.texts.getTag(\"size\") == \"large\" };\\n";

#[tokio::test]
async fn a_rule_by_form_is_seen_as_cedar_tried_replayed_published_and_met() {
    let stage = Stage::own().await;
    let b = Browser::of(&stage, true, "admin").await;
    b.open("/admin/policies").await;
    b.press("New draft").await;
    let edit = b.until_at("the editor", |path| path.ends_with("/edit")).await;
    let version = edit.trim_end_matches("/edit").to_owned();
    b.open(&version).await;
    b.press("Add a rule by form").await;
    b.until_at("the form", |path| path.ends_with("/rule")).await;
    b.see_in("#preview", "as soon as all that it needs").await;
    b.inspect("policy-rule").await;
    b.press("Limit a choice").await;
    b.see_later("#section-says", "May be").await;
    b.eval("document.querySelector('#f-input').value = 'size';").await;
    b.fill("#f-values", "small\nmedium").await;
    b.fill("#f-id", "no-large-databases").await;
    // While it is typed: the sentence, and the Cedar.
    b.fill("#f-reason", "Large databases are not made here.").await;
    b.see_later("#preview", "The input size of environments is “small” or “medium”.").await;
    b.see_in("#preview", "@id(\"no-large-databases\")").await;
    b.inspect("policy-rule-filled").await;
    b.press("Add to the draft").await;
    b.until_at("the version", |path| path == version).await;
    b.see_in("#changes", "no-large-databases").await;
    tried_and_replayed(&b, &version).await;
    b.press("Propose").await;
    b.see_later("main", "another admin must publish it").await;
    published_and_met(&stage, &version).await;
    b.no_complaints(&[]).await;
}

#[tokio::test]
async fn a_rule_is_written_checked_proposed_published_and_met() {
    // By itself: what waits for approval elsewhere would ask again.
    let stage = Stage::own().await;

    let b = Browser::of(&stage, true, "admin").await;
    b.open("/admin/policies").await;
    b.inspect("policies").await;
    b.press("New draft").await;
    let edit = b.until_at("the editor", |path| path.ends_with("/edit")).await;
    b.see_in("#check", "No rule differs.").await;
    b.fill("#f-note", "No large ones").await;
    let type_in = |rule: String| {
        format!(
            "const area = document.querySelector('#f-source'); area.value += '{rule}';
             area.dispatchEvent(new Event('input', {{bubbles: true}}));"
        )
    };
    // While it is typed: wrong first, with its place, then right.
    b.eval(&type_in(RULE.replace("inputs.texts.hasTag", "input.texts.hasTag"))).await;
    b.see_later("#check", "Did you mean `inputs`?").await;
    b.see_in("#check", "Line ").await;
    b.inspect("policy-wrong").await;
    b.eval(
        "const area = document.querySelector('#f-source'); area.value = area.value.replace('input.texts', 'inputs.texts');
         area.dispatchEvent(new Event('input', {bubbles: true}));",
    )
    .await;
    b.see_later("#check", "Valid: ").await;
    b.see_in("#check", "no-large-databases").await;
    b.inspect("policy-valid").await;
    b.press("Save draft").await;
    let version = edit.trim_end_matches("/edit").to_owned();
    b.until_at("the version", |path| path == version).await;
    tried_and_replayed(&b, &version).await;
    b.press("Propose").await;
    b.see_later("main", "another admin must publish it").await;
    b.inspect("policy-proposed").await;

    published_and_met(&stage, &version).await;
    b.no_complaints(&[]).await;
}

/// The version refuses what it shall, when it is tried; the replay of it ends.
async fn tried_and_replayed(b: &Browser, version: &str) {
    b.press("Try").await;
    b.until_at("the form", |path| path.ends_with("/try")).await;
    b.fill("#f-person", "developer").await;
    b.fill("#f-inputs", "{\"size\": \"large\"}").await;
    b.press("Try").await;
    b.see_later("#tried", "Newly denied").await;
    b.see_in("#tried", "Large databases are not made here.").await;
    b.inspect("policy-tried").await;
    b.open(version).await;
    b.press("Replay").await;
    b.until_at("the replay", |path| path.ends_with("/replay")).await;
    b.press("Replay").await;
    b.see_later("#replay", "decision").await;
    b.inspect("policy-replayed").await;
    b.open(version).await;
}

/// A second admin publishes it, and a developer meets it in the form.
async fn published_and_met(stage: &Arc<Stage>, version: &str) {
    let second = Browser::of(stage, false, "second-admin").await;
    second.open(version).await;
    second.see_in("#changes", "no-large-databases").await;
    second.press("Publish").await;
    second.see_later(".page-title", "In force").await;
    second.no_complaints(&[]).await;

    let developer = Browser::of(stage, true, "developer").await;
    developer.open("/catalog/postgres-database/request?project=payments&environment_type=dev&inputs/size=large").await;
    developer.see_later("#verdict", "Large databases are not made here.").await;
    developer.no_complaints(&[]).await;
}
