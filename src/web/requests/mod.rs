//! Asking: the form, the list of requests, one request.

pub mod decision;
pub mod detail;
pub mod form;
pub mod list;
pub mod plan;
pub mod remind;
pub mod rows;
pub mod suggestions;
pub mod values;
pub mod view;
