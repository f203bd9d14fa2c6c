//! What a replay finds, summed: how many decisions flip, and what was asked for by them would cost in a month.
//!
//! The cost is that which was told when it was asked for, and stands in the question (`context.cost_per_month`). All
//! amounts are of one currency: that of the price book changes only while nothing has a price, and then nothing costs.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::replay::{Flip, FlipKind};

/// Flips of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FlipSum {
    /// How many decisions.
    pub flips: u64,
    /// How many of them tell no price: nothing of it is in the sum.
    pub without_price: u64,
    /// What the others ask for costs in a month while it runs, as far as it has a price.
    pub cost_per_month: Decimal,
}

impl FlipSum {
    fn add(&mut self, flip: &Flip) {
        self.flips = self.flips.saturating_add(1);
        match flip.cost_per_month() {
            Some(cost) => self.cost_per_month = self.cost_per_month.saturating_add(cost),
            None => self.without_price = self.without_price.saturating_add(1),
        }
    }

    /// The cost with two digits behind the point.
    pub fn cost(&self) -> Decimal {
        two_digits(self.cost_per_month)
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            flips: self.flips.saturating_add(other.flips),
            without_price: self.without_price.saturating_add(other.without_price),
            cost_per_month: self.cost_per_month.saturating_add(other.cost_per_month),
        }
    }
}

/// In the order of [`FlipKind::ALL`].
pub type ByKind = [FlipSum; 4];

/// The flips of a replay, by what they were about and by who asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FlipSums {
    /// By project; that with no name is the platform.
    pub projects: BTreeMap<String, ByKind>,
    /// By the teams of whoever asked, so that somebody of two counts in both; that with no name is those of no team.
    pub teams: BTreeMap<String, ByKind>,
}

impl FlipSums {
    /// Counts a flip.
    pub fn add(&mut self, flip: &Flip) {
        let project = flip.question.resource.project.clone().unwrap_or_default();
        let mut teams = flip.question.principal.teams.clone();
        if teams.is_empty() {
            teams.push(String::new());
        }
        teams.sort_unstable();
        teams.dedup();
        add_to(self.projects.entry(project).or_default(), flip);
        for team in teams {
            add_to(self.teams.entry(team).or_default(), flip);
        }
    }

    /// Over all projects, each flip once.
    pub fn total(&self) -> ByKind {
        let mut total = ByKind::default();
        for sums in self.projects.values() {
            for (total, sum) in total.iter_mut().zip(sums) {
                *total = total.and(*sum);
            }
        }
        total
    }
}

fn two_digits(mut amount: Decimal) -> Decimal {
    amount.rescale(2);
    amount
}

fn add_to(sums: &mut ByKind, flip: &Flip) {
    for (sum, kind) in sums.iter_mut().zip(FlipKind::ALL) {
        if kind == flip.kind {
            sum.add(flip);
        }
    }
}

impl Flip {
    /// What was asked for costs in a month while it runs, as it was told then; none: nothing of it had a price, or
    /// what was asked for changes no cost.
    pub fn cost_per_month(&self) -> Option<Decimal> {
        let cost = self.question.context.cost_per_month.as_deref()?.parse::<Decimal>().ok()?;
        (!cost.is_zero()).then(|| two_digits(cost))
    }
}
