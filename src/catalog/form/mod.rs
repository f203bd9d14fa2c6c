//! From a version's JSON Schema and the values typed so far to the fields of a form.

mod field;

pub use field::{Choice, Control, Field};
