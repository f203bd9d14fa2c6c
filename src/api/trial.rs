//! Trying a version of the policies: what it would say to a request that nobody makes.

use axum::Json;
use axum::extract::Path;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::caller::{Admins, Caller};
use super::drafts::lifetime_schema;
use super::error::Problem;
use super::extract::Body;
use super::replay::SideView;
use crate::base::lifetime::Lifetime;
use crate::environments::Operation;
use crate::policy::replay::FlipKind;
use crate::policy::{Permit, Resource, ability};
use crate::requests::{Trial, trial_question};

/// The request that is tried. The environment need not exist.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyTrial)]
pub struct TrialText {
    /// The login name of who would ask.
    person: String,
    /// A slug.
    project: String,
    /// A slug.
    environment_type: String,
    /// A slug.
    template: String,
    operation: Operation,
    /// For `act`: which of the template's actions.
    action: Option<String>,
    /// Whether the environment is somebody else's. What is created is theirs.
    #[serde(default)]
    of_somebody_else: bool,
    /// What is left out takes its default.
    #[serde(default)]
    #[schema(value_type = Object)]
    inputs: Map<String, Value>,
    #[schema(schema_with = lifetime_schema)]
    lifetime: Option<Lifetime>,
}

/// What both sets of rules say.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PolicyTried)]
pub struct TriedView {
    /// What was asked, in words.
    asked: String,
    /// How the version differs from what is in force; null: not in what people meet.
    flip: Option<FlipKind>,
    /// What the rules in force say.
    before: SideView,
    /// What this version says.
    after: SideView,
}

/// Says what this version, and what is in force, would decide about a request. Nothing is asked for.
#[utoipa::path(post, path = "/policies/{number}/try", tag = "policies", request_body = TrialText,
    params(("number" = i32, Path)), security(("token" = ["admin", "audit"]), ("session" = [])),
    responses((status = 200, body = TriedView), (status = 422, description = "The version or the request is not valid")))]
pub async fn try_policies(
    caller: Caller<Admins>,
    Path(number): Path<i32>,
    Body(text): Body<TrialText>,
) -> Result<Json<TriedView>, Problem> {
    let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let permit: Permit<ability::ReadAudit> = caller.permit_platform(Resource::audit_log(None))?;
    let (_, replay) = caller.app.replay_of(&permit, number).await?;
    let trial = Trial {
        person: text.person,
        project: text.project,
        environment_type: text.environment_type,
        template: text.template,
        operation: text.operation,
        action: text.action,
        own: !text.of_somebody_else,
        inputs: text.inputs,
        lifetime: text.lifetime.map(|lifetime| lifetime.0),
    };
    let question = trial_question(&mut *caller.app.db.acquire().await?, &caller.op, &trial).await?;
    let (before, after) = replay.both(&question);
    Ok(Json(TriedView {
        asked: question.asked(),
        flip: FlipKind::of(&before, &after),
        before: (&before).into(),
        after: (&after).into(),
    }))
}
