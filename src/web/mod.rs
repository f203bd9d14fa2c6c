//! The pages: addresses, view structs, templates, assets. Works without JavaScript; htmx only adds.
//!
//! A page is a view struct (`<area>/view.rs`) of finished display values with a template
//! (`templates/<area>/<page>.html`) and a [`shell::Shell`] around it. To add one: an address in
//! [`urls`], the struct, the template (`{% extends "layout/base.html" %}`, block `content`; `gate`
//! before sign-in), a handler that fills it, and its sample in `tests/it/pages/`. Styles are in
//! `assets/css/`, icons in `assets/icons.txt`; both are built by `scripts/assets` and committed.

pub mod admin;
pub mod answer;
pub mod approvals;
pub mod assets;
pub mod audit;
pub mod catalog;
pub mod cost;
pub mod costs;
pub mod environments;
pub mod error;
pub mod frame;
pub mod gate;
pub mod home;
pub mod icons;
pub mod listing;
pub mod orphans;
pub mod policies;
pub mod preferences;
pub mod prices;
pub mod problem;
pub mod queue;
pub mod quotas;
mod reports;
pub mod requests;
pub mod roles;
mod router;
pub mod runs;
pub mod search;
pub mod shell;
pub mod targets;
pub mod ui;
pub mod urls;
pub mod visitor;
pub mod why;
mod words;
pub mod zone;

pub use router::router;
