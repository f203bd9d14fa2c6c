//! Rules with everything that they may ask for, held against Cedar itself: what applies is asked of Cedar on the
//! whole set, and what it asks for is put together here once more, in another way.

use std::fmt::Write as _;

use cedar_policy::{Authorizer, Decision as CedarDecision, Entities, PolicyId, PolicySet, Request};
use proptest::prelude::*;

use super::*;

/// Whom a rule asks: for an approval if it permits, for an exception if it forbids.
#[derive(Debug, Clone)]
struct Asks {
    by: &'static str,
    count: u32,
    step: u32,
    /// Hours, and who.
    ladder: &'static [(i64, &'static str)],
}

#[derive(Debug, Clone)]
struct Made {
    forbids: bool,
    watched: bool,
    principal: &'static str,
    condition: &'static str,
    asks: Option<Asks>,
    /// For exceptions: days.
    longest: Option<i64>,
}

fn asks() -> impl Strategy<Value = Asks> {
    let by = proptest::sample::select(vec!["developer", "lead", "admin", "auditor", "team:sre", "team:data"]);
    let ladders: [&'static [(i64, &'static str)]; 3] = [&[], &[(24, "admin")], &[(2, "team:sre"), (48, "auditor")]];
    let ladder = proptest::sample::select(ladders.to_vec());
    (by, 1..=3_u32, 1..=3_u32, ladder).prop_map(|(by, count, step, ladder)| Asks { by, count, step, ladder })
}

fn rule() -> impl Strategy<Value = Made> {
    let principal = proptest::sample::select(vec![
        "principal",
        "principal",
        "principal in Team::\"sre\"",
        "principal == User::\"usr_ada\"",
    ]);
    let condition = proptest::sample::select(vec![
        "",
        "when { context.inputs.numbers.hasTag(\"size\") && context.inputs.numbers.getTag(\"size\") > 2 }",
        "when { context.inputs.numbers.hasTag(\"size\") && context.inputs.numbers.getTag(\"size\") > 5 }",
        "when { resource has environment_type && resource.environment_type == \"dev\" }",
        "when { context.roles.contains(Role::\"lead\") }",
    ]);
    let asks = proptest::option::weighted(0.7, asks());
    let longest = proptest::option::of(1..4_i64);
    (any::<bool>(), proptest::bool::weighted(0.15), principal, condition, asks, longest).prop_map(
        |(forbids, watched, principal, condition, asks, longest)| Made {
            forbids,
            watched,
            principal,
            condition,
            longest: longest.filter(|_| forbids && asks.is_some()),
            asks,
        },
    )
}

fn text(rules: &[Made], watched_too: bool) -> String {
    let mut text = String::new();
    for (number, rule) in rules.iter().enumerate().filter(|(_, rule)| watched_too || !rule.watched) {
        let name = if rule.forbids { "exception" } else { "approval" };
        write!(text, "@id(\"rule-{number}\") @reason(\"So it is.\") ").unwrap();
        if rule.watched {
            text.push_str("@mode(\"observe\") ");
        }
        if let Some(Asks { by, count, step, ladder }) = &rule.asks {
            write!(text, "@{name}(\"{by}\") @{name}_count(\"{count}\") @{name}_step(\"{step}\") ").unwrap();
            if !ladder.is_empty() {
                let rungs: Vec<String> = ladder.iter().map(|(hours, who)| format!("{hours}h {who}")).collect();
                write!(text, "@{name}_escalation(\"{}\") ", rungs.join(", ")).unwrap();
            }
        }
        if let Some(days) = rule.longest {
            write!(text, "@exception_lifetime(\"{days}d\") ").unwrap();
        }
        let effect = if rule.forbids { "forbid" } else { "permit" };
        let (principal, condition) = (rule.principal, rule.condition);
        writeln!(text, "{effect} ({principal}, action == Action::\"CreateEnvironment\", resource) {condition};")
            .unwrap();
    }
    text
}

prop_compose! {
    fn asked()(
        id in proptest::sample::select(vec!["usr_ada", "usr_bob"]),
        teams in proptest::sample::subsequence(vec!["sre", "data"], 0..=2),
        roles in proptest::sample::subsequence(Role::ALL.to_vec(), 0..=2),
        environment_type in proptest::sample::select(vec!["dev", "prod"]),
        size in proptest::option::weighted(0.9, 0..8_i64),
        days in proptest::option::weighted(0.9, 1..6_i64),
        exception in any::<bool>(),
    ) -> Question {
        let mut question = question(Action::CreateEnvironment, &roles, environment_type);
        question.principal.id = id.to_owned();
        question.principal.teams = teams.into_iter().map(str::to_owned).collect();
        question.context.inputs = size.map(|size| ("size".to_owned(), json!(size))).into_iter().collect();
        question.context.lifetime_seconds = days.map(|days| days * 86_400);
        question.context.exception = exception;
        question
    }
}

/// Whom a decision asks, as far as it does not depend on words.
type Asked = (String, String, u32, u32, Vec<(i64, String)>);
type Said = (Outcome, Vec<String>, Vec<Asked>);

fn said(decision: &Decision) -> Said {
    let rules = decision.rules.iter().map(|rule| rule.id.clone()).collect();
    (decision.outcome, rules, decision.requirements.iter().map(as_asked).collect())
}

fn as_asked(one: &Requirement) -> Asked {
    let ladder = one.escalation.iter().map(|rung| (rung.after_seconds / 3600, rung.to.to_string())).collect();
    (one.rule_id.clone(), one.by.to_string(), one.count, one.step, ladder)
}

/// Cedar's own words about a set: whether it allows, and the numbers of the rules that say so.
fn cedar(set: &PolicySet, request: &Request, entities: &Entities) -> (bool, Vec<usize>) {
    let response = Authorizer::new().is_authorized(request, set, entities);
    assert_eq!(response.diagnostics().errors().count(), 0);
    let number = |id: &PolicyId| set.annotation(id, "id").unwrap().strip_prefix("rule-").unwrap().parse().unwrap();
    let mut rules: Vec<usize> = response.diagnostics().reason().map(number).collect();
    // As their ids sort.
    rules.sort_by_key(|number| format!("rule-{number}"));
    (response.decision() == CedarDecision::Allow, rules)
}

/// What must be said, by Cedar's answers and by what stands in the rules.
fn expected(engine: &PolicyEngine, rules: &[Made], question: &Question) -> Said {
    let (request, entities) = engine.ask(question).unwrap();
    let whole: PolicySet = text(rules, false).parse().unwrap();
    let denied = |ids: Vec<usize>| {
        let ids: Vec<String> = ids.iter().map(|number| format!("rule-{number}")).collect();
        (Outcome::Denied, if ids.is_empty() { vec![DEFAULT_DENY.to_owned()] } else { ids }, Vec::new())
    };
    let (allows, mut applied) = cedar(&whole, &request, &entities);
    let mut excepted = Vec::new();
    if !allows {
        let all = !applied.is_empty() && applied.iter().all(|number| rules[*number].asks.is_some());
        if !(question.context.exception && all) {
            return denied(applied);
        }
        let asked = question.context.lifetime_seconds.unwrap_or(0);
        let long = |number: &usize| rules[*number].longest.is_some_and(|days| asked > days * 86_400);
        if applied.iter().any(long) {
            return denied(applied.into_iter().filter(long).collect());
        }
        let mut rest = rules.to_vec();
        for number in &applied {
            rest[*number].watched = true;
        }
        let rest: PolicySet = text(&rest, false).parse().unwrap();
        let (allows, others) = cedar(&rest, &request, &entities);
        if !allows {
            return denied(others);
        }
        excepted = std::mem::replace(&mut applied, others);
    }
    let ids: Vec<usize> = excepted.into_iter().chain(applied).collect();
    let mut asks: Vec<Asked> = ids
        .iter()
        .filter_map(|number| Some((*number, rules[*number].asks.as_ref()?)))
        .map(|(number, asks)| {
            let ladder = asks.ladder.iter().map(|(hours, who)| (*hours, (*who).to_owned())).collect();
            (format!("rule-{number}"), asks.by.to_owned(), asks.count, asks.step, ladder)
        })
        .collect();
    asks.sort_by_key(|asked| asked.3);
    let outcome = if asks.is_empty() { Outcome::Allowed } else { Outcome::NeedsApproval };
    (outcome, ids.iter().map(|number| format!("rule-{number}")).collect(), asks)
}

proptest! {
    // Each case compiles a policy set.
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_rules_ask_for_is_what_cedar_lets_apply(
        rules in proptest::collection::vec(rule(), 1..12),
        questions in proptest::collection::vec(asked(), 1..8),
    ) {
        let engine = engine_of(&text(&rules, true));
        for question in questions {
            let decision = engine.decide(&question);
            prop_assert_eq!(said(&decision), expected(&engine, &rules, &question));
            // An exception is offered exactly where asking for one would be taken.
            let mut asking = question.clone();
            asking.context.exception = true;
            let denying: Vec<&str> = ids(&decision);
            let longest = rules
                .iter()
                .enumerate()
                .filter(|(number, _)| denying.contains(&&*format!("rule-{number}")))
                .filter_map(|(_, rule)| rule.longest)
                .min();
            if let (Some(seconds), Some(days)) = (asking.context.lifetime_seconds.as_mut(), longest) {
                *seconds = (*seconds).min(days * 86_400);
            }
            let taken = expected(&engine, &rules, &asking);
            let offered = engine.offer(&question);
            let offers = decision.outcome == Outcome::Denied
                && !question.context.exception
                && taken.0 == Outcome::NeedsApproval;
            prop_assert_eq!(offered.is_some(), offers);
            if let Some(offer) = offered {
                prop_assert_eq!(offer.requirements.iter().map(as_asked).collect::<Vec<_>>(), taken.2);
                prop_assert_eq!(offer.longest.map(|longest| longest.as_hours() / 24), longest);
            }
        }
    }
}
