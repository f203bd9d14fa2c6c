//! Writing environments: each change is filtered by the state that it expects.

use serde_json::{Map, Value};
use sqlx::PgConnection;

use crate::base::id::{EnvironmentId, PersonId, TargetId, TemplateVersionId};
use crate::db::Result;
use crate::environments::{NewEnvironment, State};

pub async fn insert(
    connection: &mut PgConnection,
    new: &NewEnvironment,
    sealed_inputs: Option<&[u8]>,
    sealed_seed: &[u8],
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO environment (id, project_id, project_environment_type_id, template_id, template_version_id,
             target_id, owner_id, name, kind, state, inputs, secret_inputs, seed, lifetime_seconds)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'requested', $10, $11, $12, $13)",
        new.id.0,
        new.project.0,
        new.place.0,
        new.template.0,
        new.version.0,
        new.target.map(|id| id.0),
        new.owner.0,
        new.name,
        new.kind as crate::catalog::Kind,
        Value::Object(new.inputs.clone()),
        sealed_inputs,
        sealed_seed,
        new.lifetime.as_secs()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves the environment from one state to another. False: it is not in `from` any more.
pub async fn move_to(
    connection: &mut PgConnection,
    id: EnvironmentId,
    from: State,
    to: State,
    error: Option<&str>,
) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE environment SET state = $3, last_error = $4,
             deleted_at = CASE WHEN $3 = 'deleted' THEN now() END
         WHERE id = $1 AND state = $2",
        id.0,
        from as State,
        to as State,
        error
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// The environment is ready: its lifetime begins, unless it has begun before.
pub async fn ready(connection: &mut PgConnection, id: EnvironmentId, from: State) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE environment SET state = 'ready', last_error = NULL, ready_at = coalesce(ready_at, now()),
             expires_at = coalesce(CASE WHEN ready_at IS NOT NULL THEN expires_at END,
                                   now() + make_interval(secs => lifetime_seconds))
         WHERE id = $1 AND state = $2",
        id.0,
        from as State
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// The run failed: the environment stays, and ends by itself like any other.
pub async fn failed(connection: &mut PgConnection, id: EnvironmentId, from: State, error: &str) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE environment SET state = 'failed', last_error = $3,
             expires_at = coalesce(expires_at, now() + make_interval(secs => lifetime_seconds))
         WHERE id = $1 AND state = $2",
        id.0,
        from as State,
        error
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// New inputs and version, one generation on. False: generation or state have changed.
pub async fn change(
    connection: &mut PgConnection,
    id: EnvironmentId,
    generation: i64,
    version: TemplateVersionId,
    target: Option<TargetId>,
    inputs: &Map<String, Value>,
    sealed_inputs: Option<&[u8]>,
) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE environment SET generation = generation + 1, template_version_id = $3, target_id = $4, inputs = $5,
             secret_inputs = $6
         WHERE id = $1 AND generation = $2 AND state IN ('ready', 'failed')",
        id.0,
        generation,
        version.0,
        target.map(|id| id.0),
        Value::Object(inputs.clone()),
        sealed_inputs
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// It belongs to somebody else.
pub async fn set_owner(connection: &mut PgConnection, id: EnvironmentId, owner: PersonId) -> Result<()> {
    sqlx::query!("UPDATE environment SET owner_id = $2 WHERE id = $1", id.0, owner.0).execute(connection).await?;
    Ok(())
}

/// A new end, counted from now by the database's clock; the warning is given again.
pub async fn extend(connection: &mut PgConnection, id: EnvironmentId, seconds: i64) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE environment SET lifetime_seconds = $2, expires_at = now() + make_interval(secs => $2::bigint),
             expiry_warned_at = NULL, expiry_warned_last_at = NULL, generation = generation + 1
         WHERE id = $1 AND state IN ('ready', 'stopped', 'failed')",
        id.0,
        seconds
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}
