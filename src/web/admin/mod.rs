//! Administration: the catalog's sources.

pub mod catalog;
mod form;
pub mod view;
