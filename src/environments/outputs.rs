//! Outputs: what an environment gives to its users. Sensitive ones are sealed and masked; showing
//! one is recorded.

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::service::about;
use super::store::contents;
use super::{Environment, Error, StoredOutput};
use crate::audit::{self, Outcome};
use crate::base::id::EnvironmentId;
use crate::base::{Op, Sealer};
use crate::db::Tx;
use crate::policy::{Permit, ability};
use crate::providers::Output;

/// An output as shown: `value` is `None` while it is masked.
#[derive(Debug, Clone)]
pub struct OutputView {
    /// Its name.
    pub name: String,
    /// Whether it is masked.
    pub sensitive: bool,
    /// The value, unless masked.
    pub value: Option<Value>,
}

/// The outputs, sensitive ones masked.
pub async fn list(connection: &mut PgConnection, id: EnvironmentId) -> Result<Vec<OutputView>, Error> {
    let stored = contents::outputs(connection, id).await?;
    Ok(stored
        .into_iter()
        .map(|output| OutputView { name: output.name, sensitive: output.sensitive, value: output.value })
        .collect())
}

/// The outputs with those that `names` chooses opened (all sensitive ones when empty), which is
/// recorded in the audit log in the same transaction.
pub async fn reveal(
    tx: &mut Tx,
    op: &Op,
    sealer: &Sealer,
    permit: &Permit<ability::RevealOutput>,
    environment: &Environment,
    names: &[String],
) -> Result<Vec<OutputView>, Error> {
    if permit.resource() != environment.id.to_string() {
        return Err(Error::NotFound);
    }
    let stored = contents::outputs(tx, environment.id).await?;
    if let Some(missing) = names.iter().find(|name| !stored.iter().any(|output| &output.name == *name)) {
        return Err(Error::NoOutput(missing.clone()));
    }
    let mut shown = Vec::new();
    let mut views = Vec::with_capacity(stored.len());
    for output in stored {
        let wanted = names.is_empty() || names.contains(&output.name);
        let value = match &output.sealed {
            Some(blob) if wanted => {
                shown.push(output.name.clone());
                Some(open(sealer, environment.id, &output.name, blob)?)
            }
            Some(_) => None,
            None => output.value,
        };
        views.push(OutputView { name: output.name, sensitive: output.sensitive, value });
    }
    if !shown.is_empty() {
        audit::append(tx, op, about(environment, "output.revealed").detail(json!({"outputs": shown}))).await?;
    }
    Ok(views)
}

/// Writes down that somebody wanted to see sensitive outputs and may not. `names` are theirs: only
/// those that the environment has are kept; all sensitive ones when there are none.
pub async fn record_refused_reveal(
    tx: &mut Tx,
    op: &Op,
    environment: &Environment,
    names: &[String],
) -> crate::db::Result<()> {
    let stored = contents::outputs(tx, environment.id).await?;
    let wanted = |output: &&StoredOutput| output.sensitive && (names.is_empty() || names.contains(&output.name));
    let outputs: Vec<&str> = stored.iter().filter(wanted).map(|output| output.name.as_str()).collect();
    let entry = about(environment, "output.revealed").outcome(Outcome::Denied).detail(json!({"outputs": outputs}));
    audit::append(tx, op, entry).await?;
    Ok(())
}

fn open(sealer: &Sealer, id: EnvironmentId, name: &str, blob: &[u8]) -> Result<Value, Error> {
    let plain = sealer.open(&place(id, name), blob)?;
    Ok(serde_json::from_slice(&plain).map_err(|_| crate::db::Error::Corrupt("output"))?)
}

/// Seals the sensitive ones for their rows.
pub(super) fn seal(
    op: &Op,
    sealer: &Sealer,
    id: EnvironmentId,
    outputs: Vec<Output>,
) -> Result<Vec<StoredOutput>, Error> {
    outputs
        .into_iter()
        .map(|output| {
            let (value, sealed) = if output.sensitive {
                let plain = output.value.to_string();
                (None, Some(sealer.seal(op.entropy(), &place(id, &output.name), plain.as_bytes())?))
            } else {
                (Some(output.value), None)
            };
            Ok(StoredOutput { name: output.name, sensitive: output.sensitive, value, sealed })
        })
        .collect()
}

fn place(id: EnvironmentId, name: &str) -> String {
    format!("environment_output/{id}/{name}")
}
