//! What Paddock adds to Terraform: the sample stack by `init`, `plan`, `apply` on the command line
//! against the whole run of the same stack, from the request's commit to the end of the run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use paddock::app::start_worker;
use paddock::base::{Actor, Origin};
use paddock::environments::State;
use paddock::orchestrator::Settings;
use paddock::requests::{Caller, Draft, Intent};

use crate::world::{LOGIN, World};

/// How often each is done, by turns.
const ROUNDS: usize = 3;
const RATIO_GATE: f64 = 1.15;
const GATE: Duration = Duration::from_millis(1500);

pub async fn run(world: &World) {
    if Command::new("terraform").arg("version").stdout(Stdio::null()).status().is_err() {
        println!("a run / the bare Terraform CLI: terraform is not there");
        return;
    }
    start_worker(&world.app, Settings { name: "bench-terraform".to_owned(), slots: 1, ..Settings::default() });
    let (mut bare, mut whole) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        bare.push(by_hand(round));
        whole.push(by_paddock(world, round).await);
    }
    bare.sort_unstable();
    whole.sort_unstable();
    let (bare, whole) = (bare[ROUNDS / 2], whole[ROUNDS / 2]);
    let ratio = whole.as_secs_f64() / bare.as_secs_f64();
    let more = whole.saturating_sub(bare);
    let ok = if ratio <= RATIO_GATE && more <= GATE { "ok" } else { "ABOVE" };
    println!(
        "a run / the bare Terraform CLI                 {ratio:>6.2}  (gate {RATIO_GATE:.2} and {GATE:.1?} more)  {ok}  \
         {whole:.2?}, bare {bare:.2?}"
    );
}

/// The three commands that a person would type.
fn by_hand(round: usize) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let stack = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog/terraform-stack");
    for entry in std::fs::read_dir(stack).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "tf") {
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    let service = format!("service_name=bare-{round}");
    let started = Instant::now();
    for arguments in [
        &["init", "-input=false"][..],
        &["plan", "-input=false", "-out=tfplan", "-var", &service][..],
        &["apply", "-input=false", "tfplan"][..],
    ] {
        let status =
            Command::new("terraform").args(arguments).current_dir(folder.path()).stdout(Stdio::null()).status();
        assert!(status.unwrap().success(), "{arguments:?}");
    }
    started.elapsed()
}

async fn by_paddock(world: &World, round: usize) -> Duration {
    let app = &world.app;
    let mut connection = app.db.acquire().await.unwrap();
    let person = paddock::identity::find_person(&mut connection, LOGIN).await.unwrap().unwrap();
    let access = paddock::identity::load_access(&mut connection, person.id).await.unwrap();
    let actor = Actor::Person { id: person.id, login: person.login.clone(), token: None };
    let op = app.op(actor, Origin::internal("api"));
    let intent = Intent::Create {
        project: "payments".to_owned(),
        environment_type: "dev".to_owned(),
        template: "terraform-stack".to_owned(),
        version: None,
        name: format!("overhead-{round}"),
        inputs: serde_json::Map::from_iter([("service_name".to_owned(), format!("whole-{round}").into())]),
        lifetime: None,
    };
    let draft = Draft { intent, reason: String::new() };
    let id = app.requests.submit(&op, Caller::Person(&access), &draft, None).await.unwrap().id;
    let environment = app.requests.find(&mut connection, id).await.unwrap().unwrap().environment.unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let (state, error, seconds): (State, Option<String>, Option<f64>) = sqlx::query_as(
            "SELECT e.state, e.last_error, extract(epoch FROM r.ended_at - r.created_at)::float8
             FROM environment AS e JOIN run AS r ON r.subject_id = e.id WHERE e.id = $1",
        )
        .bind(environment.0)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        match (state, seconds) {
            (State::Ready, Some(seconds)) => return Duration::from_secs_f64(seconds),
            (State::Failed | State::Faulted, _) => panic!("the run failed: {error:?}"),
            _ => assert!(Instant::now() < deadline, "the run does not end"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
