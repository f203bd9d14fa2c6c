//! What pages, API and verbs share.

use std::sync::Arc;

use url::Url;

use super::Tasks;
use super::policies::Policies;
use crate::base::{Actor, Clock, Entropy, Op, Origin, Sealer};
use crate::db::Db;
use crate::environments::Workflows;
use crate::identity;
use crate::orchestrator::{Followers, Signals};
use crate::policy::PolicyEngine;
use crate::providers::Registry;
use crate::requests::{self, Requests, Sink};

/// What an [`App`] is made of.
pub struct Parts {
    /// The database, migrated.
    pub db: Db,
    /// The encryption keys.
    pub sealer: Sealer,
    /// Who may do what.
    pub policy: PolicyEngine,
    /// The providers of this process.
    pub providers: Registry,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Sessions and demo sign-in.
    pub identity: identity::Settings,
    /// The OpenID provider, if one is configured.
    pub oidc: Option<identity::Oidc>,
    /// The address that people type.
    pub public_url: Url,
    /// Approval time.
    pub request_settings: requests::Settings,
}

/// The shared state. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// See [`App`]: its parts, and what is made of them.
pub struct Inner {
    parts: Parts,
    /// Wake-up hints.
    pub signals: Signals,
    /// Readers of runs.
    pub followers: Followers,
    /// Requests.
    pub requests: Requests,
    /// Background tasks.
    pub tasks: Tasks,
    /// Which policies are in force here.
    pub(super) policies: Policies,
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl std::ops::Deref for Inner {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl App {
    /// Puts the parts together and starts the exchange of wake-up hints.
    pub fn new(parts: Parts) -> Self {
        let tasks = Tasks::default();
        let (signals, exchange) = Signals::new(parts.db.clone(), tasks.stopping());
        tasks.spawn(exchange);
        let (followers, looking) = Followers::new(parts.db.clone(), &signals, tasks.stopping());
        tasks.spawn(looking);
        let requests = Requests {
            db: parts.db.clone(),
            policy: parts.policy.clone(),
            sealer: parts.sealer.clone(),
            signals: signals.clone(),
            settings: parts.request_settings,
        };
        Self(Arc::new(Inner { parts, signals, followers, requests, tasks, policies: Policies::default() }))
    }

    /// A new piece of work.
    pub fn op(&self, actor: Actor, origin: Origin) -> Op {
        Op::new(actor, origin, Arc::clone(&self.clock), Arc::clone(&self.entropy))
    }

    /// Whether people reach us over TLS: cookies are `Secure` then.
    pub fn is_https(&self) -> bool {
        self.public_url.scheme() == "https"
    }

    /// The workflows of this process's providers.
    pub fn workflows(&self) -> Workflows {
        let sink = Sink {
            policy: self.policy.clone(),
            sealer: self.sealer.clone(),
            approval_time: self.requests.settings.approval_time,
        };
        Workflows {
            providers: self.providers.clone(),
            sealer: self.sealer.clone(),
            requests: Arc::new(sink),
            signals: self.signals.clone(),
            public_url: self.public_url.clone(),
        }
    }
}
