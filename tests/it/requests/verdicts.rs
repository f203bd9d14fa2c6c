//! Whatever the rules and the budget are, whoever asks and for what: the verdict is what a submit decides and keeps,
//! and what is kept is what the rules say about the question that is kept with it.
//!
//! That the rules say what Cedar says is proved beside them (`policy::tests::annotated`).

use std::fmt::Write as _;

use axum::http::StatusCode;
use jiff::SignedDuration;
use paddock::cost::BudgetLevel;
use paddock::identity::{self, Access, Source};
use paddock::policy::{Decision, Group, Outcome, PolicyEngine, Requirement, Role};
use paddock::requests::{BUDGET_RULE, Caller, Draft, Intent, RequestDetail, RequestStatus, Verdict};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use rust_decimal::Decimal;
use serde_json::json;

use super::accrued;
use crate::support::app::TestApp;
use crate::support::http::Site;

const CASES: usize = 70;

/// A rule about creates: if it permits, who approves; if it forbids, who grants an exception.
#[derive(Debug, Clone)]
struct Made {
    forbids: bool,
    watched: bool,
    team: bool,
    place: Option<&'static str>,
    above: i64,
    asks: Option<(&'static str, u32, u32, &'static str)>,
    longest: Option<&'static str>,
}

/// Percent of what there would be, and the thresholds.
#[derive(Debug, Clone)]
struct Budget {
    percent: i64,
    warn: bool,
    approve: bool,
    deny: bool,
}

#[derive(Debug, Clone)]
struct Case {
    rules: Vec<Made>,
    budget: Option<Budget>,
    /// In the team sre.
    member: bool,
    /// What the person holds: role, and on the platform, in the project or in an environment type of it.
    holds: Vec<(Role, Option<&'static str>)>,
    place: &'static str,
    count: i64,
    hours: i64,
    exception: bool,
}

fn rule() -> impl Strategy<Value = Made> {
    let by = proptest::sample::select(vec!["developer", "lead", "admin", "team:sre"]);
    let ladder = proptest::sample::select(vec!["", "24h admin", "2h team:sre, 2d auditor"]);
    let asks = proptest::option::weighted(0.7, (by, 1..=3_u32, 1..=3_u32, ladder));
    let place = proptest::option::of(proptest::sample::select(vec!["dev", "prod"]));
    let longest = proptest::option::of(proptest::sample::select(vec!["4h", "12h"]));
    let (watched, team) = (proptest::bool::weighted(0.15), proptest::bool::weighted(0.2));
    (any::<bool>(), watched, team, place, -1..4_i64, asks, longest).prop_map(
        |(forbids, watched, team, place, above, asks, longest)| Made {
            forbids,
            watched,
            team,
            place,
            above,
            longest: longest.filter(|_| forbids && asks.is_some()),
            asks,
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    // Away from where it would be equal to a threshold.
    let percent = proptest::sample::select(vec![45, 80, 150, 1000]);
    let budget = (percent, any::<bool>(), any::<bool>(), any::<bool>());
    let budget = budget.prop_map(|(percent, warn, approve, deny)| Budget { percent, warn, approve, deny });
    let holds = proptest::sample::subsequence(
        vec![
            (Role::Developer, Some("project")),
            (Role::Lead, Some("project")),
            (Role::Developer, Some("dev")),
            (Role::Developer, Some("prod")),
            (Role::Admin, None),
        ],
        0..=3,
    );
    let holds = prop_oneof![2 => Just(vec![(Role::Developer, Some("project"))]), 2 => holds];
    let place = proptest::sample::select(vec!["dev", "dev", "prod"]);
    (
        proptest::collection::vec(rule(), 0..4),
        proptest::option::weighted(0.8, budget),
        any::<bool>(),
        holds,
        place,
        0..5_i64,
        1..20_i64,
        proptest::bool::weighted(0.3),
    )
        .prop_map(|(rules, budget, member, holds, place, count, hours, exception)| Case {
            rules,
            budget,
            member,
            holds,
            place,
            count,
            hours,
            exception,
        })
}

fn text(rules: &[Made]) -> String {
    let mut text = String::new();
    for (number, rule) in rules.iter().enumerate() {
        let name = if rule.forbids { "exception" } else { "approval" };
        write!(text, "@id(\"made-{number}\") @reason(\"Rule {number} says so.\") ").unwrap();
        if rule.watched {
            text.push_str("@mode(\"observe\") ");
        }
        if let Some((by, count, step, ladder)) = rule.asks {
            write!(text, "@{name}(\"{by}\") @{name}_count(\"{count}\") @{name}_step(\"{step}\") ").unwrap();
            if !ladder.is_empty() {
                write!(text, "@{name}_escalation(\"{ladder}\") ").unwrap();
            }
        }
        if let Some(longest) = rule.longest {
            write!(text, "@exception_lifetime(\"{longest}\") ").unwrap();
        }
        let effect = if rule.forbids { "forbid" } else { "permit" };
        let principal = if rule.team { "principal in Team::\"sre\"" } else { "principal" };
        let place = rule.place.map_or(String::new(), |place| {
            format!("resource has environment_type && resource.environment_type == \"{place}\" && ")
        });
        writeln!(
            text,
            "{effect} ({principal}, action == Action::\"CreateEnvironment\", resource) when {{ {place}
             context.inputs.numbers.hasTag(\"count\") && context.inputs.numbers.getTag(\"count\") > {} }};",
            rule.above
        )
        .unwrap();
    }
    text
}

/// A machine costs 1 a second; one who asks is in the team sre and one is not.
async fn site() -> Site {
    let site = accrued::site().await;
    site.sql("INSERT INTO price (item, amount, valid_from, added_by) VALUES ('m.vm', 3600, current_date - 90, 'test')")
        .await;
    let op = site.test.op(paddock::base::Actor::System { part: "test" });
    let (member, _) = (site.person("member").await, site.person("single").await);
    let mut tx = site.test.app.db.begin().await.unwrap();
    let team = identity::ensure_team(&mut tx, &op, "sre", "SRE").await.unwrap();
    identity::join_team(&mut tx, &op, &team, &member, Source::Local).await.unwrap();
    tx.commit().await.unwrap();
    site
}

/// Who asks, with what they hold.
async fn asker(site: &Site, case: &Case) -> Access {
    let login = if case.member { "member" } else { "single" };
    let mut sql = "DELETE FROM role_binding WHERE given_by = 'generated';".to_owned();
    for (role, at) in &case.holds {
        let project = if at.is_some() { "(SELECT id FROM project WHERE slug = 'payments')" } else { "NULL" };
        let place = match at {
            None | Some("project") => "NULL".to_owned(),
            Some(kind) => format!(
                "(SELECT w.id FROM project_environment_type w JOIN environment_type y ON y.id = w.environment_type_id
                  JOIN project p ON p.id = w.project_id WHERE p.slug = 'payments' AND y.slug = '{kind}')"
            ),
        };
        write!(
            sql,
            "INSERT INTO role_binding (id, role, person_id, project_id, project_environment_type_id, given_by)
             SELECT gen_random_uuid(), '{role}', id, {project}, {place}, 'generated' FROM person WHERE login = '{login}';"
        )
        .unwrap();
    }
    site.sql(&sql).await;
    site.test.person(login).await
}

fn draft(case: &Case, name: &str) -> Draft {
    Draft {
        intent: Intent::Create {
            project: "payments".to_owned(),
            environment_type: case.place.to_owned(),
            template: "machines".to_owned(),
            version: None,
            name: name.to_owned(),
            inputs: json!({"count": case.count}).as_object().unwrap().clone(),
            lifetime: Some(SignedDuration::from_hours(case.hours)),
        },
        reason: "It is needed".to_owned(),
        exception: case.exception,
    }
}

async fn verdict(site: &Site, access: &Access, draft: &Draft) -> Verdict {
    let op = site.test.op_as(access);
    site.test.app.requests.verdict(&op, Caller::Person(access), draft).await.unwrap()
}

async fn submit(site: &Site, access: &Access, draft: &Draft) -> (Decision, RequestDetail) {
    let (app, op) = (&site.test.app, site.test.op_as(access));
    let submitted = app.requests.submit(&op, Caller::Person(access), draft, None).await.unwrap();
    let mut connection = app.db.acquire().await.unwrap();
    let request = app.requests.find(&mut connection, submitted.id).await.unwrap().unwrap();
    let detail = app.requests.detail(&mut connection, request).await.unwrap();
    (submitted.decision.unwrap(), detail)
}

/// Sets the budget of a case against what this draft would lead to; the level that must come of it.
async fn set_budget(site: &Site, plain: &PolicyEngine, case: &Case, draft: &Draft) -> Option<BudgetLevel> {
    let admin = site.client("admin").await;
    let address = "/api/v1/projects/payments/budget";
    admin.put(address, &json!({"amount": "1000000000", "deny_above": 1000})).await.expect(StatusCode::OK);
    // Somebody in whose way no rule stands, so that the budget is looked at.
    let probe = site.test.person("developer").await;
    site.test.app.policy.take_up(plain);
    let draft = Draft { exception: false, ..draft.clone() };
    let after = verdict(site, &probe, &draft).await.budget.unwrap().after();
    let budget = case.budget.as_ref().filter(|budget| budget.warn || budget.approve || budget.deny);
    let Some(budget) = budget.filter(|_| after > Decimal::ONE) else {
        crate::support::http::send(admin.request(axum::http::Method::DELETE, address)).await;
        return None;
    };
    let amount = (after * Decimal::from(budget.percent) / Decimal::ONE_HUNDRED).round_dp(2);
    let mut terms = json!({"amount": amount.to_string()});
    let mut level = BudgetLevel::Within;
    let mut threshold = |there: bool, name: &str, percent: i64, meets: BudgetLevel| {
        if there {
            terms[name] = json!(percent);
            // What there would be is above so many percent of so many percent of it.
            if case.count > 0 && percent * budget.percent < 10_000 {
                level = meets;
            }
        }
    };
    threshold(budget.warn, "warn_above", 50, BudgetLevel::Warned);
    threshold(budget.approve, "approve_above", 100, BudgetLevel::NeedsApproval);
    threshold(budget.deny, "deny_above", 200, BudgetLevel::Denied);
    admin.put(address, &terms).await.expect(StatusCode::OK);
    Some(level)
}

/// Without the amounts, which grow while the test runs.
fn words(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect()
}

/// All of a decision that is told and kept.
fn told(decision: &Decision) -> serde_json::Value {
    let mut told = serde_json::to_value(decision).unwrap();
    let digits = words(&decision.sentence);
    told["sentence"] = json!(digits);
    for rule in told["rules"].as_array_mut().unwrap() {
        rule["reason"] = json!(words(rule["reason"].as_str().unwrap()));
    }
    told
}

type Asked = (String, String, Group, i32, i32, Vec<(i64, Group)>);

fn asked(one: &Requirement) -> Asked {
    let ladder = one.escalation.iter().map(|rung| (rung.after_seconds, rung.to.clone())).collect();
    let number = |number: u32| i32::try_from(number).unwrap();
    (one.rule_id.clone(), one.who.clone(), one.by.clone(), number(one.count), number(one.step), ladder)
}

/// The rows that approvals are counted by.
fn kept(detail: &RequestDetail) -> Vec<Asked> {
    let row = |one: &paddock::requests::ProgressedRequirement| {
        let ladder = one.escalation.iter().map(|rung| (rung.rule.after_seconds, rung.rule.to.clone())).collect();
        (one.rule_id.clone(), one.who.clone(), one.by.clone(), one.count, one.step, ladder)
    };
    let mut rows: Vec<Asked> = detail.requirements.iter().map(row).collect();
    rows.sort_by(|a, b| (a.4, &a.0).cmp(&(b.4, &b.0)));
    rows
}

fn sorted(requirements: &[Requirement]) -> Vec<Asked> {
    let mut rows: Vec<Asked> = requirements.iter().map(asked).collect();
    rows.sort_by(|a, b| (a.4, &a.0).cmp(&(b.4, &b.0)));
    rows
}

/// What the verdict says is what the submit decides and keeps.
fn the_same(verdict: &Verdict, decided: &Decision, detail: &RequestDetail) {
    assert_eq!(told(&verdict.decision), told(decided));
    assert_eq!(told(decided), told(&detail.decision.decision));
    assert_eq!(sorted(&verdict.decision.requirements), kept(detail));
    let status = match verdict.decision.outcome {
        Outcome::Denied => RequestStatus::Denied,
        Outcome::NeedsApproval => RequestStatus::AwaitingApproval,
        Outcome::Allowed => RequestStatus::Approved,
    };
    assert_eq!(detail.request.status, status);
    assert_eq!(verdict.can_submit(), status != RequestStatus::Denied);
    assert_eq!(verdict.approvers.len(), verdict.decision.requirements.len());
    assert_eq!(verdict.cost.estimate(), detail.estimate.as_ref());
}

/// What is kept is what the rules say of the question that is kept; the budget comes on top.
fn follows(engine: &PolicyEngine, decided: &Decision, detail: &RequestDetail, level: Option<BudgetLevel>) {
    let direct = engine.decide(&detail.decision.question);
    let budget = |rule: &paddock::policy::Rule| rule.id == BUDGET_RULE;
    match level.filter(|_| direct.outcome != Outcome::Denied) {
        Some(BudgetLevel::Denied) => {
            assert_eq!((decided.outcome, decided.rules.len()), (Outcome::Denied, 1));
            assert!(decided.rules.iter().all(budget) && decided.requirements.is_empty());
        }
        Some(BudgetLevel::NeedsApproval) => {
            assert_eq!(decided.outcome, Outcome::NeedsApproval);
            assert_eq!(decided.rules[1..], direct.rules);
            assert_eq!(decided.requirements[1..], direct.requirements);
            let first = &decided.requirements[0];
            assert!(budget(&decided.rules[0]) && first.rule_id == BUDGET_RULE);
            assert_eq!((&first.by, first.count, first.step), (&Group::Role(Role::Lead), 1, 1));
        }
        Some(BudgetLevel::Within | BudgetLevel::Warned) | None => {
            assert_eq!((decided.outcome, &decided.rules), (direct.outcome, &direct.rules));
            assert_eq!((&decided.requirements, &decided.observed), (&direct.requirements, &direct.observed));
        }
    }
}

async fn budget_is_the_same(site: &Site, verdict: &Verdict, detail: &RequestDetail, level: Option<BudgetLevel>) {
    let mut connection = site.test.app.db.acquire().await.unwrap();
    let kept = paddock::requests::budget_of(&mut connection, detail.request.id).await.unwrap();
    let by_rules = verdict.decision.outcome == Outcome::Denied && verdict.decision.rules[0].id != BUDGET_RULE;
    assert_eq!(kept.as_ref().map(|check| check.level), level.filter(|_| !by_rules));
    if let (Some(told), Some(kept)) = (&verdict.budget, &kept) {
        assert_eq!((told.terms, told.level, &told.month), (kept.terms, kept.level, &kept.month));
        assert_eq!((told.under_way, &told.currency), (kept.under_way, &kept.currency));
        assert!((told.after() - kept.after()).abs() < Decimal::from(60), "{told:?} {kept:?}");
    }
    assert!(verdict.budget.is_none() || kept.is_some());
}

/// What a test of these cases must have met, or it shows nothing.
#[derive(Debug, Default)]
struct Met {
    outcomes: std::collections::BTreeSet<&'static str>,
    levels: std::collections::BTreeSet<&'static str>,
    ladders: usize,
    teams: usize,
    later_steps: usize,
    offers: usize,
    granted: usize,
    instead: usize,
}

impl Met {
    fn note(&mut self, verdict: &Verdict, level: Option<BudgetLevel>) {
        self.outcomes.insert(verdict.decision.outcome.as_str());
        self.levels.insert(match level {
            None => "none",
            Some(BudgetLevel::Within) => "within",
            Some(BudgetLevel::Warned) => "warned",
            Some(BudgetLevel::NeedsApproval) => "needs_approval",
            Some(BudgetLevel::Denied) => "denied",
        });
        let any = |one: &dyn Fn(&Requirement) -> bool| usize::from(verdict.decision.requirements.iter().any(one));
        self.ladders += any(&|one| !one.escalation.is_empty());
        self.teams += any(&|one| one.by.team().is_some());
        self.later_steps += any(&|one| one.step > 1);
        self.offers += usize::from(verdict.exception.is_some());
        self.granted += usize::from(verdict.decision.excepted().next().is_some());
        self.instead += usize::from(!verdict.decision.would_be_allowed.is_empty());
    }

    fn is_much(&self) -> bool {
        let some = [self.ladders, self.teams, self.later_steps, self.offers, self.granted, self.instead];
        self.outcomes.len() == 3 && self.levels.len() == 5 && some.iter().all(|count| *count > 0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_is_what_a_submit_decides_and_keeps() {
    let site = site().await;
    let mut runner = TestRunner::deterministic();
    let (mut met, plain) = (Met::default(), PolicyEngine::embedded().unwrap());
    for number in 0..CASES {
        let case = case().new_tree(&mut runner).unwrap().current();
        println!("case {number}: {case:?}");
        let draft = draft(&case, &format!("made-{number}"));
        let level = set_budget(&site, &plain, &case, &draft).await;
        let engine = TestApp::policies_and(&text(&case.rules));
        site.test.app.policy.take_up(&engine);
        let access = asker(&site, &case).await;
        let said = verdict(&site, &access, &draft).await;
        met.note(&said, level);
        let (decided, detail) = submit(&site, &access, &draft).await;
        the_same(&said, &decided, &detail);
        follows(&engine, &decided, &detail, level);
        budget_is_the_same(&site, &said, &detail, level).await;
        if said.decision.outcome == Outcome::Denied && !case.exception {
            what_is_offered_is_taken(&site, &access, &case, &said, number).await;
        }
    }
    assert!(met.is_much(), "{met:?}");
}

/// Where an exception is offered, asking for it asks those who are named; where none is, it stays denied.
async fn what_is_offered_is_taken(site: &Site, access: &Access, case: &Case, said: &Verdict, number: usize) {
    let mut case = Case { exception: true, ..case.clone() };
    let longest = said.exception.as_ref().and_then(|offered| offered.offer.longest);
    case.hours = longest.map_or(case.hours, |longest| longest.as_hours().min(case.hours));
    let draft = draft(&case, &format!("again-{number}"));
    let verdict = verdict(site, access, &draft).await;
    let (decided, detail) = submit(site, access, &draft).await;
    the_same(&verdict, &decided, &detail);
    let asked = |decision: &Decision| -> Vec<Requirement> {
        decision.requirements.iter().filter(|one| one.rule_id != BUDGET_RULE).cloned().collect()
    };
    match &said.exception {
        Some(_) if decided.rules[0].id == BUDGET_RULE && decided.outcome == Outcome::Denied => {}
        Some(offered) => {
            assert_eq!(decided.outcome, Outcome::NeedsApproval);
            assert_eq!(asked(&decided), offered.offer.requirements);
            assert_eq!(offered.approvers.len(), offered.offer.requirements.len());
        }
        None => assert_eq!(decided.outcome, Outcome::Denied),
    }
}
