//! From a version's JSON Schema and the values typed so far to the fields of a form, and back.
//!
//! [`fields`] makes what the page shows, [`parse()`] reads what a browser posts. Nothing typed is
//! ever lost: what does not fit its type is kept as typed, shown again, and refused by
//! [`validate`] with words. The page works without JavaScript: lists grow and shrink by the
//! buttons `_add` and `_remove`, whose value is the JSON pointer of the list or of the item.

mod build;
mod field;
mod parse;
mod shape;

pub use build::fields;
pub use field::{Choice, Control, Field};
pub use parse::{list_button, parse, prefill};

pub use super::schema::{complete, defaults, merge, secrets, split_secrets, validate};

/// What the name of every control of the inputs begins with.
pub const PREFIX: &str = "inputs";

#[cfg(test)]
mod tests;
