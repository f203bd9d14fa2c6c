//! Fields of the pages' own forms, which no schema describes: a token, a catalog source.

use crate::base::FieldError;
use crate::catalog::form::{Choice, Control, Field};

/// A field whose pointer is its name, with what is wrong with it.
pub fn own_field(
    found: &[FieldError],
    name: &str,
    label: &str,
    help: Option<&str>,
    required: bool,
    control: Control,
) -> Field {
    let pointer = format!("/{name}");
    let wrong = found.iter().filter(|error| error.pointer == pointer);
    Field {
        errors: wrong.map(|error| crate::web::error::sentence(&error.detail)).collect(),
        pointer,
        name: name.to_owned(),
        label: label.to_owned(),
        help: help.map(str::to_owned),
        required,
        read_only: false,
        secret: false,
        control,
    }
}

/// A line of text.
pub fn text_control(value: &str, placeholder: &str, max_length: Option<u64>) -> Control {
    Control::Text {
        value: value.to_owned(),
        pattern: None,
        min_length: None,
        max_length,
        placeholder: Some(placeholder.to_owned()),
    }
}

/// One of several.
pub fn choice(value: &str, label: &str, help: Option<&str>, selected: bool) -> Choice {
    Choice { value: value.to_owned(), label: label.to_owned(), help: help.map(str::to_owned), selected }
}
