//! Versions of the policies against the decisions of the past. Nothing is changed, so nothing is written down.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::App;
use super::policies::engine_of;
use crate::base::id::{DecisionId, RequestId};
use crate::policy::replay::Replay;
use crate::policy::versions::{self, PolicyVersion, VersionError};
use crate::policy::{Permit, ability};
use crate::{audit, db, requests};

impl App {
    /// The version with this number, and what compares it with what is in force here. It must be valid.
    /// Decisions of everybody are told of, so it takes the permit to read the whole audit log.
    pub async fn replay_of(
        &self,
        _: &Permit<ability::ReadAudit>,
        number: i32,
    ) -> Result<(PolicyVersion, Replay), VersionError> {
        let mut connection = self.db.acquire().await?;
        let version = versions::find(&mut connection, number).await?.ok_or(VersionError::NotFound(number))?;
        let text = versions::text_of(&mut connection, version.id).await?;
        let engine = engine_of(&version, &text).map_err(|error| VersionError::Invalid(versions::problems_of(error)))?;
        Ok((version, Replay::new(&self.policy, &engine)))
    }
}

/// The requests that these decisions were made for, also where the request has another decision by now.
pub async fn requests_of_decisions(
    connection: &mut PgConnection,
    decisions: &[DecisionId],
) -> db::Result<BTreeMap<DecisionId, RequestId>> {
    let mut found = audit::requests_of_decisions(connection, decisions).await?;
    found.extend(requests::of_decisions(connection, decisions).await?);
    Ok(found)
}
