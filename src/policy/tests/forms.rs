//! Rules by form: each does what its sentence says, and no value becomes logic.

use cedar_policy::PolicySet;
use proptest::prelude::*;

use super::*;
use crate::policy::forms::{RuleForm, Says, Scope, id_from, reviewers};
use crate::policy::versions::{VersionText, check, formatted};

fn form(says: Says, scope: Scope) -> RuleForm {
    let text = |text: &str| text.to_owned();
    RuleForm {
        id: text("the-rule"),
        reason: text("Because."),
        owner: text("us"),
        observed: false,
        exception: None,
        scope,
        says,
    }
}

fn create() -> Vec<Action> {
    vec![Action::CreateEnvironment]
}

/// The default set with the rule, which is valid and laid out as the formatter does.
fn with(form: &RuleForm) -> PolicyEngine {
    let source = engine().source();
    assert_eq!(form.problems(&source), []);
    let text = form.cedar();
    assert_eq!(formatted(&text).unwrap(), text);
    check(&VersionText { source: form.added_to(&source), schema: None })
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// What is decided about Ada's question, changed, under the default set with the rule.
fn outcome(form: &RuleForm, change: impl FnOnce(&mut Question)) -> Outcome {
    let mut asked = question(Action::CreateEnvironment, &[Role::Developer], "dev");
    change(&mut asked);
    let decision = with(form).decide(&asked);
    assert!(!ids(&decision).contains(&ENGINE_ERROR), "{decision:?}");
    decision.outcome
}

fn everywhere() -> Scope {
    Scope {
        project: Some("payments".into()),
        environment_types: vec!["dev".into(), "prod".into()],
        template: Some("postgres-database".into()),
        team: Some("payments".into()),
        role: Some(Role::Developer),
    }
}

/// Ways out of [`everywhere`], one at a time.
fn outside() -> [fn(&mut Question); 5] {
    [
        |asked| asked.resource.project = Some("web".into()),
        |asked| asked.resource.environment_type = Some("test".into()),
        |asked| asked.resource.template = Some("other".into()),
        |asked| asked.principal.teams = vec!["sre".into()],
        |asked| asked.principal.project_roles = [Role::Lead].into(),
    ]
}

#[test]
fn a_forbid_holds_where_it_says_and_nowhere_else() {
    let rule = form(Says::Forbid { actions: create() }, everywhere());
    assert_eq!(
        rule.sentence(),
        "Members of the team payments with the role developer may not create environments of the type dev or prod \
         from the template postgres-database in project payments."
    );
    assert_eq!(outcome(&rule, |_| ()), Outcome::Denied);
    for leave in outside() {
        assert_eq!(outcome(&rule, leave), Outcome::Allowed);
    }
    assert_eq!(outcome(&rule, |asked| asked.action = Action::UpdateEnvironment), Outcome::Allowed);
    let passable = RuleForm { exception: Some(Group::Role(Role::Lead)), ..rule.clone() };
    assert!(passable.sentence().ends_with(" Exceptions need the approval of one lead."));
    assert_eq!(outcome(&passable, |_| ()), Outcome::Denied);
    assert_eq!(outcome(&passable, |asked| asked.context.exception = true), Outcome::NeedsApproval);
    assert_eq!(outcome(&rule, |asked| asked.context.exception = true), Outcome::Denied);
    let watched = RuleForm { observed: true, ..rule };
    assert_eq!(outcome(&watched, |_| ()), Outcome::Allowed);
    // Nobody at all, but for Paddock itself.
    let nobody = form(Says::Forbid { actions: vec![Action::DeleteEnvironment] }, Scope::default());
    assert_eq!(nobody.sentence(), "Nobody may delete environments.");
    let delete = |asked: &mut Question| {
        asked.action = Action::DeleteEnvironment;
        asked.context.lifetime_seconds = Some(0);
    };
    assert_eq!(outcome(&nobody, delete), Outcome::Denied);
    let expiry = |asked: &mut Question| {
        delete(asked);
        asked.principal = Principal::system("reconciler.expiry");
    };
    assert_eq!(outcome(&nobody, expiry), Outcome::Allowed);
}

#[test]
fn a_permit_gives_what_it_says_and_nothing_else() {
    let scope = Scope { role: Some(Role::Auditor), ..everywhere() };
    let rule = form(Says::Permit { actions: create() }, scope);
    assert_eq!(
        rule.sentence(),
        "Members of the team payments with the role auditor may create environments of the type dev or prod \
         from the template postgres-database in project payments."
    );
    let auditor = |asked: &mut Question| asked.principal.project_roles = [Role::Auditor].into();
    assert_eq!(outcome(&rule, auditor), Outcome::Allowed);
    for leave in outside().into_iter().take(4) {
        let left = |asked: &mut Question| {
            auditor(asked);
            leave(asked);
        };
        assert_eq!(outcome(&rule, left), Outcome::Denied);
    }
    assert_eq!(outcome(&rule, |asked| asked.principal.project_roles.clear()), Outcome::Denied);
    let update = |asked: &mut Question| {
        auditor(asked);
        asked.action = Action::UpdateEnvironment;
    };
    assert_eq!(outcome(&rule, update), Outcome::Denied);
}

#[test]
fn an_approval_is_asked_for() {
    let says = Says::Approval { actions: create(), by: Group::Role(Role::Lead), count: 2 };
    let scope = Scope { role: Some(Role::Developer), environment_types: vec!["dev".into()], ..Scope::default() };
    let rule = form(says, scope);
    assert_eq!(
        rule.sentence(),
        "People with the role developer may create environments of the type dev, once 2 leads have approved."
    );
    let decision = with(&rule).decide(&question(Action::CreateEnvironment, &[Role::Developer], "dev"));
    assert_eq!(decision.outcome, Outcome::NeedsApproval);
    assert_eq!((&decision.requirements[0].by, decision.requirements[0].count), (&Group::Role(Role::Lead), 2));
    assert_eq!(outcome(&rule, |asked| asked.resource.environment_type = Some("test".into())), Outcome::Allowed);
    let all = || Role::ALL.map(Group::Role).into_iter().chain([Group::Team("sre".into())]);
    assert_eq!(reviewers(&engine(), all()), all().collect::<Vec<_>>());
    let source = engine()
        .source()
        .replace("@id(\"those-who-are-asked-review\")", "@id(\"those-who-are-asked-review\") @mode(\"observe\")");
    assert_eq!(reviewers(&engine_of(&source), all()), [Group::Role(Role::Lead)]);
}

#[test]
fn an_approval_by_a_team_is_asked_for() {
    let says = Says::Approval { actions: create(), by: Group::Team("sre".into()), count: 1 };
    let rule = form(says, Scope { role: Some(Role::Developer), ..Scope::default() });
    assert_eq!(
        rule.sentence(),
        "People with the role developer may create environments, once one of the team sre has approved."
    );
    let decision = with(&rule).decide(&question(Action::CreateEnvironment, &[Role::Developer], "dev"));
    assert_eq!(decision.requirements[0].by, Group::Team("sre".into()));
    assert_eq!(decision.requirements[0].who, "somebody of the team sre");
}

#[test]
fn limits_hold_at_their_bounds() {
    let life = form(Says::Lifetime { seconds: 172_800 }, Scope::default());
    assert_eq!(life.sentence(), "Environments live no longer than 2 days.");
    for (action, seconds, expected) in [
        (Action::CreateEnvironment, 172_800, Outcome::Allowed),
        (Action::CreateEnvironment, 172_801, Outcome::Denied),
        (Action::ExtendEnvironment, 172_801, Outcome::Denied),
        (Action::UpdateEnvironment, 172_801, Outcome::Denied),
        (Action::PowerEnvironment, 172_801, Outcome::Allowed),
    ] {
        let asked = |asked: &mut Question| {
            asked.action = action;
            asked.context.lifetime_seconds = Some(seconds);
        };
        assert_eq!(outcome(&life, asked), expected, "{action} {seconds}");
    }

    let says = Says::Cost { most: "100.5".into() };
    let cost = form(says, Scope { environment_types: vec!["dev".into()], ..Scope::default() });
    assert_eq!(cost.sentence(), "Environments of the type dev cost at most 100.5 a month while they run.");
    for (amount, expected) in
        [(Some("100.5000"), Outcome::Allowed), (Some("100.5001"), Outcome::Denied), (None, Outcome::Allowed)]
    {
        let asked = |asked: &mut Question| asked.context.cost_per_month = amount.map(str::to_owned);
        assert_eq!(outcome(&cost, asked), expected, "{amount:?}");
    }

    let inputs = |value: serde_json::Value| {
        move |asked: &mut Question| asked.context.inputs = value.as_object().unwrap().clone()
    };
    let says = Says::Most { input: "disk.size".into(), most: "16.5".into() };
    let most = form(says, Scope { role: Some(Role::Developer), ..Scope::default() });
    assert_eq!(
        most.sentence(),
        "The input disk.size of environments is at most 16.5 when people with the role developer ask for them."
    );
    for (size, expected) in [
        (json!(16.5), Outcome::Allowed),
        (json!(16.5001), Outcome::Denied),
        (json!(17), Outcome::Denied),
        (json!(1e300), Outcome::Denied),
        (json!(-1), Outcome::Allowed),
    ] {
        assert_eq!(outcome(&most, inputs(json!({"disk": {"size": size}}))), expected, "{size}");
        let lead = |asked: &mut Question| {
            inputs(json!({"disk": {"size": size}}))(asked);
            asked.principal.project_roles = [Role::Lead].into();
        };
        assert_eq!(outcome(&most, lead), Outcome::Allowed);
    }
    assert_eq!(outcome(&most, inputs(json!({"size": 99}))), Outcome::Allowed);

    let values = vec!["eu-1".to_owned(), "eu-2".to_owned()];
    let among = form(Says::Among { input: "region".into(), values }, Scope::default());
    assert_eq!(among.sentence(), "The input region of environments is “eu-1” or “eu-2”.");
    for (region, expected) in [("eu-1", Outcome::Allowed), ("us-1", Outcome::Denied), ("", Outcome::Denied)] {
        assert_eq!(outcome(&among, inputs(json!({ "region": region }))), expected, "{region}");
    }
    assert_eq!(outcome(&among, inputs(json!({}))), Outcome::Allowed);
}

#[test]
fn a_freeze_holds_from_its_first_second_to_before_its_last() {
    let at = |text: &str| -> jiff::Timestamp { text.parse().unwrap() };
    let (from, to) = (at("2026-12-20T18:00:00Z"), at("2027-01-04T08:00:00Z"));
    let says = Says::Freeze { actions: create(), from, to };
    let freeze = RuleForm { exception: Some(Group::Role(Role::Lead)), ..form(says, Scope::default()) };
    assert_eq!(
        freeze.sentence(),
        "Nobody may create environments from 20 Dec 2026, 18:00 to 4 Jan 2027, 08:00 UTC. Exceptions need the \
         approval of one lead."
    );
    for (moment, expected) in [
        ("2026-12-20T17:59:59Z", Outcome::Allowed),
        ("2026-12-20T18:00:00Z", Outcome::Denied),
        ("2027-01-04T07:59:59.999Z", Outcome::Denied),
        ("2027-01-04T08:00:00Z", Outcome::Allowed),
    ] {
        assert_eq!(outcome(&freeze, |asked| asked.context.at = Some(at(moment))), expected, "{moment}");
    }
    assert_eq!(outcome(&freeze, |asked| asked.context.at = None), Outcome::Allowed);
    let other = |asked: &mut Question| {
        asked.context.at = Some(from);
        asked.action = Action::ExtendEnvironment;
    };
    assert_eq!(outcome(&freeze, other), Outcome::Allowed);
    let excepted = |asked: &mut Question| {
        asked.context.at = Some(from);
        asked.context.exception = true;
    };
    assert_eq!(outcome(&freeze, excepted), Outcome::NeedsApproval);
    let paddock = |asked: &mut Question| {
        asked.context.at = Some(from);
        asked.action = Action::PowerEnvironment;
        asked.principal = Principal::system("reconciler.schedule");
    };
    let stops = form(Says::Freeze { actions: Action::REQUESTS.to_vec(), from, to }, Scope::default());
    assert_eq!(outcome(&stops, paddock), Outcome::Allowed);
}

#[test]
fn what_is_wrong_is_told_by_field() {
    let source = engine().source();
    let told = |form: &RuleForm| -> Vec<String> {
        form.problems(&source).into_iter().map(|problem| problem.pointer).collect()
    };
    let right = form(Says::Permit { actions: create() }, everywhere());
    for (wrong, field) in [
        (RuleForm { id: String::new(), ..right.clone() }, "/id"),
        (RuleForm { id: "Large".into(), ..right.clone() }, "/id"),
        (RuleForm { id: DEFAULT_DENY.into(), ..right.clone() }, "/id"),
        (RuleForm { id: "leads-review-requests".into(), ..right.clone() }, "/id"),
        (RuleForm { reason: " ".into(), ..right.clone() }, "/reason"),
        (RuleForm { reason: "a\0".into(), ..right.clone() }, "/reason"),
        (RuleForm { owner: "a".repeat(501), ..right.clone() }, "/owner"),
        (form(Says::Permit { actions: vec![] }, everywhere()), "/actions"),
        (form(Says::Permit { actions: create() }, Scope::default()), "/role"),
        (form(Says::Approval { actions: create(), by: Group::Role(Role::Lead), count: 0 }, everywhere()), "/count"),
        (form(Says::Approval { actions: create(), by: Group::Role(Role::Lead), count: 21 }, everywhere()), "/count"),
        (form(Says::Lifetime { seconds: 0 }, everywhere()), "/lifetime"),
        (
            form(
                Says::Freeze { actions: create(), from: jiff::Timestamp::MAX, to: jiff::Timestamp::MIN },
                everywhere(),
            ),
            "/to",
        ),
        (form(Says::Cost { most: "-1.0".into() }, everywhere()), "/most"),
        (form(Says::Most { input: String::new(), most: "1.0".into() }, everywhere()), "/input"),
        (form(Says::Most { input: "a".into(), most: "1e3".into() }, everywhere()), "/most"),
        (form(Says::Most { input: "a".into(), most: "1.00001".into() }, everywhere()), "/most"),
        (form(Says::Most { input: "a".into(), most: "999999999999999.0".into() }, everywhere()), "/most"),
        (form(Says::Among { input: "a".into(), values: vec![] }, everywhere()), "/values"),
    ] {
        assert_eq!(told(&wrong), [field], "{wrong:?}");
    }
    assert_eq!(id_from(" No large databases! "), "no-large-databases");
    // In a text that cannot be read, too.
    let broken = format!("permit (\n{}", right.cedar());
    assert_eq!(right.problems(&broken)[0].pointer, "/id");
}

proptest! {
    /// Any value gives one rule, in which it stands as it is.
    #[test]
    fn no_value_becomes_logic(odd in any::<String>(), other in any::<String>(), quoted in "[\"\\\\/;){}@u\n ]{0,12}") {
        for value in [&odd, &other, &quoted] {
            let scope = Scope {
                project: Some(value.clone()),
                environment_types: vec![value.clone()],
                template: Some(value.clone()),
                team: Some(value.clone()),
                role: Some(Role::Developer),
            };
            let says = [
                Says::Permit { actions: Action::REQUESTS.to_vec() },
                Says::Forbid { actions: create() },
                Says::Most { input: value.clone(), most: "1.0".into() },
                Says::Among { input: value.clone(), values: vec![value.clone(), "b".into()] },
            ];
            for says in says {
                let grants = matches!(says, Says::Permit { .. });
                let rule = RuleForm { reason: value.clone(), owner: value.clone(), ..form(says, scope.clone()) };
                let set: PolicySet = rule.cedar().parse().map_err(|error| TestCaseError::fail(format!("{error}\n{}", rule.cedar())))?;
                prop_assert_eq!(set.policies().count(), 1);
                let policy = set.policies().next().unwrap();
                prop_assert_eq!(policy.effect() == cedar_policy::Effect::Permit, grants);
                prop_assert_eq!(policy.annotation("id"), Some("the-rule"));
                prop_assert_eq!(policy.annotation("reason"), Some(value.as_str()));
                if !value.is_empty() {
                    prop_assert_eq!(policy.annotation("owner"), Some(value.as_str()));
                }
                prop_assert_eq!(policy.annotations().count(), if value.is_empty() { 2 } else { 3 });
                let tree = policy.to_json().unwrap();
                prop_assert_eq!(tree["principal"]["entity"]["id"].as_str(), Some(value.as_str()));
                prop_assert_eq!(tree["resource"]["entity"]["id"].as_str(), Some(value.as_str()));
                prop_assert_eq!(tree["conditions"].as_array().map(Vec::len), Some(1));
                prop_assert!(holds(&tree["conditions"], value));
            }
        }
    }
}

/// Whether a text stands in the tree as a value.
fn holds(tree: &serde_json::Value, value: &str) -> bool {
    match tree {
        serde_json::Value::String(text) => text == value,
        serde_json::Value::Array(items) => items.iter().any(|item| holds(item, value)),
        serde_json::Value::Object(map) => map.values().any(|item| holds(item, value)),
        _ => false,
    }
}
