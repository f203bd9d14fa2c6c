//! Targets: connecting, checking, rotating, binding, limiting, disconnecting them. A credential comes
//! in and never goes out.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::caller::{Admins, Caller};
use super::error::Problem;
use super::extract::{Body, Id, NoBody, idempotency_key, if_match};
use super::page::List;
use crate::app::SetBy;
use crate::base::id::{ProjectEnvironmentTypeId, TargetId};
use crate::orchestrator;
use crate::policy::{Permit, Resource, ability};
use crate::projects::{self, CheckReport, ConnectedTarget, NewTarget, TargetChange};
use crate::providers::target::{Kind, TargetField};
use crate::providers::{Finding, Verdict};

type Tagged<T> = ([(HeaderName, String); 1], Json<T>);

/// A target, without its credential.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Target)]
pub struct TargetView {
    id: String,
    slug: String,
    name: String,
    /// The provider that it is for.
    provider: String,
    /// Settings without secrets; what they mean, `GET /target-forms` says.
    #[schema(value_type = Object)]
    settings: Value,
    /// Counts its changes; the same as the `ETag`.
    generation: i64,
    /// Whether it has a credential. That itself never leaves Paddock.
    has_credential: bool,
    /// When the credential was brought.
    credential_set_at: Option<Timestamp>,
    /// Since when a rotation is on its way or broken off: runs try both credentials. Null: none is.
    rotation_begun_at: Option<Timestamp>,
    created_at: Timestamp,
    /// How many of its runs may be at work at a time; null: as many as workers have room for.
    run_limit: Option<i32>,
    /// How many are at work now.
    at_work: i64,
    /// What a worker must have to execute its runs.
    labels: Vec<String>,
    /// The project environment types whose new environments use it.
    bindings: Vec<BindingView>,
    /// The last check; null: none yet.
    check: Option<CheckView>,
}

/// A project environment type that uses a target.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TargetBinding)]
pub struct BindingView {
    /// The id of the project environment type.
    place: String,
    /// The project's slug.
    project: String,
    /// The environment type's slug.
    environment_type: String,
}

/// What a check found, asked from the process that serves this API.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TargetCheck)]
pub struct CheckView {
    at: Timestamp,
    /// The worst of the findings.
    result: Verdict,
    findings: Vec<Finding>,
}

impl From<CheckReport> for CheckView {
    fn from(check: CheckReport) -> Self {
        Self { at: check.at, result: check.result, findings: check.findings }
    }
}

impl TargetView {
    fn new(target: ConnectedTarget, at_work: &BTreeMap<uuid::Uuid, i64>) -> Self {
        let binding = |one: projects::Binding| BindingView {
            place: one.place.to_string(),
            project: one.project,
            environment_type: one.environment_type,
        };
        Self {
            id: target.id.to_string(),
            at_work: at_work.get(&target.id.0).copied().unwrap_or_default(),
            slug: target.slug,
            name: target.name,
            provider: target.provider,
            settings: target.settings,
            generation: target.generation,
            has_credential: target.has_credential,
            credential_set_at: target.credential_set_at,
            rotation_begun_at: target.rotation_begun_at,
            created_at: target.created_at,
            run_limit: target.run_limit,
            labels: target.labels,
            bindings: target.bindings.into_iter().map(binding).collect(),
            check: target.check.map(Into::into),
        }
    }
}

/// What is filled in to connect a target of one provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TargetForm)]
pub struct FormView {
    provider: &'static str,
    /// What such a target is.
    about: &'static str,
    /// Whether Paddock can set a new credential at the target itself.
    sets_credential: bool,
    /// The fields of `settings`.
    settings: Vec<FieldView>,
    /// The fields of `credential`.
    credential: Vec<FieldView>,
}

/// A field of a target.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TargetField)]
pub struct FieldView {
    name: &'static str,
    label: &'static str,
    help: &'static str,
    required: bool,
    /// Whether it says where the credential goes: who changes it brings the credential anew.
    binds_credential: bool,
    /// `line`, `text`, `number`, `choice`, `folder`, `folders`, `names` or `variables`.
    kind: &'static str,
    /// What may be chosen.
    choices: Vec<&'static str>,
}

impl From<&'static TargetField> for FieldView {
    fn from(field: &'static TargetField) -> Self {
        let (kind, choices): (_, &[(&str, &str)]) = match field.kind {
            Kind::Line => ("line", &[]),
            Kind::Text => ("text", &[]),
            Kind::Number { .. } => ("number", &[]),
            Kind::Choice(choices) => ("choice", choices),
            Kind::Folder => ("folder", &[]),
            Kind::Folders => ("folders", &[]),
            Kind::Names => ("names", &[]),
            Kind::Variables => ("variables", &[]),
        };
        Self {
            name: field.name,
            label: field.label,
            help: field.help,
            required: field.required,
            binds_credential: field.binds,
            kind,
            choices: choices.iter().map(|(value, _)| *value).filter(|value| !value.is_empty()).collect(),
        }
    }
}

/// The providers that targets can be connected for, with the fields of each.
#[utoipa::path(get, path = "/target-forms", tag = "targets", security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = List<FormView>)))]
pub async fn list_target_forms(caller: Caller<Admins>) -> Result<Json<List<FormView>>, Problem> {
    let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let view = |(provider, form): (_, &'static crate::providers::TargetForm)| FormView {
        provider,
        about: form.about,
        sets_credential: form.sets_credential,
        settings: form.settings().map(Into::into).collect(),
        credential: form.secrets().map(Into::into).collect(),
    };
    Ok(List::whole(caller.app.target_forms().into_iter().map(view).collect()))
}

/// Every connected target.
#[utoipa::path(get, path = "/targets", tag = "targets", security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = List<TargetView>)))]
pub async fn list_targets(caller: Caller<Admins>) -> Result<Json<List<TargetView>>, Problem> {
    let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let mut connection = caller.app.db.acquire().await?;
    let targets = projects::targets(&mut connection).await?;
    let at_work = orchestrator::Queue::at_work(&mut connection).await?;
    Ok(List::whole(targets.into_iter().map(|target| TargetView::new(target, &at_work)).collect()))
}

/// One target, by its id or slug.
#[utoipa::path(get, path = "/targets/{id}", tag = "targets", params(("id" = String, Path, description = "Id or slug")),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = TargetView)))]
pub async fn get_target(caller: Caller<Admins>, Path(name): Path<String>) -> Result<Tagged<TargetView>, Problem> {
    let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let target = found(&caller, &name).await?;
    view(&caller, target).await
}

async fn found(caller: &Caller<Admins>, name: &str) -> Result<ConnectedTarget, Problem> {
    Ok(projects::connected_target(&mut *caller.app.db.acquire().await?, name).await?)
}

async fn view(caller: &Caller<Admins>, target: ConnectedTarget) -> Result<Tagged<TargetView>, Problem> {
    let at_work = orchestrator::Queue::at_work(&mut *caller.app.db.acquire().await?).await?;
    let tag = [(header::ETAG, format!("\"{}\"", target.generation))];
    Ok((tag, Json(TargetView::new(target, &at_work))))
}

/// The permit to change targets; a refusal is written down.
async fn manage(
    caller: &Caller<Admins>,
    action: &'static str,
    target: &str,
) -> Result<Permit<ability::ManageTargets>, Problem> {
    match caller.permit_platform(Resource::platform()) {
        Ok(permit) => Ok(permit),
        Err(refused) => {
            caller.app.record_refused_target(&caller.op, action, target).await?;
            Err(refused)
        }
    }
}

/// A target to be connected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTarget)]
pub struct TargetDraft {
    /// Lower-case letters, digits and dashes.
    slug: String,
    name: String,
    provider: String,
    /// By the provider's form.
    #[serde(default)]
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
    /// By the provider's form. It is sealed and never given out.
    #[serde(default)]
    #[schema(value_type = Object)]
    credential: Map<String, Value>,
    /// How many of its runs may be at work at a time.
    run_limit: Option<i32>,
    /// What a worker must have to execute its runs.
    #[serde(default)]
    labels: Vec<String>,
}

/// Connects a target and checks it; a failed check does not keep it from being connected.
///
/// With `Idempotency-Key`, a repetition of the same body gives the same target, another body 422.
#[utoipa::path(post, path = "/targets", tag = "targets", request_body = TargetDraft,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key connects one target")),
    security(("token" = ["admin"]), ("session" = [])),
    responses((status = 201, body = TargetView), (status = 409, description = "The slug is taken")))]
pub async fn connect_target(
    caller: Caller<Admins>,
    headers: HeaderMap,
    Body(draft): Body<TargetDraft>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Tagged<TargetView>), Problem> {
    let permit = manage(&caller, "target.connected", &draft.slug).await?;
    let key = idempotency_key(&headers)?;
    let TargetDraft { slug, name, provider, settings, credential, run_limit, labels } = draft;
    let new = NewTarget { slug, name, provider, settings, credential, run_limit, labels };
    let target = caller.app.connect_target(&caller.op, &permit, &new, key).await?;
    let location = [(header::LOCATION, format!("/api/v1/targets/{}", target.id))];
    Ok((StatusCode::CREATED, location, view(&caller, target).await?))
}

/// A change of a target; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TargetChange)]
pub struct ChangeDraft {
    name: Option<String>,
    /// Settings to be changed; null takes one away.
    #[serde(default)]
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
    /// Needed anew when a setting changes that says where the credential goes.
    #[serde(default)]
    #[schema(value_type = Object)]
    credential: Map<String, Value>,
}

/// Changes a target and checks it.
#[utoipa::path(patch, path = "/targets/{id}", tag = "targets", request_body = ChangeDraft,
    params(("id" = String, Path, description = "Id or slug"),
           ("If-Match" = Option<String>, Header, description = "The ETag of the target: 412 when it has changed")),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = TargetView)))]
pub async fn change_target(
    caller: Caller<Admins>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Body(draft): Body<ChangeDraft>,
) -> Result<Tagged<TargetView>, Problem> {
    let permit = manage(&caller, "target.updated", &name).await?;
    let generation = if_match(&headers)?;
    let id = found(&caller, &name).await?.id;
    let change = TargetChange { name: draft.name, settings: draft.settings, credential: draft.credential };
    let target = caller.app.change_target(&caller.op, &permit, id, generation, &change).await?;
    view(&caller, target).await
}

/// Disconnects a target on which nothing lives; its credential is gone with it.
#[utoipa::path(delete, path = "/targets/{id}", tag = "targets", params(("id" = String, Path, description = "Id or slug")),
    security(("token" = ["admin"]), ("session" = [])),
    responses((status = 204, description = "It is disconnected"),
              (status = 409, description = "Environments live on it")))]
pub async fn disconnect_target(caller: Caller<Admins>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    let permit = manage(&caller, "target.disconnected", &name).await?;
    let id = found(&caller, &name).await?.id;
    caller.app.disconnect_target(&caller.op, &permit, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Looks whether the target can be reached and used, from the process that serves this API.
#[utoipa::path(post, path = "/targets/{id}/check", tag = "targets", params(("id" = String, Path, description = "Id or slug")),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = CheckView)))]
pub async fn check_target(
    caller: Caller<Admins>,
    Path(name): Path<String>,
    _: NoBody,
) -> Result<Json<CheckView>, Problem> {
    let permit = manage(&caller, "target.checked", &name).await?;
    let id = found(&caller, &name).await?.id;
    caller.app.check_target(&caller.op, &permit, id).await?;
    let check = found(&caller, &name).await?.check;
    Ok(Json(check.ok_or(projects::Error::NoTarget)?.into()))
}

/// A new credential.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TargetRotation)]
pub struct RotationDraft {
    /// By the provider's form. May be left out where Paddock sets it: it makes one.
    #[serde(default)]
    #[schema(value_type = Object)]
    credential: Map<String, Value>,
    /// Whether Paddock sets it at the target, where the provider can. Otherwise the target must take it
    /// already.
    #[serde(default)]
    set_at_target: bool,
}

/// Brings a new credential, which is checked before it takes the place of the old one.
#[utoipa::path(post, path = "/targets/{id}/rotate", tag = "targets", request_body = RotationDraft,
    params(("id" = String, Path, description = "Id or slug")), security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = TargetView), (status = 422, description = "The target does not take it")))]
pub async fn rotate_target(
    caller: Caller<Admins>,
    Path(name): Path<String>,
    Body(draft): Body<RotationDraft>,
) -> Result<Tagged<TargetView>, Problem> {
    let permit = manage(&caller, "target.rotated", &name).await?;
    let id = found(&caller, &name).await?.id;
    let by = if draft.set_at_target { SetBy::Paddock } else { SetBy::Somebody };
    let target = caller.app.rotate_target(&caller.op, &permit, id, &draft.credential, by).await?;
    view(&caller, target).await
}

/// Where a target is used.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TargetPlace)]
pub struct PlaceDraft {
    /// The id of the project environment type.
    #[schema(value_type = String)]
    place: ProjectEnvironmentTypeId,
}

/// From now on, new environments of the project environment type use the target.
#[utoipa::path(post, path = "/targets/{id}/bind", tag = "targets", request_body = PlaceDraft,
    params(("id" = String, Path, description = "Id or slug")), security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = TargetView)))]
pub async fn bind_target(
    caller: Caller<Admins>,
    Path(name): Path<String>,
    Body(draft): Body<PlaceDraft>,
) -> Result<Tagged<TargetView>, Problem> {
    let permit = manage(&caller, "target.bound", &name).await?;
    let id = found(&caller, &name).await?.id;
    let target = caller.app.bind_target(&caller.op, &permit, id, draft.place).await?;
    view(&caller, target).await
}

/// New environments of the project environment type do not use the target any more.
#[utoipa::path(post, path = "/targets/{id}/unbind", tag = "targets", request_body = PlaceDraft,
    params(("id" = String, Path, description = "Id or slug")), security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = TargetView)))]
pub async fn unbind_target(
    caller: Caller<Admins>,
    Path(name): Path<String>,
    Body(draft): Body<PlaceDraft>,
) -> Result<Tagged<TargetView>, Problem> {
    let permit = manage(&caller, "target.unbound", &name).await?;
    let id = found(&caller, &name).await?.id;
    let target = caller.app.unbind_target(&caller.op, &permit, id, draft.place).await?;
    view(&caller, target).await
}

/// What holds the runs of a target.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TargetLimits)]
pub struct LimitsDraft {
    /// How many may be at work at a time, from now on; null: as many as workers have room for.
    run_limit: Option<i32>,
    /// What a worker must have; it holds for runs that are asked for from now on.
    labels: Vec<String>,
}

/// Replaces what holds the runs of a target.
#[utoipa::path(put, path = "/targets/{id}/limits", tag = "targets", params(("id" = String, Path)),
    request_body = LimitsDraft, security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = TargetView)))]
pub async fn limit_target(
    caller: Caller<Admins>,
    Id(id): Id<TargetId>,
    Body(draft): Body<LimitsDraft>,
) -> Result<Tagged<TargetView>, Problem> {
    let permit = caller.permit_platform::<ability::ManageQueue>(Resource::platform())?;
    projects::check_limits(draft.run_limit, &draft.labels)?;
    let target = caller.app.limit_target(&caller.op, &permit, id, draft.run_limit, &draft.labels).await?;
    let target = target.ok_or(projects::Error::NoTarget)?;
    let target = found(&caller, &target.id.to_string()).await?;
    view(&caller, target).await
}
