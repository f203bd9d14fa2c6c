//! `GET /admin/policies/{number}/proofs`: what must hold under every version, asked of this one. It is asked when
//! somebody wants to know: the more rules, the longer it takes.

use axum::extract::Path;
use axum::response::Response;

use super::view::{GrantRow, GrantsView, ProofRow, ProofsPage};
use super::{failed, look};
use crate::policy::{Grant, Grants, Outcome, Proof};
use crate::web::answer;
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::{Crumb, Pill};
use crate::web::visitor::Visitor;
use crate::web::words::count;
use crate::web::{frame, urls};

/// The page.
pub async fn show(visitor: Visitor, Path(number): Path<i32>) -> Result<Response, PageError> {
    look(&visitor)?;
    let back = urls::admin_policy(number);
    let proofs = visitor.app.proofs_of(number).await.map_err(|error| failed(error, urls::ADMIN_POLICIES))?;
    let grants = visitor.app.grants_of(number).await.map_err(|error| failed(error, urls::ADMIN_POLICIES))?;
    let title = "What is proved".to_owned();
    answer::page(&ProofsPage {
        shell: frame::shell(&visitor, Section::Admin, &title).await?,
        crumbs: vec![Crumb::to("Policies", urls::ADMIN_POLICIES), Crumb::to(format!("Version {number}"), back)],
        title,
        proofs: proofs.into_iter().map(row).collect(),
        grants: grants.map(granted),
    })
}

fn row(proof: Proof) -> ProofRow {
    match proof.broken_by {
        None => ProofRow {
            pill: Pill::of("ready").saying("Holds"),
            claim: proof.claim,
            found: format!("{} asked", count(proof.asked, "question", "questions")),
        },
        Some(example) => ProofRow {
            pill: Pill::of("failed").saying("Broken"),
            claim: proof.claim,
            found: format!("For example {example}. It cannot be published like this."),
        },
    }
}

fn granted(grants: Grants) -> GrantsView {
    let asked = count(grants.asked, "question", "questions");
    let mut help = format!("Asked with {asked} about what differs from the version in force.");
    if grants.cut {
        help.push_str(" There were more than are asked: a grant may be missing here.");
    }
    if grants.more > 0 {
        help = format!("{help} {} more are not shown.", grants.more);
    }
    GrantsView { help, rows: grants.new.into_iter().map(grant).collect() }
}

fn grant(grant: Grant) -> GrantRow {
    let pill = |outcome| match outcome {
        Outcome::Allowed => Pill::of("allowed"),
        Outcome::NeedsApproval => Pill::of("needs_approval"),
        Outcome::Denied => Pill::of("denied"),
    };
    let after =
        if grant.before == grant.after { pill(grant.after).saying("Fewer approvals") } else { pill(grant.after) };
    GrantRow { example: grant.example, before: pill(grant.before), after }
}
