//! The fields of a quota's forms, and what was typed into them.

use crate::base::FieldError;
use crate::catalog::form::Control;
use crate::projects::{Error, ListedQuota, NewQuota, QuotaScope, QuotaTerms, WhenFull};
use crate::web::answer::Form;
use crate::web::ui::{FormSection, choice, own_field, text_control};

/// What is wrong, by field; an error that is about none stands alone.
pub(super) fn errors_of(error: &Error) -> Vec<FieldError> {
    match error {
        Error::Invalid(found) => found.clone(),
        other => vec![FieldError::new("", other.to_string())],
    }
}

/// The terms that were typed.
pub(super) fn typed_terms(form: &Form) -> Result<QuotaTerms, Error> {
    let maximum = typed_maximum(form)?;
    Ok(QuotaTerms { maximum, count_stopped: typed_stopped(form), when_full: typed_full(form) })
}

/// A whole number that was typed.
fn typed_maximum(form: &Form) -> Result<i64, Error> {
    let wrong = |_| Error::Invalid(vec![FieldError::new("/maximum", "is a whole number, such as 10")]);
    form.get("maximum").trim().parse().map_err(wrong)
}

/// Whether what is stopped counts.
fn typed_stopped(form: &Form) -> bool {
    form.get("stopped") != "free"
}

/// What becomes of requests that find it full.
fn typed_full(form: &Form) -> WhenFull {
    if form.get("full") == WhenFull::Wait.as_str() { WhenFull::Wait } else { WhenFull::Deny }
}

/// A quota that was typed.
pub(super) fn typed(form: &Form) -> Result<NewQuota, Error> {
    let wrong = || Error::Invalid(vec![FieldError::new("/scope", "is one of the list")]);
    Ok(NewQuota {
        scope: QuotaScope::parse(form.get("scope")).ok_or_else(wrong)?,
        of: form.get("of").trim().to_owned(),
        dimension: form.get("dimension").trim().to_owned(),
        terms: typed_terms(form)?,
    })
}

fn maximum(value: &str, found: &[FieldError]) -> crate::catalog::form::Field {
    let help = "What is there stays, also where it is more; nothing more gets in then.";
    let control =
        Control::Number { value: value.to_owned(), min: Some("0".to_owned()), max: None, step: None, unit: None };
    own_field(found, "maximum", "Limit", Some(help), true, control)
}

fn stopped(count: bool, found: &[FieldError]) -> crate::catalog::form::Field {
    let choices = vec![choice("counts", "Counts", None, count), choice("free", "Does not count", None, !count)];
    let help = "What does not count is given back at a stop; a start takes it again, and may be refused.";
    own_field(found, "stopped", "What is stopped", Some(help), true, Control::Radios { choices })
}

fn full(when: WhenFull, found: &[FieldError]) -> crate::catalog::form::Field {
    let one = |which: WhenFull, label| choice(which.as_str(), label, None, which == when);
    let choices = vec![one(WhenFull::Deny, "Deny the request"), one(WhenFull::Wait, "Let it wait in line")];
    let help = "In line, whoever asked first is let in first, as soon as there is room. What waits takes nothing.";
    own_field(found, "full", "When it is full", Some(help), true, Control::Radios { choices })
}

/// The fields of a new quota.
pub(super) fn new(form: &Form, found: &[FieldError]) -> FormSection {
    let scopes = [
        (QuotaScope::Organisation, "The organisation"),
        (QuotaScope::Project, "A project"),
        (QuotaScope::EnvironmentType, "An environment type, in all projects together"),
        (QuotaScope::ProjectEnvironmentType, "An environment type of a project"),
        (QuotaScope::Team, "A team, or each team"),
        (QuotaScope::User, "A user, or each user"),
    ];
    let chosen = QuotaScope::parse(form.get("scope")).unwrap_or(QuotaScope::Project);
    let choices = scopes.map(|(scope, label)| choice(scope.as_str(), label, None, scope == chosen)).into();
    let dimension = if form.has("dimension") { form.get("dimension") } else { "environments" };
    FormSection {
        id: "quota".to_owned(),
        title: "Quota".to_owned(),
        help: "What is there already counts in it from the beginning.".to_owned(),
        fields: vec![
            own_field(found, "scope", "For", None, true, Control::Select { choices }),
            own_field(
                found,
                "of",
                "Which",
                Some(
                    "Its short name: payments, dev, payments/dev, a team, a login. Empty for the organisation, and for \
                     each team or user that has no quota of its own.",
                ),
                false,
                text_control(form.get("of"), "payments/dev", Some(120)),
            ),
            own_field(
                found,
                "dimension",
                "What is counted",
                Some("environments, or what templates declare under quotas, such as vcpu."),
                true,
                text_control(dimension, "vcpu", Some(40)),
            ),
            maximum(form.get("maximum"), found),
            full(typed_full(form), found),
            stopped(typed_stopped(form), found),
        ],
        reshapes: false,
    }
}

/// The fields of one that is there: as typed, or as it is.
pub(super) fn change(one: &ListedQuota, form: &Form, found: &[FieldError]) -> FormSection {
    let typed = form.has("maximum");
    let value = if typed { form.get("maximum").to_owned() } else { one.quota.maximum.to_string() };
    let count = if typed { typed_stopped(form) } else { one.quota.count_stopped };
    let when = if typed { typed_full(form) } else { one.quota.when_full };
    FormSection {
        id: "quota".to_owned(),
        title: "Limit".to_owned(),
        help: "Requests meet it from now on.".to_owned(),
        fields: vec![maximum(&value, found), full(when, found), stopped(count, found)],
        reshapes: false,
    }
}
