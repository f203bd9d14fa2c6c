//! What the pages of roles show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::shell::Shell;
use crate::web::ui::{Crumb, Empty, Fact, FilterBar, FormError, FormSection, Pager, Tab, When};

/// A role that somebody holds.
#[derive(Debug, Clone)]
pub struct RoleRow {
    /// "Lee Okafor", "Site reliability"
    pub name: String,
    /// "lee", "team sre, 4 people"
    pub key: String,
    /// None: it is not changed here.
    pub href: Option<String>,
    pub role: String,
    /// "payments", "the platform"
    pub place: String,
    /// None: it stays until it is taken away.
    pub ends: Option<When>,
    /// "Ada Lindqvist, 2 days ago", "the identity provider"
    pub by: String,
}

/// `GET /admin/roles?q=`
#[derive(Debug, Template)]
#[template(path = "roles/list.html")]
pub struct RolesPage {
    pub shell: Shell,
    pub tabs: Vec<Tab>,
    pub lede: String,
    pub filter: FilterBar,
    pub rows: Vec<RoleRow>,
    /// None: the viewer may only look.
    pub give_href: Option<&'static str>,
    pub empty: Option<Empty>,
    pub pager: Pager,
}

/// `GET /admin/roles/new` and `/admin/roles/{role}`
#[derive(Debug, Template)]
#[template(path = "roles/form.html")]
pub struct RoleFormPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub lede: String,
    pub action: String,
    /// Of a role that is there: the end that is shown, posted with the change.
    pub seen: Option<String>,
    pub facts: Vec<Fact>,
    pub errors: Vec<FormError>,
    pub section: FormSection,
    pub submit: &'static str,
    pub take_action: Option<String>,
}
