//! Every provider × create, update, delete, each at once, only planned, and approved, its actions and checks
//! for drift ×
//! every failpoint that this way reaches × seeds.
//!
//! First each operation is done once undisturbed, which tells which failpoints it reaches, and how
//! often. Then each of them kills: several in one run, one after the other, so that recovery is killed
//! too. The seed says at which of its turns a point kills, and which points share a run. What an earlier
//! death made unreachable gets a run of its own.
//!
//! A plan is that of a request that waits for its approval. Whatever was killed, there is one plan, and
//! nothing is changed anywhere. Then some are approved, and what was approved is done, once, whatever is
//! killed on that way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use paddock::base::failpoint::POINTS;
use paddock::providers::Registry;

use super::cases::{Cases, Path, alone, deaths, point, repetitions, returns, scoped};
use super::estate::{Estate, Operation, Way};
use super::oracle::{assert_none, complaints, complaints_while_some_wait};
#[cfg(feature = "aws")]
use super::subject::CLOUDFORMATION;
use super::subject::{COMMAND, POSTGRES, SIMULATED, SSH, Subject, TERRAFORM, WEBHOOK};
use super::world::{World, long};

/// Enough for the deaths of a run and for those of a worker that died while it took another's run back.
const ATTEMPTS: usize = 12;
const WORKERS: usize = 2;
/// A plan of a delete needs something that was approved before.
const OPERATIONS: [Operation; 13] = [
    Operation::new(Way::AtOnce, "create"),
    Operation::new(Way::AtOnce, "update"),
    Operation::new(Way::AtOnce, "drift"),
    Operation::new(Way::AtOnce, "stop"),
    Operation::new(Way::AtOnce, "start"),
    Operation::new(Way::AtOnce, "rotate-password"),
    Operation::new(Way::AtOnce, "delete"),
    Operation::new(Way::Planned, "create"),
    Operation::new(Way::Approved, "create"),
    Operation::new(Way::Planned, "update"),
    Operation::new(Way::Approved, "update"),
    Operation::new(Way::Planned, "delete"),
    Operation::new(Way::Approved, "delete"),
];

/// Seeds of an operation. What an approval adds to those that are done at once, and an update or a delete
/// to the plan of a create, is in few places: these have a fifth. So have actions and checks, whose way is
/// short.
fn seeds(operation: Operation, subject: &Subject) -> usize {
    let all = if long() { 20 } else { 5 };
    // What it shares with another provider is shown there.
    if subject.is_like.is_some() {
        return all / 5;
    }
    match (operation.way, operation.verb) {
        (Way::AtOnce, "create" | "update" | "delete") | (Way::Planned, "create") => all,
        (Way::AtOnce | Way::Planned | Way::Approved, _) => all / 5,
    }
}

/// One line for each provider.
macro_rules! subjects {
    ($($(#[$when:meta])? $test:ident: $subject:ident,)*) => {
        $(
            $(#[$when])?
            #[tokio::test]
            async fn $test() {
                Matrix::run(&$subject).await;
            }
        )*

        static SUBJECTS: &[&Subject] = &[$($(#[$when])? &$subject),*];
    };
}

subjects! {
    postgres: POSTGRES,
    command: COMMAND,
    ssh: SSH,
    terraform: TERRAFORM,
    simulated: SIMULATED,
    webhook: WEBHOOK,
    #[cfg(feature = "aws")]
    cloudformation: CLOUDFORMATION,
}

#[test]
fn every_provider_is_in_the_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let standard = Registry::standard(&crate::providers::machine::settings(folder.path()));
    let standard: BTreeSet<&str> = standard.all().map(|provider| provider.name()).collect();
    assert_eq!(standard, SUBJECTS.iter().map(|subject| subject.name).collect());
}

struct Matrix {
    world: World,
    estate: Estate,
    killed: BTreeMap<(Operation, String), usize>,
    took: BTreeMap<Operation, Duration>,
}

impl Matrix {
    async fn run(subject: &'static Subject) {
        let world = World::strict(subject).await;
        let mut matrix = Self { world, estate: Estate::default(), killed: BTreeMap::new(), took: BTreeMap::new() };
        for operation in operations(subject) {
            let begin = Instant::now();
            let path = matrix.undisturbed(operation).await;
            let left = matrix.round(operation, cases(operation, &path, subject)).await;
            // Alone, each of them is reached.
            let left = matrix.round(operation, left.into_iter().map(alone).collect()).await;
            assert!(left.is_empty(), "{} {operation}: never reached: {left:?}", subject.name);
            matrix.took.insert(operation, begin.elapsed());
        }
        let reviews = matrix.world.number("SELECT count(*) FROM review").await;
        assert_eq!(usize::try_from(reviews).unwrap(), matrix.estate.approvals);
        matrix.report();
        let missed = matrix.missed();
        assert!(missed.is_empty(), "{}: nobody comes by at {missed:?}", subject.name);
    }

    /// Once without any death: which points the operation reaches, and how often.
    async fn undisturbed(&mut self, operation: Operation) -> Path {
        self.stock(operation, 1).await;
        let labels = self.estate.ask(&self.world, operation, 1).await;
        let fleet = self.world.workers(1, &[]);
        self.world.rest().await;
        fleet.end();
        self.check(operation).await;
        let path = self.world.reached(&labels[0]);
        assert!(path.len() > 12, "{operation}: {path:?}");
        path
    }

    /// Sees to it, undisturbed, that the operation can be asked for so often.
    async fn stock(&mut self, operation: Operation, count: usize) {
        if let Some((before, lacking)) = self.estate.lacking(operation, count) {
            Box::pin(self.stock(before, lacking)).await;
            self.estate.ask(&self.world, before, lacking).await;
            let fleet = self.world.workers(WORKERS, &[]);
            self.world.rest().await;
            fleet.end();
        }
    }

    /// Runs the operation once for each list of arms; returns the arms that did not fire.
    async fn round(&mut self, operation: Operation, cases: Cases) -> Vec<String> {
        if cases.is_empty() {
            return Vec::new();
        }
        self.stock(operation, cases.len()).await;
        let labels = self.estate.ask(&self.world, operation, cases.len()).await;
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
        let fired: BTreeSet<String> = self.world.fired().into_iter().collect();
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

    async fn check(&self, operation: Operation) {
        let wrong = match operation.way {
            Way::AtOnce => complaints(&self.world, &self.estate.environments).await,
            Way::Planned | Way::Approved => complaints_while_some_wait(&self.world, &self.estate.environments).await,
        };
        let wrong: Vec<String> = wrong.into_iter().map(|line| format!("{operation}: {line}")).collect();
        assert_none(&wrong, &self.world);
    }

    /// The failpoints that this provider should have come by and did not.
    fn missed(&self) -> Vec<&'static str> {
        let subject = self.world.subject;
        let foreign = SUBJECTS.iter().map(|one| one.name).filter(|name| *name != subject.name);
        let others: Vec<String> =
            foreign.map(|name| format!("{name}.")).chain(subject.without.iter().map(ToString::to_string)).collect();
        let reached: BTreeSet<String> = self.world.ever_reached().into_iter().collect();
        let ours = POINTS.iter().copied().filter(|name| !others.iter().any(|prefix| name.starts_with(prefix)));
        ours.filter(|name| !reached.contains(*name)).collect()
    }

    /// How much was killed where, and how long it took, for people.
    fn report(&self) {
        for operation in operations(self.world.subject) {
            let mine = self.killed.iter().filter(|((one, _), _)| *one == operation);
            let (points, kills) = mine.fold((0, 0), |(points, kills), (_, count)| (points + 1, kills + count));
            let (name, took) = (self.world.subject.name, self.took[&operation].as_secs());
            eprintln!("{name} {operation}: {points} points, {kills} kills, {took} s");
        }
    }
}

/// Those that the provider knows.
fn operations(subject: &Subject) -> impl Iterator<Item = Operation> {
    let known = |verb| matches!(verb, "create" | "update" | "drift" | "delete") || subject.actions.contains(&verb);
    OPERATIONS.into_iter().filter(move |operation| known(operation.verb))
}

/// What is to happen in which run of the operation.
fn cases(operation: Operation, path: &Path, subject: &Subject) -> Cases {
    let seeds = 0..seeds(operation, subject);
    let mut all: Cases = seeds.clone().flat_map(|seed| deaths(path, seed)).collect();
    // How a step is given back, and done again, does not depend on who asked for it.
    if operation.way == Way::AtOnce || operation == Operation::new(Way::Planned, "create") {
        all.extend(seeds.flat_map(|seed| returns(path, seed)));
        all.extend(repetitions(path, subject.twice));
    }
    all
}
