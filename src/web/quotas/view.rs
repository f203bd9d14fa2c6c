//! What the pages of quotas show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::shell::Shell;
use crate::web::ui::{Crumb, Empty, FormError, FormSection, QuotaBar, Tab};

/// A quota of the list.
#[derive(Debug, Clone)]
pub struct QuotaRow {
    /// "Payments dev", "Each user"
    pub of: String,
    /// None: the viewer may only look.
    pub href: Option<String>,
    pub dimension: String,
    pub bar: QuotaBar,
    /// "2 reserved, 1 stopped does not count"; empty: nothing to add.
    pub note: String,
}

/// The quotas of one scope.
#[derive(Debug, Clone)]
pub struct QuotaGroup {
    pub id: &'static str,
    /// "Project", "User"
    pub title: &'static str,
    pub rows: Vec<QuotaRow>,
}

/// `GET /admin/quotas`
#[derive(Debug, Template)]
#[template(path = "quotas/list.html")]
pub struct QuotasPage {
    pub shell: Shell,
    pub tabs: Vec<Tab>,
    pub lede: String,
    pub groups: Vec<QuotaGroup>,
    /// None: the viewer may only look.
    pub add_href: Option<&'static str>,
    pub empty: Option<Empty>,
}

/// `GET /admin/quotas/new` and `GET /admin/quotas/{quota}`
#[derive(Debug, Template)]
#[template(path = "quotas/form.html")]
pub struct QuotaFormPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub lede: String,
    pub action: String,
    /// Counts the changes of the quota that is changed.
    pub generation: Option<i64>,
    /// What is taken, of a quota that is there.
    pub bar: Option<QuotaBar>,
    pub section: FormSection,
    pub errors: Vec<FormError>,
    pub submit: &'static str,
    pub cancel_href: &'static str,
    /// Of a quota that is there.
    pub remove_action: Option<String>,
}
