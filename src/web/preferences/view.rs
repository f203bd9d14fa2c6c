//! What the page of preferences shows.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::shell::Shell;
use crate::web::ui::When;

/// `GET /preferences`: how Paddock looks for the viewer, and in which zone it tells times.
#[derive(Debug, Template)]
#[template(path = "preferences/page.html")]
pub struct PreferencesPage {
    pub shell: Shell,
    /// What stands in the field: the chosen zone, or what was typed.
    pub zone: String,
    /// What is wrong with it.
    pub error: Option<String>,
    /// Every zone that there is.
    pub zones: Vec<String>,
    /// Now, in the viewer's zone.
    pub now: When,
}
