//! The fields of a role's forms, and what was typed into them.

use jiff::SignedDuration;

use crate::app::RoleDraft;
use crate::base::FieldError;
use crate::base::lifetime::Lifetime;
use crate::catalog::form::{Control, Field};
use crate::identity::{IdentityError, Role};
use crate::projects::Project;
use crate::web::answer::Form;
use crate::web::error::sentence;
use crate::web::ui::{FormSection, choice, own_field, text_control};

/// What is wrong, by field; an error that is about none stands alone.
pub(super) fn errors_of(error: &IdentityError) -> Vec<FieldError> {
    match error {
        IdentityError::Invalid(found) => found.clone(),
        other => vec![FieldError::new("", other.to_string())],
    }
}

/// How long, as typed; nothing typed is no end.
pub(super) fn typed_lifetime(form: &Form) -> Result<Option<SignedDuration>, IdentityError> {
    let typed = form.get("lifetime").trim();
    if typed.is_empty() {
        return Ok(None);
    }
    let wrong = |_| IdentityError::invalid("/lifetime", "is a length of time such as 8h or 30d, or empty");
    typed.parse::<Lifetime>().map(|lifetime| Some(lifetime.0)).map_err(wrong)
}

/// A role that was typed.
pub(super) fn typed(form: &Form) -> Result<RoleDraft, IdentityError> {
    let role = Role::parse(form.get("role"));
    Ok(RoleDraft {
        who: form.get("who").trim().to_owned(),
        role: role.ok_or_else(|| IdentityError::invalid("/role", "is one of the list"))?,
        project: Some(form.get("project").to_owned()).filter(|slug| !slug.is_empty()),
        lifetime: typed_lifetime(form)?,
    })
}

fn lifetime(value: &str, found: &[FieldError]) -> Field {
    let help = "From now on, such as 8h or 30d. Empty: until it is taken away.";
    own_field(found, "lifetime", "For how long", Some(help), false, text_control(value, "30d", Some(40)))
}

/// The fields of a role to be given.
pub(super) fn new(form: &Form, projects: &[Project], found: &[FieldError]) -> FormSection {
    let chosen = Role::parse(form.get("role")).unwrap_or(Role::Developer);
    let capital = |role: Role| sentence(role.as_str()).trim_end_matches('.').to_owned();
    let roles = Role::ALL.map(|role| choice(role.as_str(), &capital(role), None, role == chosen)).into();
    let place = form.get("project");
    let named = projects.iter().map(|one| choice(&one.slug, &one.name, None, one.slug == place));
    let places = [choice("", "The platform: everywhere", None, place.is_empty())].into_iter().chain(named).collect();
    let who = "A login, or team: and the short name of a team. Never your own.";
    FormSection {
        id: "role".to_owned(),
        title: "Role".to_owned(),
        help: "It counts at once.".to_owned(),
        fields: vec![
            own_field(
                found,
                "who",
                "Who",
                Some(who),
                true,
                text_control(form.get("who"), "lee or team:sre", Some(120)),
            ),
            own_field(found, "role", "Role", None, true, Control::Select { choices: roles }),
            own_field(found, "project", "Where", None, false, Control::Select { choices: places }),
            lifetime(form.get("lifetime"), found),
        ],
        reshapes: false,
    }
}

/// The fields of one that is there.
pub(super) fn change(form: &Form, found: &[FieldError]) -> FormSection {
    FormSection {
        id: "role".to_owned(),
        title: "Another end".to_owned(),
        help: "In place of the one that it has.".to_owned(),
        fields: vec![lifetime(form.get("lifetime"), found)],
        reshapes: false,
    }
}
