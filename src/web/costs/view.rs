//! What the page of costs shows.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::shell::Shell;
use crate::web::ui::{Empty, Fact, FilterBar, Tab};

/// A project, an environment, a template or an environment type.
#[derive(Debug, Clone)]
pub struct CostRow {
    pub name: String,
    /// "payments"; empty: the name says all.
    pub sub: String,
    pub href: Option<String>,
    /// "12.30 EUR", "at least 12.30 EUR", "not known".
    pub so_far: String,
    /// By the end of the month; empty: it is over.
    pub forecast: String,
    /// Of the largest row, for the bar beside it: 0 to 100.
    pub share: u8,
    /// "gpu.t4 is not priced"
    pub note: String,
}

/// `GET /costs`
#[derive(Debug, Template)]
#[template(path = "costs/page.html")]
pub struct CostsPage {
    pub shell: Shell,
    pub lede: String,
    /// "November 2026"
    pub month: String,
    pub before_href: String,
    /// None: it has not begun.
    pub after_href: Option<String>,
    /// None: the viewer may not have it.
    pub csv_href: Option<String>,
    pub tabs: Vec<Tab>,
    pub filter: Option<FilterBar>,
    /// The sums of all rows.
    pub sums: Vec<Fact>,
    /// Of the one project that is shown; empty: there are several.
    pub budget: Vec<Fact>,
    /// Where it is changed; none: the viewer may only look.
    pub budget_href: Option<String>,
    /// What is in no sum, and since when costs are known.
    pub notes: Vec<String>,
    /// "Project", "Environment"
    pub column: &'static str,
    /// Whether rows have a forecast.
    pub goes_on: bool,
    /// Whether a row has a note.
    pub has_notes: bool,
    pub rows: Vec<CostRow>,
    /// "and 12 more, which cost 3.20 EUR together"; empty: these are all.
    pub more: String,
    pub empty: Option<Empty>,
}
