//! What holds for every person and every thing.

use std::sync::LazyLock;

use cedar_policy::{Authorizer, Decision as CedarDecision, PolicySet};
use proptest::prelude::*;

use super::*;

static WHOLE: LazyLock<PolicySet> = LazyLock::new(|| ENGINE.source().parse().unwrap());

fn roles() -> impl Strategy<Value = BTreeSet<Role>> {
    proptest::sample::subsequence(Role::ALL.to_vec(), 0..=4).prop_map(|roles| roles.into_iter().collect())
}

fn person() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::sample::select(vec!["usr_ada", "usr_bob", "system:worker", ""]).prop_map(str::to_owned),
        1 => ".{0,12}",
    ]
}

fn places() -> impl Strategy<Value = BTreeMap<String, BTreeSet<Role>>> {
    let kind = proptest::sample::select(vec!["dev", "test", "prod", "staging"]).prop_map(str::to_owned);
    proptest::collection::btree_map(kind, roles(), 0..3)
}

fn principal() -> impl Strategy<Value = Principal> {
    (person(), ".{0,8}", proptest::collection::vec("[a-d]", 0..3), roles(), roles(), places()).prop_map(
        |(id, login, teams, platform_roles, project_roles, place_roles)| Principal {
            id,
            login,
            teams,
            platform_roles,
            project_roles,
            place_roles,
        },
    )
}

fn groups() -> impl Strategy<Value = Group> {
    let role = proptest::sample::select(Role::ALL.to_vec());
    prop_oneof![role.prop_map(Group::Role), "[a-d]".prop_map(Group::Team)]
}

/// Whether somebody counts for what a request waits for.
fn is_asked(question: &Question) -> bool {
    question.resource.asked.iter().any(|group| match group {
        Group::Role(role) => question.roles().contains(role),
        Group::Team(team) => question.teams().contains(team.as_str()),
    })
}

fn slug(names: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    proptest::option::weighted(0.9, proptest::sample::select(names.to_vec()).prop_map(str::to_owned))
}

prop_compose! {
    fn any_question()(
        action in proptest::sample::select(Action::ALL.to_vec()),
        which in any::<proptest::sample::Index>(),
        principal in principal(),
        id in "[a-z]{0,4}",
        project in slug(&["payments", "web"]),
        environment_type in slug(&["dev", "test", "prod", "staging"]),
        owner in proptest::option::of(person()),
        requester in proptest::option::of(person()),
        asked in proptest::collection::vec(groups(), 0..3),
        borrowed in proptest::collection::vec((person(), groups()).prop_map(|(of, group)| Borrowed { of, group }), 0..2),
        editors in proptest::collection::vec(person(), 0..3),
        lifetime_seconds in proptest::option::of(prop_oneof![Just(0), Just(100), any::<i64>()]),
        maximum_lifetime_seconds in proptest::option::of(Just(100)),
        channel in proptest::sample::select(vec!["web", "api", "cli", "worker", "reconciler"]),
        seconds in proptest::option::of(0_i64..4_102_444_800),
        cents in proptest::option::of(0_u64..10_000_000),
        text in ".{0,6}",
        number in any::<f64>(),
    ) -> Question {
        let inputs = json!({"text": text, "number": number, "deep": {"list": [text, number, null]}});
        Question {
            action,
            principal,
            resource: Resource {
                kind: *which.get(compile::kinds_of(action)),
                id,
                project,
                environment_type,
                template: None,
                provider: None,
                owner,
                requester,
                asked,
                borrowed,
                editors,
            },
            context: Context {
                inputs: inputs.as_object().unwrap().clone(),
                operation: None,
                at: seconds.map(|seconds| jiff::Timestamp::from_second(seconds).unwrap()),
                cost_per_month: cents.map(|cents| format!("{}.{:02}", cents / 100, cents % 100)),
                asked_role: None,
                exception: false,
                lifetime_seconds,
                maximum_lifetime_seconds,
                channel: channel.to_owned(),
            },
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_reviews_their_own(mut question in any_question(), by_id in any::<bool>()) {
        question.action = Action::ReviewRequest;
        question.resource.kind = ResourceKind::Request;
        // Theirs, or of nobody knows whom.
        question.resource.requester = by_id.then(|| question.principal.id.clone());
        let decision = ENGINE.decide(&question);
        prop_assert_eq!(decision.outcome, Outcome::Denied);
        prop_assert!(ids(&decision).contains(&"nobody-reviews-their-own"));
    }

    #[test]
    fn what_is_remembered_is_what_is_decided(one in any_question(), other in any_question()) {
        for question in [&one, &other, &one] {
            prop_assert_eq!(ENGINE.allows(question), ENGINE.decide(question).outcome == Outcome::Allowed);
        }
    }

    #[test]
    fn only_leads_and_those_who_are_asked_review(mut question in any_question()) {
        question.action = Action::ReviewRequest;
        question.resource.kind = ResourceKind::Request;
        let may = ENGINE.decide(&question).outcome == Outcome::Allowed;
        prop_assert!(!may || question.roles().contains(&Role::Lead) || is_asked(&question));
    }

    #[test]
    fn who_is_only_an_auditor_changes_and_reveals_nothing(mut question in any_question(), everywhere in any::<bool>()) {
        let (platform, project) = if everywhere { (vec![Role::Auditor], vec![]) } else { (vec![], vec![Role::Auditor]) };
        question.principal.id = "usr_auditor".into();
        // In the place of somebody they review as that one.
        question.resource.borrowed.clear();
        question.principal.platform_roles = platform.into_iter().collect();
        question.principal.project_roles = project.into_iter().collect();
        question.principal.place_roles.clear();
        let reads = matches!(
            question.action,
            Action::ReadCatalog | Action::ReadProject | Action::ReadEnvironment | Action::ReadRequest
                | Action::ReadAudit | Action::ReadAdmin
        );
        let asked = question.action == Action::ReviewRequest && is_asked(&question);
        let own = asked || matches!(question.action, Action::ManageTokens | Action::WithdrawRequest | Action::AskForRole);
        let decision = ENGINE.decide(&question);
        prop_assert!(reads || own || decision.outcome == Outcome::Denied, "{:?}", decision);
        if reads && question.roles().contains(&Role::Auditor) {
            prop_assert_eq!(decision.outcome, Outcome::Allowed);
        }
    }

    /// Whatever is asked, of whatever kind: only reading the project as a whole takes a role of another type.
    #[test]
    fn a_role_in_one_environment_type_does_nothing_elsewhere(mut question in any_question(), held in roles()) {
        let elsewhere = question.resource.environment_type.as_deref() == Some("dev");
        let kind = if elsewhere { "prod" } else { "dev" };
        question.principal.place_roles = [(kind.to_owned(), held)].into();
        let with = ENGINE.decide(&question);
        question.principal.place_roles.clear();
        let without = ENGINE.decide(&question);
        prop_assert!(with == without || question.action == Action::ReadProject, "{question:?}");
    }

    /// There it counts as one in the whole project does.
    #[test]
    fn a_role_in_one_environment_type_counts_there(mut question in any_question(), held in roles()) {
        let mut whole = question.clone();
        whole.principal.project_roles = held.clone();
        whole.principal.place_roles.clear();
        question.principal.project_roles.clear();
        question.principal.place_roles =
            question.resource.environment_type.iter().map(|kind| (kind.clone(), held.clone())).collect();
        let same = question.resource.environment_type.is_some();
        prop_assert!(!same || ENGINE.decide(&question) == ENGINE.decide(&whole), "{question:?}");
    }

    #[test]
    fn nothing_outlives_its_maximum(question in any_question()) {
        let grows = matches!(question.action, Action::CreateEnvironment | Action::ExtendEnvironment);
        if let (true, Some(maximum)) = (grows, question.context.maximum_lifetime_seconds) {
            let within = question.context.lifetime_seconds.is_some_and(|asked| asked <= maximum);
            prop_assert!(within || ENGINE.decide(&question).outcome == Outcome::Denied);
        }
    }

    #[test]
    fn production_always_waits_for_a_lead(mut question in any_question()) {
        question.resource.environment_type = Some("prod".into());
        let asks = [Action::CreateEnvironment, Action::UpdateEnvironment, Action::ExtendEnvironment];
        if asks.contains(&question.action) {
            let decision = ENGINE.decide(&question);
            prop_assert_ne!(decision.outcome, Outcome::Allowed);
            let by_lead = decision.requirements.iter().any(|it| it.by == Group::Role(Role::Lead));
            prop_assert!(decision.outcome == Outcome::Denied || by_lead);
        }
    }

    /// Every question can be asked, and the answer is that of Cedar on the whole set.
    #[test]
    fn the_answer_is_the_one_of_cedar(question in any_question()) {
        let (request, entities) = ENGINE.ask(&question).unwrap();
        let response = Authorizer::new().is_authorized(&request, &WHOLE, &entities);
        let allowed = ENGINE.decide(&question).outcome != Outcome::Denied;
        prop_assert_eq!(allowed, response.decision() == CedarDecision::Allow);
    }
}
