//! What a provider may ask of us while it works on an environment.

use async_trait::async_trait;

use super::service::state_place;
use super::store::contents;
use crate::base::Sealer;
use crate::base::failpoint::reach;
use crate::base::id::EnvironmentId;
use crate::orchestrator::{StepContext, StepError};
use crate::providers::{Host, ProviderError, Stream};

/// The host of one step.
pub struct StepHost<'a> {
    pub context: &'a StepContext,
    pub sealer: &'a Sealer,
    pub environment: EnvironmentId,
}

#[async_trait]
impl Host for StepHost<'_> {
    async fn log(&self, stream: Stream, line: &str) -> Result<(), ProviderError> {
        self.context.log(stream, line).await.map_err(|_| ProviderError::LeaseLost)
    }

    async fn load_state(&self) -> Result<Option<Vec<u8>>, ProviderError> {
        let mut connection = self.context.db().acquire().await.map_err(ProviderError::internal)?;
        let sealed = contents::sealed(&mut connection, self.environment).await.map_err(ProviderError::internal)?;
        let Some(blob) = sealed.provider_state else { return Ok(None) };
        self.sealer.open(&state_place(self.environment), &blob).map(Some).map_err(ProviderError::internal)
    }

    async fn save_state(&self, state: &[u8]) -> Result<(), ProviderError> {
        let blob = self
            .sealer
            .seal(self.context.op.entropy(), &state_place(self.environment), state)
            .map_err(ProviderError::internal)?;
        reach("state.sealed");
        let mut tx = self.context.db().begin().await.map_err(ProviderError::internal)?;
        self.context.fence(&mut tx).await.map_err(|error| match error {
            StepError::Interrupted => ProviderError::LeaseLost,
            other => ProviderError::internal(other),
        })?;
        contents::set_provider_state(&mut tx, self.environment, Some(&blob)).await.map_err(ProviderError::internal)?;
        reach("state.written");
        tx.commit().await.map_err(ProviderError::internal)?;
        reach("state.saved");
        Ok(())
    }
}
