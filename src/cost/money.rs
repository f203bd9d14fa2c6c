//! Amounts of money that are summed: whole numbers of a hundred-millionth of the currency.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use rust_decimal::Decimal;

use super::model::told;

/// Digits behind the point.
const DIGITS: u32 = 8;

/// What was used has cost so much. Each line is rounded once, to eight digits, as on an invoice; sums are exact, so
/// that it does not matter in which order or groups lines are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Money(i128);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The fraction of a whole amount of hundred-millionths, halves away from zero. `by` is above zero.
    pub(super) fn rounded(numerator: i128, by: i128) -> Self {
        let half = if numerator < 0 { -by / 2 } else { by / 2 };
        Self(numerator.saturating_add(half) / by)
    }

    /// With its eight digits; what is beyond any currency is the largest number that there is.
    pub fn exact(self) -> Decimal {
        Decimal::try_from_i128_with_scale(self.0, DIGITS).unwrap_or(Decimal::MAX)
    }

    /// As it is told: two digits, halves away from zero.
    pub fn told(self) -> Decimal {
        told(self.exact())
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::add)
    }
}
