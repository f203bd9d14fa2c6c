//! The pages: addresses, view structs, templates, assets. Works without JavaScript; htmx only adds.

pub mod admin;
pub mod approvals;
pub mod assets;
pub mod audit;
pub mod catalog;
pub mod environments;
pub mod gate;
pub mod home;
pub mod problem;
pub mod requests;
pub mod runs;
pub mod shell;
pub mod ui;
pub mod urls;
