//! The catalog: sources, manifests, templates, versions, and the form of their inputs.

pub mod form;
