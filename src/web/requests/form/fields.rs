//! The sections and fields of the form.

use super::lifetime;
use super::line;
use super::subject::{Create, Subject, Update};
use super::typed::Typed;
use crate::base::FieldError;
use crate::catalog::form::{self, Choice, Control, Field};
use crate::web::ui::{FormError, FormSection};
use crate::web::words;

/// The fields that are not inputs, by their pointer.
const OWN: [&str; 6] = ["/project", "/environment_type", "/version", "/name", "/lifetime", "/reason"];

/// The sections with everything typed and every error.
pub(super) fn sections(subject: &Subject, typed: &Typed, errors: &[FieldError]) -> Vec<FormSection> {
    let mut sections = Vec::new();
    match subject {
        Subject::Create(create) => sections.push(place(create, typed, errors)),
        Subject::Update(update) => sections.extend(versions(update, errors)),
        Subject::Extend(_) | Subject::Act(_) => {}
    }
    if let Some(inputs) = inputs(subject, typed, errors) {
        sections.push(inputs);
    }
    sections.push(life(subject, typed, errors));
    sections
}

/// Errors that no field shows: about the whole, about inputs that the template does not have.
pub(super) fn homeless(subject: &Subject, errors: &[FieldError]) -> Vec<FormError> {
    let fields = match subject.schema() {
        Some(schema) => form::fields(schema, &serde_json::Map::new(), &[]),
        None => Vec::new(),
    };
    let has_home = |error: &&FieldError| {
        let below = error.pointer.strip_prefix("/inputs");
        OWN.contains(&error.pointer.as_str())
            || below.is_some_and(|at| {
                fields.iter().any(|field| at == field.pointer || at.starts_with(&format!("{}/", field.pointer)))
            })
    };
    let shown = |error: &FieldError| match error.pointer.strip_prefix("/inputs/") {
        Some(name) => FormError { text: format!("{name}: {}", error.detail), href: "#section-inputs".to_owned() },
        None => line(error),
    };
    errors.iter().filter(|error| !has_home(error)).map(shown).collect()
}

fn place(create: &Create, typed: &Typed, errors: &[FieldError]) -> FormSection {
    let mut projects: Vec<Choice> =
        create.projects.iter().map(|one| choice(&one.slug, &one.slug, one.slug == create.project)).collect();
    if !projects.iter().any(|one| one.selected) {
        let label = if create.project.is_empty() { "You are in no project yet" } else { &create.project };
        projects.insert(0, choice(&create.project, label, true));
    }
    let mut types: Vec<Choice> =
        create.places.iter().map(|one| choice(&one.slug, &one.slug, one.slug == typed.environment_type)).collect();
    if !types.iter().any(|one| one.selected) {
        types.push(choice(&typed.environment_type, "none", true));
    }
    let kept = create.places.iter().find(|one| one.slug == typed.environment_type);
    let help = kept.map(|place| format!("{}: kept at most {}", place.name, words::length(place.maximum_lifetime)));
    FormSection {
        id: "where".to_owned(),
        title: "Where".to_owned(),
        help: "Decides limits and who approves".to_owned(),
        reshapes: true,
        fields: vec![
            field("project", "Project", None, Control::Select { choices: projects }, errors),
            field("environment_type", "Environment type", help, Control::Radios { choices: types }, errors),
        ],
    }
}

fn versions(update: &Update, errors: &[FieldError]) -> Option<FormSection> {
    if update.versions.len() < 2 {
        return None;
    }
    let choices = update.versions.iter().enumerate().map(|(index, (number, version))| {
        let label = if index == 0 { format!("{version} (as it is)") } else { format!("{version} (current)") };
        choice(&number.to_string(), &label, *number == update.version.number)
    });
    Some(FormSection {
        id: "version".to_owned(),
        title: "Version".to_owned(),
        help: "A newer version may ask for other inputs".to_owned(),
        reshapes: true,
        fields: vec![field(
            "version",
            "Template version",
            None,
            Control::Select { choices: choices.collect() },
            errors,
        )],
    })
}

fn inputs(subject: &Subject, typed: &Typed, errors: &[FieldError]) -> Option<FormSection> {
    let schema = subject.schema()?;
    let below: Vec<FieldError> = errors
        .iter()
        .filter_map(|error| {
            let pointer = error.pointer.strip_prefix("/inputs")?;
            Some(FieldError::new(pointer, error.detail.clone()))
        })
        .collect();
    let mut fields = form::fields(schema, &typed.inputs, &below);
    if fields.is_empty() {
        return None;
    }
    let help = match subject {
        Subject::Create(create) => format!("What {} asks for", create.template.name),
        Subject::Act(act) => format!("What “{}” asks for", act.action.title),
        Subject::Update(_) | Subject::Extend(_) => {
            fields.iter_mut().for_each(keep_secret);
            "The panel shows what changes".to_owned()
        }
    };
    Some(FormSection { id: "inputs".to_owned(), title: "Inputs".to_owned(), help, reshapes: false, fields })
}

/// A stored secret is not shown, so an empty field cannot mean that it is to be emptied.
fn keep_secret(field: &mut Field) {
    if field.secret {
        field.required = false;
        let keep = "Leave it empty to keep what is stored.";
        field.help = Some(field.help.as_ref().map_or_else(|| keep.to_owned(), |help| format!("{help} {keep}")));
    }
    if let Control::Group { fields } = &mut field.control {
        fields.iter_mut().for_each(keep_secret);
    }
}

fn life(subject: &Subject, typed: &Typed, errors: &[FieldError]) -> FormSection {
    let mut fields = Vec::new();
    if matches!(subject, Subject::Create(_)) {
        let control = Control::Text {
            value: typed.name.clone(),
            pattern: Some("[A-Za-z0-9][A-Za-z0-9\\-_.]{2,62}".to_owned()),
            min_length: Some(3),
            max_length: Some(63),
            placeholder: Some("orders-db".to_owned()),
        };
        let help = "3 to 63 letters, digits, “-”, “_” and “.”".to_owned();
        fields.push(field("name", "Name", Some(help), control, errors));
    }
    let limits = match subject {
        Subject::Create(create) => {
            let place = create.places.iter().find(|one| one.slug == typed.environment_type);
            place.map(|place| (place.default_lifetime, place.maximum_lifetime))
        }
        Subject::Extend(environment) => Some((environment.lifetime, environment.place.maximum_lifetime)),
        Subject::Update(_) | Subject::Act(_) => None,
    };
    if let Some((default, maximum)) = limits {
        let control =
            Control::Select { choices: lifetime::choices(&typed.lifetime, default, maximum, lifetime::USUAL) };
        let (label, help) = match subject {
            Subject::Extend(_) => ("New lifetime", "Counted from now"),
            Subject::Create(_) | Subject::Update(_) | Subject::Act(_) => {
                ("Lifetime", "Counted from when it is ready; you can extend it")
            }
        };
        fields.push(field("lifetime", label, Some(help.to_owned()), control, errors));
    }
    let why = Control::LongText { value: typed.reason.clone() };
    let mut why = field("reason", "Why", Some("Approvers read this first.".to_owned()), why, errors);
    why.required = false;
    fields.push(why);
    let (title, help) = match subject {
        Subject::Create(_) => ("Name and life", "The name stays as long as it lives"),
        Subject::Extend(_) => ("New end", "It is deleted then, unless it is extended again"),
        Subject::Update(_) | Subject::Act(_) => ("Reason", "For whoever approves or looks later"),
    };
    FormSection { id: "life".to_owned(), title: title.to_owned(), help: help.to_owned(), reshapes: false, fields }
}

fn field(name: &str, label: &str, help: Option<String>, control: Control, errors: &[FieldError]) -> Field {
    let pointer = format!("/{name}");
    let errors = errors.iter().filter(|error| error.pointer == pointer).map(|error| error.detail.clone()).collect();
    Field {
        pointer,
        name: name.to_owned(),
        label: label.to_owned(),
        help,
        required: true,
        read_only: false,
        secret: false,
        control,
        errors,
    }
}

fn choice(value: &str, label: &str, selected: bool) -> Choice {
    Choice { value: value.to_owned(), label: label.to_owned(), help: None, selected }
}
