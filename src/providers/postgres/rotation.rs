//! The password of the role, and its rotation: the action `rotate_password`.
//!
//! The password follows from the environment's seed and from the run that rotated it last. Which run
//! that was is kept before the server hears of it, so that an attempt that died in between is repeated
//! with the same password, and whatever comes later sets the one that is shown.

use serde::{Deserialize, Serialize};

use super::names;
use crate::base::failpoint::reach;
use crate::base::id::RunId;
use crate::providers::{Host, Job, ProviderError};

/// The name of the action in manifests.
pub const ROTATE: &str = "rotate_password";

/// What is kept of an environment.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// The run that rotated the password last.
    rotation: Option<RunId>,
}

/// The job with the seed of the password that counts now.
pub async fn current(job: &Job, host: &dyn Host) -> Result<Job, ProviderError> {
    let kept = match host.load_state().await? {
        None => Kept::default(),
        Some(bytes) => serde_json::from_slice(&bytes)
            .map_err(|_| ProviderError::failed("what was kept of this environment cannot be read"))?,
    };
    Ok(kept.rotation.map_or_else(|| job.clone(), |run| rotated(job, run)))
}

/// Keeps that this run rotates the password: the job with the seed of the new one.
pub async fn begin(job: &Job, host: &dyn Host) -> Result<Job, ProviderError> {
    let kept = Kept { rotation: Some(job.run) };
    reach("postgres.rotation");
    host.save_state(&serde_json::to_vec(&kept).map_err(ProviderError::internal)?).await?;
    reach("postgres.rotation_kept");
    Ok(rotated(job, job.run))
}

fn rotated(job: &Job, run: RunId) -> Job {
    Job { seed: names::rotated_seed(&job.seed, run), ..job.clone() }
}
