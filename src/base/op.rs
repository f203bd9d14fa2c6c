//! The context of one piece of work: who acts, under which operation id, from where, and when.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;

use super::id::{OperationId, PersonId, TokenId};
use super::{Clock, Entropy};

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// A signed-in person, perhaps through an API token.
    Person {
        /// The person.
        id: PersonId,
        /// The person's login name.
        login: String,
        /// The API token used, if the request came with one.
        token: Option<TokenId>,
    },
    /// Paddock itself: reconcilers and workers.
    System {
        /// Which part, for example `worker` or `reconciler.expiry`.
        part: &'static str,
    },
    /// Somebody at the server's terminal.
    Operator,
    /// Nobody is signed in.
    Anonymous,
}

impl Actor {
    /// The person who acts, if it is one.
    pub fn person(&self) -> Option<PersonId> {
        match self {
            Self::Person { id, .. } => Some(*id),
            Self::System { .. } | Self::Operator | Self::Anonymous => None,
        }
    }

    /// The kind, as the audit log stores it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Person { .. } => "person",
            Self::System { .. } => "system",
            Self::Operator => "operator",
            Self::Anonymous => "anonymous",
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person { login, .. } => f.write_str(login),
            Self::System { part } => write!(f, "paddock {part}"),
            Self::Operator => f.write_str("operator"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}

/// Where a piece of work came from, as the audit log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// `web`, `api`, `cli`, `worker` or `reconciler`.
    pub channel: &'static str,
    /// The peer's address, if there is one.
    pub address: Option<String>,
}

impl Origin {
    /// An origin without an address.
    pub fn internal(channel: &'static str) -> Self {
        Self { channel, address: None }
    }
}

/// The context of one HTTP request, run step or command.
#[derive(Clone, Debug)]
pub struct Op {
    /// Who acts.
    pub actor: Actor,
    /// Ties log lines, audit records and error pages together.
    pub id: OperationId,
    /// Where it came from.
    pub origin: Origin,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Op {
    /// A new piece of work with an id of its own.
    pub fn new(actor: Actor, origin: Origin, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let id = OperationId::new(&*clock, &*entropy);
        Self { actor, id, origin, clock, entropy }
    }

    /// The same piece of work, once it is known who acts.
    #[must_use]
    pub fn with_actor(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }

    /// The current instant. Decisions about leases and expiry use database time instead.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The injected clock.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The injected randomness.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// The injected clock and randomness, shared.
    pub fn sources(&self) -> (Arc<dyn Clock>, Arc<dyn Entropy>) {
        (Arc::clone(&self.clock), Arc::clone(&self.entropy))
    }
}
