//! What requests would cost: told in the verdict, and kept with the request as it was told.

use sqlx::PgConnection;

use super::resolve::Resolved;
use crate::base::Op;
use crate::cost::{self, Estimate};
use crate::environments::Operation;
use crate::{catalog, db};

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
    Ok(match catalog::charges_of(&resolved.version, &resolved.inputs) {
        Ok(Some(charges)) => Cost::Estimated(cost::estimate(connection, op, &charges, lifetime).await?),
        Ok(None) => Cost::NotTold,
        Err(_) => Cost::NotYet,
    })
}
