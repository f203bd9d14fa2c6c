//! What the search shows.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::shell::Shell;
use crate::web::ui::Pill;

/// One thing that was found.
#[derive(Debug, Clone)]
pub struct Hit {
    pub icon: &'static str,
    pub title: String,
    /// What tells it from others of the same name; may be empty.
    pub sub: String,
    pub href: String,
    pub pill: Option<Pill>,
}

/// Things of one kind.
#[derive(Debug, Clone)]
pub struct HitGroup {
    pub title: &'static str,
    pub hits: Vec<Hit>,
    /// Where all of them are, when more may fit.
    pub all: Option<String>,
}

/// `GET /search?q=`
#[derive(Debug, Template)]
#[template(path = "search/page.html")]
pub struct SearchPage {
    pub shell: Shell,
    pub q: String,
    pub groups: Vec<HitGroup>,
}

/// What was found alone, for the palette.
#[derive(Debug, Template)]
#[template(path = "search/found.html")]
pub struct FoundFragment {
    pub q: String,
    pub groups: Vec<HitGroup>,
}
