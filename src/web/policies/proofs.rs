//! `GET /admin/policies/{number}/proofs`: what must hold under every version, asked of this one. It is asked when
//! somebody wants to know: the more rules, the longer it takes.

use axum::extract::Path;
use axum::response::Response;

use super::view::{ProofRow, ProofsPage};
use super::{failed, look};
use crate::policy::Proof;
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
    let title = "What is proved".to_owned();
    answer::page(&ProofsPage {
        shell: frame::shell(&visitor, Section::Admin, &title).await?,
        crumbs: vec![Crumb::to("Policies", urls::ADMIN_POLICIES), Crumb::to(format!("Version {number}"), back)],
        title,
        proofs: proofs.into_iter().map(row).collect(),
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
