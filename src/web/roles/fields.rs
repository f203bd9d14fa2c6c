//! The fields of a role's forms, and what was typed into them.

use jiff::SignedDuration;

use crate::app::{ElevationDraft, RoleDraft};
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
        environment_type: Some(form.get("environment_type").to_owned()).filter(|slug| !slug.is_empty()),
        lifetime: typed_lifetime(form)?,
    })
}

/// A role that somebody asks for, as typed.
pub(super) fn typed_ask(form: &Form) -> Result<ElevationDraft, IdentityError> {
    let role = Role::parse(form.get("role")).ok_or_else(|| IdentityError::invalid("/role", "is one of the list"))?;
    let lifetime = typed_lifetime(form)?;
    let lifetime = lifetime.ok_or_else(|| IdentityError::invalid("/lifetime", "is a length of time such as 8h"))?;
    Ok(super::own::draft(role, form.get("project"), lifetime, (form.get("reason"), form.get("how") == "take")))
}

/// What the form of a role to ask for is made from.
pub(super) struct AskForm<'a> {
    /// What was typed, or chosen by a link.
    pub(super) form: &'a Form,
    /// Those that are offered; others may be named as well.
    pub(super) projects: &'a [Project],
}

/// The fields of a role to ask for.
pub(super) fn ask(of: &AskForm<'_>, found: &[FieldError]) -> FormSection {
    let form = of.form;
    let chosen = Role::parse(form.get("role")).unwrap_or(Role::Developer);
    let roles = Role::ALL.map(|role| choice(role.as_str(), &capital(role), None, role == chosen)).into();
    let known = of.projects.first().map_or("payments", |project| project.slug.as_str());
    let place = "The short name of a project. Empty: the platform, everywhere.";
    let lifetime = if form.get("lifetime").is_empty() { "8h" } else { form.get("lifetime") };
    let long = Control::LongText { value: form.get("reason").to_owned() };
    let project = text_control(form.get("project"), known, Some(100));
    FormSection {
        id: "ask".to_owned(),
        title: "Ask for a role".to_owned(),
        help: "For a time. Somebody who gives roles decides; it ends by itself, and you can give it back before."
            .to_owned(),
        fields: vec![
            own_field(found, "role", "Role", None, true, Control::Select { choices: roles }),
            own_field(found, "project", "Where", Some(place), false, project),
            own_field(
                found,
                "lifetime",
                "For how long",
                Some("From the decision on, such as 8h or 2d."),
                true,
                text_control(lifetime, "8h", Some(40)),
            ),
            own_field(found, "reason", "What for", Some("Whoever decides reads it, and auditors."), true, long),
        ],
        reshapes: false,
    }
}

/// The field of a decision on a role that somebody asked for.
pub(super) fn decision(form: &Form, found: &[FieldError]) -> FormSection {
    let control = Control::LongText { value: form.get("answer").to_owned() };
    FormSection {
        id: "decide".to_owned(),
        title: "Decide".to_owned(),
        help: "Granted, it counts at once, for as long as was asked for.".to_owned(),
        fields: vec![own_field(found, "answer", "Answer", Some("They read it. To decline, say why."), false, control)],
        reshapes: false,
    }
}

/// The field of a review of an emergency.
pub(super) fn review(form: &Form, found: &[FieldError]) -> FormSection {
    let control = Control::LongText { value: form.get("review").to_owned() };
    FormSection {
        id: "review".to_owned(),
        title: "Review".to_owned(),
        help: "Look at what they did, and say whether it was an emergency. Until then every admin is reminded."
            .to_owned(),
        fields: vec![own_field(found, "review", "What you found", Some("It stays in the audit log."), true, control)],
        reshapes: false,
    }
}

fn capital(role: Role) -> String {
    sentence(role.as_str()).trim_end_matches('.').to_owned()
}

fn lifetime(value: &str, found: &[FieldError]) -> Field {
    let help = "From now on, such as 8h or 30d. Empty: until it is taken away.";
    own_field(found, "lifetime", "For how long", Some(help), false, text_control(value, "30d", Some(40)))
}

/// The fields of a role to be given.
pub(super) fn new(
    form: &Form,
    (projects, types): (&[Project], &[(String, String)]),
    found: &[FieldError],
) -> FormSection {
    let chosen = Role::parse(form.get("role")).unwrap_or(Role::Developer);
    let roles = Role::ALL.map(|role| choice(role.as_str(), &capital(role), None, role == chosen)).into();
    let place = form.get("project");
    let named = projects.iter().map(|one| choice(&one.slug, &one.name, None, one.slug == place));
    let places = [choice("", "The platform: everywhere", None, place.is_empty())].into_iter().chain(named).collect();
    let kind = form.get("environment_type");
    let kinds = types.iter().map(|(slug, name)| choice(slug, name, None, slug == kind));
    let kinds = [choice("", "All of them", None, kind.is_empty())].into_iter().chain(kinds).collect();
    let only = "Of a project: it counts for what is in this one, and for nothing else of the project.";
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
            own_field(
                found,
                "environment_type",
                "Environment type",
                Some(only),
                false,
                Control::Select { choices: kinds },
            ),
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
