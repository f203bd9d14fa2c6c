//! Store decisions and read them again.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::decision::{Decision, PolicySetText, StoredDecision};
use super::question::Question;
use super::store;
use crate::base::id::DecisionId;
use crate::base::{Digest, Op};
use crate::db::{Error, Result, Tx};

/// Stores a decision with its question, and its policy set where that is new, inside the
/// transaction of what was decided about.
pub async fn record(tx: &mut Tx, op: &Op, question: &Question, decision: &Decision) -> Result<DecisionId> {
    let id = DecisionId::new(op.clock(), op.entropy());
    // The set is nearly always there: one statement, and the text travels only when it is not.
    if store::insert_decision(tx, id, question, decision).await? {
        return Ok(id);
    }
    let set = decision.made_by.set().ok_or(Error::Corrupt("decision without its policy set"))?;
    store::insert_policy_set(tx, set).await?;
    if store::insert_decision(tx, id, question, decision).await? {
        return Ok(id);
    }
    Err(Error::Corrupt("decision without its policy set"))
}

/// The decision with this id, as it was made.
pub async fn find_decision(connection: &mut PgConnection, id: DecisionId) -> Result<Option<StoredDecision>> {
    Ok(store::find_decisions(connection, &[id]).await?.remove(&id))
}

/// The decisions with these ids, as they were made. One query.
pub async fn find_decisions(
    connection: &mut PgConnection,
    ids: &[DecisionId],
) -> Result<BTreeMap<DecisionId, StoredDecision>> {
    store::find_decisions(connection, ids).await
}

/// The texts of a policy set that decided something: [`super::PolicyEngine::from_text`] reads them.
pub async fn find_policy_set(connection: &mut PgConnection, digest: Digest) -> Result<Option<PolicySetText>> {
    store::find_policy_set(connection, digest).await
}
