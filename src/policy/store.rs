//! All SQL of policy sets and decisions.

use std::collections::BTreeMap;

use jiff_sqlx::ToSqlx as _;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::decision::{Decision, MadeBy, Outcome, PolicySetText, StoredDecision};
use super::question::Question;
use crate::base::Digest;
use crate::base::cursor::Cursor;
use crate::base::id::DecisionId;
use crate::db::{Error, Result};

pub(super) async fn insert_policy_set(connection: &mut PgConnection, set: &PolicySetText) -> Result<()> {
    sqlx::query!(
        "INSERT INTO policy_set (digest, source, schema) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING",
        set.digest.0.as_slice(),
        set.source,
        set.schema,
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn find_policy_set(connection: &mut PgConnection, digest: Digest) -> Result<Option<PolicySetText>> {
    let row = sqlx::query!("SELECT source, schema FROM policy_set WHERE digest = $1", digest.0.as_slice())
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| PolicySetText { digest, schema: row.schema, source: row.source }))
}

/// False when the policy set is not stored yet: then nothing was inserted.
pub(super) async fn insert_decision(
    connection: &mut PgConnection,
    id: DecisionId,
    question: &Question,
    decision: &Decision,
) -> Result<bool> {
    let inserted = sqlx::query!(
        "INSERT INTO decision (id, outcome, input, policy_digest, rules, requirements, sentence, would_be_allowed, observed)
         SELECT $1, $2, $3, digest, $5, $6, $7, $8, $9 FROM policy_set WHERE digest = $4",
        id.0,
        decision.outcome as Outcome,
        json(question)?,
        decision.policy_digest.0.as_slice(),
        json(&decision.rules)?,
        json(&decision.requirements)?,
        decision.sentence,
        &decision.would_be_allowed,
        decision.observed.as_ref().map(json).transpose()?,
    )
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

pub(super) async fn find_decisions(
    connection: &mut PgConnection,
    ids: &[DecisionId],
) -> Result<BTreeMap<DecisionId, StoredDecision>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        DecisionRow,
        r#"SELECT id AS "id: _", outcome AS "outcome: _", input, policy_digest, rules, requirements, sentence,
               would_be_allowed, observed, created_at
           FROM decision WHERE id = ANY ($1)"#,
        &ids
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| Ok((row.id, stored(row)?))).collect()
}

/// The decisions after `from`, the oldest first, each with its place. One that cannot be read is an error
/// of its own.
pub(super) async fn decisions_after(
    connection: &mut PgConnection,
    from: Cursor,
    limit: i64,
) -> Result<Vec<(Cursor, Result<StoredDecision>)>> {
    let rows = sqlx::query_as!(
        DecisionRow,
        r#"SELECT id AS "id: _", outcome AS "outcome: _", input, policy_digest, rules, requirements, sentence,
               would_be_allowed, observed, created_at
           FROM decision WHERE (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3"#,
        from.at.to_sqlx() as jiff_sqlx::Timestamp,
        from.id,
        limit,
    )
    .fetch_all(connection)
    .await?;
    let place = |row: &DecisionRow| Cursor { at: row.created_at.to_jiff(), id: row.id.0 };
    Ok(rows.into_iter().map(|row| (place(&row), stored(row))).collect())
}

struct DecisionRow {
    id: DecisionId,
    outcome: Outcome,
    input: Value,
    policy_digest: Vec<u8>,
    rules: Value,
    requirements: Value,
    sentence: String,
    would_be_allowed: Vec<String>,
    observed: Option<Value>,
    created_at: jiff_sqlx::Timestamp,
}

fn stored(row: DecisionRow) -> Result<StoredDecision> {
    let digest = row.policy_digest.try_into().map_err(|_| Error::Corrupt("policy digest"))?;
    let decision = Decision {
        outcome: row.outcome,
        rules: read(row.rules, "list of rules")?,
        requirements: read(row.requirements, "list of approval requirements")?,
        policy_digest: Digest(digest),
        sentence: row.sentence,
        would_be_allowed: row.would_be_allowed,
        observed: row.observed.map(|value| read(value, "list of observed rules")).transpose()?,
        made_by: MadeBy::default(),
    };
    let question = read(row.input, "question to policy")?;
    Ok(StoredDecision { id: row.id, question, decision, at: row.created_at.to_jiff() })
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|_| Error::Corrupt("decision"))
}

fn read<T: serde::de::DeserializeOwned>(value: Value, what: &'static str) -> Result<T> {
    serde_json::from_value(value).map_err(|_| Error::Corrupt(what))
}
