//! Approvals of several rules add up.

use super::*;

const TWO: &str = r#"
    @id("free") @reason("Developers may.")
    permit (principal, action == Action::"CreateEnvironment", resource)
    when { context.roles.contains(Role::"developer") };

    @id("lead-asks") @reason("A lead looks.") @approval("lead")
    permit (principal, action == Action::"CreateEnvironment", resource)
    when { context.roles.contains(Role::"developer") };

    @id("large") @reason("Large ones are looked at twice.") @approval("admin") @approval_count("2")
    permit (principal, action == Action::"CreateEnvironment", resource)
    when { context.inputs.numbers.hasTag("size") && context.inputs.numbers.getTag("size") > 10 };
"#;

fn create(size: i64) -> Question {
    let mut question = question(Action::CreateEnvironment, &[Role::Developer], "dev");
    question.context.inputs.insert("size".into(), json!(size));
    question
}

#[test]
fn a_permit_without_approval_does_not_cancel_one_with() {
    let decision = engine_of(TWO).decide(&create(1));
    assert_eq!(decision.outcome, Outcome::NeedsApproval);
    assert_eq!(ids(&decision), ["free", "lead-asks"]);
    let asked: Vec<_> = decision.requirements.iter().map(|it| it.rule_id.as_str()).collect();
    assert_eq!(asked, ["lead-asks"]);
}

#[test]
fn every_rule_that_applies_adds_its_requirement() {
    let decision = engine_of(TWO).decide(&create(11));
    let asked: Vec<_> =
        decision.requirements.iter().map(|it| (it.rule_id.as_str(), it.who.as_str(), it.role, it.count)).collect();
    assert_eq!(
        asked,
        [("large", "2 admins of payments", Role::Admin, 2), ("lead-asks", "a lead of payments", Role::Lead, 1)]
    );
    assert_eq!(
        decision.sentence,
        "Needs approval by 2 admins of payments and by a lead of payments: \
         Developers may. Large ones are looked at twice. A lead looks."
    );
}

#[test]
fn a_forbid_leaves_nothing_to_approve() {
    let forbidden = format!(
        r#"{TWO} @id("frozen") @reason("Frozen.") forbid (principal, action == Action::"CreateEnvironment", resource);"#
    );
    let decision = engine_of(&forbidden).decide(&create(11));
    assert_eq!((decision.outcome, ids(&decision)), (Outcome::Denied, vec!["frozen"]));
    assert!(decision.requirements.is_empty());
}
