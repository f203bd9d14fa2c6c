//! Whether the process lives, and whether it can serve: for load balancers and health checks.
//! No operation, no sign-in; an answer tells one word and never why.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use crate::app::App;
use crate::db::{MigrationState, migration_state};

/// `GET /healthz`: the process answers. `GET /readyz`: and so does the database, on our schema.
pub fn health_routes(app: App) -> Router {
    Router::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(ready)).with_state(app)
}

async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    if app.tasks.stopping().is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    match migration_state(&app.db).await {
        Ok(MigrationState::Current) => (StatusCode::OK, "ready"),
        Ok(MigrationState::Behind(_)) => (StatusCode::SERVICE_UNAVAILABLE, "migrations are missing"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer"),
    }
}
