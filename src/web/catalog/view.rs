//! What the catalog and template pages show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::{
    shell::Shell,
    ui::{Chip, Crumb, Empty, Facet, Fact, Look, Pager, Pill, When},
};

/// A line with an icon at the foot of a card: "**ready in 4 min**, half of the time".
#[derive(Debug, Clone)]
pub struct CardNote {
    pub look: Look,
    pub icon: &'static str,
    pub strong: String,
    pub rest: String,
}

/// A template in the catalog.
#[derive(Debug, Clone)]
pub struct TemplateCard {
    pub name: String,
    pub href: String,
    pub icon: &'static str,
    /// "Postgres · 1.2.0"
    pub sub: String,
    pub summary: String,
    pub notes: Vec<CardNote>,
}

/// `GET /catalog?q=&provider=&kind=…`
#[derive(Debug, Template)]
#[template(path = "catalog/page.html")]
pub struct CatalogPage {
    pub shell: Shell,
    pub lede: String,
    pub q: String,
    pub facets: Vec<Facet>,
    pub chips: Vec<Chip>,
    pub cards: Vec<TemplateCard>,
    /// Says "3 of 12 templates".
    pub pager: Pager,
    /// Instead of cards: nothing published yet, or nothing found.
    pub empty: Option<Empty>,
}

/// An input of a template, as the schema describes it.
#[derive(Debug, Clone)]
pub struct InputRow {
    pub label: String,
    /// `size`
    pub name: String,
    /// "one of S, M, L", "number, 1 to 100"
    pub kind: String,
    pub required: bool,
    pub default: Option<String>,
    pub help: Option<String>,
}

/// An output that an environment of this template will have.
#[derive(Debug, Clone)]
pub struct OutputSpec {
    pub name: String,
    pub help: String,
    pub sensitive: bool,
}

/// A version of a template.
#[derive(Debug, Clone)]
pub struct VersionRow {
    pub version: String,
    pub pill: Pill,
    /// Short digest of manifest and files.
    pub digest: String,
    /// Short commit, when it came from Git.
    pub commit: Option<String>,
    pub when: When,
}

/// Where the viewer may request it, and on which terms.
#[derive(Debug, Clone)]
pub struct PlaceRow {
    /// "payments, prod"
    pub place: String,
    pub pill: Pill,
    /// "A lead of payments must agree."
    pub words: String,
}

/// `GET /catalog/{template}`
#[derive(Debug, Template)]
#[template(path = "catalog/template.html")]
pub struct TemplatePage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub name: String,
    pub icon: &'static str,
    pub lede: String,
    /// Shown when it is not plainly published.
    pub pill: Option<Pill>,
    /// Address of the request form, when the viewer may ask for it anywhere.
    pub request_href: Option<String>,
    /// Why nobody can have it, in words; then there is no button.
    pub cannot: Option<String>,
    /// Markdown rendered and cleaned by the handler; written into the page as it is.
    pub description_html: Option<String>,
    /// "A database and a role of its own", one line each.
    pub makes: Vec<String>,
    pub inputs: Vec<InputRow>,
    pub outputs: Vec<OutputSpec>,
    pub places: Vec<PlaceRow>,
    pub facts: Vec<Fact>,
    pub versions: Vec<VersionRow>,
}
