//! Looks at what a provider said that it did: nothing is ready, or gone, by its word alone.
//!
//! After an apply Terraform refreshes, and what it finds missing was never made, or cannot be seen yet.
//! After a destroy it refreshes the state from before: what it still finds is not gone. Either may be the
//! cloud's delay, so it looks again for a while. Resources that Terraform itself provides need no look.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::backend::keep;
use super::cli::Cli;
use super::state::State;
use crate::providers::{Host, Job, NewState, ProviderError, Resource, StateOrigin, Stream};

/// The pause after the first look; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Fails when something is not there that was made.
pub async fn after_apply(
    cli: &mut Cli<'_>,
    job: &Job,
    host: &dyn Host,
    patience: Duration,
) -> Result<(), ProviderError> {
    let Some(state) = cli.state()?.filter(State::has_foreign) else { return Ok(()) };
    let known = state.resources();
    let missing = again(cli, job, None, patience, |gone| only(&known, |resource| gone.contains(&resource.address)));
    let missing = missing.await?;
    if missing.is_empty() {
        return host.log(Stream::Paddock, "Read back: what was made is there").await;
    }
    Err(ProviderError::failed(format!(
        "The provider said that it made {}, and it is not there when it is read back. A retry makes it again",
        names(&missing)
    )))
}

/// Fails when something is still there that was destroyed; then the state knows it again.
pub async fn after_destroy(
    cli: &mut Cli<'_>,
    job: &Job,
    host: &dyn Host,
    before: &[u8],
    patience: Duration,
) -> Result<(), ProviderError> {
    let Some(state) = State::parse(before).filter(State::has_foreign) else { return Ok(()) };
    let known = state.foreign();
    let left = again(cli, job, Some(before), patience, |gone| only(&known, |r| !gone.contains(&r.address))).await;
    let left = match left {
        Ok(left) => left,
        // A provider may have been set up with what is gone now.
        Err(ProviderError::Failed { message }) => {
            return host.log(Stream::Paddock, &format!("What was destroyed cannot be read back: {message}")).await;
        }
        Err(error) => return Err(error),
    };
    if left.is_empty() {
        return host.log(Stream::Paddock, "Read back: what was destroyed is gone").await;
    }
    restore(cli, job, host, before).await?;
    Err(ProviderError::failed(format!(
        "The provider said that it destroyed {}, and it is still there when it is read back. Delete again",
        names(&left)
    )))
}

/// Looks until nothing is wrong any more, or patience is over: what is wrong then.
async fn again(
    cli: &mut Cli<'_>,
    job: &Job,
    pinned: Option<&[u8]>,
    patience: Duration,
    wrong: impl Fn(&[String]) -> Vec<Resource>,
) -> Result<Vec<Resource>, ProviderError> {
    let until = Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    loop {
        let found = wrong(&cli.gone(pinned).await?);
        if found.is_empty() || Instant::now() + pause > until {
            return Ok(found);
        }
        tokio::select! {
            () = job.cancel.cancelled() => return Err(ProviderError::Canceled),
            () = sleep(pause) => {}
        }
        pause *= 2;
    }
}

/// Keeps the state from before once more, as the continuation of the empty one.
async fn restore(cli: &mut Cli<'_>, job: &Job, host: &dyn Host, before: &[u8]) -> Result<(), ProviderError> {
    let serial = cli.state()?.map_or(0, |state| state.place().1) + 1;
    let mut value: Value = serde_json::from_slice(before).map_err(ProviderError::internal)?;
    if let Some(state) = value.as_object_mut() {
        state.insert("serial".to_owned(), json!(serial));
    }
    let bytes = value.to_string().into_bytes();
    let Some(state) = State::parse(&bytes) else { return Ok(()) };
    let state = NewState { origin: StateOrigin::Rescued, lineage: state.place().0, serial, bytes: &bytes, lock: "" };
    keep(host, job, "restore", state).await
}

fn only(all: &[Resource], wanted: impl Fn(&Resource) -> bool) -> Vec<Resource> {
    all.iter().filter(|resource| wanted(resource)).cloned().collect()
}

fn names(resources: &[Resource]) -> String {
    resources.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
