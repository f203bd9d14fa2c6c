//! What the pages of orphans show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::shell::Shell;
use crate::web::ui::{Crumb, Empty, Fact, Pager, Pill, Tab, When};

/// An orphan in the list.
#[derive(Debug, Clone)]
pub struct OrphanRow {
    /// The id at the target.
    pub thing: String,
    pub href: String,
    pub kind: String,
    pub pill: Pill,
    pub target: String,
    /// Whose it is by its mark: words and the address, where it is known here.
    pub environment: (String, Option<String>),
    pub cost: String,
    pub found: When,
}

/// The last look at a target.
#[derive(Debug, Clone)]
pub struct LookRow {
    pub target: String,
    pub href: String,
    pub pill: Pill,
    pub when: Option<When>,
    pub next: Option<When>,
    pub reason: String,
}

/// `GET /admin/orphans`
#[derive(Debug, Template)]
#[template(path = "orphans/list.html")]
pub struct OrphansPage {
    pub shell: Shell,
    pub lede: String,
    pub tabs: Vec<Tab>,
    pub rows: Vec<OrphanRow>,
    pub pager: Pager,
    pub empty: Option<Empty>,
    pub looks: Vec<LookRow>,
    /// Post address; none: the viewer may only look.
    pub look_action: Option<String>,
}

/// `GET /admin/orphans/{orphan}`; posts `reason`, and to destroy `name`, to the addresses below.
#[derive(Debug, Template)]
#[template(path = "orphans/page.html")]
pub struct OrphanPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub name: String,
    pub pill: Pill,
    pub lede: String,
    pub facts: Vec<Fact>,
    /// Why it could not be destroyed.
    pub error: Option<String>,
    /// What the run that destroys it says.
    pub log: Vec<String>,
    /// Why it cannot be adopted.
    pub no_adoption: Option<String>,
    pub adopt_action: Option<String>,
    pub destroy_action: Option<String>,
    /// Asks for itself again while a run is at work.
    pub live: bool,
}
