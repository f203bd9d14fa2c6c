//! What requests would cost: told in the verdict, and kept with the request as it was told.

use jiff::SignedDuration;
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::resolve::Resolved;
use crate::base::Op;
use crate::catalog::{self, TemplateVersion};
use crate::cost::{self, Estimate};
use crate::db;
use crate::environments::Operation;

/// What a submit would cost.
#[derive(Debug, Clone, PartialEq)]
pub enum Cost {
    /// The operation changes neither what is taken nor for how long.
    Unchanged,
    /// The template does not say what it takes.
    NotTold,
    /// Some values are not right yet.
    NotYet,
    /// By the prices of today.
    Estimated(Estimate),
}

impl Cost {
    /// The estimate, where there is one.
    pub fn estimate(&self) -> Option<&Estimate> {
        match self {
            Self::Estimated(estimate) => Some(estimate),
            Self::Unchanged | Self::NotTold | Self::NotYet => None,
        }
    }

    /// What a month costs while it runs, as rules read it.
    pub(super) fn per_month(&self) -> Option<String> {
        self.estimate().map(|estimate| for_rules(estimate.running))
    }
}

/// As Cedar reads decimals: one to four places, and never too large for it.
pub(super) fn for_rules(amount: Decimal) -> String {
    let most = Decimal::new(i64::MAX, 4);
    let rounded = amount.clamp(-most, most).round_dp(4);
    // Always with a place: `16` is `16.0000`.
    format!("{rounded:.4}")
}

/// What the draft would cost. Verdict and submit both come here, so they cannot differ.
pub(super) async fn of(connection: &mut PgConnection, op: &Op, resolved: &Resolved) -> db::Result<Cost> {
    let lifetime = match resolved.operation {
        Operation::Create | Operation::Extend => resolved.lifetime,
        Operation::Update => resolved.environment.as_ref().and_then(|environment| environment.remaining),
        Operation::Start
        | Operation::Stop
        | Operation::Hibernate
        | Operation::Restart
        | Operation::Act
        | Operation::Delete => return Ok(Cost::Unchanged),
    };
    // A name that is missing changes no cost.
    let counts = |pointer: &str| pointer.starts_with("/inputs") || pointer.starts_with("/lifetime");
    if resolved.errors.iter().any(|error| counts(&error.pointer)) {
        return Ok(Cost::NotYet);
    }
    told(connection, op, &resolved.version, &resolved.inputs, lifetime).await
}

/// What these inputs of a template would cost.
pub(super) async fn told(
    connection: &mut PgConnection,
    op: &Op,
    version: &TemplateVersion,
    inputs: &Map<String, Value>,
    lifetime: Option<SignedDuration>,
) -> db::Result<Cost> {
    Ok(match catalog::charges_of(version, inputs) {
        Ok(Some(charges)) => Cost::Estimated(cost::estimate(connection, op, &charges, lifetime).await?),
        Ok(None) => Cost::NotTold,
        Err(_) => Cost::NotYet,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_as_cedar_reads_decimals() {
        for (amount, text) in [("16", "16.0000"), ("0.00005", "0.0000"), ("0.00015", "0.0002"), ("1.23456", "1.2346")] {
            assert_eq!(for_rules(amount.parse().unwrap()), text);
        }
        assert_eq!(for_rules(Decimal::MAX), "922337203685477.5807");
    }
}
