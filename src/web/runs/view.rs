//! What the run page shows.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use super::ansi::Span;
use crate::web::{
    shell::Shell,
    ui::{Action, Crumb, Fact, Failure, NextEvent, Pill, Plan, When},
};

/// A step of the outline.
#[derive(Debug, Clone)]
pub struct StepRow {
    pub name: String,
    /// State of the step: `pending`, `running`, `succeeded`, `failed`, `skipped`.
    pub pill: Pill,
    /// "2 min 43 s", "about 40 s", or empty.
    pub took: String,
    /// Anchor of its first line in the log; none while it has none.
    pub href: Option<String>,
}

/// A line of the log, or the head of a step's part.
#[derive(Debug, Clone)]
pub enum LogEntry {
    /// Where a step begins.
    Step { id: String, name: String, pill: Pill, took: String },
    /// One line; `stream` is `stdout`, `stderr` or `note`.
    Line { number: u64, at: When, stream: &'static str, spans: Vec<Span> },
}

/// `GET /runs/{run}`. With htmx it fetches itself again when an event says so (`live`), and puts only what changed.
#[derive(Debug, Template)]
#[template(path = "runs/page.html")]
pub struct RunPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub pill: Pill,
    pub lede: String,
    pub next_event: Option<NextEvent>,
    /// Cancel, retry.
    pub actions: Vec<Action>,
    pub failure: Option<Failure>,
    pub plan: Option<Plan>,
    pub facts: Vec<Fact>,
    pub steps: Vec<StepRow>,
    /// "4 of 8 done"
    pub steps_summary: String,
    pub log: Vec<LogEntry>,
    /// The page starts at a later line: where the earlier ones are.
    pub earlier_href: Option<String>,
    /// The page ends at an earlier line, or the search read no further: where it goes on.
    pub later_href: Option<String>,
    /// What is searched for; empty when the log is shown as it is.
    pub q: String,
    /// "12 lines with “error”", while something is searched for.
    pub found: Option<String>,
    /// This run without a place in its log.
    pub page_href: String,
    /// The whole log as text.
    pub log_href: String,
    /// Leads to the line, when there is an error.
    pub first_error_href: Option<String>,
    /// Last line: what it waits for, and how fresh that is. "waiting for the provider, last answer 7 s ago"
    pub waiting: Option<String>,
    /// While it runs: this page and its events.
    pub live: Option<LiveRun>,
}

/// Addresses for the live part: `events` sends log rows as unnamed messages (a [`LogFragment`], id = line number),
/// and the named events `changed` (steps, state) and `done` (last).
#[derive(Debug, Clone)]
pub struct LiveRun {
    pub page: String,
    pub events: String,
    /// New lines belong to this page; else only steps and state are told.
    pub follows: bool,
}

/// Rows of the log alone: the data of an unnamed event.
#[derive(Debug, Template)]
#[template(path = "runs/log_fragment.html")]
pub struct LogFragment {
    pub log: Vec<LogEntry>,
}
