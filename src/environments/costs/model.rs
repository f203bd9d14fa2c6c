//! Intervals, and what they sum up to.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::base::id::{EnvironmentId, ProjectId, TemplateVersionId};
use crate::cost::{Money, Month, Used};

/// What an environment is in an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It runs, or may: while it is changed, started or stopped, and after a failure that left something.
    Running,
    /// It is stopped.
    Stopped,
}

/// From when to when it was that, and when its life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// What it was.
    pub phase: Phase,
    /// The first moment; whole seconds.
    pub from: Timestamp,
    /// The first moment after it; none: it goes on.
    pub to: Option<Timestamp>,
    /// The environment's end of life.
    pub expires_at: Option<Timestamp>,
}

/// Spans in which something was made of the same version with the same inputs: they took the same.
#[derive(Debug, Clone)]
pub struct Alike {
    /// What it was made of.
    pub version: TemplateVersionId,
    /// The inputs, as JSON.
    pub inputs: String,
    /// All of them, in no order.
    pub spans: Vec<Span>,
}

impl Phase {
    /// The word in the API and in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }
}

/// The environment that an interval is of, with the template that it was made of in that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its id.
    pub id: EnvironmentId,
    /// Its name.
    pub name: String,
    /// Its project.
    pub project: ProjectId,
    /// The project's short name.
    pub project_slug: String,
    /// The project's name.
    pub project_name: String,
    /// The template's short name.
    pub template_slug: String,
    /// The template's name.
    pub template_name: String,
    /// The short name of the environment type.
    pub environment_type: String,
}

/// A time in which an environment was one thing.
#[derive(Debug, Clone)]
pub struct Interval {
    /// Its place among those of the environment.
    pub number: i64,
    /// What it is of.
    pub subject: Subject,
    /// What it was, and when.
    pub span: Span,
    /// What it was made of.
    pub version: TemplateVersionId,
    /// The inputs, as JSON.
    pub inputs: String,
    /// Whether it was there before costs were known: what it cost until then is not in any sum.
    pub from_before: bool,
}

/// Sums, and what is not in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accrued {
    /// Until now, or until the end of a month that is over.
    pub so_far: Money,
    /// The same, and the rest of the month if everything stays as it is until its end of life.
    pub forecast: Money,
    /// Items that were taken in a time in which they had no price.
    pub not_priced: BTreeSet<String>,
    /// Templates that do not say what they take.
    pub not_told: BTreeSet<String>,
}

impl Accrued {
    /// Adds what another one has.
    pub fn add(&mut self, other: &Self) {
        self.so_far += other.so_far;
        self.forecast += other.forecast;
        self.not_priced.extend(other.not_priced.iter().cloned());
        self.not_told.extend(other.not_told.iter().cloned());
    }

    pub(super) fn spent(&mut self, used: &[Used]) {
        let cost = self.noted(used);
        self.so_far += cost;
    }

    pub(super) fn expected(&mut self, used: &[Used]) {
        let cost = self.noted(used);
        self.forecast += cost;
    }

    fn noted(&mut self, used: &[Used]) -> Money {
        let missing = used.iter().filter(|line| line.price.is_none());
        self.not_priced.extend(missing.map(|line| line.charge.item.clone()));
        used.iter().filter_map(|line| line.price.as_ref()).map(|price| price.cost).sum()
    }

    /// Whether everything that was taken is in the sums.
    pub fn is_whole(&self) -> bool {
        self.not_priced.is_empty() && self.not_told.is_empty()
    }
}

/// What one environment has cost in a month, as one template: one that went from template to template has several.
#[derive(Debug, Clone)]
pub struct EnvironmentCost {
    /// The environment.
    pub subject: Subject,
    /// Its sums.
    pub accrued: Accrued,
}

/// What environments have cost in a month.
#[derive(Debug, Clone)]
pub struct MonthCosts {
    /// The month.
    pub month: Month,
    /// ISO 4217.
    pub currency: String,
    /// Until when it is known: now, or the end of the month.
    pub until: Timestamp,
    /// By environment.
    pub environments: Vec<EnvironmentCost>,
    /// Since when costs are known, where something was there before.
    pub since: Option<Timestamp>,
}

impl MonthCosts {
    /// Whether the month is not over.
    pub fn goes_on(&self) -> bool {
        self.until < self.month.end()
    }

    /// All of them together.
    pub fn total(&self) -> Accrued {
        let mut total = Accrued::default();
        for one in &self.environments {
            total.add(&one.accrued);
        }
        total
    }
}
