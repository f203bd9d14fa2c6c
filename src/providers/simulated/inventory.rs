//! Everything that a book says is there, of whatever environment.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;
use uuid::Uuid;

use super::config::Verb;
use super::ledger::{Call, Effect, Held, Ledger, Line};
use crate::base::{Clock as _, SystemClock};
use crate::providers::{Marked, ProviderError, Turn};

/// The type of every object.
pub const OBJECT: &str = "simulated_object";
/// How often, and how long, another process's call is waited for: 20 s.
const LOOKS: u32 = 4_000;
const PAUSE: Duration = Duration::from_millis(5);

async fn hold(book: &Ledger) -> Result<Held<'_>, ProviderError> {
    for _ in 0..LOOKS {
        if let Some(held) = book.try_hold()? {
            return Ok(held);
        }
        sleep(PAUSE).await;
    }
    Err(ProviderError::retryable("the simulated cloud's book is held by another process"))
}

/// Everything that is there.
pub async fn list(book: &Ledger) -> Result<Vec<Marked>, ProviderError> {
    hold(book).await?.write(|holdings| {
        let objects = holdings.objects.iter().map(|((environment, name), object)| Marked {
            r#type: OBJECT.to_owned(),
            id: object.id.clone(),
            address: Some(name.clone()),
            environment: Some(*environment),
            since: None,
            cost: None,
            is_resource: true,
        });
        (None, objects.collect())
    })
}

/// Removes one object, if it is there.
pub async fn remove(book: &Ledger, wanted: &Marked) -> Result<(), ProviderError> {
    hold(book).await?.write(|holdings| {
        let found = holdings
            .objects
            .iter()
            .find(|((environment, _), object)| Some(*environment) == wanted.environment && object.id == wanted.id);
        let Some(((environment, name), _)) = found else { return (None, ()) };
        // The call of nobody: whose turn it is stays as it was.
        let Turn(since, attempt) = holdings.newest.get(environment).copied().unwrap_or(Turn(0, 0));
        let call = Call {
            number: holdings.last + 1,
            at: SystemClock.now(),
            environment: *environment,
            run: Uuid::nil(),
            since: Timestamp::from_microsecond(since).unwrap_or_default(),
            attempt,
            generation: 0,
            verb: Verb::Delete,
            object: name.clone(),
            token: String::new(),
            fault: None,
            stale: false,
            effect: Some(Effect::Removed),
        };
        (Some(Line::Call(call)), ())
    })
}
