//! What Paddock adds to Terraform: a stack by `init`, `plan`, `apply` on the command line against the
//! whole run of the same stack, from the submit to the end of the run.
//!
//! The gate has two numbers, 1.15 times and 1.5 s, which meet at a run of ten seconds: that is what it
//! is for. So it is measured on a stack of eight resources that wait for each other and for a second
//! each, as those of a cloud do; a machine without network has none that is more real. The sample
//! stack, whose bare run takes less than a fifth of a second, stands beside it: there the ratio says only
//! that a run has a beginning and an end, and the difference is what counts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use paddock::app::start_worker;
use paddock::base::id::EnvironmentId;
use paddock::environments::State;
use paddock::orchestrator::Settings;
use serde_json::json;

use crate::world::World;

/// How often each is done, by turns.
const ROUNDS: usize = 3;
const RATIO_GATE: f64 = 1.15;
const GATE: Duration = Duration::from_millis(1500);
/// How many resources wait for each other.
const CHAIN: usize = 8;
const SLOW: &str = "slow-stack";

const MANIFEST: &str = "
name: Slow stack
provider: terraform
inputs:
  type: object
  properties: { service_name: { type: string } }
  required: [service_name]
";

/// The template of the chain, in the bench's own catalog.
pub fn write_template(catalog: &Path) {
    let folder = catalog.join(SLOW);
    std::fs::create_dir_all(&folder).unwrap();
    let part = |number| {
        let after = if number == 1 { String::new() } else { format!("terraform_data.part_{}", number - 1) };
        format!(
            "resource \"terraform_data\" \"part_{number}\" {{\n  input = var.service_name\n  depends_on = [{after}]\n  \
             provisioner \"local-exec\" {{ command = \"sleep 1\" }}\n}}\n"
        )
    };
    let parts = (1..=CHAIN).map(part).collect::<String>();
    std::fs::write(folder.join("main.tf"), format!("variable \"service_name\" {{ type = string }}\n{parts}")).unwrap();
    std::fs::write(folder.join("paddock.yaml"), MANIFEST).unwrap();
}

pub async fn run(world: &World) {
    if Command::new("terraform").arg("version").stdout(Stdio::null()).status().is_err() {
        println!("a run / the bare Terraform CLI: terraform is not there");
        return;
    }
    world.empty_queue().await;
    start_worker(&world.app, Settings { name: "bench-terraform".to_owned(), slots: 1, ..Settings::default() });
    let catalog = tempfile::tempdir().unwrap();
    write_template(catalog.path());
    let (ratio, more, figures) = compare(world, SLOW, &catalog.path().join(SLOW)).await;
    let ok = if ratio <= RATIO_GATE && more <= GATE { "ok" } else { "ABOVE" };
    println!(
        "a run / the bare Terraform CLI, {CHAIN} s of work      {ratio:>6.2}  (gate {RATIO_GATE:.2} and {GATE:.1?} more)  {ok}  {figures}"
    );
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog/terraform-stack");
    let (ratio, _, figures) = compare(world, "terraform-stack", &sample).await;
    println!("  the same of the sample stack, without work   {ratio:>6.2}  (no gate)  {figures}");
}

/// How often as long, how much longer, and the figures, each the middle of its rounds.
async fn compare(world: &World, template: &str, stack: &Path) -> (f64, Duration, String) {
    let (mut bare, mut whole) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        bare.push(by_hand(stack, round));
        whole.push(by_paddock(world, template, round).await);
    }
    bare.sort_unstable();
    whole.sort_unstable();
    let (bare, whole) = (bare[ROUNDS / 2], whole[ROUNDS / 2]);
    let more = whole.saturating_sub(bare);
    (whole.as_secs_f64() / bare.as_secs_f64(), more, format!("{whole:.2?}, bare {bare:.2?}, {more:.0?} more"))
}

/// The three commands that a person would type.
fn by_hand(stack: &Path, round: usize) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    for path in sources(stack) {
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
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

fn sources(stack: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(stack).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "tf")).collect()
}

async fn by_paddock(world: &World, template: &str, round: usize) -> Duration {
    let inputs = json!({"service_name": format!("whole-{round}")});
    let (environment, _) = world.create(template, format!("{template}-{round}"), inputs).await;
    until_ready(world, environment).await
}

async fn until_ready(world: &World, environment: EnvironmentId) -> Duration {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let (state, error, seconds): (State, Option<String>, Option<f64>) = sqlx::query_as(
            "SELECT e.state, e.last_error, extract(epoch FROM r.ended_at - r.created_at)::float8
             FROM environment AS e JOIN run AS r ON r.subject_id = e.id WHERE e.id = $1",
        )
        .bind(environment.0)
        .fetch_one(world.app.db.pool())
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
