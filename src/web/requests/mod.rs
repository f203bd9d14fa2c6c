//! Asking: the form, the list of requests, one request.

pub mod form;
pub mod values;
pub mod view;
