//! The standing proofs of versions, on threads for blocking work: the more rules, the longer they take.

use super::App;
use super::policies::engine_of;
use crate::policy::versions::{self, VersionError, VersionText};
use crate::policy::{Grants, Problem, Proof};

impl App {
    /// What must hold under every version, asked of this one, whose text must be valid.
    pub async fn proofs_of(&self, number: i32) -> Result<Vec<Proof>, VersionError> {
        let version = self.policy_version(number).await?;
        let text = versions::text_of(&mut *self.db.acquire().await?, version.id).await?;
        let now = self.policy.now();
        on_a_thread(move || {
            // The set in force keeps what was proved of it.
            let engine = if now.digest() == version.digest { Ok(now) } else { engine_of(&version, &text) };
            Ok(engine.map_err(|error| VersionError::Invalid(versions::problems_of(error)))?.proofs())
        })
        .await
    }

    /// What a version, whose text must be valid, lets people do that the one in force does not. None: it is that one.
    pub async fn grants_of(&self, number: i32) -> Result<Option<Grants>, VersionError> {
        let version = self.policy_version(number).await?;
        let text = versions::text_of(&mut *self.db.acquire().await?, version.id).await?;
        let now = self.policy.now();
        if now.digest() == version.digest {
            return Ok(None);
        }
        on_a_thread(move || {
            let engine = engine_of(&version, &text);
            let engine = engine.map_err(|error| VersionError::Invalid(versions::problems_of(error)))?;
            Ok(Some(engine.grants_beyond(&now)))
        })
        .await
    }

    /// What keeps a text from being proposed and published.
    pub async fn check_policies(&self, text: VersionText) -> Result<Vec<Problem>, VersionError> {
        on_a_thread(move || Ok(versions::proved(&text).err().unwrap_or_default())).await
    }

    /// The text of a version, which is valid and for which every proof holds.
    pub(super) async fn proved(&self, number: i32) -> Result<VersionText, VersionError> {
        let version = self.policy_version(number).await?;
        let text = versions::text_of(&mut *self.db.acquire().await?, version.id).await?;
        let problems = self.check_policies(text.clone()).await?;
        if problems.is_empty() { Ok(text) } else { Err(VersionError::Invalid(problems)) }
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VersionError> + Send + 'static,
) -> Result<T, VersionError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| VersionError::Stopping)?
}
