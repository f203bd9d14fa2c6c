//! Only the policies that can speak to a question reach Cedar, and it answers as if all had.

use std::fmt::Write as _;

use cedar_policy::{Authorizer, Decision as CedarDecision, PolicySet};
use proptest::prelude::*;

use super::*;

const PROJECTS: [&str; 3] = ["payments", "web", "search"];
const TEAMS: [&str; 3] = ["payments", "sre", "data"];
const PEOPLE: [&str; 3] = ["usr_ada", "usr_bob", "usr_eve"];

/// What a scope may say of the principal and of the resource.
fn scope() -> impl Strategy<Value = (String, String)> {
    let team = proptest::sample::select(TEAMS.to_vec());
    let person = proptest::sample::select(PEOPLE.to_vec());
    let principal = prop_oneof![
        2 => Just("principal".to_owned()),
        1 => Just("principal is User".to_owned()),
        2 => team.clone().prop_map(|team| format!("principal in Team::\"{team}\"")),
        1 => team.prop_map(|team| format!("principal is User in Team::\"{team}\"")),
        2 => person.prop_map(|id| format!("principal == User::\"{id}\"")),
    ];
    let project = proptest::sample::select(PROJECTS.to_vec());
    let resource = prop_oneof![
        2 => Just("resource".to_owned()),
        1 => Just("resource is Environment".to_owned()),
        2 => project.clone().prop_map(|slug| format!("resource in Project::\"{slug}\"")),
        1 => project.prop_map(|slug| format!("resource is Environment in Project::\"{slug}\"")),
        1 => Just("resource == Environment::\"env_1\"".to_owned()),
    ];
    (principal, resource)
}

fn rules() -> impl Strategy<Value = String> {
    let effect = proptest::sample::select(vec!["permit", "permit", "forbid"]);
    let condition =
        proptest::sample::select(vec!["", "when { context.channel == \"web\" }", "unless { resource has owner }"]);
    proptest::collection::vec((effect, scope(), condition), 1..30).prop_map(|rules| {
        let mut text = String::new();
        for (number, (effect, (principal, resource), condition)) in rules.into_iter().enumerate() {
            write!(
                text,
                "@id(\"rule-{number}\") @reason(\"So it is.\")
                 {effect} ({principal}, action == Action::\"UpdateEnvironment\", {resource}) {condition};\n"
            )
            .unwrap();
        }
        text
    })
}

prop_compose! {
    fn asked()(
        id in proptest::sample::select(PEOPLE.to_vec()),
        teams in proptest::sample::subsequence(TEAMS.to_vec(), 0..=3),
        environment in proptest::sample::select(vec!["env_1", "env_2"]),
        project in proptest::option::weighted(0.9, proptest::sample::select(PROJECTS.to_vec())),
        owner in proptest::option::of(Just("usr_ada".to_owned())),
    ) -> Question {
        let mut question = question(Action::UpdateEnvironment, &[Role::Developer], "dev");
        question.principal.id = id.to_owned();
        question.principal.teams = teams.into_iter().map(str::to_owned).collect();
        question.resource.id = environment.to_owned();
        question.resource.project = project.map(str::to_owned);
        question.resource.owner = owner;
        question
    }
}

proptest! {
    // Each case compiles a policy set.
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_answer_is_that_of_the_whole_set(source in rules(), questions in proptest::collection::vec(asked(), 1..12)) {
        let engine = engine_of(&source);
        let whole: PolicySet = source.parse().unwrap();
        for question in questions {
            let (request, entities) = engine.ask(&question).unwrap();
            let response = Authorizer::new().is_authorized(&request, &whole, &entities);
            prop_assert_eq!(response.diagnostics().errors().count(), 0);
            let mut expected: Vec<&str> =
                response.diagnostics().reason().filter_map(|id| whole.annotation(id, "id")).collect();
            expected.sort_unstable();
            let decided = engine.decide(&question);
            let rules: Vec<&str> = decided.rules.iter().map(|rule| rule.id.as_str()).collect();
            if expected.is_empty() {
                prop_assert_eq!(rules, [crate::policy::DEFAULT_DENY]);
            } else {
                prop_assert_eq!(rules, expected);
            }
            prop_assert_eq!(decided.outcome == Outcome::Allowed, response.decision() == CedarDecision::Allow);
        }
    }
}

/// A platform of a hundred projects with ten rules each.
#[test]
fn the_rules_of_other_projects_do_not_reach_the_engine() {
    let mut source = engine().source();
    for number in 0..1000 {
        write!(
            source,
            "@id(\"cap-{number}\") @reason(\"Not there.\")
             forbid (principal, action in Action::\"Request\", resource in Project::\"project-{}\")
             when {{ context.inputs.texts.hasTag(\"size\") && context.inputs.texts.getTag(\"size\") == \"size-{number}\" }};\n",
            number / 10
        )
        .unwrap();
    }
    let engine = engine_of(&source);
    let mut question = question(Action::CreateEnvironment, &[Role::Developer], "dev");
    let reach = |question: &Question| {
        let compiled = engine.compiled();
        let (request, entities) = engine.ask(question).unwrap();
        compiled.slices[&question.action].about(&request, &entities).unwrap().policies().count()
    };
    let general = reach(&question);
    assert!(general <= 20, "{general} of the built-in rules");
    question.resource.project = Some("project-7".to_owned());
    assert_eq!(reach(&question), general + 10);
    question.context.inputs.insert("size".to_owned(), json!("size-75"));
    assert_eq!(engine.decide(&question).rules[0].id, "cap-75");
}
