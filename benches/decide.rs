//! A decision at 1,000 rules, each about one project, against the same decision by the built-in rules
//! alone: what others are ruled by costs nobody anything.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use paddock::policy::{Action, Context, PolicyEngine, Principal, Question, Resource, ResourceKind, Role};
use serde_json::json;

use crate::result;

const PROJECTS: usize = 100;
const RULES: usize = 1_000;
const PEOPLE: usize = 10_000;
const DECISIONS: usize = 20_000;
/// The longest that 99 of 100 decisions may take.
const GATE: Duration = Duration::from_micros(200);

pub fn run() {
    let few = PolicyEngine::embedded().unwrap();
    let many = PolicyEngine::from_source(&many_rules(&few)).unwrap();
    let before = measure(&few);
    let ours = measure(&many);
    let after = measure(&few);
    let probe = f64::midpoint(total(&before), total(&after));
    let more = format!("median {:.0?}, p99 {:.0?} (gate {GATE:.0?}), {RULES} rules", at(&ours, 50), at(&ours, 99));
    result("decision, 1,000 rules / the built-in rules", probe / total(&ours), 0.8, &more);
    if at(&ours, 99) > GATE {
        println!("decision, p99                                  ABOVE its gate");
    }
}

/// The text of `few` with a thousand rules more, each about one project.
pub fn many_rules(few: &PolicyEngine) -> String {
    let mut source = few.source();
    for number in 0..RULES {
        let project = number % PROJECTS;
        write!(
            source,
            "@id(\"cap-{number}\") @reason(\"Not of that size.\")
             forbid (principal, action in Action::\"Request\", resource in Project::\"project-{project}\")
             when {{ context.inputs.texts.hasTag(\"size\") && context.inputs.texts.getTag(\"size\") == \"{number}\" }};\n"
        )
        .unwrap();
    }
    source
}

/// How long each of many decisions took, shortest first.
fn measure(engine: &PolicyEngine) -> Vec<Duration> {
    let mut took: Vec<Duration> = (0..DECISIONS)
        .map(|number| {
            let question = question(number);
            let began = Instant::now();
            std::hint::black_box(engine.decide(&question));
            began.elapsed()
        })
        .collect();
    took.sort_unstable();
    took
}

fn total(took: &[Duration]) -> f64 {
    took.iter().sum::<Duration>().as_secs_f64()
}

fn at(took: &[Duration], percent: usize) -> Duration {
    took[took.len() * percent / 100]
}

pub fn question(number: usize) -> Question {
    let project = format!("project-{}", number % PROJECTS);
    let person = format!("usr_{}", number * 7 % PEOPLE);
    Question {
        action: Action::CreateEnvironment,
        principal: Principal {
            id: person.clone(),
            login: person.clone(),
            teams: vec![format!("team-{}", number % 500)],
            platform_roles: std::collections::BTreeSet::new(),
            project_roles: [Role::Developer].into(),
            place_roles: std::collections::BTreeMap::new(),
        },
        resource: Resource {
            project: Some(project),
            environment_type: Some("dev".to_owned()),
            template: Some("postgres-database".to_owned()),
            provider: Some("postgres".to_owned()),
            owner: Some(person),
            ..Resource::new(ResourceKind::Environment, format!("env_{number}"))
        },
        context: Context {
            exception: false,
            inputs: json!({"size": "small", "name": "orders", "replicas": 2}).as_object().unwrap().clone(),
            operation: None,
            at: None,
            cost_per_month: None,
            asked_role: None,
            lifetime_seconds: Some(86_400),
            maximum_lifetime_seconds: Some(604_800),
            channel: "web".to_owned(),
        },
    }
}
