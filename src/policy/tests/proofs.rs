//! The standing proofs: they hold for the default set, and each breaks by a rule that breaks it.

use super::*;
use crate::policy::versions::{VersionText, proved};

fn with(rule: &str) -> PolicyEngine {
    engine_of(&format!("{}\n{rule}", engine().source()))
}

/// The claims that are broken, each with its example.
fn broken(engine: &PolicyEngine) -> Vec<(&'static str, String)> {
    engine.proofs().into_iter().filter_map(|proof| Some((proof.claim, proof.broken_by?))).collect()
}

const OWN: &str = "Nobody approves their own request";
const POLICIES: &str = "Only admins write and publish policies, and nobody publishes their own";
const FAILS: &str = "No rule fails";

#[test]
fn the_default_set_is_proved_over_many_questions() {
    let proofs = engine().proofs();
    assert_eq!(proofs.iter().map(|proof| proof.broken_by.clone()).collect::<Vec<_>>(), [None, None, None, None]);
    let asked: Vec<usize> = proofs.iter().map(|proof| proof.asked).collect();
    // Every set of roles on the platform and in the project, and Paddock itself.
    assert!(asked[0] >= 2 * 257 && asked[1] == 3 * 257 && asked[2] == 2 * (Action::ALL.len() - 1), "{asked:?}");
    assert!(asked[3] > 1000, "{asked:?}");
    assert_eq!(
        proofs.iter().map(|proof| proof.claim).collect::<Vec<_>>(),
        [OWN, POLICIES, "Nobody changes the audit log", FAILS]
    );
}

#[test]
fn each_proof_is_broken_by_a_rule_that_breaks_it() {
    let without = |id: &str| {
        engine_of(&engine().source().replace(&format!("@id(\"{id}\")"), &format!("@id(\"{id}\") @mode(\"observe\")")))
    };
    let own = broken(&without("nobody-reviews-their-own"));
    assert_eq!(own.len(), 1, "{own:?}");
    assert_eq!(own[0].0, OWN);
    assert!(own[0].1.contains("with the role lead: approve or reject a request"), "{own:?}");
    let version = broken(&without("nobody-publishes-their-own-policies"));
    assert_eq!(version.iter().map(|(claim, _)| *claim).collect::<Vec<_>>(), [POLICIES]);
    // Only somewhere, only for some, and hidden behind what it names.
    for rule in [
        "permit (principal, action == Action::\"ManagePolicies\", resource) when { context.roles.contains(Role::\"auditor\") };",
        "permit (principal, action in [Action::\"PublishPolicies\"], resource) when { principal.system };",
    ] {
        let found = broken(&with(&format!("@id(\"wide\") @reason(\"Wide.\") {rule}")));
        assert_eq!(found.iter().map(|(claim, _)| *claim).collect::<Vec<_>>(), [POLICIES], "{rule}");
    }
    let narrowed = engine().source().replace(
        "unless { resource has requester && resource.requester != principal };",
        "unless { (resource has requester && resource.requester != principal) || (principal in Team::\"sre\" &&
          resource in Project::\"payments\" && resource has environment_type && resource.environment_type == \"lab\" &&
          resource has template && resource.template == Template::\"orders\") };",
    );
    assert_ne!(narrowed, engine().source());
    let found = broken(&engine_of(&narrowed));
    assert_eq!(found.iter().map(|(claim, _)| *claim).collect::<Vec<_>>(), [OWN]);
    assert!(found[0].1.ends_with("in project payments"), "{found:?}");
    // Overflow is the one thing that fails; also behind an input's name and a project.
    for rule in [
        "forbid (principal, action == Action::\"ExtendEnvironment\", resource)
         when { context has lifetime_seconds && context.lifetime_seconds + 1 > 10 };",
        "forbid (principal, action == Action::\"CreateEnvironment\", resource in Project::\"payments\")
         when { context.inputs.numbers.hasTag(\"size\") && context.inputs.numbers.getTag(\"size\") * -1 > 3 };",
    ] {
        let found = broken(&with(&format!("@id(\"fails\") @reason(\"Fails.\") {rule}")));
        assert_eq!(found.iter().map(|(claim, _)| *claim).collect::<Vec<_>>(), [FAILS], "{rule}");
    }
}

#[test]
fn what_is_not_proved_does_not_become_a_version() {
    let text = |source: String| VersionText { source, schema: None };
    assert!(proved(&text(engine().source())).is_ok());
    let own = engine()
        .source()
        .replace("@id(\"nobody-reviews-their-own\")", "@id(\"nobody-reviews-their-own\") @mode(\"observe\")");
    let problems = proved(&text(own)).unwrap_err();
    assert_eq!(problems[0].message, "it does not hold that: nobody approves their own request");
    assert!(problems[0].hint.as_ref().unwrap().starts_with("for example somebody with the role"), "{problems:?}");
    assert!(proved(&text("permit (".to_owned())).is_err());
}

#[test]
fn what_no_rule_permits_is_told() {
    assert_eq!(engine().without_permit(), []);
    let gone = |ids: &[&str]| {
        let watched = |source: String, id: &&str| {
            source.replace(&format!("@id(\"{id}\")"), &format!("@id(\"{id}\") @mode(\"observe\")"))
        };
        engine_of(&ids.iter().fold(engine().source().clone(), watched)).without_permit()
    };
    assert_eq!(gone(&["admins-set-prices"]), [Action::ManagePrices]);
    // A forbid is no permit.
    assert_eq!(gone(&["leads-review-requests", "those-who-are-asked-review"]), [Action::ReviewRequest]);
}
