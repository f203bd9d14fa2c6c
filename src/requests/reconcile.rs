//! Reconcilers: no input, idempotent, level-triggered. They look at what is and do what is due.

use serde_json::json;

use super::store::{requests, reviews};
use super::{Caller, Draft, Error, Intent, RequestStatus, Requests, carry_out, review};
use crate::audit;
use crate::base::Op;
use crate::environments::{self, Due, Expiring, Operation};
use crate::orchestrator::Event;

/// How much one look does at most; the next look does the rest.
const BATCH: i64 = 50;

/// The part of Paddock that stops and starts environments.
pub const SCHEDULE: &str = "reconciler.schedule";

/// The part of Paddock that ends environments.
pub const EXPIRY: &str = "reconciler.expiry";

impl Requests {
    /// Asks for the deletion of environments whose end has come. Returns how many.
    pub async fn delete_expired(&self, op: &Op) -> Result<usize, Error> {
        let expired = environments::expired(&mut *self.db.acquire().await?, BATCH).await?;
        let mut asked = 0;
        for environment in &expired {
            match self.delete_one(op, environment).await {
                Ok(()) => asked += 1,
                // Somebody works on it: the next look decides anew.
                Err(Error::Busy(_) | Error::Environments(environments::Error::WrongState(..))) => {}
                Err(error) => tracing::warn!(environment.id = %environment.id, %error, "not deleted at its end"),
            }
        }
        Ok(asked)
    }

    async fn delete_one(&self, op: &Op, environment: &Expiring) -> Result<(), Error> {
        // An update or extension that still waits does not keep it alive.
        let mut tx = self.db.begin().await?;
        for request in requests::waiting_for(&mut tx, environment.id).await? {
            carry_out::finish(&mut tx, op, &request, request.status, RequestStatus::Lapsed, None).await?;
        }
        tx.commit().await?;
        let draft = Draft {
            exception: false,
            intent: Intent::Delete { environment: environment.id },
            reason: "Its lifetime has ended.".to_owned(),
        };
        self.submit(op, Caller::System(EXPIRY), &draft, None).await?;
        Ok(())
    }

    /// Asks for the stops and starts that are due. Returns how many.
    pub async fn keep_schedules(&self, op: &Op) -> Result<usize, Error> {
        let due = environments::due(&mut *self.db.acquire().await?, BATCH).await?;
        let mut asked = 0;
        for (id, due) in due {
            let (power, reason) = match due {
                Due::Stop => (Operation::Stop, "It is time to stop."),
                Due::Start => (Operation::Start, "It is time to start."),
            };
            let draft =
                Draft { intent: Intent::Power { environment: id, power }, reason: reason.to_owned(), exception: false };
            match self.submit(op, Caller::System(SCHEDULE), &draft, None).await {
                Ok(_) => asked += 1,
                // Somebody works on it, or wants to: the next look decides anew.
                Err(Error::Busy(_) | Error::Environments(environments::Error::WrongState(..))) => continue,
                // Its template cannot do that any more.
                Err(Error::Invalid(_)) => {}
                Err(error) => {
                    tracing::warn!(environment.id = %id, %error, "not done at its time");
                    continue;
                }
            }
            // Also when it was denied: what is refused once is not asked for every few seconds.
            let mut tx = self.db.begin().await?;
            environments::advance(&mut tx, id, due).await?;
            tx.commit().await?;
        }
        Ok(asked)
    }

    /// Warns about stops that are near. Returns how many.
    pub async fn warn_stops(&self, op: &Op) -> Result<usize, Error> {
        let mut tx = self.db.begin().await?;
        let warned = environments::warn_stops(&mut tx, op, BATCH).await?;
        tx.commit().await?;
        Ok(warned)
    }

    /// Ends requests whose turn did not come, or that nobody approved, in time. Returns how many.
    pub async fn lapse(&self, op: &Op) -> Result<usize, Error> {
        let mut tx = self.db.begin().await?;
        let lapsed = requests::lock_lapsed(&mut tx, BATCH).await?;
        for request in &lapsed {
            carry_out::finish(&mut tx, op, request, request.status, RequestStatus::Lapsed, None).await?;
            review::discard(&mut tx, op, request).await?;
        }
        tx.commit().await?;
        if !lapsed.is_empty() {
            // What they held is free for who waits in line.
            self.signals.send(Event::Queue);
        }
        Ok(lapsed.len())
    }

    /// Asks others as well where nobody has agreed in time, as the rules say. Returns for how many requests.
    pub async fn escalate(&self, op: &Op) -> Result<usize, Error> {
        let mut tx = self.db.begin().await?;
        let due = reviews::lock_escalating(&mut tx, BATCH).await?;
        for id in &due {
            let request = requests::find(&mut tx, *id).await?.ok_or(Error::NotFound)?;
            let groups = reviews::escalate(&mut tx, *id).await?;
            let asked: Vec<String> = groups.iter().map(|group| group.in_words(1, &request.project_slug)).collect();
            let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
            let detail = json!({"groups": groups, "asked": asked});
            let entry = carry_out::about(&request, "request.escalated").detail(detail);
            audit::append(&mut tx, op, entry).await?;
        }
        tx.commit().await?;
        Ok(due.len())
    }

    /// Warns about environments that end soon. Returns how many.
    pub async fn warn_expiring(&self, op: &Op) -> Result<usize, Error> {
        let mut tx = self.db.begin().await?;
        let warned = environments::warn_expiring(&mut tx, op, BATCH).await?;
        tx.commit().await?;
        Ok(warned)
    }
}
