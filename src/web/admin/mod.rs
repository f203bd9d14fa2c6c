//! Administration: the catalog's sources.

pub mod view;
