//! What the pages of queue and workers show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::shell::Shell;
use crate::web::ui::{Empty, FormError, FormSection, Pill, Tab, When};

/// A freeze.
#[derive(Debug, Clone)]
pub struct FreezeCard {
    /// "The whole platform", "payments prod".
    pub scope: String,
    pub pill: Pill,
    pub reason: String,
    /// Its beginning, while it is still to come.
    pub from: Option<When>,
    /// None: until it is lifted.
    pub until: Option<When>,
    pub set_by: String,
    /// None: the viewer may only look.
    pub lift_action: Option<String>,
}

/// A circuit that is open.
#[derive(Debug, Clone)]
pub struct CircuitCard {
    /// "The target eu-small".
    pub scope: String,
    pub pill: Pill,
    pub why: String,
    /// What the last one said.
    pub error: String,
    /// When one tries.
    pub next: When,
    /// None: the viewer may only look.
    pub close_action: Option<String>,
}

/// A run that waits.
#[derive(Debug, Clone)]
pub struct WaitingRowView {
    /// "Place 1", or "Held".
    pub place: String,
    pub label: String,
    pub href: String,
    /// "payments", "payments · asked by Paddock itself"
    pub project: String,
    pub why: String,
    /// What it waits behind.
    pub behind_href: Option<String>,
    /// What happens next, and when: "until", "One tries again".
    pub then: Option<(&'static str, When)>,
    /// None: unknown.
    pub starts: Option<When>,
    pub queued: When,
}

/// `GET /admin/queue`
#[derive(Debug, Template)]
#[template(path = "queue/list.html")]
pub struct QueuePage {
    pub shell: Shell,
    pub lede: String,
    pub tabs: Vec<Tab>,
    pub freezes: Vec<FreezeCard>,
    pub circuits: Vec<CircuitCard>,
    pub rows: Vec<WaitingRowView>,
    /// "Only the first 300 are shown."
    pub more: Option<String>,
    /// A new freeze; none: the viewer may only look.
    pub form: Option<FormSection>,
    pub errors: Vec<FormError>,
    pub empty: Option<Empty>,
}

/// A worker.
#[derive(Debug, Clone)]
pub struct WorkerRowView {
    pub name: String,
    pub pill: Pill,
    pub labels: Vec<String>,
    /// "2 of 4"
    pub slots: String,
    pub version: String,
    pub seen: When,
    pub started: When,
    /// Words and address of what can be told to it; none: the viewer may only look.
    pub action: Option<(&'static str, String)>,
}

/// `GET /admin/workers`
#[derive(Debug, Template)]
#[template(path = "queue/workers.html")]
pub struct WorkersPage {
    pub shell: Shell,
    pub lede: String,
    pub tabs: Vec<Tab>,
    pub rows: Vec<WorkerRowView>,
    pub empty: Option<Empty>,
}
