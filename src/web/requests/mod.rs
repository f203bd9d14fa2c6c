//! Requests: the form with its live verdict, the list, and one request.

pub mod view;
