//! What has been used, by the prices that were valid when: time is cut where a price changes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use sqlx::PgConnection;

use super::model::{HOURS_OF_A_MONTH, Unit};
use super::money::Money;
use super::store;
use crate::base::{Charge, During};
use crate::db;

const SECONDS_OF_AN_HOUR: i64 = 3600;

/// Every price that counts, of all times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceBook {
    /// ISO 4217.
    pub currency: String,
    items: BTreeMap<String, Priced>,
}

/// An item: prices by the moment from which they are valid.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Priced {
    title: String,
    unit: Unit,
    from: BTreeMap<Timestamp, Decimal>,
}

/// So much of an item was taken from one moment to another, by one price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// What, and how much of it.
    pub charge: Charge,
    /// What people call the item; as the template names it, where it is not priced.
    pub title: String,
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
    /// None: there was no price.
    pub price: Option<UsedPrice>,
}

/// What something that was used has cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedPrice {
    /// What the price is for.
    pub unit: Unit,
    /// Of one unit.
    pub amount: Decimal,
    /// How many units: hours, or months of 730 hours; eight digits.
    pub units: Decimal,
    /// What that costs.
    pub cost: Money,
}

/// The prices of all items.
pub async fn price_book(connection: &mut PgConnection) -> db::Result<PriceBook> {
    let currency = store::currency(connection, false).await?;
    let mut items: BTreeMap<String, Priced> = BTreeMap::new();
    for line in store::lines(connection, None).await? {
        let start = line.valid_from.to_zoned(TimeZone::UTC).map_err(|_| db::Error::Corrupt("price"))?.timestamp();
        let fresh = || Priced { title: line.title, unit: line.unit, from: BTreeMap::new() };
        items.entry(line.item).or_insert_with(fresh).from.insert(start, line.amount);
    }
    Ok(PriceBook { currency, items })
}

impl PriceBook {
    /// What was used by something that takes this, from one moment to another; `running`: or it was stopped.
    pub fn used(&self, charges: &[Charge], running: bool, from: Timestamp, to: Timestamp) -> Vec<Used> {
        let taken = charges.iter().filter(|charge| running || charge.during == During::Exists);
        taken.flat_map(|charge| self.cut(charge, from, to)).collect()
    }

    fn cut(&self, charge: &Charge, from: Timestamp, to: Timestamp) -> Vec<Used> {
        if from >= to {
            return Vec::new();
        }
        let line =
            |title: &str, from, to, price| Used { charge: charge.clone(), title: title.to_owned(), from, to, price };
        let Some(item) = self.items.get(&charge.item) else { return vec![line(&charge.item, from, to, None)] };
        let mut starts = vec![from];
        starts.extend(item.from.range(from..to).map(|(at, _)| *at).filter(|at| *at > from));
        let ends = starts.iter().skip(1).copied().chain([to]);
        let cut = starts.iter().copied().zip(ends).map(|(from, to)| {
            let amount = item.from.range(..=from).next_back().map(|(_, amount)| *amount);
            line(&item.title, from, to, amount.map(|amount| item.priced(charge, amount, seconds(from, to))))
        });
        cut.collect()
    }
}

impl Priced {
    /// Below 10^12 millionths × 100 × 10^9 × 10^11 seconds, in whole numbers of 127 bits; prices have six digits.
    fn priced(&self, charge: &Charge, amount: Decimal, seconds: i64) -> UsedPrice {
        let length = match self.unit {
            Unit::Hour => SECONDS_OF_AN_HOUR,
            Unit::Month => HOURS_OF_A_MONTH * SECONDS_OF_AN_HOUR,
        };
        let mut fine = amount;
        fine.rescale(8);
        let taken = i128::from(charge.quantity).saturating_mul(i128::from(seconds));
        let cost = Money::rounded(fine.mantissa().saturating_mul(taken), i128::from(length));
        let units = Money::rounded(taken.saturating_mul(100_000_000), i128::from(length)).exact();
        UsedPrice { unit: self.unit, amount, units, cost }
    }
}

/// Whole seconds.
fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second() - from.as_second()
}
