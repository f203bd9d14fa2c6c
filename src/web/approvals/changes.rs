//! `/approvals/{request}/changes`: approving with changes, which the requester accepts or not.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};

use super::view::ChangesPage;
use crate::base::{ErrorKind, FieldError, Kinded as _};
use crate::catalog::form as inputs;
use crate::catalog::form::{Control, Field};
use crate::catalog::{self, TemplateVersion};
use crate::environments::Operation;
use crate::policy::Action;
use crate::requests::{Caller, Changes, RequestDetail, RequestStatus};
use crate::web::answer::{self, Form};
use crate::web::error::{PageError, sentence};
use crate::web::requests::form::lifetime;
use crate::web::requests::{detail, rows};
use crate::web::shell::Section;
use crate::web::ui::{Crumb, FormError, FormSection, own_field};
use crate::web::visitor::Visitor;
use crate::web::{frame, urls};

/// Whether the viewer may suggest changes to what is asked for.
pub(super) fn may_suggest(visitor: &Visitor, detail: &RequestDetail) -> bool {
    let request = &detail.request;
    let theirs = request.requester.is_some_and(|id| id != visitor.access.person.id);
    theirs
        && request.status == RequestStatus::AwaitingApproval
        && matches!(request.operation, Operation::Create | Operation::Update | Operation::Extend)
        && detail::may(visitor, Action::ReviewRequest, request)
}

/// The form, filled in as it was asked for.
pub async fn page(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let Some(asked) = Asked::load(&visitor, &id).await? else { return Ok(answer::see_other(&urls::approval(&id))) };
    let typed = Typed::of(&asked);
    answer::page(&view(&visitor, &asked, &typed, &[]).await?)
}

/// What was changed.
pub async fn post(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    let Some(asked) = Asked::load(&visitor, &id).await? else { return Ok(answer::see_other(&urls::approval(&id))) };
    let typed = Typed::posted(&asked, &form);
    if inputs::list_button(&form.0) {
        return answer::page(&view(&visitor, &asked, &typed, &[]).await?);
    }
    let request = &asked.detail.request;
    let changes = Changes {
        inputs: &typed.changes(&asked),
        lifetime: lifetime::read(&typed.lifetime).or(request.lifetime).filter(|_| asked.has_lifetime()),
        reason: &typed.reason,
    };
    let caller = Caller::Person(&visitor.access);
    let Err(error) = visitor.app.requests.suggest(&visitor.op, caller, request.id, changes).await else {
        let text = format!("Sent to {}, who accepts the changes or not.", request.requester_label);
        return Ok(answer::see_other_saying(&urls::request(request.id), &text));
    };
    let kind = error.kind();
    if !matches!(kind, ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Limited) {
        return Err(PageError::from(error).link("The request", urls::request(request.id)));
    }
    let mut found = error.field_errors().to_vec();
    if found.is_empty() {
        found.push(FieldError::new("", error.to_string()));
    }
    let page = view(&visitor, &asked, &typed, &found).await?;
    let status = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    Ok((status, answer::page(&page)?).into_response())
}

/// The request with what its form is made of.
struct Asked {
    detail: RequestDetail,
    version: TemplateVersion,
}

impl Asked {
    /// `None`: there is nothing for the viewer to change; the page of the review says why.
    async fn load(visitor: &Visitor, id: &str) -> Result<Option<Self>, PageError> {
        let mut connection = visitor.app.db.acquire().await?;
        let detail = detail::load(visitor, &mut connection, id).await?;
        if !may_suggest(visitor, &detail) {
            return Ok(None);
        }
        let version = catalog::get_version(&mut connection, detail.request.version_id).await?;
        Ok(Some(Self { detail, version }))
    }

    fn has_inputs(&self) -> bool {
        matches!(self.detail.request.operation, Operation::Create | Operation::Update)
    }

    fn has_lifetime(&self) -> bool {
        matches!(self.detail.request.operation, Operation::Create | Operation::Extend)
    }
}

/// What stands in the form.
struct Typed {
    inputs: Map<String, Value>,
    lifetime: String,
    reason: String,
}

impl Typed {
    fn of(asked: &Asked) -> Self {
        let inputs = asked.detail.request.inputs.clone();
        Self { inputs, lifetime: String::new(), reason: String::new() }
    }

    fn posted(asked: &Asked, form: &Form) -> Self {
        Self {
            inputs: inputs::parse(&asked.version.inputs_schema, &form.0),
            lifetime: form.get("lifetime").trim().to_owned(),
            reason: form.get("reason").to_owned(),
        }
    }

    /// The inputs that were altered; one that was emptied is taken away.
    fn changes(&self, asked: &Asked) -> Map<String, Value> {
        if !asked.has_inputs() {
            return Map::new();
        }
        let before = &asked.detail.request.inputs;
        let altered = self.inputs.iter().filter(|(name, value)| before.get(*name) != Some(*value));
        let emptied = before.keys().filter(|name| !self.inputs.contains_key(*name));
        altered
            .map(|(name, value)| (name.clone(), value.clone()))
            .chain(emptied.map(|name| (name.clone(), Value::Null)))
            .collect()
    }
}

async fn view(visitor: &Visitor, asked: &Asked, typed: &Typed, found: &[FieldError]) -> Result<ChangesPage, PageError> {
    let request = &asked.detail.request;
    let mut sections = Vec::new();
    if asked.has_inputs() {
        sections.extend(input_section(asked, typed, found));
    }
    sections.push(life_section(asked, typed, found));
    let alone = found.iter().filter(|error| !shown(&sections, &error.pointer));
    let mut errors: Vec<FormError> =
        alone.map(|error| FormError { text: sentence(&error.detail), href: String::new() }).collect();
    errors.extend(FormError::collect(&sections));
    let title = format!("Approve with changes: {}", rows::title(request));
    Ok(ChangesPage {
        shell: frame::shell(visitor, Section::Approvals, &title).await?,
        crumbs: vec![
            Crumb::to("Approvals", urls::APPROVALS),
            Crumb::to(rows::title(request), urls::approval(request.id)),
        ],
        title,
        lede: format!("{} accepts them or not. Nothing is altered without them.", request.requester_label),
        action: urls::approval_changes(request.id),
        cancel_href: urls::approval(request.id),
        absent: asked.detail.decides_for(&visitor.access).map(|one| one.absent_name.clone()),
        errors,
        sections,
    })
}

/// Whether a field of the form shows what is wrong there.
fn shown(sections: &[FormSection], pointer: &str) -> bool {
    let own = pointer.strip_prefix("/inputs").unwrap_or(pointer);
    let mut fields = sections.iter().flat_map(|section| &section.fields);
    !pointer.is_empty() && fields.any(|field| own == field.pointer || own.starts_with(&format!("{}/", field.pointer)))
}

fn input_section(asked: &Asked, typed: &Typed, found: &[FieldError]) -> Option<FormSection> {
    let below: Vec<FieldError> = found
        .iter()
        .filter_map(|error| Some(FieldError::new(error.pointer.strip_prefix("/inputs")?, error.detail.clone())))
        .collect();
    let fields = without_secrets(inputs::fields(&asked.version.inputs_schema, &typed.inputs, &below));
    (!fields.is_empty()).then(|| FormSection {
        id: "inputs".to_owned(),
        title: "Inputs".to_owned(),
        help: "As asked for. Secrets stay as they are.".to_owned(),
        reshapes: false,
        fields,
    })
}

fn without_secrets(fields: Vec<Field>) -> Vec<Field> {
    let open = fields.into_iter().filter(|field| !field.secret);
    open.map(|mut field| {
        if let Control::Group { fields } = &mut field.control {
            *fields = without_secrets(std::mem::take(fields));
        }
        field
    })
    .collect()
}

fn life_section(asked: &Asked, typed: &Typed, found: &[FieldError]) -> FormSection {
    let mut fields = Vec::new();
    if let (true, Some(lifetime)) = (asked.has_lifetime(), asked.detail.request.lifetime) {
        let control =
            Control::Select { choices: lifetime::choices(&typed.lifetime, lifetime, lifetime, "as asked for") };
        fields.push(own_field(found, "lifetime", "Lifetime", None, true, control));
    }
    let help = format!("{} reads it, and it is kept in the audit log.", asked.detail.request.requester_label);
    let control = Control::LongText { value: typed.reason.clone() };
    fields.push(own_field(found, "reason", "Why", Some(&help), true, control));
    FormSection {
        id: "life".to_owned(),
        title: "Life and reason".to_owned(),
        help: "What you would agree to, and why".to_owned(),
        reshapes: false,
        fields,
    }
}
