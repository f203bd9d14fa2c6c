//! What was typed, and the draft that it means.

use serde_json::{Map, Value};

use super::lifetime;
use super::subject::{Create, Subject, Update};
use crate::base::FieldError;
use crate::catalog::form;
use crate::requests::{Draft, Intent};
use crate::web::answer::Form;

/// The values of the form, as typed.
#[derive(Debug, Clone, Default)]
pub(super) struct Typed {
    pub(super) environment_type: String,
    pub(super) name: String,
    pub(super) lifetime: String,
    pub(super) reason: String,
    pub(super) exception: bool,
    pub(super) inputs: Map<String, Value>,
}

impl Typed {
    /// The values of a posted form.
    pub(super) fn posted(subject: &Subject, values: &Form) -> Self {
        let inputs = match subject.schema() {
            Some(schema) => form::parse(schema, &values.0),
            None => Map::new(),
        };
        Self { inputs, ..Self::plain(subject, values) }
    }

    /// The values of a form that is opened, perhaps by a link that fills it in.
    pub(super) fn linked(subject: &Subject, values: &Form) -> Self {
        let inputs = match subject {
            Subject::Create(create) => form::prefill(&create.version.inputs_schema, &values.0),
            Subject::Update(update) => {
                let mut inputs = update.environment.inputs.clone();
                let schema = &update.version.inputs_schema;
                let (defaults, linked) = (form::defaults(schema), form::prefill(schema, &values.0));
                inputs.extend(linked.into_iter().filter(|(name, value)| defaults.get(name) != Some(value)));
                form::complete(schema, inputs)
            }
            Subject::Act(act) => form::prefill(&act.action.inputs, &values.0),
            Subject::Extend(_) => Map::new(),
        };
        Self { inputs, ..Self::plain(subject, values) }
    }

    fn plain(subject: &Subject, values: &Form) -> Self {
        let mut environment_type = values.get("environment_type").to_owned();
        // The chosen one stays when the project changes, where the new project has it, too.
        if let Subject::Create(create) = subject
            && !create.places.iter().any(|place| place.slug == environment_type)
            && let Some(first) = create.places.first()
        {
            environment_type.clone_from(&first.slug);
        }
        Self {
            environment_type,
            name: values.get("name").trim().to_owned(),
            lifetime: values.get("lifetime").trim().to_owned(),
            reason: values.get("reason").to_owned(),
            exception: values.has("exception"),
            inputs: Map::new(),
        }
    }

    /// The draft, and what could not be read.
    pub(super) fn draft(&self, subject: &Subject) -> (Draft, Vec<FieldError>) {
        let length = lifetime::read(&self.lifetime);
        let mut errors = Vec::new();
        if length.is_none() && !self.lifetime.is_empty() {
            errors.push(FieldError::new("/lifetime", "must be one of the list"));
        }
        let intent = match subject {
            Subject::Create(create) => self.create(create, length),
            Subject::Update(update) => self.update(update),
            Subject::Act(act) => Intent::Act {
                environment: act.environment.id,
                action: act.action.name.clone(),
                inputs: self.inputs.clone(),
            },
            Subject::Extend(environment) => {
                Intent::Extend { environment: environment.id, lifetime: length.unwrap_or(environment.lifetime) }
            }
        };
        (Draft { intent, reason: self.reason.clone(), exception: self.exception }, errors)
    }

    fn create(&self, create: &Create, lifetime: Option<jiff::SignedDuration>) -> Intent {
        Intent::Create {
            project: create.project.clone(),
            environment_type: self.environment_type.clone(),
            template: create.template.slug.clone(),
            version: None,
            name: self.name.clone(),
            inputs: self.inputs.clone(),
            lifetime,
        }
    }

    /// An input that was emptied is taken away. A secret one that was left empty stays as it is:
    /// nobody can see whether it is set.
    fn update(&self, update: &Update) -> Intent {
        let mut inputs = self.inputs.clone();
        for name in update.environment.inputs.keys() {
            inputs.entry(name.clone()).or_insert(Value::Null);
        }
        let chosen = update.version.number;
        let own = update.versions.first().map(|(number, _)| *number);
        Intent::Update {
            environment: update.environment.id,
            generation: Some(update.generation),
            version: (Some(chosen) != own).then_some(chosen),
            inputs,
        }
    }
}
