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
    let asked: Vec<_> = decision
        .requirements
        .iter()
        .map(|it| (it.rule_id.as_str(), it.who.as_str(), it.by.to_string(), it.count))
        .collect();
    assert_eq!(
        asked,
        [
            ("large", "2 admins of payments", "admin".to_owned(), 2),
            ("lead-asks", "a lead of payments", "lead".to_owned(), 1)
        ]
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

#[test]
fn a_ladder_stands_in_the_decision_and_what_was_decided_before_reads_the_same() {
    let rules =
        TWO.replace("@approval(\"lead\")", "@approval(\"lead\") @approval_escalation(\"24h admin, 2d team:sre\")");
    let decision = engine_of(&rules).decide(&create(1));
    let rungs: Vec<(i64, Group)> =
        decision.requirements[0].escalation.iter().map(|rung| (rung.after_seconds, rung.to.clone())).collect();
    assert_eq!(rungs, [(86_400, Group::Role(Role::Admin)), (172_800, Group::Team("sre".into()))]);
    let kept = serde_json::to_value(&decision.requirements[0]).unwrap();
    assert_eq!(kept["escalation"][1], json!({"after_seconds": 172_800, "team": "sre"}));
    assert_eq!(serde_json::from_value::<Requirement>(kept).unwrap(), decision.requirements[0]);
    // As it was stored before there were teams and ladders.
    let old = json!({"rule_id": "lead-asks", "who": "a lead of payments", "role": "lead", "count": 1});
    let read: Requirement = serde_json::from_value(old.clone()).unwrap();
    assert_eq!(read, engine_of(TWO).decide(&create(1)).requirements[0]);
    assert_eq!(serde_json::to_value(&read).unwrap(), old);
}

/// What somebody decides in the place of another stands in the question, so its record says the same again.
#[test]
fn what_is_borrowed_counts_for_a_request_alone_and_is_kept() {
    for group in [Group::Role(Role::Lead), Group::Role(Role::Admin), Group::Team("sre".into())] {
        let mut asked = about_request(Action::ReviewRequest, &[], Some("usr_bob"));
        asked.resource.asked = vec![group.clone()];
        assert_eq!(engine().decide(&asked).outcome, Outcome::Denied, "{group}");
        asked.resource.borrowed = vec![Borrowed { of: "usr_eve".into(), group: group.clone() }];
        let decision = engine().decide(&asked);
        assert_eq!(decision.outcome, Outcome::Allowed, "{group}");
        let record: Question = serde_json::from_str(&serde_json::to_string(&asked).unwrap()).unwrap();
        assert_eq!((&record, engine().decide(&record)), (&asked, decision));
        asked.resource.requester = Some("usr_ada".into());
        assert_eq!(engine().decide(&asked).outcome, Outcome::Denied, "nobody approves their own");
        let mut elsewhere = question(Action::CreateEnvironment, &[], "dev");
        elsewhere.resource.borrowed = asked.resource.borrowed.clone();
        assert_eq!(engine().decide(&elsewhere).outcome, Outcome::Denied, "{group}");
    }
}
