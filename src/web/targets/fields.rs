//! The fields of a target's forms, made from what its provider declares.

use serde_json::{Map, Value};

use crate::base::FieldError;
use crate::catalog::form::{Control, Field};
use crate::projects::{ConnectedTarget, Error};
use crate::providers::TargetForm;
use crate::providers::target::{Kind, TargetField};
use crate::web::answer::Form;
use crate::web::ui::{FormSection, choice, own_field, text_control};

const SETTINGS: &str = "settings";
const CREDENTIAL: &str = "credential";

/// What is wrong, by field; an error that is about none stands alone.
pub(super) fn errors_of(error: &Error) -> Vec<FieldError> {
    match error {
        Error::Invalid(found) => found.clone(),
        Error::TargetExists(_) => vec![FieldError::new("/slug", error.to_string())],
        other => vec![FieldError::new("", other.to_string())],
    }
}

/// What was typed into a form's part, as JSON.
fn typed<'a>(form: &Form, part: &str, fields: impl Iterator<Item = &'a TargetField>) -> Map<String, Value> {
    let value = |field: &TargetField| {
        let name = format!("{part}/{}", field.name);
        form.has(&name).then(|| (field.name.to_owned(), field.typed(form.get(&name))))
    };
    fields.filter_map(value).collect()
}

/// The settings that were typed; an empty field takes its setting away.
pub(super) fn typed_settings(form: &Form, declared: &TargetForm) -> Map<String, Value> {
    typed(form, SETTINGS, declared.settings())
}

/// The credential that was typed.
pub(super) fn typed_credential(form: &Form, declared: &TargetForm) -> Map<String, Value> {
    typed(form, CREDENTIAL, declared.secrets())
}

fn field(part: &str, declared: &TargetField, value: String, found: &[FieldError]) -> Field {
    let name = format!("{part}/{}", declared.name);
    let control = match declared.kind {
        Kind::Line | Kind::Folder => text_control(&value, declared.placeholder, None),
        Kind::Text | Kind::Folders | Kind::Names | Kind::Variables => Control::LongText { value },
        Kind::Number { min, max } => {
            Control::Number { value, min: Some(min.to_string()), max: Some(max.to_string()), step: None, unit: None }
        }
        Kind::Choice(choices) => {
            let none = !choices.iter().any(|(known, _)| *known == value);
            let one = |(at, (known, words)): (usize, &(&str, &str))| {
                choice(known, words, None, *known == value || (none && at == 0))
            };
            Control::Select { choices: choices.iter().enumerate().map(one).collect() }
        }
    };
    let help = Some(declared.help).filter(|help| !help.is_empty());
    // One of several is always chosen.
    let needed = declared.required || matches!(declared.kind, Kind::Choice(_));
    let field = own_field(found, &name, declared.label, help, needed, control);
    Field { secret: declared.secret, ..field }
}

/// Name and slug.
pub(super) fn about(form: &Form, found: &[FieldError]) -> FormSection {
    let text = |name: &str, like: &str, most| text_control(form.get(name), like, Some(most));
    FormSection {
        id: "about".to_owned(),
        title: "Target".to_owned(),
        help: "How people and programs call it.".to_owned(),
        fields: vec![
            own_field(found, "name", "Name", None, true, text("name", "Team databases, Frankfurt", 100)),
            own_field(
                found,
                "slug",
                "Short name",
                Some("Lower-case letters, digits and dashes; it stays."),
                true,
                text("slug", "team-databases", 63),
            ),
        ],
        reshapes: false,
    }
}

/// The settings as typed, or as stored where nothing was typed.
pub(super) fn settings(declared: &TargetForm, stored: &Value, form: &Form, found: &[FieldError]) -> FormSection {
    let one = |one: &'static TargetField| {
        let name = format!("{SETTINGS}/{}", one.name);
        let value = if form.has(&name) { form.get(&name).to_owned() } else { one.shown(stored.get(one.name)) };
        field(SETTINGS, one, value, found)
    };
    FormSection {
        id: "settings".to_owned(),
        title: "Settings".to_owned(),
        help: "Where it is and how it is used. Whoever may look at targets sees them.".to_owned(),
        fields: declared.settings().map(one).collect(),
        reshapes: false,
    }
}

/// The credential: always empty. `required`: as the provider declares it; otherwise it may stay.
pub(super) fn credential(declared: &TargetForm, required: bool, help: &str, found: &[FieldError]) -> FormSection {
    let one = |one: &'static TargetField| {
        let field = field(CREDENTIAL, one, String::new(), found);
        Field { required: required && field.required, ..field }
    };
    FormSection {
        id: "credential".to_owned(),
        title: "Credential".to_owned(),
        help: help.to_owned(),
        fields: declared.secrets().map(one).collect(),
        reshapes: false,
    }
}

/// What holds its runs.
pub(super) fn limits(target: Option<&ConnectedTarget>, form: &Form, found: &[FieldError]) -> FormSection {
    let stored = |name: &str, value: Option<String>| {
        if form.has(name) { form.get(name).to_owned() } else { value.unwrap_or_default() }
    };
    let most = stored("run_limit", target.and_then(|target| target.run_limit).map(|limit| limit.to_string()));
    let labels = stored("labels", target.map(|target| target.labels.join(", ")));
    let number = Control::Number {
        value: most,
        min: Some("1".to_owned()),
        max: None,
        step: None,
        unit: Some("runs".to_owned()),
    };
    let mut labels_field = own_field(
        found,
        "labels",
        "Labels of workers",
        Some("What a worker must have to execute its runs, with commas between."),
        false,
        text_control(&labels, "eu-west, gpu", None),
    );
    // One of them may be wrong: `/labels/2`.
    let inner = found.iter().filter(|error| error.pointer.starts_with("/labels/"));
    labels_field.errors.extend(inner.map(|error| format!("Each {}.", error.detail)));
    FormSection {
        id: "limits".to_owned(),
        title: "Limits".to_owned(),
        help: "They hold for runs that are asked for from now on.".to_owned(),
        fields: vec![
            own_field(
                found,
                "run_limit",
                "At work at a time",
                Some("As many as workers have room for when left empty."),
                false,
                number,
            ),
            labels_field,
        ],
        reshapes: false,
    }
}

/// The limits that were typed.
pub(super) fn typed_limits(form: &Form) -> Result<(Option<i32>, Vec<String>), Error> {
    let most = form.get("run_limit").trim();
    let run_limit = match most {
        "" => None,
        text => {
            let wrong = |_| Error::Invalid(vec![FieldError::new("/run_limit", "must be a whole number, or empty")]);
            Some(text.parse().map_err(wrong)?)
        }
    };
    let labels = form.get("labels").split([',', ' ', '\n']).map(str::trim).filter(|label| !label.is_empty());
    Ok((run_limit, labels.map(str::to_owned).collect()))
}
