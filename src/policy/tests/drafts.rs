//! What differs between two sets in words, what may become a version, and rules that are only watched.

use super::*;
use crate::policy::versions::{RuleDifference, VersionText, check, compare, formatted};

const SMALL: &str =
    "@id(\"small\") @reason(\"Small.\")\npermit (principal, action == Action::\"ReadCatalog\", resource);";

fn differences(before: &str, after: &str) -> Vec<(String, RuleDifference)> {
    compare(before, after).into_iter().map(|change| (change.id, change.difference)).collect()
}

#[test]
fn what_differs_is_told_rule_by_rule() {
    let other = SMALL.replace("small", "other");
    let both = format!("{other}\n// a comment\n{SMALL}");
    assert_eq!(differences(SMALL, &format!("\n{SMALL}// a comment")), []);
    assert_eq!(differences(SMALL, &both), [("other".to_owned(), RuleDifference::Added)]);
    assert_eq!(differences(&both, SMALL), [("other".to_owned(), RuleDifference::Removed)]);
    let changed = SMALL
        .replace("Small.", "Tiny.")
        .replace("permit", "@owner(\"us\") forbid")
        .replace("ReadCatalog", "ReadAdmin")
        .replace(';', " when { principal.system };");
    let words = [
        "it forbids what it permitted",
        "which actions it is about changed",
        "its conditions changed",
        "@owner is “us”, and was not there",
        "@reason is “Tiny.”, and was “Small.”",
    ];
    let expected = RuleDifference::Changed(words.map(str::to_owned).into());
    assert_eq!(differences(SMALL, &changed), [("small".to_owned(), expected)]);
}

#[test]
fn a_version_is_valid_and_short_enough() {
    let text = |source: String| VersionText { source, schema: None };
    let whole = engine().source();
    assert!(check(&text(whole.clone())).is_ok());
    let problems = check(&text(format!("{whole}\n{}", SMALL.replace("ReadCatalog", "ReadCatalgo")))).unwrap_err();
    assert_eq!(problems[0].place.map(|(line, _)| line), Some(whole.lines().count() + 3), "{problems:?}");
    assert!(problems[0].hint.is_some(), "{problems:?}");
    for (source, told) in [
        (format!("{whole}{}", " ".repeat(versions::LONGEST_SOURCE)), "longer than 256 KiB"),
        (format!("{whole}\0"), "NUL"),
        (String::new(), "there is no rule"),
        (SMALL.to_owned(), "no admin could see and write policies"),
    ] {
        let problems = check(&text(source)).unwrap_err();
        assert!(problems[0].message.contains(told), "{problems:?}");
    }
    assert_eq!(formatted(&engine().source()).as_deref().map(|text| differences(&whole, text)), Ok(Vec::new()));
    assert!(formatted("permit (").is_err());
}

#[test]
fn an_observed_rule_is_told_and_changes_nothing() {
    let rule = |mode: &str| {
        format!(
            "@id(\"no\") @reason(\"No.\") @mode(\"{mode}\") forbid (principal, action, resource);
             @id(\"yes\") @reason(\"Yes.\") @mode(\"{mode}\") @approval_count(\"2\") @approval(\"lead\")
             permit (principal, action in Action::\"Request\", resource);"
        )
    };
    let plain = engine();
    let observed = engine_of(&format!("{}\n{}", plain.source(), rule("observe")));
    for action in Action::ALL {
        for kind in compile::kinds_of(*action) {
            let mut question = question(*action, &[Role::Developer], "dev");
            question.resource.kind = *kind;
            let (without, with) = (plain.decide(&question), observed.decide(&question));
            assert_eq!((without.outcome, &without.rules), (with.outcome, &with.rules), "{action}");
            assert_eq!(without.requirements, with.requirements, "{action}");
            assert_eq!(plain.allows(&question), observed.allows(&question), "{action}");
            let told = with.observed.unwrap();
            assert_eq!(told.outcome, Outcome::Denied, "{action}");
            assert_eq!(told.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["no"], "{action}");
            assert_eq!(without.observed, None);
        }
    }
    let enforced = engine_of(&format!("{}\n{}", plain.source(), rule("enforce")));
    assert_eq!(
        enforced.decide(&question(Action::CreateEnvironment, &[Role::Developer], "dev")).outcome,
        Outcome::Denied
    );
    let Err(Error::Invalid(problems)) = PolicyEngine::from_source(&rule("watch")) else { panic!("loaded") };
    assert!(problems[0].message.contains("“watch” is not a mode"), "{problems:?}");
}

#[test]
fn a_set_is_taken_up_whole_and_what_was_taken_before_stays() {
    let engine = engine_of(SMALL);
    let clone = engine.clone();
    let before = engine.now();
    let other = engine_of(&SMALL.replace("small", "other"));
    engine.take_up(&other);
    assert_eq!((engine.digest(), clone.digest()), (other.digest(), other.digest()));
    assert_ne!(before.digest(), other.digest());
    let asked = Question { resource: Resource::platform(), ..question(Action::ReadCatalog, &[], "dev") };
    let decision = clone.decide(&asked);
    assert_eq!((ids(&decision), decision.policy_digest), (vec!["other"], other.digest()));
    assert_eq!(ids(&before.decide(&asked)), ["small"]);
}
