//! What an environment holds: secrets, provider state, outputs, resources.

use sqlx::PgConnection;

use crate::base::id::EnvironmentId;
use crate::db::Result;
use crate::environments::StoredOutput;
use crate::providers::Resource;

/// The sealed parts of an environment's row.
pub struct Sealed {
    pub secret_inputs: Option<Vec<u8>>,
    pub provider_state: Option<Vec<u8>>,
    pub seed: Vec<u8>,
}

pub async fn sealed(connection: &mut PgConnection, id: EnvironmentId) -> Result<Sealed> {
    Ok(sqlx::query_as!(Sealed, "SELECT secret_inputs, provider_state, seed FROM environment WHERE id = $1", id.0)
        .fetch_one(connection)
        .await?)
}

pub async fn set_provider_state(connection: &mut PgConnection, id: EnvironmentId, state: Option<&[u8]>) -> Result<()> {
    sqlx::query!("UPDATE environment SET provider_state = $2 WHERE id = $1", id.0, state).execute(connection).await?;
    Ok(())
}

/// Replaces all outputs.
pub async fn set_outputs(connection: &mut PgConnection, id: EnvironmentId, outputs: &[StoredOutput]) -> Result<()> {
    sqlx::query!("DELETE FROM environment_output WHERE environment_id = $1", id.0).execute(&mut *connection).await?;
    for (position, output) in (0_i32..).zip(outputs) {
        sqlx::query!(
            "INSERT INTO environment_output (environment_id, name, position, sensitive, value, sealed)
             VALUES ($1, $2, $3, $4, $5, $6)",
            id.0,
            output.name,
            position,
            output.sensitive,
            output.value,
            output.sealed
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

pub async fn outputs(connection: &mut PgConnection, id: EnvironmentId) -> Result<Vec<StoredOutput>> {
    Ok(sqlx::query_as!(
        StoredOutput,
        "SELECT name, sensitive, value, sealed FROM environment_output WHERE environment_id = $1 ORDER BY position",
        id.0
    )
    .fetch_all(connection)
    .await?)
}

/// Replaces all resources.
pub async fn set_resources(connection: &mut PgConnection, id: EnvironmentId, resources: &[Resource]) -> Result<()> {
    sqlx::query!("DELETE FROM environment_resource WHERE environment_id = $1", id.0).execute(&mut *connection).await?;
    let addresses: Vec<String> = resources.iter().map(|resource| resource.address.clone()).collect();
    let types: Vec<String> = resources.iter().map(|resource| resource.r#type.clone()).collect();
    let ids: Vec<Option<String>> = resources.iter().map(|resource| resource.provider_id.clone()).collect();
    sqlx::query!(
        "INSERT INTO environment_resource (environment_id, address, type, provider_id)
         SELECT $1, address, type, provider_id
         FROM unnest($2::text[], $3::text[], $4::text[]) AS r (address, type, provider_id)",
        id.0,
        &addresses,
        &types,
        &ids as &[Option<String>]
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn resources(connection: &mut PgConnection, id: EnvironmentId) -> Result<Vec<Resource>> {
    Ok(sqlx::query_as!(
        Resource,
        r#"SELECT address, type AS "type", provider_id FROM environment_resource
           WHERE environment_id = $1 ORDER BY address"#,
        id.0
    )
    .fetch_all(connection)
    .await?)
}
