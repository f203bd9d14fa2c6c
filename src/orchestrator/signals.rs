//! Wake-up hints: "there is work", "this run has news". Never the truth, always coalesced.
//!
//! `NOTIFY` takes a database-wide lock at commit, so it is sent by one task per process, outside
//! the transactions that it tells of, at most every [`PAUSE`] (`reference` measurements: minus
//! half the throughput when it is inside). Whoever waits also polls.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::store;
use crate::base::id::RunId;
use crate::db::{Db, in_time};

const CHANNEL: &str = "paddock";
const PAUSE: Duration = Duration::from_millis(10);
/// Postgres takes payloads of less than 8000 bytes.
const LONGEST: usize = 7900;

/// A hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A run was queued.
    Queue,
    /// Other policies are in force.
    Policies,
    /// A run has new steps, lines or a new state.
    Run(RunId),
}

impl Event {
    fn encode(self) -> String {
        match self {
            Self::Queue => "queue".to_owned(),
            Self::Policies => "policies".to_owned(),
            Self::Run(id) => id.to_string(),
        }
    }

    fn decode(text: &str) -> Option<Self> {
        match text {
            "queue" => Some(Self::Queue),
            "policies" => Some(Self::Policies),
            id => id.parse().ok().map(Self::Run),
        }
    }

    /// As few payloads as there may be, each of several hints: a notification costs every listener.
    fn pack(events: impl IntoIterator<Item = Self>) -> Vec<String> {
        let mut payloads: Vec<String> = Vec::new();
        for event in events {
            let word = event.encode();
            match payloads.last_mut().filter(|last| last.len() + word.len() < LONGEST) {
                Some(last) => {
                    last.push(',');
                    last.push_str(&word);
                }
                None => payloads.push(word),
            }
        }
        payloads
    }

    fn unpack(payload: &str) -> impl Iterator<Item = Self> {
        payload.split(',').filter_map(Self::decode)
    }
}

/// Sends and receives hints. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Signals {
    local: broadcast::Sender<Event>,
    outgoing: mpsc::UnboundedSender<Event>,
}

impl Signals {
    /// Hints of this process, and the task that exchanges them with the other processes.
    pub fn new(db: Db, stop: CancellationToken) -> (Self, impl Future<Output = ()> + Send) {
        let (local, _) = broadcast::channel(1024);
        let (outgoing, incoming) = mpsc::unbounded_channel();
        let signals = Self { local: local.clone(), outgoing };
        (signals, exchange(db, local, incoming, stop))
    }

    /// Gives a hint to this process at once and to the others soon. Call it after the commit.
    pub fn send(&self, event: Event) {
        // Nobody listening is fine: it is a hint.
        let _ = self.local.send(event);
        let _ = self.outgoing.send(event);
    }

    /// Hints from now on. A receiver that lags has missed some: poll.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.local.subscribe()
    }
}

async fn exchange(
    db: Db,
    local: broadcast::Sender<Event>,
    incoming: mpsc::UnboundedReceiver<Event>,
    stop: CancellationToken,
) {
    tokio::join!(send_out(db.clone(), incoming, stop.clone()), listen(db, local, stop));
}

async fn send_out(db: Db, mut incoming: mpsc::UnboundedReceiver<Event>, stop: CancellationToken) {
    loop {
        let first = tokio::select! {
            () = stop.cancelled() => return,
            event = incoming.recv() => event,
        };
        let Some(first) = first else { return };
        let mut batch = BTreeSet::from([first]);
        while let Ok(event) = incoming.try_recv() {
            batch.insert(event);
        }
        let payloads = Event::pack(batch);
        if let Err(error) = in_time(notify(&db, &payloads)).await {
            tracing::debug!(%error, "a wake-up hint was not sent; polling will find the work");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn notify(db: &Db, payloads: &[String]) -> crate::db::Result<()> {
    store::notify(&mut *db.acquire().await?, CHANNEL, payloads).await
}

async fn listen(db: Db, local: broadcast::Sender<Event>, stop: CancellationToken) {
    loop {
        let mut listener = tokio::select! {
            () = stop.cancelled() => return,
            connected = connect(&db) => match connected {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::debug!(%error, "cannot listen for wake-up hints at the moment");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(Duration::from_secs(1)) => continue,
                    }
                }
            },
        };
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                received = listener.try_recv() => match received {
                    Ok(Some(notification)) => {
                        for event in Event::unpack(notification.payload()) {
                            let _ = local.send(event);
                        }
                    }
                    // The connection was lost: hints in the gap are gone, so everybody looks.
                    Ok(None) => {
                        let _ = local.send(Event::Queue);
                        let _ = local.send(Event::Policies);
                    }
                    Err(_) => break,
                },
            }
        }
    }
}

async fn connect(db: &Db) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(db.pool()).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_travel_together() {
        let events: Vec<Event> = std::iter::once(Event::Queue)
            .chain((0..1000).map(|n| Event::Run(RunId(uuid::Uuid::from_u128(n)))))
            .collect();
        let payloads = Event::pack(events.clone());
        assert!(payloads.len() < 10 && payloads.iter().all(|payload| payload.len() < 8000));
        let back: Vec<Event> = payloads.iter().flat_map(|payload| Event::unpack(payload)).collect();
        assert_eq!(back, events);
        assert_eq!(Event::unpack("queue,nonsense").collect::<Vec<_>>(), [Event::Queue]);
    }
}
