//! Form fields: the catalog's [`Field`] with what its markup needs to know.
//!
//! A field is a template of its own because lists and groups hold fields again.

use askama::Template;

use crate::catalog::form::{Choice, Control, Field};

/// A part of a form under one heading.
#[derive(Debug, Clone)]
pub struct FormSection {
    /// Anchor, and what htmx replaces: `where`.
    pub id: String,
    /// The heading on the left.
    pub title: String,
    /// One line below it.
    pub help: String,
    /// The fields.
    pub fields: Vec<Field>,
    /// Whether a change here can change the form itself (project, environment type).
    pub reshapes: bool,
}

/// A line of the error summary: the words, and where the field is.
#[derive(Debug, Clone)]
pub struct FormError {
    /// What is wrong.
    pub text: String,
    /// `#f-inputs-size`.
    pub href: String,
}

impl FormError {
    /// The errors of these sections, in the order of the page.
    pub fn collect(sections: &[FormSection]) -> Vec<Self> {
        let mut found = Vec::new();
        for field in sections.iter().flat_map(|section| &section.fields) {
            gather(field, &mut found);
        }
        found
    }
}

fn gather(field: &Field, found: &mut Vec<FormError>) {
    for error in &field.errors {
        found.push(FormError { text: format!("{}: {error}", field.label), href: format!("#{}", id_of(&field.name)) });
    }
    match &field.control {
        Control::List { items: fields, .. } | Control::Group { fields } => {
            for inner in fields {
                gather(inner, found);
            }
        }
        Control::Text { .. }
        | Control::LongText { .. }
        | Control::Number { .. }
        | Control::Switch { .. }
        | Control::Select { .. }
        | Control::Radios { .. }
        | Control::Checks { .. }
        | Control::Json { .. } => {}
    }
}

/// `inputs/size` becomes `f-inputs-size`: the id of the control in the page.
fn id_of(name: &str) -> String {
    let safe: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("f-{safe}")
}

/// One field, ready to be written into a page: `{{ crate::web::ui::FieldView::of(field) }}`.
#[derive(Debug, Template)]
#[template(path = "components/field.html")]
pub struct FieldView<'a> {
    field: &'a Field,
    id: String,
}

impl askama::filters::HtmlSafe for FieldView<'_> {}

impl<'a> FieldView<'a> {
    /// The view of this field.
    pub fn of(field: &'a Field) -> Self {
        Self { field, id: id_of(&field.name) }
    }

    /// What `aria-describedby` names: the help and the errors that are there.
    fn described_by(&self) -> Option<String> {
        let help = self.field.help.is_some().then(|| format!("{}-help", self.id));
        let errors = (!self.field.errors.is_empty()).then(|| format!("{}-error", self.id));
        match (help, errors) {
            (Some(help), Some(errors)) => Some(format!("{help} {errors}")),
            (one, other) => one.or(other),
        }
    }

    fn invalid(&self) -> bool {
        !self.field.errors.is_empty()
    }

    /// Takes the whole row of the form's two columns.
    fn wide(&self) -> bool {
        match &self.field.control {
            Control::LongText { .. } | Control::Json { .. } | Control::Radios { .. } | Control::Checks { .. } => true,
            Control::Number { .. } => self.slides(),
            // Room for a sentence has the width of one.
            Control::Text { max_length, .. } => max_length.is_some_and(|most| most >= 120),
            Control::Switch { .. } | Control::Select { .. } | Control::List { .. } | Control::Group { .. } => false,
        }
    }

    /// A number between two bounds gets a slider beside it, unless it may be left empty: a slider
    /// always shows a value.
    fn slides(&self) -> bool {
        let bounded = matches!(&self.field.control, Control::Number { min: Some(_), max: Some(_), .. });
        bounded && self.field.required && !self.field.read_only
    }

    /// A few short words: one segmented control instead of cards.
    fn segmented(choices: &[Choice]) -> bool {
        choices.len() <= 5 && choices.iter().all(|choice| choice.help.is_none() && choice.label.chars().count() <= 14)
    }
}
