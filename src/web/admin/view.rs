//! What the administration pages show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::{
    shell::Shell,
    ui::{Empty, Fact, FormError, FormSection, Pill, Tab, When},
};

/// What is wrong with a file of a source, and where.
#[derive(Debug, Clone)]
pub struct SourceProblem {
    pub file: String,
    pub line: Option<u64>,
    pub key: Option<String>,
    pub message: String,
    /// It was loaded nevertheless.
    pub warning: bool,
}

/// A template that a source brought.
#[derive(Debug, Clone)]
pub struct SourceTemplate {
    pub name: String,
    pub href: String,
    pub version: String,
    pub pill: Pill,
    /// Folder in the source.
    pub folder: String,
}

/// A catalog source.
#[derive(Debug, Clone)]
pub struct SourceCard {
    /// Anchor in the page.
    pub id: String,
    pub name: String,
    /// "Synced", "2 problems", "Could not be read"
    pub pill: Pill,
    /// Address, branch, folder, commit.
    pub facts: Vec<Fact>,
    pub synced: Option<When>,
    /// Reads it again; none: the viewer may only look.
    pub sync_action: Option<String>,
    pub problems: Vec<SourceProblem>,
    pub templates: Vec<SourceTemplate>,
}

/// `GET /admin/catalog`
#[derive(Debug, Template)]
#[template(path = "admin/catalog.html")]
pub struct AdminCatalogPage {
    pub shell: Shell,
    pub tabs: Vec<Tab>,
    pub lede: String,
    pub sources: Vec<SourceCard>,
    /// A new source; none: the viewer may only look. Posts to the same address.
    pub form: Option<FormSection>,
    pub errors: Vec<FormError>,
    pub empty: Option<Empty>,
}
