//! The practice cloud of the sample catalog, as its users meet it: what each choice does to a run, and
//! what the run's log says of it.

use paddock::app::start_worker;
use paddock::base::id::EnvironmentId;
use paddock::environments::{Environment, State};
use paddock::orchestrator::Settings;
use paddock::requests::{Caller, Draft, Intent};
use serde_json::{Value, json};

use crate::support::app::{TestApp, inputs, worker_settings};
use crate::support::wait::until_true;

async fn request(test: &TestApp, name: &str, values: Value) -> EnvironmentId {
    let developer = test.person("developer").await;
    let intent = Intent::Create {
        project: "payments".to_owned(),
        environment_type: "dev".to_owned(),
        template: "practice-cloud".to_owned(),
        version: None,
        name: name.to_owned(),
        inputs: inputs(values),
        lifetime: None,
    };
    let draft = Draft { intent, reason: String::new(), exception: false };
    let id =
        test.app.requests.submit(&test.op_as(&developer), Caller::Person(&developer), &draft, None).await.unwrap().id;
    let mut connection = test.app.db.acquire().await.unwrap();
    test.app.requests.find(&mut connection, id).await.unwrap().unwrap().environment.unwrap()
}

async fn ended(test: &TestApp, id: EnvironmentId) -> (Environment, String) {
    until_true("the run ends", async || {
        [State::Ready, State::Failed, State::Faulted].contains(&test.environment(id).await.state)
    })
    .await;
    (test.environment(id).await, test.log(id).await)
}

#[tokio::test]
async fn every_choice_does_what_it_says() {
    let test = TestApp::start().await;
    sqlx::query("UPDATE quota SET maximum = 100").execute(test.app.db.pool()).await.unwrap();
    start_worker(&test.app, Settings { slots: 12, ..worker_settings("practice") });
    let choices = [
        ("calm", "3 made, 0 changed, 0 removed in 3 calls; went wrong: nothing"),
        ("busy", "went wrong: throttle 6×"),
        ("quota", "2 made, 0 changed, 0 removed in 3 calls; went wrong: refuse 1×"),
        ("half", "went wrong: partial 1×"),
        ("error", "The cloud had an error: looking what became of server"),
        ("silent", "The cloud did not answer: looking what became of server"),
        ("lies", "The cloud named server-of-somebody-else, which is not ours"),
        ("late", "went wrong: invisible"),
    ];
    let mut asked = Vec::new();
    for (scenario, words) in choices {
        let values = json!({"size": "small", "scenario": scenario});
        asked.push((scenario, words, request(&test, &format!("practice-{scenario}"), values).await));
    }
    let chance = json!({"size": "small", "scenario": "calm", "chaos_percent": 60, "seed": 7});
    let twins = [request(&test, "practice-one", chance.clone()).await, request(&test, "practice-two", chance).await];
    for (scenario, words, id) in asked {
        let (environment, log) = ended(&test, id).await;
        assert!(log.contains(words), "{scenario} without “{words}”:\n{log}");
        if scenario == "quota" {
            assert_eq!(environment.state, State::Failed);
            assert_eq!(environment.last_error.as_deref(), Some("QuotaExceeded: this account may have 0 servers"));
        } else {
            assert_eq!(environment.state, State::Ready, "{scenario}: {log}");
            assert!(log.contains("The cloud's book: 3 made"), "{scenario}: {log}");
        }
    }
    // Every call takes its time: three looks and three calls that make something, 300 ms each.
    let fastest = "SELECT min(extract(epoch FROM s.ended_at - s.started_at))::float8 FROM run_step s
                   JOIN run r ON r.id = s.run_id WHERE s.name = 'apply' AND r.state = 'succeeded'";
    let fastest: f64 = sqlx::query_scalar(fastest).fetch_one(test.app.db.pool()).await.unwrap();
    assert!(fastest >= 1.8, "{fastest}");
    // The same seed goes wrong in the same way. Ids count the calls of everybody.
    let mut told = Vec::new();
    for id in twins {
        let (environment, log) = ended(&test, id).await;
        assert_eq!(environment.state, State::Ready, "{log}");
        let apply = log.lines().filter_map(|line| line.split_once(" apply: ").map(|(_, text)| text));
        told.push(apply.map(|text| text.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned()).collect::<Vec<_>>());
    }
    assert_eq!(told[0], told[1]);
    assert!(!told[0].iter().any(|line| line.ends_with("went wrong: nothing")), "{:?}", told[0]);
}
