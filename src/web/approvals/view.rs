//! What the approvals inbox and a review show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::{
    requests::view::{Planning, RequestRow},
    shell::Shell,
    ui::{
        Chip, CostView, Crumb, DecisionView, Empty, Fact, FormError, FormSection, LinkRow, Pager, Person, Pill, Plan,
        QuotaBar, Tab, When,
    },
};

/// `GET /approvals?view=`
#[derive(Debug, Template)]
#[template(path = "approvals/list.html")]
pub struct ApprovalsPage {
    pub shell: Shell,
    pub lede: String,
    /// The project that it is narrowed to.
    pub chips: Vec<Chip>,
    pub tabs: Vec<Tab>,
    pub rows: Vec<RequestRow>,
    pub pager: Pager,
    pub empty: Option<Empty>,
}

/// `GET /approvals/{request}`; the form posts `verdict` (`approve`, `reject`) and `reason` to the same address.
#[derive(Debug, Template)]
#[template(path = "approvals/page.html")]
pub struct ApprovalPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub pill: Pill,
    pub lede: String,
    pub action: String,
    pub errors: Vec<FormError>,
    /// What was typed as reason.
    pub reason: String,
    /// The form to approve it with changes, where there is something to change.
    pub changes_href: Option<String>,
    /// Why the viewer can't review it ("You asked for this yourself."); then there are no buttons.
    pub cannot: Option<String>,
    /// The absent person in whose place the viewer decides.
    pub absent: Option<String>,
    pub requester: Person,
    /// "Developer in payments"
    pub requester_role: String,
    pub asked: When,
    pub why: Option<String>,
    pub inputs: Vec<Fact>,
    /// How far the plan is, while there is none to see; the page asks for itself again then.
    pub planning: Option<Planning>,
    pub plan: Option<Plan>,
    /// The digest of what is shown, posted with the review as `seen`.
    pub seen: String,
    pub decision: DecisionView,
    pub quotas: Vec<QuotaBar>,
    /// As it was told when it was submitted; none where nothing was known.
    pub cost: Option<CostView>,
    /// "Ends 17 Feb 2027 (90 days)"
    pub facts: Vec<Fact>,
    /// What the requester asked for before.
    pub history: Vec<LinkRow>,
    /// "4 requests in 90 days: 3 approved, 1 rejected"
    pub history_summary: String,
}

/// `GET` and `POST /approvals/{request}/changes`
#[derive(Debug, Template)]
#[template(path = "approvals/changes.html")]
pub struct ChangesPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub lede: String,
    pub action: String,
    pub cancel_href: String,
    /// The absent person in whose place the viewer decides.
    pub absent: Option<String>,
    pub errors: Vec<FormError>,
    pub sections: Vec<FormSection>,
}
