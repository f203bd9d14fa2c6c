//! A decision is made again, bit for bit, from what is stored of it.

use std::fmt::Write as _;

use serde_json::Value;

use super::*;
use crate::base::Digest;
use crate::base::id::DecisionId;
use crate::policy::replay::{FlipKind, Replay, follows};

/// What jsonb does to a value: other order of keys, other spelling of numbers.
fn through_jsonb(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(key, value)| (key, through_jsonb(value))).collect();
            entries.sort_by(|a, b| a.0.len().cmp(&b.0.len()).then(a.0.cmp(&b.0)));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(through_jsonb).collect()),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => {
                serde_json::from_str(&format!("{float:.0}")).unwrap()
            }
            _ => Value::Number(number),
        },
        other => other,
    }
}

#[test]
fn a_decision_follows_from_its_record() {
    let engine = engine();
    let stored_set = (engine.schema(), engine.source());
    let inputs = json!({"z": 1e2, "a": {"y": [1, 2.5, "x"], "b": true}, "name": "orders"});
    let questions = Action::ALL.iter().flat_map(|action| {
        let kind = compile::kinds_of(*action)[0];
        let inputs = inputs.as_object().unwrap();
        ["dev", "prod"].into_iter().flat_map(move |environment_type| {
            Role::ALL.into_iter().map(move |role| {
                let mut question = question(*action, &[role], environment_type);
                question.resource.kind = kind;
                question.context.inputs.clone_from(inputs);
                question
            })
        })
    });
    let again = PolicyEngine::from_text(&stored_set.0, &stored_set.1).unwrap();
    assert_eq!(again.digest(), engine.digest());
    for question in questions {
        let decision = engine.decide(&question);
        let record = through_jsonb(serde_json::to_value(&question).unwrap());
        let read: Question = serde_json::from_value(record).unwrap();
        let replayed = again.decide(&read);
        assert_eq!(replayed, decision);
        assert_eq!(serde_json::to_string(&replayed).unwrap(), serde_json::to_string(&decision).unwrap());
    }
}

#[test]
fn the_digest_covers_schema_and_policies() {
    let engine = engine();
    let other_schema = PolicyEngine::from_text(&format!("{}\n", engine.schema()), &engine.source()).unwrap();
    let other_policies = PolicyEngine::from_text(&engine.schema(), &format!("{}\n", engine.source())).unwrap();
    assert_ne!(other_schema.digest(), engine.digest());
    assert_ne!(other_policies.digest(), engine.digest());
    assert_ne!(other_policies.digest(), other_schema.digest());
}

/// A set in which all of these approvals are needed to update an environment.
fn asking_for(approvals: &[(&str, u32)]) -> PolicyEngine {
    let permit = r#"permit (principal, action == Action::"UpdateEnvironment", resource);"#;
    let mut source = format!("@id(\"plain\") @reason(\"It is permitted.\") {permit}\n");
    for (number, (role, count)) in approvals.iter().enumerate() {
        writeln!(
            source,
            "@id(\"rule-{number}\") @reason(\"They agree.\") @approval(\"{role}\") @approval_count(\"{count}\") {permit}"
        )
        .unwrap();
    }
    engine_of(&source)
}

/// An approval counts for one rule: two that ask for a lead ask for two leads.
#[test]
fn an_approval_is_added_or_dropped_by_roles_and_numbers() {
    let question = question(Action::UpdateEnvironment, &[Role::Developer], "prod");
    let flip = |before: &[(&str, u32)], after: &[(&str, u32)]| {
        FlipKind::of(&asking_for(before).decide(&question), &asking_for(after).decide(&question))
    };
    assert_eq!(flip(&[("lead", 2)], &[("lead", 1), ("lead", 1)]), None);
    for (less, more) in [
        (&[][..], &[("lead", 1)][..]),
        (&[("lead", 1)], &[("lead", 2)]),
        (&[("lead", 1)], &[("lead", 1), ("lead", 1)]),
        (&[("lead", 1)], &[("lead", 1), ("admin", 1)]),
    ] {
        assert_eq!(flip(less, more), Some(FlipKind::ApprovalAdded));
        assert_eq!(flip(more, less), Some(FlipKind::ApprovalDropped));
    }
    assert_eq!(flip(&[("lead", 2)], &[("admin", 1)]), Some(FlipKind::ApprovalAdded), "somebody else is asked");
}

/// What is asked again is answered as before, and what differs in anything is asked anew.
#[test]
fn equal_questions_are_remembered_and_others_are_not() {
    let forbids = "@id(\"no\") @reason(\"No.\") forbid (principal, action, resource)
        when { context.inputs.numbers.hasTag(\"size\") && context.inputs.numbers.getTag(\"size\") > 2 };";
    let after = engine_of(&format!("{}\n{forbids}", engine().source()));
    let replay = Replay::new(&engine(), &after);
    for round in 0..3 {
        for size in 0..6 {
            for role in Role::ALL {
                let mut asked = question(Action::UpdateEnvironment, &[role], "dev");
                asked.context.inputs = json!({ "size": size }).as_object().unwrap().clone();
                let (before, after) = (engine().decide(&asked), after.decide(&asked));
                let stored = StoredDecision {
                    id: DecisionId(uuid::Uuid::from_u128(size)),
                    at: jiff::Timestamp::UNIX_EPOCH,
                    question: asked,
                    decision: before.clone(),
                };
                let found = replay.flip(stored).map(|flip| (flip.kind, flip.before, flip.after));
                let expected = FlipKind::of(&before, &after).map(|kind| (kind, before, after));
                assert_eq!(found, expected, "{round} {size} {role}");
                assert_eq!(found.is_some(), size > 2 && [Role::Developer, Role::Lead].contains(&role));
            }
        }
    }
}

/// Who asked before rules could read the time asked at the time of the decision.
#[test]
fn time_is_that_of_the_question_or_of_the_decision() {
    let freezes = "@id(\"freeze\") @reason(\"Frozen.\") forbid (principal, action, resource)
        when { context has at && context.at < datetime(\"2026-01-01T00:00:00Z\") };";
    let frozen = engine_of(&format!("{}\n{freezes}", engine().source()));
    let (early, late) = ("2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z");
    for (asked_at, decided_at, flips) in
        [(None, early, true), (None, late, false), (Some(early), late, true), (Some(late), early, false)]
    {
        for _ in 0..2 {
            let replay = Replay::new(&engine(), &frozen);
            let mut asked = question(Action::UpdateEnvironment, &[Role::Lead], "dev");
            asked.context.at = asked_at.map(|at| at.parse().unwrap());
            let stored = StoredDecision {
                id: DecisionId(uuid::Uuid::nil()),
                at: decided_at.parse().unwrap(),
                decision: engine().decide(&asked),
                question: asked.clone(),
            };
            let found = replay.flip(stored);
            assert_eq!(found.is_some(), flips, "{asked_at:?} {decided_at}");
            assert!(found.is_none_or(|flip| flip.question == asked), "the question stays as it was asked");
        }
    }
}

/// Where no rule reads the time, questions at different times are one.
#[test]
fn time_tells_questions_apart_only_where_a_rule_reads_it() {
    assert!(!engine().compiled().reads_time);
    let reads = "@id(\"a\") @reason(\"A.\") @mode(\"observe\") forbid (principal, action == Action::\"CreateEnvironment\", \
                 resource) when { context has at && context.at < datetime(\"2026-01-01T00:00:00Z\") };";
    assert!(engine_of(&format!("{}\n{reads}", engine().source())).compiled().reads_time);
}

#[test]
fn what_differs_in_anything_that_counts_does_not_follow() {
    let watched = r#"@id("watched") @reason("To be closed.") @mode("observe")
                     forbid (principal, action == Action::"UpdateEnvironment", resource);"#;
    let engine = engine_of(&format!("{}{watched}", asking_for(&[("lead", 1)]).source()));
    let stored = engine.decide(&question(Action::UpdateEnvironment, &[Role::Developer], "prod"));
    assert!(stored.observed.is_some() && !stored.requirements.is_empty());
    assert!(follows(&stored, &stored.clone()));
    let changes: [fn(&mut Decision); 7] = [
        |again| again.policy_digest = Digest::of(b"another set"),
        |again| again.outcome = Outcome::Allowed,
        |again| again.rules.clear(),
        |again| again.rules[0].reason.push('!'),
        |again| again.requirements.clear(),
        |again| again.requirements[0].count += 1,
        |again| again.observed = None,
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut again = stored.clone();
        change(&mut again);
        assert!(!follows(&stored, &again), "change {number}");
    }
}
