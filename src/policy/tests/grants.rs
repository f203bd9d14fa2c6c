//! What a change grants that was not granted.

use super::*;

/// The examples of what `after` grants beyond `before`.
fn granted(before: &str, after: &str) -> Vec<String> {
    let grants = engine_of(after).grants_beyond(&engine_of(before));
    assert!(!grants.cut);
    grants.new.into_iter().map(|grant| grant.example).collect()
}

/// The default set with a rule more.
fn with(rule: &str) -> String {
    format!("{}\n@id(\"probe\") @reason(\"Probe.\") {rule}", engine().source())
}

#[test]
fn a_change_that_grants_nothing_new_is_told_so() {
    let default = engine().source();
    let same = engine().grants_beyond(&engine());
    assert_eq!((same.asked, same.new.len()), (0, 0));
    // Another reason, a forbid more, a permit that says what another one says.
    let words = default.replace("Admins say what things cost.", "Prices are for admins.");
    let less = with("forbid (principal, action == Action::\"CreateEnvironment\", resource in Project::\"payments\");");
    let twice = with(
        "permit (principal, action == Action::\"ManagePrices\", resource) when { context.roles.contains(Role::\"admin\") };",
    );
    for after in [&words, &less, &twice] {
        let grants = engine_of(after).grants_beyond(&engine());
        assert!(grants.asked > 0);
        assert_eq!(grants.new, [], "{after}");
    }
}

#[test]
fn what_is_granted_anew_has_an_example() {
    let default = engine().source().clone();
    let auditors = with(
        "permit (principal, action == Action::\"ManageQuotas\", resource) when { context.roles.contains(Role::\"auditor\") };",
    );
    assert_eq!(granted(&default, &auditors), ["somebody with the role auditor: manage quotas"]);
    assert_eq!(granted(&auditors, &default), [] as [&str; 0]);
    // Only somewhere, and only for a team.
    let team = with(
        "permit (principal in Team::\"sre\", action == Action::\"HandOver\", resource in Project::\"payments\")
         when { resource has template && resource.template == Template::\"orders\" };",
    );
    let found = granted(&default, &team);
    assert!(found.iter().all(|one| one.contains("in project payments, of the template orders")), "{found:#?}");
    assert!(
        found.iter().any(|one| one.starts_with("somebody without a role") && one.ends_with("in the team sre")),
        "{found:#?}"
    );
}

#[test]
fn limits_that_are_moved_are_found_at_their_edges() {
    let default = engine().source().clone();
    let longer = default.replace("<= 604800", "<= 1209600");
    assert_ne!(longer, default);
    let found = granted(&default, &longer);
    assert!(
        found.iter().any(|one| one.contains("ask for this role") && one.contains("for 604801 seconds")),
        "{found:#?}"
    );
    assert_eq!(granted(&longer, &default), [] as [&str; 0]);
    let no_more_than = |most: u32| {
        with(&format!(
            "forbid (principal, action == Action::\"CreateEnvironment\", resource)
             when {{ context.inputs.numbers.hasTag(\"disk\") && context.inputs.numbers.getTag(\"disk\") > {most} }};"
        ))
    };
    let found = granted(&no_more_than(16), &no_more_than(32));
    assert!(found.iter().any(|one| one.contains("with 17 in what it reads of the form")), "{found:#?}");
    assert_eq!(granted(&no_more_than(32), &no_more_than(16)), [] as [&str; 0]);
    let frozen = |until: &str| {
        with(&format!(
            "forbid (principal, action == Action::\"DeleteEnvironment\", resource)
             when {{ context has at && context.at < datetime(\"{until}\") }};"
        ))
    };
    let found = granted(&frozen("2026-12-24T00:00:00Z"), &frozen("2026-12-20T00:00:00Z"));
    assert!(found.iter().any(|one| one.contains("at 2026-12-20T00:00:00Z")), "{found:#?}");
    let dear = |most: &str| {
        with(&format!(
            "forbid (principal, action == Action::\"CreateEnvironment\", resource)
             when {{ context has cost_per_month && context.cost_per_month.greaterThan(decimal(\"{most}\")) }};"
        ))
    };
    let found = granted(&dear("100.0"), &dear("200.0"));
    assert!(found.iter().any(|one| one.contains("at 100.0001 in a month")), "{found:#?}");
}

#[test]
fn an_approval_less_is_a_grant() {
    let default = engine().source().clone();
    let two = default.replacen("@approval(\"lead\")", "@approval(\"lead\") @approval_count(\"2\")", 1);
    assert_ne!(two, default);
    let grants = engine().grants_beyond(&engine_of(&two));
    let fewer =
        |grant: &&crate::policy::Grant| (grant.before, grant.after) == (Outcome::NeedsApproval, Outcome::NeedsApproval);
    assert!(grants.new.iter().any(|grant| fewer(&grant)), "{grants:#?}");
    assert_eq!(engine_of(&two).grants_beyond(&engine()).new, []);
    let none = default.replacen("@approval(\"lead\")", "", 1).replacen("@approval_who(\"a lead of {project}\")", "", 1);
    let grants = engine_of(&none).grants_beyond(&engine());
    let allowed =
        |grant: &&crate::policy::Grant| (grant.before, grant.after) == (Outcome::NeedsApproval, Outcome::Allowed);
    assert!(grants.new.iter().any(|grant| allowed(&grant)), "{grants:#?}");
}
