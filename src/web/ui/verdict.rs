//! The live verdict beside a request form: the same blocks in the same order, whatever it says.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use super::{CostView, Look, Person, Pill, When};
use crate::policy;

/// What policy says about the draft, as far as it is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Allowed,
    NeedsApproval,
    Denied,
    /// A quota is used up; it would wait in line.
    Waits,
    /// The draft has errors; there is nothing to decide yet.
    Incomplete,
}

/// A rule that decided, in words.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The rule's reason: "Production needs a lead of the project."
    pub text: String,
    /// `prod-needs-lead`.
    pub id: String,
    /// It forbids, and an exception from it is asked for.
    pub excepted: bool,
}

impl From<&policy::Rule> for Rule {
    fn from(rule: &policy::Rule) -> Self {
        let excepted = rule.effect == policy::Effect::Excepted;
        Self { text: rule.reason.clone(), id: rule.id.clone(), excepted }
    }
}

/// Used before and after, of a limit. Percentages are 0 to 100 and made by [`QuotaBar::new`].
#[derive(Debug, Clone)]
pub struct QuotaBar {
    pub label: String,
    pub before: u64,
    pub after: u64,
    pub limit: u64,
    used_percent: u64,
    adds_percent: u64,
}

impl QuotaBar {
    /// A bar from the three numbers.
    pub fn new(label: impl Into<String>, before: u64, after: u64, limit: u64) -> Self {
        let percent = |n: u64| (n.saturating_mul(100)).checked_div(limit).unwrap_or(100).min(100);
        let used = percent(before.min(after));
        let adds = percent(after).saturating_sub(used);
        Self { label: label.into(), before, after, limit, used_percent: used, adds_percent: adds }
    }

    /// How much of the bar is grey, in percent.
    pub fn used(&self) -> u64 {
        self.used_percent
    }

    /// How much of the bar is what this adds, in percent.
    pub fn adds(&self) -> u64 {
        self.adds_percent
    }

    /// Whether the limit would be passed.
    pub fn over(&self) -> bool {
        self.after > self.limit
    }
}

/// An input that the update changes.
#[derive(Debug, Clone)]
pub struct Change {
    pub label: String,
    pub before: String,
    pub after: String,
}

/// Everything that the panel says.
#[derive(Debug, Clone)]
pub struct Verdict {
    pub outcome: Outcome,
    /// "Allowed", "Needs one approval", "Not allowed".
    pub headline: String,
    /// The rules that decided; the first is shown in full.
    pub rules: Vec<Rule>,
    /// For a denial: what would be allowed. For an incomplete draft: what is missing.
    pub advice: Option<String>,
    pub approvers: Vec<Person>,
    /// "One of them must agree", "Nobody has to agree".
    pub approvers_note: String,
    pub quotas: Vec<QuotaBar>,
    /// What it would cost.
    pub cost: CostView,
    /// End of life; none for what never ends.
    pub ends: Option<When>,
    /// "We warn you 1 day before." or "It has no end."
    pub ends_note: String,
    /// Where an exception can be asked for, or is.
    pub exception: Option<ExceptionView>,
    /// What an update changes; empty for a new environment.
    pub changes: Vec<Change>,
    /// Words of the button: "Create", "Ask for approval".
    pub button: String,
    /// What the filled-in form can be given away as.
    pub share: Option<Share>,
    /// When the draft was saved.
    pub saved: Option<When>,
}

/// The choice to ask for an exception.
#[derive(Debug, Clone)]
pub struct ExceptionView {
    pub asked: bool,
    /// "A lead of payments can let it pass, for 7 days at most."
    pub words: String,
    /// Who can.
    pub people: Vec<Person>,
}

/// A filled-in form as a link, as a command and as a file, all without secrets.
#[derive(Debug, Clone)]
pub struct Share {
    /// Its path here.
    pub href: String,
    /// The same with the host, to be given away.
    pub link: String,
    /// For a shell; needs `$PADDOCK_TOKEN`.
    pub command: String,
    /// YAML that the API takes.
    pub document: String,
    /// For a shell: sends that file.
    pub send: String,
}

impl Verdict {
    /// Colour family of the first block.
    pub fn look(&self) -> Look {
        self.pill().look
    }

    /// The pill of the bar at the bottom of a phone; its icon stands in the first block, too.
    pub fn pill(&self) -> Pill {
        match self.outcome {
            Outcome::Allowed => Pill::of("allowed"),
            Outcome::NeedsApproval => Pill::of("needs_approval"),
            Outcome::Denied => Pill::of("denied"),
            Outcome::Waits => Pill::of("awaiting_quota"),
            Outcome::Incomplete => Pill::of("pending").saying("Not complete"),
        }
        .saying(self.headline.clone())
    }

    /// Whether the button does something. A denied draft can't be sent from the form.
    pub fn can_submit(&self) -> bool {
        self.outcome != Outcome::Denied
    }
}
