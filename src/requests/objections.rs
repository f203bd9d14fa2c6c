//! What cannot be had on the target that the draft leads to, as far as its settings alone tell it: nobody
//! waits for an approval and a run to hear that.

use sqlx::PgConnection;

use super::Error;
use super::resolve::Resolved;
use crate::base::FieldError;
use crate::environments::Operation;
use crate::{projects, providers};

/// Adds what the target refuses to the errors of a draft.
pub async fn collect(connection: &mut PgConnection, resolved: &mut Resolved) -> Result<(), Error> {
    if !matches!(resolved.operation, Operation::Create | Operation::Update) {
        return Ok(());
    }
    let version = &resolved.version;
    let wanted =
        providers::Wanted { provider: &version.provider, config: &version.provider_config, inputs: &resolved.inputs };
    // What lives stays on the target that it was made on.
    let alone = wanted.without_target().filter(|_| resolved.operation == Operation::Create);
    if !wanted.depends_on_target() && alone.is_none() {
        return Ok(());
    }
    match projects::target(connection, resolved.place.id, &version.provider).await? {
        Some(target) => resolved.errors.extend(wanted.objections(&target.slug, &target.settings)),
        None => resolved.errors.extend(alone.map(|why| FieldError::new("/environment_type", why))),
    }
    Ok(())
}
