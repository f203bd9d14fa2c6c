//! The plan of a run: made once, kept sealed as its step's checkpoint, handed to apply as it is.

use sqlx::PgConnection;

use super::Error;
use crate::base::id::RunId;
use crate::base::{Op, Sealer};
use crate::orchestrator;
use crate::providers::Plan;

/// The name of the step that makes it.
pub const STEP: &str = "plan";

/// The plan of a run, once it is made. Its artifact is not for people.
pub async fn planned(connection: &mut PgConnection, sealer: &Sealer, run: RunId) -> Result<Option<Plan>, Error> {
    match orchestrator::checkpoint(connection, run, STEP).await? {
        Some(blob) => open(sealer, run, &blob).map(Some),
        None => Ok(None),
    }
}

pub fn seal(op: &Op, sealer: &Sealer, run: RunId, plan: &Plan) -> Result<Vec<u8>, Error> {
    let plain = serde_json::to_vec(plan).map_err(|_| crate::db::Error::Corrupt("plan checkpoint"))?;
    Ok(sealer.seal(op.entropy(), &place(run), &plain)?)
}

pub fn open(sealer: &Sealer, run: RunId, blob: &[u8]) -> Result<Plan, Error> {
    // The first builds kept plans as plain JSON; their runs are still shown.
    let plain = if blob.starts_with(b"{") { blob.to_vec() } else { sealer.open(&place(run), blob)? };
    serde_json::from_slice(&plain).map_err(|_| Error::Db(crate::db::Error::Corrupt("plan checkpoint")))
}

fn place(run: RunId) -> String {
    format!("run_step/{run}/{STEP}")
}
