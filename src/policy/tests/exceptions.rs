//! Exceptions: what a forbid that allows one makes of a request that asks for one.

use super::*;
use crate::policy::replay::follows;

const RULES: &str = r#"
    @id("free") @reason("Developers may.")
    permit (principal, action == Action::"CreateEnvironment", resource)
    when { context.roles.contains(Role::"developer") };

    @id("looked-at") @reason("A lead looks at texts.") @approval("lead")
    permit (principal, action == Action::"CreateEnvironment", resource)
    when { context.roles.contains(Role::"developer") && context.inputs.texts.hasTag("why") };

    @id("no-large") @reason("None above 10.") @exception("admin") @exception_count("2") @exception_lifetime("2d")
    forbid (principal, action == Action::"CreateEnvironment", resource)
    when { context.inputs.numbers.hasTag("size") && context.inputs.numbers.getTag("size") > 10 };

    @id("no-huge") @reason("None above 20.") @exception("lead")
    forbid (principal, action == Action::"CreateEnvironment", resource)
    when { context.inputs.numbers.hasTag("size") && context.inputs.numbers.getTag("size") > 20 };

    @id("never") @reason("Never above 30.")
    forbid (principal, action == Action::"CreateEnvironment", resource)
    when { context.inputs.numbers.hasTag("size") && context.inputs.numbers.getTag("size") > 30 };
"#;

fn create(size: i64, exception: bool) -> Question {
    let mut question = question(Action::CreateEnvironment, &[Role::Developer], "dev");
    question.context.inputs.insert("size".into(), json!(size));
    question.context.exception = exception;
    question
}

fn asked(decision: &Decision) -> Vec<(&str, Role, u32)> {
    decision.requirements.iter().map(|one| (one.rule_id.as_str(), one.by.role().unwrap(), one.count)).collect()
}

#[test]
fn one_waits_for_whom_the_forbid_names_and_for_what_is_needed_anyway() {
    let engine = engine_of(RULES);
    assert_eq!(engine.decide(&create(11, false)).outcome, Outcome::Denied);
    let decision = engine.decide(&create(11, true));
    assert_eq!(decision.outcome, Outcome::NeedsApproval);
    assert_eq!(ids(&decision), ["no-large", "free"]);
    assert_eq!(decision.excepted().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["no-large"]);
    assert_eq!(asked(&decision), [("no-large", Role::Admin, 2)]);
    let mut with_text = create(21, true);
    with_text.context.inputs.insert("why".into(), json!("so"));
    let decision = engine.decide(&with_text);
    assert_eq!(
        asked(&decision),
        [("no-huge", Role::Lead, 1), ("no-large", Role::Admin, 2), ("looked-at", Role::Lead, 1)]
    );
}

#[test]
fn a_forbid_that_allows_none_stands_and_takes_the_others_with_it() {
    let engine = engine_of(RULES);
    let decision = engine.decide(&create(31, true));
    assert_eq!((decision.outcome, ids(&decision)), (Outcome::Denied, vec!["never", "no-huge", "no-large"]));
    assert_eq!(decision.excepted().count(), 0);
    assert_eq!(engine.offer(&create(31, false)), None);
}

#[test]
fn what_nothing_permits_is_not_permitted_by_an_exception() {
    let mut auditor = create(11, true);
    auditor.principal.project_roles = [Role::Auditor].into();
    let decision = engine_of(RULES).decide(&auditor);
    assert_eq!((decision.outcome, ids(&decision)), (Outcome::Denied, vec![DEFAULT_DENY]));
    auditor.context.exception = false;
    assert_eq!(engine_of(RULES).offer(&auditor), None);
}

#[test]
fn asking_for_one_that_is_not_needed_changes_nothing() {
    let engine = engine_of(RULES);
    let (plain, asking) = (engine.decide(&create(1, false)), engine.decide(&create(1, true)));
    assert_eq!(plain, asking);
}

#[test]
fn it_lasts_no_longer_than_the_rule_says() {
    let engine = engine_of(RULES);
    let mut question = create(11, true);
    for (seconds, outcome) in [(2 * 86_400, Outcome::NeedsApproval), (2 * 86_400 + 1, Outcome::Denied)] {
        question.context.lifetime_seconds = Some(seconds);
        assert_eq!(engine.decide(&question).outcome, outcome, "{seconds}");
    }
    assert_eq!(engine.decide(&question).rules[0].reason, "None above 10. An exception from it lasts at most 2 days.");
    question.context.exception = false;
    let offer = engine.offer(&question).unwrap();
    assert_eq!(offer.longest.map(|longest| longest.as_secs()), Some(2 * 86_400));
    assert_eq!(offer.requirements.len(), 1);
}

#[test]
fn it_is_made_again_from_its_record_and_older_records_read_as_without() {
    let engine = engine_of(RULES);
    let text = serde_json::to_value(create(11, true)).unwrap();
    let again: Question = serde_json::from_value(text).unwrap();
    assert!(follows(&engine.decide(&create(11, true)), &engine.decide(&again)));
    let mut older = serde_json::to_value(create(11, false)).unwrap();
    assert_eq!(older["context"].as_object_mut().unwrap().remove("exception"), None, "told only where it is asked for");
    assert!(!serde_json::from_value::<Question>(older).unwrap().context.exception);
}

#[test]
fn watched_rules_are_told_with_the_exception() {
    let watched = RULES.replace("@id(\"no-large\")", "@id(\"no-large\") @mode(\"observe\")");
    let decision = engine_of(&watched).decide(&create(11, true));
    assert_eq!(decision.outcome, Outcome::Allowed);
    assert_eq!(decision.observed.unwrap().outcome, Outcome::NeedsApproval);
}
