//! What the pages of environments show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::catalog::form::Field;
use crate::web::{
    shell::Shell,
    ui::{
        Action, CostView, Crumb, Empty, Fact, Failure, FilterBar, FormError, NextEvent, Pager, Person, Pill, Tab,
        TimelineItem, When,
    },
};

/// An environment in the list.
#[derive(Debug, Clone)]
pub struct EnvironmentRow {
    pub name: String,
    pub href: String,
    pub icon: &'static str,
    /// "prod"
    pub environment_type: String,
    pub project: String,
    pub pill: Pill,
    /// Marks beside the state.
    pub marks: Vec<Pill>,
    pub template: String,
    pub version: String,
    /// A newer version of the template.
    pub newer: Option<Pill>,
    pub owner: Person,
    /// "in 5 h"; none: it has no end.
    pub ends: Option<When>,
    /// "today 15:00" beside it.
    pub ends_note: String,
    /// Ends soon: amber.
    pub soon: bool,
    /// Overdue or not cleaned up: red words instead.
    pub overdue: Option<String>,
}

/// `GET /environments?view=&q=&state=&project=&type=…`
#[derive(Debug, Template)]
#[template(path = "environments/list.html")]
pub struct EnvironmentsPage {
    pub shell: Shell,
    pub lede: String,
    pub tabs: Vec<Tab>,
    pub filter: FilterBar,
    pub rows: Vec<EnvironmentRow>,
    pub pager: Pager,
    /// The rows as a file.
    pub csv_href: Option<String>,
    pub empty: Option<Empty>,
}

/// An output; a secret one has no value until it is revealed.
#[derive(Debug, Clone)]
pub struct OutputRow {
    pub name: String,
    /// None: masked.
    pub value: Option<String>,
    pub sensitive: bool,
}

/// A thing that the runs made.
#[derive(Debug, Clone)]
pub struct ResourceRow {
    /// As the provider names it.
    pub name: String,
    pub kind: String,
    /// The provider's own id.
    pub id: String,
}

/// A run in the table of runs.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// "Create", "Update"
    pub operation: String,
    pub href: String,
    pub pill: Pill,
    /// "attempt 2"
    pub attempt: String,
    /// "3 min 21 s"
    pub took: String,
    pub when: When,
}

/// Something that is not as the last run left it.
#[derive(Debug, Clone)]
pub struct DifferenceRow {
    pub address: String,
    /// "missing"
    pub kind: &'static str,
    pub words: String,
    /// Who accepted it, when and why.
    pub accepted: Option<String>,
}

/// Whether an environment is as its last run left it.
#[derive(Debug, Clone)]
pub struct DriftCard {
    /// "Something differs since 3 Oct", "It is as its last run left it"
    pub headline: String,
    /// Something differs that nobody accepted.
    pub drifted: bool,
    /// The last check: what could not be told, or why it failed.
    pub trouble: Option<String>,
    /// When that was looked at, and its run.
    pub checked: Option<(When, Option<String>)>,
    /// The next check by itself.
    pub next: Option<When>,
    pub differences: Vec<DifferenceRow>,
    pub accepted: Vec<DifferenceRow>,
    /// What was seen, for whoever accepts it.
    pub seen: String,
    /// Post addresses; none: the viewer may not.
    pub accept_action: Option<String>,
    pub reapply_action: Option<String>,
    pub submission_key: String,
}

/// Whose it is, and who may have it.
#[derive(Debug, Clone)]
pub struct HandOverCard {
    /// The owner is gone: what that means.
    pub gone: Option<String>,
    /// Login and name of the members; empty where nobody else may have it.
    pub members: Vec<(String, String)>,
    /// None: the viewer may not.
    pub action: Option<String>,
}

/// A version of the state that the provider keeps.
#[derive(Debug, Clone)]
pub struct VersionRow {
    pub version: i32,
    /// "serial 4", "serial 4, rescued"
    pub note: String,
    /// "created a, b; changed c (input); removed d"
    pub changes: String,
    /// "Update, attempt 2" and the run's address.
    pub by: Option<(String, String)>,
    /// Whose request it was.
    pub who: Option<String>,
    pub written: When,
}

/// `GET /environments/{environment}`
#[derive(Debug, Template)]
#[template(path = "environments/page.html")]
pub struct EnvironmentPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub name: String,
    pub pill: Pill,
    pub marks: Vec<Pill>,
    pub lede: String,
    pub next_event: Option<NextEvent>,
    /// Update, extend, retry, delete: those that the state and the viewer allow.
    pub actions: Vec<Action>,
    /// While something works on it: the run to watch.
    pub working: Option<(String, String)>,
    /// While a request for it waits in line for a quota: the words, and that request.
    pub in_line: Option<(String, String)>,
    pub failure: Option<Failure>,
    pub outputs: Vec<OutputRow>,
    /// Post address that reveals one output (field `name`); none: the viewer may not.
    pub reveal_action: Option<String>,
    pub resources: Vec<ResourceRow>,
    /// Whether it is as its last run left it; none: it was never ready.
    pub drift: Option<DriftCard>,
    /// For those who may give it to somebody else, and for all while its owner is gone.
    pub hand_over: Option<HandOverCard>,
    pub inputs: Vec<Fact>,
    pub facts: Vec<Fact>,
    /// What it costs by the prices of today; none: it is gone, or nothing is known.
    pub cost: Option<CostView>,
    /// What it has cost; empty: there was never anything.
    pub spent: Vec<Fact>,
    /// When it stops and starts by itself; none where nothing can be stopped.
    pub schedule: Option<ScheduleCard>,
    /// What cannot be done now, each with its reason.
    pub cannot: Vec<Fact>,
    pub timeline: Vec<TimelineItem>,
    /// The audit records about it, for those who may read them.
    pub audit_href: Option<String>,
    pub runs: Vec<RunRow>,
    /// Empty for those who may not see secrets, and where the provider keeps no versions.
    pub versions: Vec<VersionRow>,
    /// Asks for itself again every few seconds while something may still change.
    pub live: bool,
}

impl EnvironmentPage {
    fn has_secrets(&self) -> bool {
        self.outputs.iter().any(|output| output.sensitive)
    }
}

/// When an environment stops and starts by itself.
#[derive(Debug, Clone)]
pub struct ScheduleCard {
    /// Empty: never.
    pub facts: Vec<Fact>,
    /// The form; none: the viewer may not.
    pub edit_href: Option<String>,
    pub skip_action: Option<String>,
    pub delay_action: Option<String>,
}

/// `GET /environments/{environment}/schedule`; posts `days`, `stop`, `start`, `zone`, or `_none`.
#[derive(Debug, Template)]
#[template(path = "environments/schedule.html")]
pub struct SchedulePage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub name: String,
    pub action: String,
    pub back_href: String,
    pub fields: Vec<Field>,
}

/// The outputs alone: what htmx puts in place after a reveal.
#[derive(Debug, Template)]
#[template(path = "environments/outputs.html")]
pub struct OutputsFragment {
    pub outputs: Vec<OutputRow>,
    pub reveal_action: Option<String>,
}

/// `GET /environments/{environment}/delete`; posts `name` (when `typed`), `reason` and `_key` to the same address.
#[derive(Debug, Template)]
#[template(path = "environments/delete.html")]
pub struct DeletePage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub name: String,
    pub action: String,
    pub back_href: String,
    pub submission_key: String,
    pub errors: Vec<FormError>,
    /// Production or shared: the name must be typed.
    pub typed: bool,
    /// What was typed.
    pub typed_name: String,
    /// What will be lost, one line each.
    pub lost: Vec<String>,
    /// "A lead of payments must agree first.", or why it is denied.
    pub terms: Option<String>,
    /// "Delete", "Ask to delete"
    pub button: String,
    /// Denied: no button works.
    pub denied: bool,
}
