//! Rules by form, for people who do not write Cedar: what a form asks for, the Cedar it becomes, and the
//! sentence that says the same.
//!
//! What it writes is plain text of a draft: who reads it later sees no difference to what was typed.
//! Every value stands in the text as a literal; none can become a part of the rule's logic.
//! Where a form would promise more than the text does, the text says more: rules that limit are about
//! people, so that Paddock's own deletes and schedules go on.

mod cedar;
mod check;
mod words;

pub use check::{id_from, reviewers};

use jiff::Timestamp;

use super::group::Group;
use super::question::{Action, Role};

/// A rule as a form asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleForm {
    /// Its `@id`.
    pub id: String,
    /// Its `@reason`.
    pub reason: String,
    /// Its `@owner`; empty: nobody is named.
    pub owner: String,
    /// It is only watched.
    pub observed: bool,
    /// Of a rule that forbids: whose approval lets a single request pass it.
    pub exception: Option<Group>,
    /// Where it holds, and for whom.
    pub scope: Scope,
    /// What it says there.
    pub says: Says,
}

/// Where a rule holds, and for whom. What is not named is not narrowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The slug of a project.
    pub project: Option<String>,
    /// Names of environment types; empty: all.
    pub environment_types: Vec<String>,
    /// The slug of a template.
    pub template: Option<String>,
    /// The slug of a team.
    pub team: Option<String>,
    /// A role, held there.
    pub role: Option<Role>,
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// These may be asked for.
    Permit {
        /// Out of [`Action::REQUESTS`].
        actions: Vec<Action>,
    },
    /// These may not be asked for.
    Forbid {
        /// Out of [`Action::REQUESTS`].
        actions: Vec<Action>,
    },
    /// These may be asked for, and wait for approval.
    Approval {
        /// Out of [`Action::REQUESTS`].
        actions: Vec<Action>,
        /// Whose approval.
        by: Group,
        /// Of how many people.
        count: u32,
    },
    /// The longest life.
    Lifetime {
        /// Seconds.
        seconds: i64,
    },
    /// These may not be asked for, and do not begin, within a time.
    Freeze {
        /// Out of [`Action::REQUESTS`].
        actions: Vec<Action>,
        /// The first moment.
        from: Timestamp,
        /// The moment after the last.
        to: Timestamp,
    },
    /// The largest cost of a month.
    Cost {
        /// Decimal text with one to four places, in the currency of the price book.
        most: String,
    },
    /// The largest value of a number.
    Most {
        /// The path of the input, as [`super::inputs`] names it.
        input: String,
        /// Decimal text with one to four places.
        most: String,
    },
    /// The values that a text may have.
    Among {
        /// The path of the input.
        input: String,
        /// What it may be.
        values: Vec<String>,
    },
}

impl Says {
    /// The actions that the rule is about.
    pub fn actions(&self) -> Vec<Action> {
        match self {
            Self::Permit { actions }
            | Self::Forbid { actions }
            | Self::Approval { actions, .. }
            | Self::Freeze { actions, .. } => actions.clone(),
            Self::Lifetime { .. } => {
                vec![Action::CreateEnvironment, Action::UpdateEnvironment, Action::ExtendEnvironment]
            }
            Self::Cost { .. } | Self::Most { .. } | Self::Among { .. } => {
                vec![Action::CreateEnvironment, Action::UpdateEnvironment]
            }
        }
    }

    /// Whether it lets something happen that was not possible without it.
    fn grants(&self) -> bool {
        match self {
            Self::Permit { .. } | Self::Approval { .. } => true,
            Self::Forbid { .. }
            | Self::Lifetime { .. }
            | Self::Freeze { .. }
            | Self::Cost { .. }
            | Self::Most { .. }
            | Self::Among { .. } => false,
        }
    }
}
