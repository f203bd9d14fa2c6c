//! Delete: prepare → plan → guard → destroy → verify that it is gone, then the environment is deleted.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::Shared;
use crate::audit::Entry;
use crate::base::Op;
use crate::db::Tx;
use crate::orchestrator::{Ending, Run, StepContext, StepError, Workflow};

/// The workflow of delete.
pub struct TearDown(pub Shared);

#[async_trait]
impl Workflow for TearDown {
    fn steps(&self) -> &'static [&'static str] {
        &["prepare", "plan", "guard", "destroy", "verify gone"]
    }

    async fn started(&self, tx: &mut Tx, op: &Op, run: &Run) -> crate::db::Result<()> {
        self.0.started(tx, op, run).await
    }

    async fn step(&self, context: &StepContext, name: &str) -> Result<Vec<u8>, StepError> {
        match name {
            "prepare" => self.0.prepare(context).await,
            "plan" => self.0.plan(context).await,
            "guard" => self.0.guard(context).await,
            "destroy" => self.0.destroy(context).await,
            _ => self.0.verify_gone(context).await,
        }
    }

    async fn settle(
        &self,
        tx: &mut Tx,
        op: &Op,
        run: &Run,
        ending: &Ending,
        _: &BTreeMap<String, Vec<u8>>,
    ) -> crate::db::Result<Vec<Entry>> {
        self.0.settle_tear_down(tx, op, run, ending).await
    }
}
