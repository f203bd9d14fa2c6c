//! What the pages of the price book show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::shell::Shell;
use crate::web::ui::{Crumb, Empty, FormError, FormSection, Tab};

/// An item of the list.
#[derive(Debug, Clone)]
pub struct ItemRow {
    /// "Small machine"
    pub title: String,
    /// "vm.small"
    pub item: String,
    pub href: String,
    /// "0.0416 EUR an hour"; none: it begins later.
    pub today: Option<String>,
    /// "2026-11-01"; empty: no price is valid yet.
    pub since: String,
    /// "0.05 EUR an hour from 2027-01-01"; empty: none is known.
    pub next: String,
}

/// An item that templates name and that has no price.
#[derive(Debug, Clone)]
pub struct MissingRow {
    /// "gpu.t4"
    pub item: String,
    /// "Notebook, Training cluster"
    pub templates: String,
    /// The form that adds it; none: the viewer may only look.
    pub add_href: Option<String>,
}

/// `GET /admin/prices`
#[derive(Debug, Template)]
#[template(path = "prices/list.html")]
pub struct PricesPage {
    pub shell: Shell,
    pub tabs: Vec<Tab>,
    pub lede: String,
    pub rows: Vec<ItemRow>,
    pub missing: Vec<MissingRow>,
    /// None: the viewer may only look.
    pub add_href: Option<&'static str>,
    pub import_href: Option<&'static str>,
    /// None: there is nothing to export.
    pub csv_href: Option<&'static str>,
    /// The currency, while it can be changed.
    pub currency: Option<FormSection>,
    pub errors: Vec<FormError>,
    pub empty: Option<Empty>,
}

/// A price of an item's history.
#[derive(Debug, Clone)]
pub struct PriceRow {
    /// "0.0416 EUR an hour"
    pub price: String,
    /// "2026-11-01"
    pub valid_from: String,
    /// "valid today", "valid later", "replaced"; empty: it is over.
    pub mark: &'static str,
    pub added: String,
}

/// `GET /admin/prices/new`, `/admin/prices/import` and `/admin/prices/items/{item}`
#[derive(Debug, Template)]
#[template(path = "prices/form.html")]
pub struct PriceFormPage {
    pub shell: Shell,
    pub crumbs: Vec<Crumb>,
    pub title: String,
    pub lede: String,
    pub action: String,
    /// None: the viewer may only look.
    pub section: Option<FormSection>,
    pub errors: Vec<FormError>,
    pub submit: &'static str,
    pub cancel_href: &'static str,
    /// Of an item that is there, the newest first.
    pub history: Vec<PriceRow>,
}
