//! `GET /admin/policies/{number}/try`: what a version would say to a request, beside what is said now. What is
//! tried stands in the address.

use std::collections::BTreeSet;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};

use super::replay::{begin, pill, side};
use super::view::{Tried, TryPage};
use crate::base::FieldError;
use crate::base::lifetime::Lifetime;
use crate::catalog::form::{Choice, Control};
use crate::environments::Operation;
use crate::policy::replay::{FlipKind, Replay};
use crate::requests::{Error, Trial, trial_question};
use crate::web::answer::{self, Form, Query};
use crate::web::error::{PageError, sentence};
use crate::web::shell::Section;
use crate::web::ui::{Crumb, FormError, FormSection, Look, choice, own_field, text_control};
use crate::web::visitor::Visitor;
use crate::web::{frame, urls};
use crate::{catalog, projects};

/// The page.
pub async fn show(visitor: Visitor, Path(number): Path<i32>, Query(typed): Query) -> Result<Response, PageError> {
    let (_, replay) = match begin(&visitor, number).await? {
        Ok(begun) => begun,
        Err(answer) => return Ok(answer),
    };
    let tried = if typed.has("person") { try_it(&visitor, &replay, &typed).await } else { Ok(None) };
    let (tried, found) = match tried {
        Ok(tried) => (tried, Vec::new()),
        Err(Error::Invalid(found)) => (None, found),
        Err(error) => return Err(PageError::from(error).link("The version", urls::admin_policy(number))),
    };
    let status = if found.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let section = section(&visitor, &typed, &found).await?;
    let title = format!("Try version {number}");
    let mut errors = FormError::collect(std::slice::from_ref(&section));
    // What is wrong inside of the inputs has no field of its own.
    let inside = found.iter().filter(|error| error.pointer.starts_with("/inputs/"));
    errors.extend(inside.map(|error| {
        let name = error.pointer.trim_start_matches("/inputs/");
        FormError { text: sentence(&format!("the input {name} {}", error.detail)), href: "#f-inputs".to_owned() }
    }));
    let page = TryPage {
        shell: frame::shell(&visitor, Section::Admin, &title).await?,
        crumbs: vec![
            Crumb::to("Policies", urls::ADMIN_POLICIES),
            Crumb::to(format!("Version {number}"), urls::admin_policy(number)),
        ],
        title,
        lede: "What this version would say to a request, beside what is said now. Nothing is asked for.".to_owned(),
        action: urls::admin_policy_verb(number, "try"),
        errors,
        section,
        tried,
    };
    Ok((status, answer::page(&page)?).into_response())
}

async fn try_it(visitor: &Visitor, replay: &Replay, typed: &Form) -> Result<Option<Tried>, Error> {
    let trial = trial(typed)?;
    let mut connection = visitor.app.db.acquire().await?;
    let question = trial_question(&mut connection, &visitor.op, &trial).await?;
    let (before, after) = replay.both(&question);
    let (look, headline) = match FlipKind::of(&before, &after) {
        Some(kind) => {
            let pill = pill(kind);
            (pill.look, pill.word.into_owned())
        }
        None => (Look::Off, "Nothing changes".to_owned()),
    };
    Ok(Some(Tried {
        look,
        headline,
        asked: format!("{}: {}", question.principal.login, question.asked()),
        before: side(&before),
        after: side(&after),
    }))
}

/// What was typed.
fn trial(typed: &Form) -> Result<Trial, Error> {
    let mut errors = Vec::new();
    let operation = Operation::parse(typed.get("operation"));
    if operation.is_none() {
        errors.push(FieldError::new("/operation", "is one of the list"));
    }
    let inputs = match typed.get("inputs").trim() {
        "" => Ok(Map::new()),
        text => serde_json::from_str::<Map<String, Value>>(text),
    };
    let inputs = inputs.unwrap_or_else(|error| {
        errors.push(FieldError::new("/inputs", format!("is a JSON object, such as {{\"size\": \"small\"}}: {error}")));
        Map::new()
    });
    let lifetime = match typed.get("lifetime").trim() {
        "" => None,
        text => {
            text.parse::<Lifetime>().map_err(|error| errors.push(FieldError::new("/lifetime", error.to_string()))).ok()
        }
    };
    let word = |name: &str| typed.get(name).trim().to_owned();
    match operation {
        Some(operation) if errors.is_empty() => Ok(Trial {
            person: word("person"),
            project: word("project"),
            environment_type: word("environment_type"),
            template: word("template"),
            operation,
            action: Some(word("action")).filter(|name| !name.is_empty()),
            own: typed.get("owner") != "other",
            inputs,
            lifetime: lifetime.map(|lifetime| lifetime.0),
        }),
        _ => Err(Error::Invalid(errors)),
    }
}

/// Value and label of what can be chosen.
pub(super) type Choices = Vec<(String, String)>;

/// Projects, environment types and templates.
pub(super) async fn places(visitor: &Visitor) -> Result<(Choices, Choices, Choices), PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let projects = projects::list(&mut connection, None).await?;
    let ids: Vec<_> = projects.iter().map(|project| project.id).collect();
    let places = projects::places(&mut connection, &ids).await?;
    drop(connection);
    let templates = catalog::list(&visitor.app.db, &catalog::Filter::default()).await?.templates;
    let types: BTreeSet<String> = places.into_iter().map(|place| place.kind.slug).collect();
    Ok((
        projects.into_iter().map(|project| (project.slug, project.name)).collect(),
        types.into_iter().map(|slug| (slug.clone(), slug)).collect(),
        templates.into_iter().map(|one| (one.template.slug, one.template.name)).collect(),
    ))
}

async fn section(visitor: &Visitor, typed: &Form, found: &[FieldError]) -> Result<FormSection, PageError> {
    let (projects, types, templates) = places(visitor).await?;
    let operations = Operation::ALL.map(|one| (one.as_str().to_owned(), one.title().to_owned())).to_vec();
    let owners = [("own", "Theirs"), ("other", "Somebody else's")];
    let owners = owners.map(|(value, label)| (value.to_owned(), label.to_owned())).to_vec();
    let select = |name: &str, label: &str, choices: Choices| {
        let one = |(value, label): (String, String)| choice(&value, &label, None, typed.get(name) == value);
        let choices: Vec<Choice> = choices.into_iter().map(one).collect();
        own_field(found, name, label, None, true, Control::Select { choices })
    };
    let text = |name: &str, label: &str, help: &str, required: bool, like: &str| {
        own_field(found, name, label, Some(help), required, text_control(typed.get(name), like, Some(200)))
    };
    let inputs = Control::Json { value: typed.get("inputs").to_owned() };
    let life = "Such as 7d or 12h; the default when it is empty. For a delete: what is left of it.";
    Ok(FormSection {
        id: "try".to_owned(),
        title: "The request".to_owned(),
        help: "It need not be about something that exists.".to_owned(),
        fields: vec![
            text("person", "Who asks", "A login name.", true, "ada"),
            select("project", "Project", projects),
            select("environment_type", "Environment type", types),
            select("template", "Template", templates),
            select("operation", "Operation", operations),
            text("action", "Action", "For an action of the template: its name.", false, "rotate-password"),
            select("owner", "The environment is", owners),
            text("lifetime", "Lifetime", life, false, "7d"),
            own_field(found, "inputs", "Inputs", Some("As JSON; what is left out takes its default."), false, inputs),
        ],
        reshapes: false,
    })
}
