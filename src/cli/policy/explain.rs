//! `paddock policy explain`: one decision made again from its record, under the rules that made it.

use anyhow::{Context as _, bail};
use clap::Args;

use super::super::store::{Hold, Store};
use super::super::terminal::out;
use crate::base::id::{DecisionId, RequestId};
use crate::config::StoreArgs;
use crate::policy::replay::follows;
use crate::policy::{self, Decision, PolicyEngine};
use crate::requests;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The id of a decision (dec_…), or of a request (req_…): then the decision that counts for it
    id: String,
    #[command(flatten)]
    store: StoreArgs,
}

/// Whether it comes out as it was stored.
pub(super) async fn run(args: ExplainArgs) -> anyhow::Result<bool> {
    let store = Store::open(&args.store.clone().check()?, Hold::Borrow).await?;
    let done = explain(&store, &args.id).await;
    store.close().await?;
    done
}

async fn explain(store: &Store, id: &str) -> anyhow::Result<bool> {
    let mut connection = store.db.acquire().await?;
    let decision = match (id.parse::<DecisionId>(), id.parse::<RequestId>()) {
        (Ok(id), _) => id,
        (Err(_), Ok(id)) => requests::decision_of(&mut connection, id).await?.context("there is no such request")?,
        (Err(_), Err(_)) => bail!("“{id}” is neither the id of a decision nor of a request"),
    };
    let stored = policy::find_decision(&mut connection, decision).await?.context("there is no such decision")?;
    let text = policy::find_policy_set(&mut connection, stored.decision.policy_digest).await?;
    let text = text.context("the rules that made it are not stored")?;
    drop(connection);
    out(format!(
        "{} at {}: {} wants to {}.",
        stored.id,
        stored.at,
        stored.question.principal.login,
        stored.question.asked()
    ));
    out(format!("stored: {}", said(&stored.decision)));
    if stored.decision.rules.iter().any(|rule| rule.id == requests::QUOTA_RULE) {
        bail!("a quota was full, which is counted at the moment and is no part of the rules");
    }
    if stored.decision.rules.iter().any(|rule| rule.id == requests::BUDGET_RULE) {
        bail!("the budget of the project took part, which is counted at the moment and is no part of the rules");
    }
    let engine = PolicyEngine::from_text(&text.schema, &text.source)
        .context("this version of Paddock cannot read the rules that made it")?;
    let again = engine.decide(&stored.question);
    out(format!("again:  {}", said(&again)));
    let same = follows(&stored.decision, &again);
    out(if same { "It follows from its record." } else { "It does not follow from its record." });
    Ok(same)
}

fn said(decision: &Decision) -> String {
    let rules: Vec<&str> = decision.rules.iter().map(|rule| rule.id.as_str()).collect();
    let digest = decision.policy_digest.short();
    format!(
        "{} (outcome {}, rules {}, policy set {digest})",
        decision.sentence,
        decision.outcome.as_str(),
        rules.join(", ")
    )
}
