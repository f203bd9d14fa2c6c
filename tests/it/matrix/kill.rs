//! Every provider × create, update, delete × every failpoint that this way reaches × seeds.
//!
//! First one environment lives its life undisturbed and tells which failpoints each operation reaches,
//! and how often. Then each of them kills: several in one run, one after the other, so that recovery is
//! killed too. The seed says at which of its turns a point kills, and which points share a run. What
//! an earlier death made unreachable gets a run of its own.

use std::collections::BTreeMap;

use paddock::base::failpoint::POINTS;
use paddock::base::id::EnvironmentId;

use super::oracle::{assert_none, complaints};
use super::subject::{COMMAND, Environments, POSTGRES, SIMULATED, Subject, TERRAFORM};
use super::world::World;

/// Deaths of one run.
const DEATHS: usize = 3;
/// Enough for them and for those of a worker that died while it took another's run back.
const ATTEMPTS: usize = 12;
const WORKERS: usize = 2;
const OPERATIONS: [&str; 3] = ["create", "update", "delete"];
/// Points that are reached as often as time has it.
const BY_TIME: [&str; 4] = ["log.written", "state.sealed", "state.written", "state.saved"];
/// Points on the way back of a run whose worker died.
const REAPED: [&str; 3] = ["reap.released", "reap.audited", "reap.committed"];
/// Points on the way back of a run whose step is to be tried again.
const RELEASED: [&str; 3] = ["release.released", "release.audited", "release.committed"];

fn seeds() -> usize {
    #[allow(clippy::disallowed_methods, reason = "a setting of the tests")]
    let long = std::env::var("PADDOCK_MATRIX").is_ok_and(|mode| mode == "long");
    if long { 20 } else { 5 }
}

/// One thing to happen in one run: an arm without its scope.
type Cases = Vec<Vec<String>>;

struct Matrix {
    world: World,
    /// What was done to each environment.
    environments: Environments,
    live: Vec<EnvironmentId>,
    killed: BTreeMap<(&'static str, String), usize>,
    count: usize,
}

#[tokio::test]
async fn postgres() {
    Matrix::run(&POSTGRES).await;
}

#[tokio::test]
async fn command() {
    Matrix::run(&COMMAND).await;
}

#[tokio::test]
async fn terraform() {
    Matrix::run(&TERRAFORM).await;
}

#[tokio::test]
async fn simulated() {
    Matrix::run(&SIMULATED).await;
}

impl Matrix {
    async fn run(subject: &'static Subject) {
        let world = World::new(subject).await;
        let mut matrix =
            Self { world, environments: Environments::new(), live: Vec::new(), killed: BTreeMap::new(), count: 0 };
        let ways = matrix.undisturbed().await;
        for operation in OPERATIONS {
            let way = &ways[operation];
            let cases = pack(way, seeds(), subject.twice);
            let left = matrix.round(operation, cases).await;
            // Alone, each of them is reached.
            let left = matrix.round(operation, left.into_iter().map(with_company).collect()).await;
            assert!(left.is_empty(), "{} {operation}: never reached: {left:?}", subject.name);
        }
        matrix.report();
        let known = |name: &str| {
            let providers = ["postgres.", "command.", "terraform.", "simulated."];
            let foreign = providers.iter().any(|one| name.starts_with(one) && *one != format!("{}.", subject.name));
            let programs = name.starts_with("process.") && !["command", "terraform"].contains(&subject.name);
            let stateless = name.starts_with("state.") && subject.name == "postgres";
            !(foreign || programs || stateless)
        };
        let reached = matrix.world.ever_reached();
        let missed: Vec<&&str> =
            POINTS.iter().filter(|name| known(name) && !reached.iter().any(|one| one == **name)).collect();
        assert!(missed.is_empty(), "{}: nobody comes by at {missed:?}", subject.name);
    }

    /// One life without any death: which points each operation reaches, and how often.
    async fn undisturbed(&mut self) -> BTreeMap<&'static str, Vec<(String, usize)>> {
        let mut ways = BTreeMap::new();
        for operation in OPERATIONS {
            let labels = self.ask(operation, 1).await;
            let fleet = self.world.workers(1, &[]);
            self.world.rest().await;
            fleet.end();
            self.check(operation).await;
            ways.insert(operation, self.world.reached(&labels[0]));
        }
        assert!(ways.values().all(|way| way.len() > 15), "{ways:?}");
        ways
    }

    /// Asks for the operation on as many environments, and returns the runs' labels.
    async fn ask(&mut self, operation: &'static str, count: usize) -> Vec<String> {
        let mut labels = Vec::new();
        for index in 0..count {
            let id = if operation == "create" {
                self.count += 1;
                let name = format!("lab-{}", self.count);
                let id = self.world.create(&name).await;
                self.live.push(id);
                self.environments.insert(id, (name, Vec::new()));
                id
            } else {
                self.live[index]
            };
            match operation {
                "update" => self.world.update(id).await,
                "delete" => self.world.delete(id).await,
                _ => {}
            }
            let (name, history) = self.environments.get_mut(&id).unwrap();
            history.push(operation);
            let title = operation[..1].to_uppercase() + &operation[1..];
            labels.push(format!("{title} {name}"));
        }
        if operation != "create" {
            self.live.drain(..count);
        }
        if operation == "update" {
            let updated = labels.iter().map(|label| label.split(' ').nth(1).unwrap());
            let ids: Vec<EnvironmentId> =
                updated.map(|name| *self.environments.iter().find(|(_, (one, _))| one == name).unwrap().0).collect();
            // At the end, so that the next ones to change were not changed yet.
            self.live.extend(ids);
        }
        labels
    }

    /// Runs the operation once for each list of arms; returns the arms that did not fire.
    async fn round(&mut self, operation: &'static str, cases: Cases) -> Vec<String> {
        if cases.is_empty() {
            return Vec::new();
        }
        let lacking = cases.len().saturating_sub(self.fresh(operation));
        if operation != "create" && lacking > 0 {
            self.ask("create", lacking).await;
            let fleet = self.world.workers(WORKERS, &[]);
            self.world.rest().await;
            fleet.end();
            // What is fresh goes first.
            self.live.rotate_right(lacking);
        }
        let labels = self.ask(operation, cases.len()).await;
        let arms: Vec<(String, String)> = labels
            .iter()
            .zip(&cases)
            .flat_map(|(label, arms)| arms.iter().map(move |arm| (arm.clone(), scoped(arm, label))))
            .collect();
        self.world.execute(&format!("UPDATE run SET max_attempts = {ATTEMPTS} WHERE state = 'queued'")).await;
        let texts: Vec<String> = arms.iter().map(|(_, text)| text.clone()).collect();
        let fleet = self.world.workers(WORKERS, &texts);
        self.world.rest().await;
        fleet.end();
        self.check(operation).await;
        let fired = self.world.fired();
        let mut left = Vec::new();
        for (arm, text) in arms {
            if fired.contains(&text) {
                *self.killed.entry((operation, point(&arm).to_owned())).or_default() +=
                    usize::from(arm.ends_with("kill"));
            } else {
                left.push(arm);
            }
        }
        left
    }

    /// How many live environments have not had this operation.
    fn fresh(&self, operation: &str) -> usize {
        let had = |id: &&EnvironmentId| !self.environments[*id].1.contains(&operation);
        self.live.iter().filter(had).count()
    }

    async fn check(&self, operation: &str) {
        let wrong = complaints(&self.world, &self.environments).await;
        let wrong: Vec<String> = wrong.into_iter().map(|line| format!("{operation}: {line}")).collect();
        assert_none(&wrong, &self.world);
    }

    /// How much was killed where, for people.
    fn report(&self) {
        for operation in OPERATIONS {
            let mine = self.killed.iter().filter(|((one, _), _)| *one == operation);
            let (points, kills) = mine.fold((0, 0), |(points, kills), (_, count)| (points + 1, kills + count));
            eprintln!("{} {operation}: {points} points, {kills} kills", self.world.subject.name);
        }
    }
}

/// The arms of each run: every point once per seed, and every step failed once and done twice.
fn pack(way: &[(String, usize)], seeds: usize, twice: bool) -> Cases {
    let mut runs: Cases = Vec::new();
    for seed in 0..seeds {
        let mut arms: Vec<(u64, String)> = way
            .iter()
            .map(|(name, count)| {
                let drawn = draw(seed, name);
                let turns = if BY_TIME.contains(&name.as_str()) { 1 } else { *count as u64 };
                (draw(seed, &format!("{name} place")), format!("{name}@{}:kill", 1 + drawn % turns))
            })
            .collect();
        arms.sort();
        let mut groups: Cases =
            arms.chunks(DEATHS).map(|chunk| chunk.iter().map(|(_, arm)| arm.clone()).collect()).collect();
        for (group, name) in groups.iter_mut().zip(REAPED) {
            group.push(format!("{name}:kill"));
        }
        runs.extend(groups);
        let steps = way.iter().find(|(name, _)| name == "step.call").unwrap().1;
        for name in RELEASED {
            let step = 1 + draw(seed, name) % steps as u64;
            runs.push(vec![format!("step.call@{step}:fail"), format!("{name}:kill")]);
        }
        if seed == 0 {
            for step in 1..=steps {
                runs.push(vec![format!("step.call@{step}:fail")]);
                if twice {
                    runs.push(vec![format!("step.call@{step}:twice")]);
                }
            }
        }
    }
    runs
}

/// What must happen beside it, so that the point is reached at all.
fn with_company(arm: String) -> Vec<String> {
    let name = point(&arm);
    if REAPED.contains(&name) {
        vec!["step.begun:kill".to_owned(), arm]
    } else if RELEASED.contains(&name) {
        vec!["step.call:fail".to_owned(), arm]
    } else {
        vec![arm]
    }
}

fn point(arm: &str) -> &str {
    arm.split(['@', ':']).next().unwrap()
}

fn scoped(arm: &str, label: &str) -> String {
    let (place, action) = arm.rsplit_once(':').unwrap();
    format!("{place}#{label}:{action}")
}

fn draw(seed: usize, what: &str) -> u64 {
    let digest = paddock::base::Digest::of(format!("{seed} {what}").as_bytes()).0;
    u64::from_be_bytes(digest[..8].try_into().unwrap()) >> 1
}
