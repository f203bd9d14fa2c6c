//! All SQL of the orchestrator.

use sqlx::PgConnection;

use crate::db::Result;

pub(super) mod circuits;
pub(super) mod claim;
pub(super) mod freezes;
pub(super) mod lanes;
pub(super) mod log;
pub(super) mod queue;
pub(super) mod runs;
pub(super) mod steps;
pub(super) mod workers;

/// Sends every payload to the channel.
pub(super) async fn notify(connection: &mut PgConnection, channel: &str, payloads: &[String]) -> Result<()> {
    sqlx::query!("SELECT count(pg_notify($1, p)) AS n FROM unnest($2::text[]) AS p", channel, payloads)
        .fetch_one(connection)
        .await?;
    Ok(())
}
