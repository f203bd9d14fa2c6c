//! Items and their prices.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

/// The hours of a month, for everything that is told by month: 365 days in twelve parts.
pub(super) const HOURS_OF_A_MONTH: i64 = 730;

/// What a price is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = PriceUnit)]
pub enum Unit {
    /// One hour.
    Hour,
    /// One month, which has 730 hours.
    Month,
}

impl Unit {
    /// The word in SQL, in files and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Month => "month",
        }
    }

    /// The unit called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Hour, Self::Month].into_iter().find(|unit| unit.as_str() == text)
    }

    /// What one of it costs in a month, exactly.
    pub(super) fn by_month(self, amount: Decimal) -> Decimal {
        match self {
            Self::Hour => amount * Decimal::from(HOURS_OF_A_MONTH),
            Self::Month => amount,
        }
    }
}

/// Money as it is told: two digits, halves away from zero.
pub(super) fn told(amount: Decimal) -> Decimal {
    let mut told = amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    told.rescale(2);
    told
}

/// An item of the price book, as it is today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name in manifests: `vm.small`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What its prices are for.
    pub unit: Unit,
    /// The price that is valid today; none yet: it begins later.
    pub today: Option<Price>,
    /// The next price, where one is known already.
    pub next: Option<Price>,
}

/// An item with all its prices, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemPrices {
    /// The item.
    pub item: Item,
    /// Every price that was ever added, those that were corrected too.
    pub prices: Vec<Price>,
}

/// A price of one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// How much, in the currency of the price book; at most six digits behind the point.
    pub amount: Decimal,
    /// From the beginning of this day on (UTC).
    pub valid_from: Date,
    /// Who added it.
    pub added_by: String,
    /// When.
    pub added_at: Timestamp,
}

/// A price as somebody wrote it down, in a form, a file or the API.
#[derive(Debug, Clone, Default)]
pub struct PriceText {
    /// The item's name.
    pub item: String,
    /// What people call it; empty: as the item is called.
    pub title: String,
    /// `hour` or `month`; empty: that of the item.
    pub unit: String,
    /// The price of one unit: `0.0416`.
    pub price: String,
    /// `2027-01-01`; empty: today.
    pub valid_from: String,
}
