//! What an environment would cost: what its template says it takes, by the prices of one day.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::model::{HOURS_OF_A_MONTH, Unit, told};
use super::store;
use crate::base::{Charge, During, Op};
use crate::db;

/// A price that is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    pub title: String,
    pub unit: Unit,
    pub amount: Decimal,
}

/// What an environment would cost. Sums are exact until they are told, and then have two digits behind the point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// ISO 4217.
    pub currency: String,
    /// The day whose prices it is by (UTC).
    pub day: Date,
    /// What it takes, in the order of the template.
    pub lines: Vec<Line>,
    /// In a month in which it runs all the time, of what is priced.
    pub running: Decimal,
    /// In a month in which it is stopped all the time, of what is priced.
    pub stopped: Decimal,
    /// Until its end of life; none: it has no end.
    pub until_end: Option<UntilEnd>,
}

/// What it would cost if it ran until its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UntilEnd {
    /// How long that is.
    pub seconds: i64,
    /// Of what is priced.
    pub amount: Decimal,
}

/// One item that it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What is taken.
    #[serde(flatten)]
    pub charge: Charge,
    /// What people call the item; as the template names it, where it is not priced.
    pub title: String,
    /// None: it is not priced.
    pub price: Option<LinePrice>,
}

/// What the item of a line costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinePrice {
    /// What the price is for.
    pub unit: Unit,
    /// Of one unit.
    pub amount: Decimal,
    /// Of the whole line in a month in which it is taken all the time.
    pub month: Decimal,
}

impl Estimate {
    /// The items that have no price.
    pub fn not_priced(&self) -> Vec<&str> {
        self.lines.iter().filter(|line| line.price.is_none()).map(|line| line.charge.item.as_str()).collect()
    }

    /// Whether nothing is known: it takes something, and nothing of it is priced.
    pub fn is_unknown(&self) -> bool {
        !self.lines.is_empty() && self.lines.iter().all(|line| line.price.is_none())
    }

    fn of(
        (currency, day): (String, Date),
        charges: &[Charge],
        prices: &BTreeMap<String, Priced>,
        lifetime: Option<SignedDuration>,
    ) -> Self {
        let (mut running, mut stopped) = (Decimal::ZERO, Decimal::ZERO);
        let mut lines = Vec::with_capacity(charges.len());
        for charge in charges {
            let found = prices.get(&charge.item);
            let price = found.map(|found| {
                // Below 10^6 × 10^9 × 730 with six digits: far from the end of 96 bits, and exact.
                let month = found.unit.by_month(found.amount) * Decimal::from(charge.quantity);
                running += month;
                if charge.during == During::Exists {
                    stopped += month;
                }
                LinePrice { unit: found.unit, amount: found.amount, month: told(month) }
            });
            let title = found.map_or_else(|| charge.item.clone(), |found| found.title.clone());
            lines.push(Line { charge: charge.clone(), title, price });
        }
        let until_end = lifetime.map(|lifetime| {
            let seconds = lifetime.as_secs().max(0);
            let amount = running * Decimal::from(seconds) / Decimal::from(HOURS_OF_A_MONTH * 3600);
            UntilEnd { seconds, amount: told(amount) }
        });
        Self { currency, day, lines, running: told(running), stopped: told(stopped), until_end }
    }
}

/// What this would cost by the prices of today; `lifetime`: how long it would live.
pub async fn estimate(
    connection: &mut PgConnection,
    op: &Op,
    charges: &[Charge],
    lifetime: Option<SignedDuration>,
) -> db::Result<Estimate> {
    let day = super::book::today(op);
    let currency = store::currency(connection, false).await?;
    let items: Vec<String> = charges.iter().map(|charge| charge.item.clone()).collect();
    let prices = store::valid_on(connection, &items, day).await?;
    Ok(Estimate::of((currency, day), charges, &prices, lifetime))
}

#[cfg(test)]
mod tests;
