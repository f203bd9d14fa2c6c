//! The environments of a matrix: what was asked for them, what can be asked for, and what must be done
//! before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use paddock::base::id::EnvironmentId;

use super::subject::Environments;
use super::world::World;

/// How an operation is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Where nobody is asked.
    AtOnce,
    /// Where somebody must approve: its plan is made, and it waits.
    Planned,
    /// The plan of such a one is approved, and carried out.
    Approved,
}

/// `create`, `update`, `delete`, a power operation or an action, on one of the ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    pub way: Way,
    pub verb: &'static str,
}

impl Operation {
    pub const fn new(way: Way, verb: &'static str) -> Self {
        Self { way, verb }
    }

    fn place(self) -> &'static str {
        match self.way {
            Way::AtOnce => "dev",
            Way::Planned | Way::Approved => "prod",
        }
    }

    /// The label of its run for an environment.
    fn label(self, name: &str) -> String {
        match self.way {
            Way::Planned => format!("Plan: {} {name}", self.verb),
            Way::AtOnce if self.verb == "drift" => format!("Check {name} for drift"),
            Way::AtOnce if self.verb.contains('-') => {
                format!("{}{}: {name}", self.verb[..1].to_uppercase(), self.verb[1..].replace('-', " "))
            }
            Way::AtOnce | Way::Approved => format!("{}{} {name}", self.verb[..1].to_uppercase(), &self.verb[1..]),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.way {
            Way::AtOnce => f.write_str(self.verb),
            Way::Planned => write!(f, "plan of {}", self.verb),
            Way::Approved => write!(f, "approved {}", self.verb),
        }
    }
}

/// The environments, with what was carried out for each.
#[derive(Default)]
pub struct Estate {
    pub environments: Environments,
    /// Those that are there and wait for nothing, by place.
    settled: BTreeMap<&'static str, Vec<EnvironmentId>>,
    /// Those whose request waits for an approval, by its verb.
    waiting: BTreeMap<&'static str, Vec<EnvironmentId>>,
    /// Those that were checked for drift, which changes nothing and so is in no history.
    checked: BTreeSet<EnvironmentId>,
    /// How often somebody approved.
    pub approvals: usize,
}

impl Estate {
    /// What must be done first, and how often, before the operation can be asked for so often.
    pub fn lacking(&self, operation: Operation, count: usize) -> Option<(Operation, usize)> {
        let (there, before) = match (operation.way, operation.verb) {
            (Way::AtOnce | Way::Planned, "create") => return None,
            (Way::AtOnce, "start") => (self.fresh(operation).count(), Operation::new(Way::AtOnce, "stop")),
            (Way::AtOnce, _) => (self.fresh(operation).count(), Operation::new(Way::AtOnce, "create")),
            (Way::Planned, _) => (self.fresh(operation).count(), Operation::new(Way::Approved, "create")),
            (Way::Approved, verb) => (self.waiting.get(verb).map_or(0, Vec::len), Operation::new(Way::Planned, verb)),
        };
        (there < count).then(|| (before, count - there))
    }

    /// Those that the operation can be asked for and that have not had it yet.
    fn fresh(&self, operation: Operation) -> impl Iterator<Item = EnvironmentId> {
        let settled = self.settled.get(operation.place()).into_iter().flatten();
        let stopped = |id: &EnvironmentId| self.environments[id].1.last() == Some(&"stop");
        settled.copied().filter(move |id| {
            let suits = operation.verb == "delete" || stopped(id) == (operation.verb == "start");
            let had = if operation.verb == "drift" {
                self.checked.contains(id)
            } else {
                self.environments[id].1.contains(&operation.verb)
            };
            suits && !had
        })
    }

    /// Asks for the operation so often, and returns the labels of its runs.
    pub async fn ask(&mut self, world: &World, operation: Operation, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        match (operation.way, operation.verb) {
            (Way::Approved, verb) => ids.extend(self.waiting.get_mut(verb).unwrap().drain(..count)),
            (_, "create") => {
                for _ in 0..count {
                    ids.push(self.create(world, operation.place()).await);
                }
            }
            _ => {
                ids.extend(self.fresh(operation).take(count));
                self.settled.get_mut(operation.place()).unwrap().retain(|id| !ids.contains(id));
            }
        }
        assert_eq!(ids.len(), count, "{operation}");
        let mut labels = Vec::new();
        for &id in &ids {
            match (operation.way, operation.verb) {
                (Way::Approved, _) => world.approve(id).await,
                (_, "update") => world.update(id).await,
                (_, "delete") => world.delete(id).await,
                (_, "create") => {}
                (_, "drift") => world.check_for_drift(id).await,
                (_, verb) => world.act(id, verb).await,
            }
            let (name, history) = self.environments.get_mut(&id).unwrap();
            match (operation.way, operation.verb) {
                (Way::Planned, _) => {}
                (_, "drift") => drop(self.checked.insert(id)),
                (_, verb) => history.push(verb),
            }
            labels.push(operation.label(name));
        }
        match (operation.way, operation.verb) {
            (Way::Planned, verb) => self.waiting.entry(verb).or_default().extend(ids),
            (_, "delete") => {}
            _ => self.settled.entry(operation.place()).or_default().extend(ids),
        }
        self.approvals += if operation.way == Way::Approved { count } else { 0 };
        labels
    }

    async fn create(&mut self, world: &World, place: &str) -> EnvironmentId {
        let name = format!("lab-{}", self.environments.len() + 1);
        let id = world.create_in(place, &name, (world.subject.create)(world)).await;
        self.environments.insert(id, (name, Vec::new()));
        id
    }
}
