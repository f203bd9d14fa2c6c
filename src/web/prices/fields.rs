//! The fields of the forms of prices, and what was typed into them.

use crate::base::FieldError;
use crate::catalog::form::{Control, Field};
use crate::cost::{Error, PriceText, Unit};
use crate::web::answer::Form;
use crate::web::ui::{FormSection, choice, own_field, text_control};

/// What is wrong, by field; an error that is about none stands alone.
pub(super) fn errors_of(error: &Error) -> Vec<FieldError> {
    match error {
        Error::Invalid(found) => found.clone(),
        other => vec![FieldError::new("", other.to_string())],
    }
}

/// A price that was typed.
pub(super) fn typed(form: &Form, item: &str) -> PriceText {
    PriceText {
        item: item.to_owned(),
        title: form.get("title").to_owned(),
        unit: form.get("unit").to_owned(),
        price: form.get("price").to_owned(),
        valid_from: form.get("valid_from").to_owned(),
    }
}

fn price(form: &Form, found: &[FieldError], currency: &str) -> Field {
    let help = format!("In {currency}, of one unit: at most six digits behind the point.");
    own_field(found, "price", "Price", Some(&help), true, text_control(form.get("price"), "0.0416", Some(20)))
}

fn valid_from(form: &Form, found: &[FieldError], help: &str) -> Field {
    let control = text_control(form.get("valid_from"), "2027-01-31", Some(10));
    own_field(found, "valid_from", "Valid from", Some(help), false, control)
}

/// The fields of a new item.
pub(super) fn new(form: &Form, found: &[FieldError], currency: &str) -> FormSection {
    let unit = Unit::parse(form.get("unit")).unwrap_or(Unit::Hour);
    let choices = vec![
        choice("hour", "An hour", None, unit == Unit::Hour),
        choice(
            "month",
            "A month",
            Some("730 hours; what is there for a part of it costs that part."),
            unit == Unit::Month,
        ),
    ];
    let item = "What templates write under prices: lower-case letters, digits, “.”, “_” and “-”.";
    FormSection {
        id: "price".to_owned(),
        title: "Item".to_owned(),
        help: "What it is called, and what one of it costs.".to_owned(),
        fields: vec![
            own_field(found, "item", "Item", Some(item), true, text_control(form.get("item"), "vm.small", Some(60))),
            own_field(
                found,
                "title",
                "Name for people",
                Some("Stands in the cost of requests. Left empty, the item itself."),
                false,
                text_control(form.get("title"), "Small machine", Some(80)),
            ),
            own_field(found, "unit", "Price of", None, true, Control::Radios { choices }),
            price(form, found, currency),
            valid_from(form, found, "The first day (UTC), also one in the past. Left empty, today."),
        ],
        reshapes: false,
    }
}

/// The fields of another price.
pub(super) fn another(form: &Form, found: &[FieldError], currency: &str) -> FormSection {
    FormSection {
        id: "price".to_owned(),
        title: "New price".to_owned(),
        help: "What was valid before stays so for the days before.".to_owned(),
        fields: vec![
            price(form, found, currency),
            valid_from(form, found, "The first day (UTC), today or later. Left empty, today."),
        ],
        reshapes: false,
    }
}

/// The field of a file.
pub(super) fn file(form: &Form, found: &[FieldError]) -> FormSection {
    let help = "Columns: item, title, unit, price, currency, valid_from; item and price must be there. Paste the file with its first line.";
    let control = Control::LongText { value: form.get("csv").to_owned() };
    FormSection {
        id: "price".to_owned(),
        title: "File".to_owned(),
        help: "All of it is taken, or nothing. What the book has already stays as it is.".to_owned(),
        fields: vec![own_field(found, "csv", "Prices as CSV", Some(help), true, control)],
        reshapes: false,
    }
}

/// The field of the currency.
pub(super) fn currency(value: &str, found: &[FieldError]) -> FormSection {
    let help = "A code of ISO 4217. It can be changed while there are no prices.";
    FormSection {
        id: "currency".to_owned(),
        title: "Currency".to_owned(),
        help: "Every price is in it.".to_owned(),
        fields: vec![own_field(found, "currency", "Currency", Some(help), true, text_control(value, "EUR", Some(3)))],
        reshapes: false,
    }
}
