//! Create and update: prepare → plan → guard → apply → collect, then the environment is ready.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Shared;
use super::job::step_error;
use crate::audit::Entry;
use crate::base::Op;
use crate::base::failpoint::reach;
use crate::base::text::{NUL_REFUSED, nul_places};
use crate::db::Tx;
use crate::orchestrator::{Ending, Run, StepContext, StepError, Workflow};
use crate::providers::{Output, Resource, Stream};

/// The workflow of create and update.
pub struct Provision(pub Shared);

/// What `collect` hands to the last transaction; sealed while it is a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub struct Collected {
    pub outputs: Vec<(String, bool, Value)>,
    pub resources: Vec<Resource>,
}

#[async_trait]
impl Workflow for Provision {
    fn steps(&self) -> &'static [&'static str] {
        &["prepare", "plan", "guard", "apply", "collect"]
    }

    async fn started(&self, tx: &mut Tx, op: &Op, run: &Run) -> crate::db::Result<()> {
        self.0.started(tx, op, run).await
    }

    async fn step(&self, context: &StepContext, name: &str) -> Result<Vec<u8>, StepError> {
        match name {
            "prepare" => self.0.prepare(context).await,
            "plan" => self.0.plan(context).await,
            "guard" => self.0.guard(context).await,
            "apply" => self.apply(context).await,
            _ => self.0.collect(context).await,
        }
    }

    async fn settle(
        &self,
        tx: &mut Tx,
        op: &Op,
        run: &Run,
        ending: &Ending,
        checkpoints: &BTreeMap<String, Vec<u8>>,
    ) -> crate::db::Result<Vec<Entry>> {
        self.0.settle_provision(tx, op, run, ending, checkpoints).await
    }
}

impl Provision {
    async fn apply(&self, context: &StepContext) -> Result<Vec<u8>, StepError> {
        let job = self.0.job(context).await?;
        self.0.look_first(context, &job).await?;
        reach("provider.call");
        let outcome = self.0.provider.apply(&job, &self.0.host(context)).await;
        Shared::effect(outcome)
    }
}

impl Shared {
    /// Reads back what there is now, for the last transaction.
    pub async fn collect(&self, context: &StepContext) -> Result<Vec<u8>, StepError> {
        let job = self.job(context).await?;
        reach("provider.call");
        let (outputs, resources) = self.provider.collect(&job, &self.host(context)).await.map_err(step_error)?;
        reach("provider.answered");
        let line = format!("{} outputs, {} resources", outputs.len(), resources.len());
        context.log(Stream::Paddock, &line).await?;
        if let Some(what) = not_storable(&outputs, &resources) {
            return Err(StepError::Failed(format!("The {what} {NUL_REFUSED}.")));
        }
        let outputs = outputs.into_iter().map(|Output { name, sensitive, value }| (name, sensitive, value)).collect();
        self.seal_checkpoint(context, &Collected { outputs, resources })
    }
}

/// What cannot be stored of what the provider gave, because of the character NUL.
fn not_storable(outputs: &[Output], resources: &[Resource]) -> Option<String> {
    let shown = |text: &str| text.replace('\0', "␀");
    let output = outputs.iter().find_map(|one| {
        let place =
            if one.name.contains('\0') { Some(shown(&one.name)) } else { nul_places(&one.name, &one.value).pop() };
        place.map(|place| format!("output {place}"))
    });
    let texts = |one: &Resource| [Some(one.address.clone()), Some(one.r#type.clone()), one.provider_id.clone()];
    let resource = || resources.iter().find(|one| texts(one).into_iter().flatten().any(|text| text.contains('\0')));
    output.or_else(|| resource().map(|one| format!("resource {}", shown(&one.address))))
}
