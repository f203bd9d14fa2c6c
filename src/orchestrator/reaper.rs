//! Runs of dead workers go back to the queue; those that used up their attempts end as faulted.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::execution::{run_entry, worker_op};
use super::store::{claim, steps};
use super::{Ending, Run, Workflow};
use crate::audit::{self, Outcome};
use crate::base::failpoint::reach_for;
use crate::base::{Clock, Entropy};
use crate::db::{Db, Result};

/// Looks once; returns how many runs it returned or ended.
pub async fn reap(
    db: &Db,
    workflows: &BTreeMap<String, Arc<dyn Workflow>>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<usize> {
    let mut tx = db.begin().await?;
    let expired = claim::lock_expired(&mut tx, 20).await?;
    let op = worker_op(clock, entropy);
    for run in &expired {
        let worker = run.worker.as_deref().unwrap_or("a worker");
        if run.attempt < run.max_attempts {
            claim::release(&mut tx, run.id, run.attempt, 0.0, None, None).await?;
            reach_for("reap.released", &run.label);
            let detail = json!({"attempt": run.attempt, "why": format!("{worker} stopped answering")});
            audit::append(&mut tx, &op, run_entry("run.requeued", run).outcome(Outcome::Failed).detail(detail)).await?;
            reach_for("reap.audited", &run.label);
        } else if let Some(workflow) = workflows.get(&run.kind) {
            fault(&mut tx, &op, run, &**workflow).await?;
        }
    }
    tx.commit().await?;
    expired.iter().for_each(|run| reach_for("reap.committed", &run.label));
    Ok(expired.len())
}

async fn fault(tx: &mut crate::db::Tx, op: &crate::base::Op, run: &Run, workflow: &dyn Workflow) -> Result<()> {
    let error = format!(
        "The worker stopped answering {} times in a row while it executed this run. It is not tried again by itself.",
        run.attempt
    );
    let ending = Ending::Faulted { error };
    claim::end(tx, run.id, run.attempt, &ending).await?;
    let checkpoints = steps::checkpoints(tx, run.id).await?;
    workflow.settle(tx, op, run, &ending, &checkpoints).await
}
