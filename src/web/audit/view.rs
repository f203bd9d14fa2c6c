//! What the audit pages show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::{
    shell::Shell,
    ui::{Chip, Crumb, DecisionView, Empty, Fact, Look, Pager, Pill, When},
};

/// One record as a sentence.
#[derive(Debug, Clone)]
pub struct AuditRow {
    pub look: Look,
    pub icon: &'static str,
    /// "Dana Developer requested orders-db in payments, prod"
    pub sentence: String,
    /// Permalink of the record.
    pub href: String,
    /// `request.submit`
    pub action: String,
    /// Time of day.
    pub at: When,
}

/// The records of one day.
#[derive(Debug, Clone)]
pub struct AuditDay {
    /// "Today, 21 November"
    pub title: String,
    pub rows: Vec<AuditRow>,
}

/// The filters; each is a query parameter of the same name.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub actor: String,
    pub object: String,
    pub action: String,
    /// Every action that the log knows, for the select.
    pub actions: Vec<String>,
    /// `succeeded`, `denied`, `failed`.
    pub outcome: String,
    /// The slug of the project that it is narrowed to.
    pub project: String,
    /// `2026-11-01`
    pub from: String,
    pub to: String,
}

/// `GET /audit?actor=&action=&object=&from=&to=`
#[derive(Debug, Template)]
#[template(path = "audit/list.html")]
pub struct AuditPage {
    pub shell: Shell,
    pub lede: String,
    pub filter: AuditFilter,
    pub chips: Vec<Chip>,
    pub days: Vec<AuditDay>,
    pub pager: Pager,
    pub empty: Option<Empty>,
}

/// `GET /audit/{record}`
#[derive(Debug, Template)]
#[template(path = "audit/page.html")]
pub struct AuditRecordPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    /// The sentence.
    pub title: String,
    pub pill: Pill,
    pub when: When,
    /// Actor, action, object, outcome, origin, operation id, record id.
    pub facts: Vec<Fact>,
    pub decision: Option<DecisionView>,
    /// Before and after of what changed.
    pub changes: Vec<Fact>,
    /// Everything else, as JSON text.
    pub details: Option<String>,
}
