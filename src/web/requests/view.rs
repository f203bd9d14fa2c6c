//! What the request form, the list of requests and a request's page show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::{
    shell::Shell,
    ui::{
        CostView, Crumb, DecisionView, Empty, Fact, FilterBar, FormError, FormSection, Look, Pager, Person, Pill, Plan,
        Tab, TimelineItem, Verdict, When,
    },
};

/// The form for create, update and extend: `GET` and `POST` of the same address.
///
/// A post with `_check`, `_add` or `_remove` answers 200 with the form again; htmx asks for the verdict
/// alone with `_check` and `HX-Request-Type: partial` and gets a [`VerdictFragment`]. A plain post submits.
#[derive(Debug, Template)]
#[template(path = "requests/form.html")]
pub struct RequestFormPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    /// "Request a Postgres database", "Update orders-db"
    pub title: String,
    pub lede: String,
    /// Where the form posts to.
    pub action: String,
    /// Makes submitting twice one request; posted as `_key`.
    pub submission_key: String,
    /// The query that the form was opened with; posted as `_link`.
    pub link: String,
    /// A draft of it is there.
    pub draft: Option<DraftNote>,
    pub errors: Vec<FormError>,
    pub sections: Vec<FormSection>,
    pub verdict: Verdict,
}

/// What is said of a draft above the form.
#[derive(Debug, Clone)]
pub struct DraftNote {
    pub when: When,
    /// The form asks for secrets, which no draft holds.
    pub secrets: bool,
    /// Where the draft goes on, when the form shows something else.
    pub continue_href: Option<String>,
}

/// The verdict alone, for htmx.
#[derive(Debug, Template)]
#[template(path = "requests/verdict.html")]
pub struct VerdictFragment {
    pub verdict: Verdict,
}

/// A request in the list.
#[derive(Debug, Clone)]
pub struct RequestRow {
    /// "Create orders-db"
    pub title: String,
    pub href: String,
    pub icon: &'static str,
    /// "Postgres database"
    pub template: String,
    /// "payments, prod"
    pub place: String,
    pub pill: Pill,
    pub requester: Person,
    /// "Lena Lead", or empty.
    pub waits_for: String,
    /// "Dana Reyes asked for an answer, 5 minutes ago", "Has waited for 2 days".
    pub mark: Option<String>,
    pub when: When,
}

/// `GET /requests?view=&q=&status=…`
#[derive(Debug, Template)]
#[template(path = "requests/list.html")]
pub struct RequestsPage {
    pub shell: Shell,
    pub lede: String,
    pub tabs: Vec<Tab>,
    pub filter: FilterBar,
    pub rows: Vec<RequestRow>,
    pub pager: Pager,
    pub empty: Option<Empty>,
}

/// Changes that a reviewer would agree to.
#[derive(Debug, Clone)]
pub struct SuggestionCard {
    pub id: String,
    /// "Lena Lead would agree with changes"
    pub title: String,
    pub reason: String,
    pub when: When,
    pub changes: Vec<Fact>,
    /// Who decides, for everybody else.
    pub waits: Option<String>,
    /// Post addresses, for the requester.
    pub accept_action: Option<String>,
    pub decline_action: Option<String>,
}

/// A plan that cannot be seen yet.
#[derive(Debug, Clone)]
pub struct Planning {
    pub look: Look,
    /// "The plan is being made"
    pub title: String,
    /// What that means, or the first real error.
    pub text: String,
    /// The run that makes it.
    pub run_href: String,
    /// Post address that plans again.
    pub retry_action: Option<String>,
}

/// `GET /requests/{request}`
#[derive(Debug, Template)]
#[template(path = "requests/page.html")]
pub struct RequestPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub pill: Pill,
    pub lede: String,
    /// "Waits for Lena Lead or Mette Holm." Shown on top while it waits.
    pub waiting: Option<String>,
    /// Why it waits in line, and what would make room.
    pub line: Vec<String>,
    /// Post address, when the viewer may take it back.
    pub withdraw_action: Option<String>,
    /// Post address that asks for an answer, for the requester.
    pub remind_action: Option<String>,
    /// Address of the approval page, when the viewer may review it.
    pub review_href: Option<String>,
    /// Post address that tries a failed run again.
    pub retry_action: Option<String>,
    pub environment_href: Option<String>,
    /// The form to ask for an exception, for what was denied.
    pub exception_href: Option<String>,
    pub run_href: Option<String>,
    /// What the requester wrote for the approvers.
    pub why: Option<String>,
    /// Changes on which the requester has to decide.
    pub suggestions: Vec<SuggestionCard>,
    /// How far the plan is, while there is none to see.
    pub planning: Option<Planning>,
    pub plan: Option<Plan>,
    pub decision: DecisionView,
    pub inputs: Vec<Fact>,
    /// As it was told when it was submitted; none where nothing was known.
    pub cost: Option<CostView>,
    pub facts: Vec<Fact>,
    pub timeline: Vec<TimelineItem>,
    /// Asks for itself again every few seconds while something may still change.
    pub live: bool,
}
