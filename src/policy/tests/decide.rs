//! Denials, errors of the engine, explanations and permits.

use super::*;

#[test]
fn nothing_is_allowed_that_no_rule_permits() {
    let engine = engine_of(
        r#"@id("only-forbids") @reason("No.")
           forbid (principal, action == Action::"ManageTokens", resource) when { context.channel == "cli" };"#,
    );
    for action in Action::ALL {
        let mut question = question(*action, &Role::ALL, "dev");
        question.resource.kind = compile::kinds_of(*action)[0];
        let decision = engine.decide(&question);
        assert_eq!(decision.outcome, Outcome::Denied, "{action}");
        assert_eq!(ids(&decision), [DEFAULT_DENY], "{action}");
    }
}

#[test]
fn a_rule_that_fails_denies_instead_of_being_skipped() {
    // Overflow is the one thing that passes strict validation and fails when it is evaluated.
    let engine = engine_of(
        r#"@id("all") @reason("All.") permit (principal, action, resource);
           @id("fails") @reason("Fails.") forbid (principal, action == Action::"ReadEnvironment", resource)
           when { context has lifetime_seconds && context.lifetime_seconds * 9223372036854775807 == 1 };"#,
    );
    let mut read = question(Action::ReadEnvironment, &[Role::Developer], "dev");
    let decision = engine.decide(&read);
    assert_eq!((decision.outcome, ids(&decision)), (Outcome::Denied, vec![ENGINE_ERROR]));
    read.context.lifetime_seconds = None;
    assert_eq!(engine.decide(&read).outcome, Outcome::Allowed);
}

#[test]
fn a_question_that_makes_no_sense_is_denied() {
    let mut odd = question(Action::CreateEnvironment, &Role::ALL, "dev");
    odd.resource.kind = ResourceKind::Project;
    let decision = engine().decide(&odd);
    assert_eq!((decision.outcome, ids(&decision)), (Outcome::Denied, vec![ENGINE_ERROR]));
}

#[test]
fn roles_of_a_project_do_not_count_outside_of_it() {
    let mut audit = question(Action::ReadAudit, &[Role::Auditor, Role::Admin], "dev");
    audit.resource = Resource::audit_log(Some("payments"));
    assert_eq!(engine().decide(&audit).outcome, Outcome::Allowed);
    audit.resource = Resource::audit_log(None);
    assert_eq!(engine().decide(&audit).outcome, Outcome::Denied);
    audit.principal.platform_roles.insert(Role::Auditor);
    assert_eq!(engine().decide(&audit).outcome, Outcome::Allowed);
}

#[test]
fn inputs_are_read_by_type() {
    let engine = engine_of(
        r#"@id("all") @reason("All.") permit (principal, action, resource);
           @id("small") @reason("At most 10.") forbid (principal, action == Action::"CreateEnvironment", resource)
           when { context.inputs.decimals.hasTag("disk.size") &&
                  context.inputs.decimals.getTag("disk.size").greaterThan(decimal("10.0")) };"#,
    );
    for (size, expected) in [
        (json!(10), Outcome::Allowed),
        (json!(10.0), Outcome::Allowed),
        (json!(10.001), Outcome::Denied),
        (json!(11), Outcome::Denied),
        (json!(1e300), Outcome::Denied),
        (json!(u64::MAX), Outcome::Denied),
    ] {
        let mut create = question(Action::CreateEnvironment, &[], "dev");
        create.context.inputs = json!({"disk": {"size": size}}).as_object().unwrap().clone();
        assert_eq!(engine.decide(&create).outcome, expected, "{size}");
    }
}

#[test]
fn a_denial_says_what_would_be_allowed() {
    let types = ["dev".to_owned(), "test".to_owned(), "prod".to_owned()];
    let strict = engine_of(
        r#"@id("dev") @reason("Developers work in dev and test.")
           permit (principal, action, resource) when { context.roles.contains(Role::"developer") };
           @id("prod-asks") @reason("Prod asks.") @approval("admin") @approval_who("somebody who runs {project}")
           permit (principal, action == Action::"CreateEnvironment", resource)
           when { resource has environment_type && resource.environment_type == "prod" };
           @id("not-staging") @reason("Staging is frozen.")
           forbid (principal, action == Action::"CreateEnvironment", resource)
           when { resource has environment_type && resource.environment_type == "staging" };"#,
    );
    let decision = strict.explain(&question(Action::CreateEnvironment, &[Role::Developer], "staging"), &types);
    assert_eq!(decision.sentence, "Denied by the rule not-staging: Staging is frozen.");
    assert_eq!(
        decision.would_be_allowed,
        ["The same in dev or test.", "The same in prod, with approval by somebody who runs payments."]
    );
    let mut long = question(Action::CreateEnvironment, &[Role::Developer], "dev");
    long.context.lifetime_seconds = Some(604_801);
    let decision = engine().explain(&long, &types);
    assert_eq!(ids(&decision), ["lifetime-within-the-maximum"]);
    assert_eq!(decision.would_be_allowed, ["A lifetime of at most 7 days."]);
    let decision = engine().explain(&question(Action::CreateEnvironment, &[Role::Auditor], "dev"), &types);
    assert_eq!(
        decision.sentence,
        "Denied: No rule lets ada create an environment of the type dev in project payments."
    );
    assert_eq!(decision.would_be_allowed, ["The same with the role developer or lead in project payments."]);
    let allowed = engine().explain(&question(Action::CreateEnvironment, &[Role::Developer], "dev"), &types);
    assert!(allowed.would_be_allowed.is_empty());
}

#[test]
fn a_permit_is_only_for_what_is_allowed_at_once() {
    let engine = engine();
    let dev = question(Action::CreateEnvironment, &[Role::Developer], "dev");
    let permit = engine.permit::<ability::CreateEnvironment>(&dev).unwrap();
    assert_eq!((permit.principal(), permit.resource(), permit.project()), ("usr_ada", "env_1", Some("payments")));
    assert_eq!(permit.policy_digest(), engine.digest());
    let prod = question(Action::CreateEnvironment, &[Role::Developer], "prod");
    let waits = engine.permit::<ability::CreateEnvironment>(&prod).unwrap_err();
    assert!(waits.message.starts_with("Needs approval by a lead of payments: "), "{waits}");
    let mixed_up = engine.permit::<ability::DeleteEnvironment>(&dev).unwrap_err();
    assert_eq!(mixed_up.rules[0].id, ENGINE_ERROR);
}

#[test]
fn a_refused_permit_names_the_missing_role_and_its_scope() {
    let engine = engine();
    let mut reveal = question(Action::RevealOutput, &[Role::Developer], "dev");
    reveal.resource.owner = Some("usr_bob".into());
    let denied = engine.permit::<ability::RevealOutput>(&reveal).unwrap_err();
    assert_eq!(denied.to_string(), "Needs the role lead in project payments.");
    assert_eq!((denied.action, denied.needed.as_slice()), (Action::RevealOutput, [Role::Lead].as_slice()));
    let mut audit = question(Action::ReadAudit, &[Role::Lead], "dev");
    audit.resource = Resource::audit_log(None);
    let denied = engine.permit::<ability::ReadAudit>(&audit).unwrap_err();
    assert_eq!(denied.to_string(), "Needs the role admin or auditor on the platform.");
    let own = about_request(Action::ReviewRequest, &[Role::Lead], Some("usr_ada"));
    let denied = engine.permit::<ability::ReviewRequest>(&own).unwrap_err();
    assert!(denied.needed.is_empty());
    assert_eq!(
        denied.to_string(),
        "Denied by the rule nobody-reviews-their-own: \
         Nobody approves or rejects a request that they made themselves."
    );
}

#[test]
fn every_action_has_an_ability() {
    assert_eq!(permit::ability::COVERED, Action::ALL);
}

#[test]
fn stored_names_are_those_of_the_database_and_of_cedar() {
    for role in Role::ALL {
        assert_eq!(serde_json::to_value(role).unwrap(), json!(role.as_str()));
        assert_eq!(Role::parse(role.as_str()), Some(role));
    }
    for action in Action::ALL {
        assert_eq!(serde_json::to_value(action).unwrap(), json!(action.as_str()));
    }
}
