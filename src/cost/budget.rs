//! Budgets: what a project may cost in a calendar month, and what happens above parts of it.

mod store;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

use super::Error;
use super::model::told;
use super::money::Money;
use super::month::Month;
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::id::ProjectId;
use crate::base::{FieldError, Op};
use crate::db::{self, Tx};
use crate::policy::{Permit, ability};

/// The largest budget.
const LARGEST: i64 = 1_000_000_000_000;

/// What a project may cost in each month. Thresholds are percent of the amount; what is above one meets it, and one at
/// least is there, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BudgetTerms)]
pub struct BudgetTerms {
    /// In the currency of the price book, with at most two digits behind the point.
    #[schema(value_type = String, example = "2000.00")]
    pub amount: Decimal,
    /// Requests are warned.
    #[serde(default)]
    pub warn_above: Option<i32>,
    /// Requests need the approval of a lead of the project.
    #[serde(default)]
    pub approve_above: Option<i32>,
    /// Requests are denied.
    #[serde(default)]
    pub deny_above: Option<i32>,
}

/// A budget that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// What it says.
    pub terms: BudgetTerms,
    /// Counts its changes.
    pub generation: i64,
}

/// The highest threshold that is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetLevel {
    /// None.
    Within,
    /// That which warns.
    Warned,
    /// That above which somebody must agree.
    NeedsApproval,
    /// That above which nothing more gets in.
    Denied,
}

/// A budget held against what there is and what something would add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetCheck {
    /// What it says.
    pub terms: BudgetTerms,
    /// `2026-11`
    pub month: String,
    /// ISO 4217.
    pub currency: String,
    /// What the month has cost until now.
    pub so_far: Decimal,
    /// The same, and the rest of the month as everything is now.
    pub forecast: Decimal,
    /// What requests that are under way add until the end of the month.
    pub under_way: Decimal,
    /// What this adds until the end of the month.
    pub adds: Decimal,
    /// Which threshold is passed with it; nothing that adds nothing passes one.
    pub level: BudgetLevel,
}

impl BudgetCheck {
    /// Compares. All amounts are of one month; nothing is taken off for what makes it cheaper.
    pub fn new(
        terms: BudgetTerms,
        (month, currency): (Month, String),
        (so_far, forecast): (Money, Money),
        under_way: Decimal,
        adds: Decimal,
    ) -> Self {
        let (so_far, forecast, adds) = (so_far.exact(), forecast.exact(), adds.max(Decimal::ZERO));
        let after = forecast.saturating_add(under_way).saturating_add(adds);
        let above = |percent: Option<i32>| percent.is_some_and(|percent| after > terms.part(percent));
        let level = if adds <= Decimal::ZERO {
            BudgetLevel::Within
        } else if above(terms.deny_above) {
            BudgetLevel::Denied
        } else if above(terms.approve_above) {
            BudgetLevel::NeedsApproval
        } else if above(terms.warn_above) {
            BudgetLevel::Warned
        } else {
            BudgetLevel::Within
        };
        Self { terms, month: month.to_string(), currency, so_far, forecast, under_way, adds, level }
    }

    /// What the month will have cost without it.
    pub fn before(&self) -> Decimal {
        self.forecast.saturating_add(self.under_way)
    }

    /// What the month will have cost with it.
    pub fn after(&self) -> Decimal {
        self.before().saturating_add(self.adds)
    }

    /// The threshold that is passed, in percent.
    pub fn passed(&self) -> Option<i32> {
        match self.level {
            BudgetLevel::Within => None,
            BudgetLevel::Warned => self.terms.warn_above,
            BudgetLevel::NeedsApproval => self.terms.approve_above,
            BudgetLevel::Denied => self.terms.deny_above,
        }
    }

    /// In words, with all numbers: “November 2026 would come to 2100.00 EUR with this, above 100 % of the budget of
    /// 2000.00 EUR.”
    pub fn sentence(&self) -> String {
        let month = Month::parse(&self.month).map_or_else(|| self.month.clone(), Month::words);
        let (currency, after, amount) = (&self.currency, told(self.after()), told(self.terms.amount));
        match self.passed() {
            Some(percent) => format!(
                "{month} would come to {after} {currency} with this, above {percent} % of the budget of {amount} \
                 {currency}."
            ),
            None => format!("{month} comes to {after} {currency} with this, of a budget of {amount} {currency}."),
        }
    }
}

impl BudgetTerms {
    /// So many percent of the amount, exactly.
    fn part(&self, percent: i32) -> Decimal {
        self.amount * Decimal::from(percent) / Decimal::ONE_HUNDRED
    }

    fn wrong(&self) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        let amount = self.amount.normalize();
        if amount <= Decimal::ZERO || amount > Decimal::from(LARGEST) || amount.scale() > 2 {
            let detail = "is above 0, at most 1,000,000,000,000, with at most two digits behind the point";
            wrong.push(FieldError::new("/amount", detail));
        }
        let given = [
            ("/warn_above", self.warn_above),
            ("/approve_above", self.approve_above),
            ("/deny_above", self.deny_above),
        ];
        let mut highest = 0;
        for (pointer, percent) in given.into_iter().filter_map(|(pointer, percent)| Some((pointer, percent?))) {
            if !(1..=1000).contains(&percent) {
                wrong.push(FieldError::new(pointer, "is a whole number of percent from 1 to 1000"));
            } else if percent <= highest {
                wrong.push(FieldError::new(pointer, "is above the one before it"));
            }
            highest = highest.max(percent);
        }
        if given.iter().all(|(_, percent)| percent.is_none()) {
            wrong.push(FieldError::new("/deny_above", "say at least one: a budget without a threshold does nothing"));
        }
        wrong
    }
}

/// The budget of a project; `held`: until this transaction ends nobody else is held against it, nor changes it.
pub async fn budget(connection: &mut PgConnection, project: ProjectId, held: bool) -> db::Result<Option<Budget>> {
    if held && !store::hold(connection, project).await? {
        return Ok(None);
    }
    store::find(connection, project).await
}

/// Gives a project a budget. `generation`: it must not have changed since; 0: there must be none.
pub async fn set_budget(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::ManageQuotas>,
    (project, slug): (ProjectId, &str),
    generation: Option<i64>,
    terms: &BudgetTerms,
) -> Result<Budget, Error> {
    let wrong = terms.wrong();
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let before = budget(tx, project, true).await?;
    if !store::set(tx, project, generation, before.is_some(), terms).await? {
        return Err(Error::StaleBudget);
    }
    let after = budget(tx, project, false).await?.ok_or(Error::NoBudget)?;
    let detail = json!({"before": before.map(|one| one.terms), "after": after.terms});
    audit::append(tx, op, about("budget.changed", slug).project(project).detail(detail)).await?;
    Ok(after)
}

/// Takes the budget of a project away.
pub async fn remove_budget(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::ManageQuotas>,
    (project, slug): (ProjectId, &str),
) -> Result<(), Error> {
    let before = budget(tx, project, true).await?.ok_or(Error::NoBudget)?;
    store::delete(tx, project).await?;
    let detail = json!({"before": before.terms});
    audit::append(tx, op, about("budget.removed", slug).project(project).detail(detail)).await?;
    Ok(())
}

/// Writes down that somebody wanted to do this to a budget and may not.
pub async fn record_budget_refusal(tx: &mut Tx, op: &Op, action: &'static str, slug: &str) -> db::Result<()> {
    audit::append(tx, op, about(action, slug).outcome(Outcome::Denied)).await
}

fn about(action: &'static str, slug: &str) -> Entry {
    Entry::new(action, Object { kind: "budget", id: None, label: slug.chars().take(100).collect() })
}
