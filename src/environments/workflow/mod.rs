//! What runs do to environments: plan only, provision (create, update) and tear down (delete).

mod act;
mod discard;
mod drift;
mod job;
mod orphan;
mod plan;
mod plan_only;
mod provision;
mod settle;
mod tear_down;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};
use url::Url;

use super::{Change, Operation};
use crate::audit::Entry;
use crate::base::id::{RequestId, RunId};
use crate::base::{Digest, Op, Sealer};
use crate::db::{Connection, Result, Tx};
use crate::orchestrator::{Ending, Signals, Workflow};
use crate::providers::{Plan, Provider, Registry};

/// The operations that are runs.
pub const OPERATIONS: [Operation; 8] = [
    Operation::Create,
    Operation::Update,
    Operation::Start,
    Operation::Stop,
    Operation::Hibernate,
    Operation::Restart,
    Operation::Act,
    Operation::Delete,
];

/// The kind of run for an operation by a provider: `create.postgres`.
pub fn kind_of(operation: Operation, provider: &str) -> String {
    format!("{}.{provider}", operation.as_str())
}

/// The kind of run that only plans: `plan.postgres`. It writes nothing to the target.
pub fn plan_kind_of(provider: &str) -> String {
    format!("plan.{provider}")
}

/// The kind of run that looks for drift: `drift.postgres`. It writes nothing at all.
pub fn drift_kind_of(provider: &str) -> String {
    format!("drift.{provider}")
}

/// The kind of run that removes what the plan of a create left that was never made: `discard.cloudformation`.
pub fn discard_kind_of(provider: &str) -> String {
    format!("discard.{provider}")
}

/// The kind of run that removes what nobody owns: `destroy-orphan.postgres`.
pub fn orphan_kind_of(provider: &str) -> String {
    format!("destroy-orphan.{provider}")
}

/// What a request wishes for its environment: what a plan is made for before anything is changed.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The operation.
    pub operation: Operation,
    /// Version, inputs and target that the environment would have; those that it has for a delete.
    pub change: Option<Change>,
}

/// An action that was asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its name in the manifest.
    pub action: String,
    /// Its inputs, without the secret ones.
    pub inputs: Map<String, Value>,
    /// The secret ones.
    pub secret_inputs: Map<String, Value>,
}

/// What a run is about to carry out; a guard compares it with what was approved.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The digest of all that the provider is given: operation, template, inputs, place.
    pub digest: Digest,
    /// The plan.
    pub plan: &'a Plan,
}

/// How a plan run ended.
#[derive(Debug, Clone, Copy)]
pub enum Planned<'a> {
    /// With a plan.
    Made(Work<'a>),
    /// Without one: the first real error, in words.
    Not(&'a str),
}

/// Who is told, in the same transaction, how a request's run goes. Implemented by `requests`.
#[async_trait]
pub trait RequestSink: Send + Sync {
    /// A worker took the run.
    async fn started(&self, tx: &mut Tx, op: &Op, request: RequestId, run: RunId) -> Result<()>;
    /// The run ended. Returns what the audit log is told of the request.
    async fn ended(
        &self,
        tx: &mut Tx,
        op: &Op,
        request: RequestId,
        run: RunId,
        ending: &Ending,
    ) -> Result<Option<Entry>>;
    /// What the request wishes while it waits for approval. `None`: it does not wait any more.
    async fn wish(&self, connection: &mut Connection, request: RequestId) -> Result<Option<Wish>>;
    /// A plan run for the request ended.
    async fn planned(&self, tx: &mut Tx, op: &Op, request: RequestId, run: RunId, planned: Planned<'_>) -> Result<()>;
    /// Which action the request asks for, with its inputs; none for the other operations.
    async fn asked(&self, connection: &mut Connection, request: RequestId) -> Result<Option<Asked>>;
    /// The plan that was approved for the request, if it needed an approval of one.
    async fn approved_plan(&self, connection: &mut Connection, request: RequestId) -> Result<Option<Plan>>;
    /// Whether this may be carried out for the request now; why not, in words.
    async fn guard(
        &self,
        connection: &mut Connection,
        request: RequestId,
        work: Work<'_>,
    ) -> Result<std::result::Result<(), String>>;
}

/// Makes the workflows of every provider of this process.
pub struct Workflows {
    /// The providers.
    pub providers: Registry,
    /// Opens and seals secrets.
    pub sealer: Sealer,
    /// Who is told how requests go.
    pub requests: Arc<dyn RequestSink>,
    /// Wake-up hints.
    pub signals: Signals,
    /// The address at which others reach us, for call-backs.
    pub public_url: Url,
}

impl Workflows {
    /// One workflow per operation and provider, by the kind of run.
    pub fn all(&self) -> BTreeMap<String, Arc<dyn Workflow>> {
        let mut all: BTreeMap<String, Arc<dyn Workflow>> = BTreeMap::new();
        for provider in self.providers.all() {
            for operation in OPERATIONS {
                all.insert(kind_of(operation, provider.name()), self.one(operation, Arc::clone(provider)));
            }
            let planner = plan_only::PlanOnly(self.shared(Operation::Create, Arc::clone(provider)));
            all.insert(plan_kind_of(provider.name()), Arc::new(planner));
            let checker = drift::CheckDrift(self.shared(Operation::Update, Arc::clone(provider)));
            all.insert(drift_kind_of(provider.name()), Arc::new(checker));
            let discarder = discard::DiscardPlan(self.shared(Operation::Delete, Arc::clone(provider)));
            all.insert(discard_kind_of(provider.name()), Arc::new(discarder));
            let destroyer = orphan::DestroyOrphan(self.shared(Operation::Delete, Arc::clone(provider)));
            all.insert(orphan_kind_of(provider.name()), Arc::new(destroyer));
        }
        all
    }

    fn one(&self, operation: Operation, provider: Arc<dyn Provider>) -> Arc<dyn Workflow> {
        let shared = self.shared(operation, provider);
        match operation {
            Operation::Delete => Arc::new(tear_down::TearDown(shared)),
            Operation::Start | Operation::Stop | Operation::Hibernate | Operation::Restart | Operation::Act => {
                Arc::new(act::Act(shared))
            }
            Operation::Create | Operation::Update | Operation::Extend => Arc::new(provision::Provision(shared)),
        }
    }
}

impl Workflows {
    fn shared(&self, operation: Operation, provider: Arc<dyn Provider>) -> Shared {
        Shared {
            operation,
            provider,
            sealer: self.sealer.clone(),
            requests: Arc::clone(&self.requests),
            signals: self.signals.clone(),
            public_url: self.public_url.clone(),
        }
    }
}

/// What all workflows need.
struct Shared {
    operation: Operation,
    provider: Arc<dyn Provider>,
    sealer: Sealer,
    requests: Arc<dyn RequestSink>,
    signals: Signals,
    public_url: Url,
}
