//! The page that says what went wrong.

pub mod view;
