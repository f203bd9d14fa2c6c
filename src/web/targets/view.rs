//! What the pages of targets show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::shell::Shell;
use crate::web::ui::{Crumb, Empty, Fact, FormError, FormSection, LinkRow, Pill, Tab, When};

/// A target of the list.
#[derive(Debug, Clone)]
pub struct TargetRow {
    pub name: String,
    pub href: String,
    pub slug: String,
    pub provider: String,
    /// "payments dev, payments test and 4 more"; empty: nowhere.
    pub used_by: String,
    pub check: Pill,
    pub checked: Option<When>,
    /// "1 of 4", "0"
    pub at_work: String,
    pub labels: Vec<String>,
}

/// `GET /admin/targets`
#[derive(Debug, Template)]
#[template(path = "targets/list.html")]
pub struct TargetsPage {
    pub shell: Shell,
    pub tabs: Vec<Tab>,
    pub lede: String,
    pub rows: Vec<TargetRow>,
    /// Connecting one; none: the viewer may only look.
    pub connect_href: Option<String>,
    pub empty: Option<Empty>,
}

/// `GET /admin/targets/new` without a provider.
#[derive(Debug, Template)]
#[template(path = "targets/pick.html")]
pub struct PickPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub lede: String,
    pub providers: Vec<LinkRow>,
}

/// `GET /admin/targets/new?provider=…` and `GET /admin/targets/{target}/edit`
#[derive(Debug, Template)]
#[template(path = "targets/form.html")]
pub struct TargetFormPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub lede: String,
    pub action: String,
    /// Names and values that the form carries along.
    pub hidden: Vec<(&'static str, String)>,
    pub sections: Vec<FormSection>,
    pub errors: Vec<FormError>,
    pub submit: &'static str,
    pub cancel_href: String,
}

/// One thing that a check tried.
#[derive(Debug, Clone)]
pub struct FindingRow {
    /// "OK", "Look at it", "Not OK"
    pub pill: Pill,
    pub what: String,
    pub detail: String,
    pub advice: Option<String>,
}

/// A project environment type that uses the target.
#[derive(Debug, Clone)]
pub struct BindingRow {
    pub label: String,
    pub place: String,
}

/// What the viewer may do on the page of a target.
#[derive(Debug)]
pub struct TargetActions {
    pub edit_href: String,
    pub check_action: String,
    pub rotate_action: String,
    pub rotate: FormSection,
    pub bind_action: String,
    /// None: every project environment type uses it already.
    pub bind: Option<FormSection>,
    pub unbind_action: String,
    pub limits_action: String,
    pub limits: FormSection,
    pub disconnect_action: String,
    pub disconnect: FormSection,
}

/// `GET /admin/targets/{target}`
#[derive(Debug, Template)]
#[template(path = "targets/page.html")]
pub struct TargetPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub lede: String,
    pub pill: Pill,
    pub checked: Option<When>,
    pub findings: Vec<FindingRow>,
    pub facts: Vec<Fact>,
    /// When the credential was brought, and what is odd about it.
    pub credential: Vec<Fact>,
    pub rotation: Option<String>,
    pub limits: Vec<Fact>,
    pub bindings: Vec<BindingRow>,
    pub living: Vec<LinkRow>,
    /// "Only the newest 20 are shown."
    pub more_living: Option<String>,
    pub errors: Vec<FormError>,
    /// None: the viewer may only look.
    pub actions: Option<TargetActions>,
}
