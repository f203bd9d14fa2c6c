//! Every provider × create, update, delete, plan only × every failpoint that this way reaches × seeds.
//!
//! First each operation is done once undisturbed, which tells which failpoints it reaches, and how often. Then each of them kills: several in one run, one after the other, so that recovery is
//! killed too. The seed says at which of its turns a point kills, and which points share a run. What
//! an earlier death made unreachable gets a run of its own.
//!
//! A plan is that of a request that waits for its approval. Whatever was killed, there is one plan, and
//! nothing else anywhere; some are then approved, and what was approved is made, once.

use std::collections::{BTreeMap, BTreeSet};

use paddock::base::failpoint::POINTS;
use paddock::base::id::EnvironmentId;
use paddock::providers::Registry;

use super::oracle::{assert_none, complaints, complaints_of_plans};
use super::subject::{COMMAND, Environments, POSTGRES, SIMULATED, Subject, TERRAFORM};
use super::world::{World, long};

/// Deaths of one run.
const DEATHS: usize = 3;
/// Enough for them and for those of a worker that died while it took another's run back.
const ATTEMPTS: usize = 12;
const WORKERS: usize = 2;
const OPERATIONS: [&str; 4] = ["create", "update", "delete", "plan"];
/// So many plans are approved at the end.
const APPROVED: usize = 3;
/// Points that are reached as often as time has it.
const BY_TIME: [&str; 4] = ["log.written", "state.sealed", "state.written", "state.saved"];
/// Points on the way back of a run whose worker died.
const REAPED: [&str; 3] = ["reap.released", "reap.audited", "reap.committed"];
/// Points on the way back of a run whose step is to be tried again.
const RELEASED: [&str; 3] = ["release.released", "release.audited", "release.committed"];

fn seeds() -> usize {
    if long() { 20 } else { 5 }
}

/// One thing to happen in one run: an arm without its scope.
type Cases = Vec<Vec<String>>;

struct Matrix {
    world: World,
    /// What was done to each environment.
    environments: Environments,
    live: Vec<EnvironmentId>,
    /// Those whose request waits for an approval.
    planned: Vec<EnvironmentId>,
    killed: BTreeMap<(&'static str, String), usize>,
    count: usize,
}

/// One line for each provider.
macro_rules! subjects {
    ($($test:ident: $subject:ident,)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                Matrix::run(&$subject).await;
            }
        )*

        static SUBJECTS: &[&Subject] = &[$(&$subject),*];
    };
}

subjects! {
    postgres: POSTGRES,
    command: COMMAND,
    terraform: TERRAFORM,
    simulated: SIMULATED,
}

#[test]
fn every_provider_is_in_the_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let standard = Registry::standard(&crate::providers::machine::settings(folder.path()));
    let standard: BTreeSet<&str> = standard.all().map(|provider| provider.name()).collect();
    assert_eq!(standard, SUBJECTS.iter().map(|subject| subject.name).collect());
}

impl Matrix {
    async fn run(subject: &'static Subject) {
        let world = World::new(subject).await;
        let mut matrix = Self {
            world,
            environments: Environments::new(),
            live: Vec::new(),
            planned: Vec::new(),
            killed: BTreeMap::new(),
            count: 0,
        };
        for operation in OPERATIONS {
            let way = matrix.undisturbed(operation).await;
            let cases = pack(&way, seeds(), subject.twice);
            let left = matrix.round(operation, cases).await;
            // Alone, each of them is reached.
            let left = matrix.round(operation, left.into_iter().map(with_company).collect()).await;
            assert!(left.is_empty(), "{} {operation}: never reached: {left:?}", subject.name);
        }
        matrix.approve().await;
        matrix.report();
        let foreign = SUBJECTS.iter().map(|one| one.name).filter(|name| *name != subject.name);
        let foreign: Vec<String> = foreign.map(|name| format!("{name}.")).collect();
        let known = |name: &str| {
            let mut others = foreign.iter().map(String::as_str).chain(subject.without.iter().copied());
            !others.any(|prefix| name.starts_with(prefix))
        };
        let reached = matrix.world.ever_reached();
        let missed: Vec<&&str> =
            POINTS.iter().filter(|name| known(name) && !reached.iter().any(|one| one == **name)).collect();
        assert!(missed.is_empty(), "{}: nobody comes by at {missed:?}", subject.name);
    }

    /// Once without any death: which points the operation reaches, and how often.
    async fn undisturbed(&mut self, operation: &'static str) -> Vec<(String, usize)> {
        let labels = self.ask(operation, 1).await;
        let fleet = self.world.workers(1, &[]);
        self.world.rest().await;
        fleet.end();
        self.check(operation).await;
        let way = self.world.reached(&labels[0]);
        assert!(way.len() > 12, "{operation}: {way:?}");
        way
    }

    /// Asks for the operation on as many environments, and returns the runs' labels.
    async fn ask(&mut self, operation: &'static str, count: usize) -> Vec<String> {
        let mut labels = Vec::new();
        for index in 0..count {
            let id = match operation {
                "create" | "plan" => {
                    self.count += 1;
                    let name = format!("lab-{}", self.count);
                    let place = if operation == "plan" { "prod" } else { "dev" };
                    let id = self.world.create_in(place, &name, (self.world.subject.create)(&self.world)).await;
                    self.environments.insert(id, (name, Vec::new()));
                    id
                }
                _ => self.live[index],
            };
            match operation {
                "create" => self.live.push(id),
                "update" => self.world.update(id).await,
                "delete" => self.world.delete(id).await,
                _ => {}
            }
            let (name, history) = self.environments.get_mut(&id).unwrap();
            if operation == "plan" {
                self.planned.push(id);
                labels.push(format!("Plan: create {name}"));
                continue;
            }
            history.push(operation);
            let title = operation[..1].to_uppercase() + &operation[1..];
            labels.push(format!("{title} {name}"));
        }
        if ["update", "delete"].contains(&operation) {
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
        if ["update", "delete"].contains(&operation) && lacking > 0 {
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
        self.world.rest_soon().await;
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
        let wrong = match operation {
            "plan" => complaints_of_plans(&self.world, &self.environments).await,
            _ => complaints(&self.world, &self.environments).await,
        };
        let wrong: Vec<String> = wrong.into_iter().map(|line| format!("{operation}: {line}")).collect();
        assert_none(&wrong, &self.world);
    }

    /// Some of the plans are approved: exactly they are carried out.
    async fn approve(&mut self) {
        for id in self.planned.drain(..).take(APPROVED) {
            self.world.approve(id).await;
            self.environments.get_mut(&id).unwrap().1.push("create");
        }
        let fleet = self.world.workers(WORKERS, &[]);
        self.world.rest().await;
        fleet.end();
        self.check("plan").await;
        assert_eq!(self.world.number("SELECT count(*) FROM review").await, i64::try_from(APPROVED).unwrap());
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
                // Done twice: by the same attempt, or by the next one, because nobody knows of the first time.
                let again =
                    if twice { format!("step.call@{step}:twice") } else { format!("step.answered@{step}:kill") };
                runs.push(vec![again]);
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
