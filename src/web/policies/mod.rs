//! Policies: their versions, the editor, what a version changes, also of the past, and its way into force.
//!
//! The editor works by buttons alone; with scripts it checks while somebody types.

pub mod act;
pub mod edit;
mod lines;
mod list;
pub mod page;
pub mod proofs;
pub mod replay;
pub mod rule;
mod rule_fields;
pub mod trial;
pub mod view;

pub use list::page as list_page;

use crate::policy::versions::{PolicyVersion, RuleChange, RuleDifference, VersionError, VersionState};
use crate::policy::{Action, Effect, Permit, Problem, Resource, ability};
use crate::web::error::PageError;
use crate::web::ui::{Look, Pill};
use crate::web::urls;
use crate::web::visitor::Visitor;
use view::{ChangeRow, ProblemRow};

/// Whether the viewer may look, as a permit.
fn look(visitor: &Visitor) -> Result<Permit<ability::ReadAdmin>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    Ok(app.policy.permit(&app.platform_question(op, access, Action::ReadAdmin, Resource::platform()))?)
}

/// Whether the viewer may write policies here; nothing is written down.
fn may_write(visitor: &Visitor) -> bool {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    app.policy_folder().is_none()
        && app.policy.allows(&app.platform_question(op, access, Action::ManagePolicies, Resource::platform()))
}

/// The permit to write policies. A refusal is written down as what was to be done to which version.
async fn write(
    visitor: &Visitor,
    action: &'static str,
    version: impl std::fmt::Display,
) -> Result<Permit<ability::ManagePolicies>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    match app.policy.permit(&app.platform_question(op, access, Action::ManagePolicies, Resource::platform())) {
        Ok(permit) => Ok(permit),
        Err(refused) => {
            app.record_refused_policies(op, action, &format!("version {version}")).await?;
            Err(refused.into())
        }
    }
}

async fn found(visitor: &Visitor, number: i32) -> Result<PolicyVersion, PageError> {
    visitor.app.policy_version(number).await.map_err(|error| failed(error, urls::ADMIN_POLICIES))
}

/// An error that no form can show.
fn failed(error: VersionError, back: &str) -> PageError {
    PageError::from(error).link("Policies", back)
}

/// The state of a version in a word.
fn pill(state: VersionState) -> Pill {
    match state {
        VersionState::Draft => Pill::of("draft"),
        VersionState::Proposed => Pill::of("awaiting_approval").saying("Proposed"),
        VersionState::Published => Pill::of("published").saying("In force"),
        VersionState::Superseded => Pill::of("retired").saying("Superseded"),
        VersionState::Discarded => Pill::of("withdrawn").saying("Discarded"),
    }
}

/// What a rule does, in a word.
fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Permit => "permits",
        Effect::Forbid => "forbids",
        Effect::Excepted => "forbids, but for an exception",
        Effect::Default => "",
    }
}

fn problem_row(problem: &Problem) -> ProblemRow {
    ProblemRow {
        place: problem.place.map(|(line, column)| format!("Line {line}, column {column}")),
        rule: problem.rule.clone(),
        message: crate::web::error::sentence(&problem.message),
        hint: problem.hint.as_deref().map(crate::web::error::sentence),
    }
}

fn change_row(change: RuleChange) -> ChangeRow {
    let (pill, words) = match change.difference {
        RuleDifference::Added => (marked(Look::Go, "plus", "Added"), Vec::new()),
        RuleDifference::Removed => (marked(Look::Bad, "trash-2", "Removed"), Vec::new()),
        RuleDifference::Changed(words) => (marked(Look::Wait, "pencil", "Changed"), words),
    };
    ChangeRow { pill, id: change.id, effect: effect(change.effect), reason: change.reason, words }
}

fn marked(look: Look, icon: &'static str, word: &'static str) -> Pill {
    Pill { look, icon, ..Pill::of("draft").saying(word) }
}
