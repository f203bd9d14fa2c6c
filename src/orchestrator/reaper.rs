//! Runs of dead workers go back to the queue; those that used up their attempts end as faulted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::execution::{backoff, run_entry, worker_op};
use super::store::claim::{self, End};
use super::store::steps;
use super::{Ending, Run, StepStatus, Workflow};
use crate::audit::{self, Outcome};
use crate::base::failpoint::reach_for;
use crate::base::{Clock, Entropy, Op};
use crate::db::{Db, Result, Tx};

/// How many at one look.
const MOST: usize = 20;

/// Looks once; returns how many runs it returned or ended. Each has a transaction of its own: a
/// run that cannot be settled does not hold up the others.
pub async fn reap(
    db: &Db,
    workflows: &BTreeMap<String, Arc<dyn Workflow>>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<usize> {
    let mut count = 0;
    let kinds: Vec<String> = workflows.keys().cloned().collect();
    while count < MOST && reap_one(db, &kinds, workflows, &worker_op(clock, entropy)).await? {
        count += 1;
    }
    Ok(count)
}

async fn reap_one(db: &Db, kinds: &[String], workflows: &BTreeMap<String, Arc<dyn Workflow>>, op: &Op) -> Result<bool> {
    let mut tx = db.begin().await?;
    let Some(run) = claim::lock_expired(&mut tx, kinds).await? else { return Ok(false) };
    let worker = run.worker.as_deref().unwrap_or("a worker");
    match workflows.get(&run.kind) {
        Some(workflow) if run.attempt >= run.max_attempts => fault(&mut tx, op, &run, &**workflow).await?,
        _ => {
            // The first time at once; a run that kills its workers comes back later and later.
            let delay = if run.attempt > 1 { backoff(run.attempt - 1, op.entropy()) } else { Duration::ZERO };
            claim::release(&mut tx, run.id, run.attempt, delay.as_secs_f64(), None, None, true).await?;
            reach_for("reap.released", &run.label);
            let why = format!("{worker} stopped answering");
            let detail = json!({"attempt": run.attempt, "why": why, "delay_seconds": delay.as_secs()});
            audit::append(&mut tx, op, run_entry("run.requeued", &run).outcome(Outcome::Failed).detail(detail)).await?;
            reach_for("reap.audited", &run.label);
        }
    }
    tx.commit().await?;
    reach_for("reap.committed", &run.label);
    Ok(true)
}

async fn fault(tx: &mut Tx, op: &Op, run: &Run, workflow: &dyn Workflow) -> Result<()> {
    let error = format!(
        "The worker stopped answering {} times while it executed this run. It is not tried again by itself.",
        run.attempt
    );
    let step = steps::list(tx, run.id).await?.into_iter().find(|step| step.status == StepStatus::Running);
    let ending = Ending::Faulted { error };
    claim::end(tx, &[&End::of(run, ending.clone(), step.map(|step| step.name))]).await?;
    let checkpoints = steps::checkpoints(tx, run.id).await?;
    let told = workflow.settle(tx, op, run, &ending, &checkpoints).await?;
    audit::append_all(tx, op, told).await
}
