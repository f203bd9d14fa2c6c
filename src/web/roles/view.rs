//! What the pages of roles show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::shell::Shell;
use crate::web::ui::{Crumb, Empty, Fact, FilterBar, FormError, FormSection, Pager, Pill, Tab, When};

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
    /// "payments", "prod of payments", "the platform"
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
    /// How many wait for a decision or a review.
    pub to_judge: u64,
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

/// A role that the viewer holds.
#[derive(Debug, Clone)]
pub struct OwnRow {
    pub role: String,
    /// "Payments", "Payments, only prod", "The platform: everywhere"
    pub place: String,
    /// None: it stays until it is taken away.
    pub ends: Option<When>,
    /// "Ada Lindqvist", "your team Site reliability"
    pub by: String,
}

/// A role that somebody asked for, or took in an emergency.
#[derive(Debug, Clone)]
pub struct AskedRow {
    /// Who.
    pub name: String,
    pub href: String,
    /// "lead in payments"
    pub label: String,
    pub pill: Pill,
    pub reason: String,
    /// "Ada Lindqvist: for today"; empty: nothing was said.
    pub answer: String,
    pub asked: When,
    pub ends: Option<When>,
    /// For whoever asked: "Take back" or "Give back", and where to.
    pub end: Option<(&'static str, String)>,
}

/// `GET /preferences/roles`
#[derive(Debug, Template)]
#[template(path = "roles/own.html")]
pub struct OwnRolesPage {
    pub shell: Shell,
    pub tabs: Vec<Tab>,
    pub rows: Vec<OwnRow>,
    pub asked: Vec<AskedRow>,
    pub errors: Vec<FormError>,
    pub section: FormSection,
    /// What can be taken at once: "admin in payments"
    pub emergencies: Vec<String>,
}

/// `GET /admin/roles/asked?show=`
#[derive(Debug, Template)]
#[template(path = "roles/asked.html")]
pub struct AskedRolesPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub tabs: Vec<Tab>,
    pub lede: String,
    /// All, to decide, to review.
    pub shows: Vec<Tab>,
    pub rows: Vec<AskedRow>,
    pub empty: Option<Empty>,
    pub pager: Pager,
}

/// What whoever decides or reviews says: yes or no, with words.
#[derive(Debug, Clone)]
pub struct JudgeForm {
    pub action: String,
    pub section: FormSection,
    /// Value and label of the button.
    pub yes: (&'static str, &'static str),
    pub no: (&'static str, &'static str),
}

/// `GET /admin/roles/asked/{elevation}`
#[derive(Debug, Template)]
#[template(path = "roles/asked_one.html")]
pub struct AskedPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub pill: Pill,
    /// Why the viewer does not decide.
    pub note: Option<&'static str>,
    pub facts: Vec<Fact>,
    /// The audit log of whoever holds it, since they do.
    pub did_href: Option<String>,
    pub errors: Vec<FormError>,
    pub judge: Option<JudgeForm>,
}
