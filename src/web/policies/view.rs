//! What the pages of policies show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::shell::Shell;
use crate::web::ui::{Crumb, Empty, Fact, FormError, FormSection, Look, Pill, Tab, When};

/// A version of the list.
#[derive(Debug, Clone)]
pub struct VersionRow {
    /// "Version 3"
    pub title: String,
    pub href: String,
    pub pill: Pill,
    pub note: String,
    pub author: String,
    pub changed: When,
    /// "by lee"; empty: nobody yet, or Paddock itself.
    pub published_by: String,
    pub published: Option<When>,
}

/// `GET /admin/policies`
#[derive(Debug, Template)]
#[template(path = "policies/list.html")]
pub struct PoliciesPage {
    pub shell: Shell,
    pub tabs: Vec<Tab>,
    pub lede: String,
    /// Where the rules are written, when that is not here; or what is wrong with those in force.
    pub warnings: Vec<String>,
    pub rows: Vec<VersionRow>,
    /// Where a draft is begun; none: the viewer may only look.
    pub draft_action: Option<String>,
    pub empty: Option<Empty>,
}

/// Something that is wrong with a text.
#[derive(Debug, Clone)]
pub struct ProblemRow {
    /// "Line 3, column 14"
    pub place: Option<String>,
    pub rule: Option<String>,
    pub message: String,
    pub hint: Option<String>,
}

/// A rule that differs.
#[derive(Debug, Clone)]
pub struct ChangeRow {
    /// "Added", "Removed", "Changed"
    pub pill: Pill,
    pub id: String,
    /// "permits", "forbids"
    pub effect: &'static str,
    pub reason: String,
    pub words: Vec<String>,
}

/// What a check of a text found.
#[derive(Debug, Clone)]
pub struct Checked {
    pub valid: bool,
    /// "Valid: 34 rules", "2 things are wrong"
    pub headline: String,
    pub problems: Vec<ProblemRow>,
    /// "Against version 1, which is in force"
    pub against: String,
    pub changes: Vec<ChangeRow>,
}

/// The check alone, for the editor.
#[derive(Debug, Template)]
#[template(path = "policies/checked.html")]
pub struct CheckedFragment {
    pub checked: Checked,
}

/// `GET /admin/policies/{number}/edit`
#[derive(Debug, Template)]
#[template(path = "policies/edit.html")]
pub struct PolicyEditPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub lede: String,
    pub action: String,
    pub generation: String,
    pub note: String,
    pub source: String,
    pub checked: Checked,
    pub errors: Vec<FormError>,
    pub cancel_href: String,
}

/// The rule that a form would write.
#[derive(Debug, Clone)]
pub struct RulePreview {
    /// What it says, and its text; none: something is missing.
    pub rule: Option<(String, String)>,
    /// What is wrong with the draft that has it.
    pub problems: Vec<ProblemRow>,
}

/// The preview alone.
#[derive(Debug, Template)]
#[template(path = "policies/rule_previewed.html")]
pub struct RulePreviewFragment {
    pub preview: RulePreview,
}

/// `GET /admin/policies/{number}/rule`
#[derive(Debug, Template)]
#[template(path = "policies/rule.html")]
pub struct RulePage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub lede: String,
    /// The kinds of rules.
    pub tabs: Vec<Tab>,
    pub action: String,
    pub kind: &'static str,
    pub generation: String,
    pub errors: Vec<FormError>,
    pub sections: Vec<FormSection>,
    pub preview: RulePreview,
    pub cancel_href: String,
}

/// A line of the difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiffLine {
    Same(String),
    Added(String),
    Removed(String),
    /// "12 lines that are the same"
    Gap(String),
}

/// A rule of a version.
#[derive(Debug, Clone)]
pub struct RuleRow {
    pub id: String,
    pub effect: &'static str,
    pub reason: String,
    pub owner: Option<String>,
    /// "2 × lead"
    pub approval: Option<String>,
    /// "lead, for 7 days at most"
    pub exception: Option<String>,
    /// For a rule that is only watched: "would have counted in 3 decisions of the last 30 days"
    pub observed: Option<String>,
}

/// What must hold under every version.
#[derive(Debug, Clone)]
pub struct ProofRow {
    /// "Holds", "Broken"
    pub pill: Pill,
    /// "Nobody approves their own request"
    pub claim: &'static str,
    /// "264 questions asked", "For example somebody with the role lead: …"
    pub found: String,
}

/// What the viewer may do with a version.
#[derive(Debug, Default)]
pub struct VersionActions {
    pub generation: String,
    /// The number of the version in force, as the viewer saw it.
    pub in_force: String,
    pub edit_href: Option<String>,
    /// Where a rule is added by form.
    pub rule_href: Option<String>,
    pub propose: Option<String>,
    pub publish: Option<String>,
    pub take_back: Option<String>,
    pub discard: Option<String>,
    pub draft: Option<String>,
    /// "You wrote in it, so another admin must publish it."
    pub note: Option<String>,
}

/// `GET /admin/policies/{number}`
#[derive(Debug, Template)]
#[template(path = "policies/page.html")]
pub struct PolicyPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub lede: String,
    pub pill: Pill,
    pub number: i32,
    pub facts: Vec<Fact>,
    pub warnings: Vec<String>,
    /// None: it is in force, or was.
    pub checked: Option<Checked>,
    pub diff: Vec<DiffLine>,
    pub rules: Vec<RuleRow>,
    pub source: String,
    pub actions: VersionActions,
    /// Where a request is tried with it; none as for the replay.
    pub try_href: Option<String>,
    /// Where it is replayed; none: it decides nothing as it is, or the viewer may not read all decisions.
    pub replay_href: Option<String>,
    pub proofs_href: Option<String>,
}

/// What one set of rules says about a question.
#[derive(Debug, Clone)]
pub struct Side {
    pub pill: Pill,
    pub sentence: String,
    /// The ids of the rules that decide; empty: none does.
    pub rules: Vec<String>,
}

/// A decision that comes out otherwise.
#[derive(Debug, Clone)]
pub struct FlipRow {
    /// "Newly denied"
    pub pill: Pill,
    /// "ada: create an environment of the type prod in project payments"
    pub asked: String,
    /// The request; none: it was made for something else.
    pub href: Option<String>,
    /// "12.30 EUR a month"; none: it had no price.
    pub cost: Option<String>,
    pub when: When,
    pub before: Side,
    pub after: Side,
}

/// How many flip in one way.
#[derive(Debug, Clone)]
pub struct Flipped {
    pub count: String,
    /// "12.30 EUR a month; of 4, 1 had no price"; none: nothing flips so.
    pub cost: Option<String>,
}

/// How many flip, and what they cost.
#[derive(Debug, Clone)]
pub struct FlipTable {
    /// "Project", "Team"
    pub heading: &'static str,
    pub note: Option<&'static str>,
    /// Names, with newly denied, newly allowed, approval added, approval dropped.
    pub rows: Vec<(String, [Flipped; 4])>,
}

/// The flips of a project.
#[derive(Debug, Clone)]
pub struct FlippedProject {
    pub name: String,
    pub rows: Vec<FlipRow>,
    /// "12 decisions more"; none: all are listed.
    pub more: Option<String>,
}

/// What a replay has found.
#[derive(Debug, Clone)]
pub struct Replayed {
    pub look: Look,
    /// "3 of 1204 decisions flip"
    pub headline: String,
    pub since: When,
    /// How far it has come; none: it is done.
    pub reached: Option<When>,
    /// "Against version 3, which is in force"
    pub against: String,
    /// What could not be made again.
    pub lost: Option<String>,
    pub tables: Vec<FlipTable>,
    pub projects: Vec<FlippedProject>,
    pub action: String,
    /// What the next post brings along.
    pub so_far: String,
}

/// What a replay has found, alone.
#[derive(Debug, Template)]
#[template(path = "policies/replayed.html")]
pub struct ReplayFragment {
    pub replayed: Replayed,
}

/// `GET /admin/policies/{number}/replay`
#[derive(Debug, Template)]
#[template(path = "policies/replay.html")]
pub struct ReplayPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub lede: String,
    pub action: String,
    /// Value, words, chosen.
    pub days: Vec<(String, String, bool)>,
    /// A date as it is typed; empty: none.
    pub from: String,
    pub error: Option<&'static str>,
    pub replayed: Option<Replayed>,
}

/// What both sets say about a request that nobody makes.
#[derive(Debug, Clone)]
pub struct Tried {
    pub look: Look,
    /// "Newly denied", "Nothing changes"
    pub headline: String,
    /// "ada: create an environment of the type prod in project payments"
    pub asked: String,
    pub before: Side,
    pub after: Side,
}

/// `GET /admin/policies/{number}/try`
#[derive(Debug, Template)]
#[template(path = "policies/try.html")]
pub struct TryPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub lede: String,
    pub action: String,
    pub errors: Vec<FormError>,
    pub section: FormSection,
    /// None: nothing was tried yet.
    pub tried: Option<Tried>,
}

/// `GET /admin/policies/{number}/proofs`
#[derive(Debug, Template)]
#[template(path = "policies/proofs.html")]
pub struct ProofsPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub proofs: Vec<ProofRow>,
    /// What it grants beyond the version in force; none: it is that one.
    pub grants: Option<GrantsView>,
}

/// Something that a version grants and the one in force does not.
#[derive(Debug, Clone)]
pub struct GrantRow {
    /// "somebody with the role developer: create an environment of the type prod in project payments"
    pub example: String,
    pub before: Pill,
    pub after: Pill,
}

/// What a version grants beyond the one in force.
#[derive(Debug, Clone)]
pub struct GrantsView {
    pub help: String,
    pub rows: Vec<GrantRow>,
}
