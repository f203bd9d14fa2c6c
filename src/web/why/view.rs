//! What the page shows.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::catalog::form::Choice;
use crate::web::shell::Shell;
use crate::web::ui::{Pill, Rule};

/// Whether the viewer may do something, and why.
#[derive(Debug, Clone)]
pub struct WhyRow {
    /// "Delete an environment"
    pub what: String,
    /// "Yes", "With approval", "No"
    pub pill: Pill,
    /// The rules that decide.
    pub rules: Vec<Rule>,
    /// Who must agree.
    pub asks: Vec<String>,
    /// Roles of which any one would help, and where to ask for it: "lead in payments"
    pub help: Vec<(String, String)>,
}

/// What is asked about one thing.
#[derive(Debug, Clone)]
pub struct WhySection {
    pub id: &'static str,
    pub title: String,
    pub help: &'static str,
    pub rows: Vec<WhyRow>,
}

/// `GET /why?of=`
#[derive(Debug, Template)]
#[template(path = "why/page.html")]
pub struct WhyPage {
    pub shell: Shell,
    /// The address that it is about.
    pub of: String,
    pub note: Option<&'static str>,
    /// Of which one it is told; nothing to choose from with fewer than two.
    pub projects: Vec<Choice>,
    pub sections: Vec<WhySection>,
}
