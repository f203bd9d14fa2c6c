//! What runs do to environments: provision (create, update) and tear down (delete).

mod job;
mod provision;
mod settle;
mod tear_down;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::Operation;
use crate::base::id::{RequestId, RunId};
use crate::base::{Op, Sealer};
use crate::db::{Result, Tx};
use crate::orchestrator::{Ending, Workflow};
use crate::providers::{Provider, Registry};

/// The operations that are runs.
pub const OPERATIONS: [Operation; 3] = [Operation::Create, Operation::Update, Operation::Delete];

/// The kind of run for an operation by a provider: `create.postgres`.
pub fn kind_of(operation: Operation, provider: &str) -> String {
    format!("{}.{provider}", operation.as_str())
}

/// Who is told, in the same transaction, how a request's run goes. Implemented by `requests`.
#[async_trait]
pub trait RequestSink: Send + Sync {
    /// A worker took the run.
    async fn started(&self, tx: &mut Tx, op: &Op, request: RequestId, run: RunId) -> Result<()>;
    /// The run ended.
    async fn ended(&self, tx: &mut Tx, op: &Op, request: RequestId, run: RunId, ending: &Ending) -> Result<()>;
}

/// Makes the workflows of every provider of this process.
pub struct Workflows {
    /// The providers.
    pub providers: Registry,
    /// Opens and seals secrets.
    pub sealer: Sealer,
    /// Who is told how requests go.
    pub requests: Arc<dyn RequestSink>,
}

impl Workflows {
    /// One workflow per operation and provider, by the kind of run.
    pub fn all(&self) -> BTreeMap<String, Arc<dyn Workflow>> {
        let mut all: BTreeMap<String, Arc<dyn Workflow>> = BTreeMap::new();
        for provider in self.providers.all() {
            for operation in OPERATIONS {
                all.insert(kind_of(operation, provider.name()), self.one(operation, Arc::clone(provider)));
            }
        }
        all
    }

    fn one(&self, operation: Operation, provider: Arc<dyn Provider>) -> Arc<dyn Workflow> {
        let shared = Shared { operation, provider, sealer: self.sealer.clone(), requests: Arc::clone(&self.requests) };
        match operation {
            Operation::Delete => Arc::new(tear_down::TearDown(shared)),
            Operation::Create | Operation::Update | Operation::Extend => Arc::new(provision::Provision(shared)),
        }
    }
}

/// What both workflows need.
struct Shared {
    operation: Operation,
    provider: Arc<dyn Provider>,
    sealer: Sealer,
    requests: Arc<dyn RequestSink>,
}
