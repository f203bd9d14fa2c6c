//! Rows of `worker`.

use serde_json::Value;
use sqlx::PgConnection;

use crate::db::Result;
use crate::orchestrator::worker::Settings;

/// Says that a worker is there; returns whether a person told it to drain.
pub async fn seen(connection: &mut PgConnection, settings: &Settings, kinds: &[String], draining: bool) -> Result<bool> {
    let slots = i32::try_from(settings.slots).unwrap_or(i32::MAX);
    let limits: Value = settings.provider_limits.iter().map(|(name, limit)| (name.clone(), Value::from(*limit))).collect();
    Ok(sqlx::query_scalar!(
        "INSERT INTO worker (name, kinds, slots, labels, version, provider_limits, draining)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (name) DO UPDATE SET kinds = excluded.kinds, slots = excluded.slots, labels = excluded.labels,
             version = excluded.version, provider_limits = excluded.provider_limits,
             draining = excluded.draining OR worker.drain_requested, seen_at = now()
         RETURNING drain_requested",
        settings.name,
        kinds,
        slots,
        &settings.labels,
        settings.version,
        limits,
        draining
    )
    .fetch_one(connection)
    .await?)
}

/// Takes a worker off the list, and those that have long been silent.
pub async fn gone(connection: &mut PgConnection, name: &str) -> Result<()> {
    sqlx::query!("DELETE FROM worker WHERE name = $1 OR seen_at < now() - interval '1 hour'", name)
        .execute(connection)
        .await?;
    Ok(())
}
