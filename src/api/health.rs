//! For load balancers and supervisors: does the process live, and can it do its work.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::Problem;
use crate::app::App;
use crate::base::ErrorKind;
use crate::db::{MigrationState, migration_state};

/// That all is well.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    #[schema(value_type = String)]
    status: &'static str,
}

/// Whether the process answers. Looks at nothing else.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()), responses((status = 200, body = Health)))]
pub async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether requests can be served: the database answers and its schema is this version's.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()),
    responses((status = 200, body = Health), (status = 503, description = "Not yet, or not any more")))]
pub async fn readyz(State(app): State<App>) -> Result<Json<Health>, Problem> {
    match migration_state(&app.db).await {
        Ok(MigrationState::Current) => Ok(Json(Health { status: "ok" })),
        Ok(MigrationState::Behind(count)) => {
            let detail = format!("The database lacks {count} migrations; run “paddock migrate”.");
            Err(Problem::new(ErrorKind::Unavailable, detail))
        }
        Err(_) => Err(Problem::new(ErrorKind::Unavailable, "The database does not answer at the moment.")),
    }
}
