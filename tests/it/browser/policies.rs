//! A rule as an admin writes it, another one publishes it, and a developer meets it in the form.

use super::browser::Browser;
use super::stage::Stage;

const RULE: &str = "\\n@id(\"no-large-databases\")\\n@reason(\"Large databases are not made here.\")\\nforbid (principal, action == \
                    Action::\"CreateEnvironment\", resource)\\nwhen { context.inputs.texts.hasTag(\"size\") && \
                    context.inputs.texts.getTag(\"size\") == \"large\" };\\n";

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
    b.press("Try").await;
    b.until_at("the form", |path| path.ends_with("/try")).await;
    b.fill("#f-person", "developer").await;
    b.fill("#f-inputs", "{\"size\": \"large\"}").await;
    b.press("Try").await;
    b.see_later("#tried", "Newly denied").await;
    b.see_in("#tried", "Large databases are not made here.").await;
    b.inspect("policy-tried").await;
    b.open(&version).await;
    b.press("Replay").await;
    b.until_at("the replay", |path| path.ends_with("/replay")).await;
    b.press("Replay").await;
    b.see_later("#replay", "decision").await;
    b.inspect("policy-replayed").await;
    b.open(&version).await;
    b.press("Propose").await;
    b.see_later("main", "another admin must publish it").await;
    b.inspect("policy-proposed").await;

    let second = Browser::of(&stage, false, "second-admin").await;
    second.open(&version).await;
    second.see_in("#changes", "no-large-databases").await;
    second.press("Publish").await;
    second.see_later(".page-title", "In force").await;
    second.no_complaints(&[]).await;

    let developer = Browser::of(&stage, true, "developer").await;
    developer.open("/catalog/postgres-database/request?project=payments&environment_type=dev&inputs/size=large").await;
    developer.see_later("#verdict", "Large databases are not made here.").await;
    developer.no_complaints(&[]).await;
    b.no_complaints(&[]).await;
}
