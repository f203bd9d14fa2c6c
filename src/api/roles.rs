//! Roles: who holds which where, until when; giving, changing and taking them.

use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Admins, Caller};
use super::error::Problem;
use super::extract::{Body, Id, Query};
use super::page::{List, Paging};
use crate::app::RoleDraft;
use crate::base::id::RoleBindingId;
use crate::base::lifetime::Lifetime;
use crate::identity::{self, Binding, Holder, IdentityError, Role, Source};
use crate::policy::{Permit, Resource, ability};

/// A role that somebody holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoleBinding)]
pub struct RoleView {
    id: String,
    /// A login, or `team:` and the slug of a team.
    who: String,
    /// The name to show.
    name: String,
    role: Role,
    /// The slug of the project; null: on the platform.
    project: Option<String>,
    /// The slug of the environment type of the project in which alone it counts; null: in all of it.
    environment_type: Option<String>,
    /// `local`: an admin changes it; `oidc`: it follows from the groups at the identity provider; `demo`.
    #[schema(value_type = String)]
    source: Source,
    /// Who gave it; null: nobody by hand.
    given_by: Option<String>,
    #[schema(format = DateTime, value_type = String)]
    created_at: Timestamp,
    /// Null: until it is taken away.
    #[schema(format = DateTime, value_type = Option<String>)]
    expires_at: Option<Timestamp>,
}

impl From<Binding> for RoleView {
    fn from(one: Binding) -> Self {
        Self {
            id: one.id.to_string(),
            who: match one.holder {
                Holder::Person(_) => one.key,
                Holder::Team(_) => format!("team:{}", one.key),
            },
            name: one.name,
            role: one.role,
            project: one.project_slug,
            environment_type: one.environment_type,
            source: one.source,
            given_by: Some(one.given_by).filter(|by| !by.is_empty()),
            created_at: one.created_at,
            expires_at: one.expires_at,
        }
    }
}

/// The permit to give and take roles; a refusal is written down.
async fn manage(
    caller: &Caller<Admins>,
    action: &'static str,
    of: &str,
) -> Result<Permit<ability::ManageRoles>, Problem> {
    match caller.app.permit_roles(&caller.op, caller.access()).await {
        Ok(permit) => Ok(permit),
        Err(refused) => {
            caller.app.record_refused_role(&caller.op, action, of).await?;
            Err(refused.into())
        }
    }
}

/// What is listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RoleQuery {
    /// A part of a name, a login, a team, a role, a project or an environment type.
    #[serde(default)]
    q: String,
    /// At most this many, 1 to 100.
    limit: Option<i64>,
    /// From the page before.
    cursor: Option<String>,
}

/// Who holds which role, newest first.
#[utoipa::path(get, path = "/roles", tag = "roles", params(RoleQuery), security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = List<RoleView>)))]
pub async fn list_roles(
    caller: Caller<Admins>,
    Query(query): Query<RoleQuery>,
) -> Result<Json<List<RoleView>>, Problem> {
    let permit: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let paging = Paging::read(query.limit, query.cursor.as_deref())?;
    let mut connection = caller.app.db.acquire().await?;
    let page = identity::list_bindings(&mut connection, &permit, &query.q, paging.after, paging.limit).await?;
    Ok(Json(List { items: page.items.into_iter().map(Into::into).collect(), next_cursor: page.next_cursor }))
}

/// One role that somebody holds.
#[utoipa::path(get, path = "/roles/{id}", tag = "roles", params(("id" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = RoleView)))]
pub async fn get_role(caller: Caller<Admins>, Id(id): Id<RoleBindingId>) -> Result<Json<RoleView>, Problem> {
    let permit: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    Ok(Json(identity::get_binding(&mut *caller.app.db.acquire().await?, &permit, id).await?.into()))
}

/// A role to be given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRoleBinding)]
pub struct NewRole {
    /// A login, or `team:` and the slug of a team. Never one's own.
    who: String,
    role: Role,
    /// The slug of a project. Left out: on the platform.
    project: Option<String>,
    /// The slug of an environment type of the project, in which alone it is to count. Left out: in all of it.
    environment_type: Option<String>,
    /// How long from now: seconds, or a text such as `30d`. Left out: until it is taken away.
    #[schema(value_type = Option<String>)]
    lifetime: Option<Lifetime>,
}

/// Gives a role. It counts at once.
#[utoipa::path(post, path = "/roles", tag = "roles", request_body = NewRole,
    security(("token" = ["admin"]), ("session" = [])),
    responses((status = 201, body = RoleView), (status = 409, description = "They hold it there already")))]
pub async fn give_role(
    caller: Caller<Admins>,
    Body(new): Body<NewRole>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<RoleView>), Problem> {
    let permit = manage(&caller, "role.granted", &new.who).await?;
    let NewRole { who, role, project, environment_type, lifetime } = new;
    let draft = RoleDraft { who, role, project, environment_type, lifetime: lifetime.map(|lifetime| lifetime.0) };
    let given = caller.app.give_role(&caller.op, &permit, &draft).await?;
    let location = [(header::LOCATION, format!("/api/v1/roles/{}", given.id))];
    Ok((StatusCode::CREATED, location, Json(given.into())))
}

/// Another end.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RoleBindingChange)]
pub struct ChangeRole {
    /// How long from now: seconds, or a text such as `30d`. Null: until it is taken away.
    #[schema(value_type = Option<String>)]
    lifetime: Option<Lifetime>,
}

/// Gives a role another end.
#[utoipa::path(patch, path = "/roles/{id}", tag = "roles", request_body = ChangeRole, params(("id" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = RoleView)))]
pub async fn change_role(
    caller: Caller<Admins>,
    Path(name): Path<String>,
    Body(change): Body<ChangeRole>,
) -> Result<Json<RoleView>, Problem> {
    let permit = manage(&caller, "role.changed", &name).await?;
    let lifetime = change.lifetime.map(|lifetime| lifetime.0);
    Ok(Json(caller.app.change_role_end(&caller.op, &permit, (id_of(&name)?, None), lifetime).await?.into()))
}

/// Takes a role away. It counts for nothing from then on.
#[utoipa::path(delete, path = "/roles/{id}", tag = "roles", params(("id" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 204, description = "It is taken away")))]
pub async fn take_role(caller: Caller<Admins>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    let permit = manage(&caller, "role.withdrawn", &name).await?;
    caller.app.take_role(&caller.op, &permit, id_of(&name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn id_of(text: &str) -> Result<RoleBindingId, IdentityError> {
    text.parse().map_err(|_| IdentityError::NotFound("role of anybody"))
}
