//! Quotas: the list by what they are for, with what is taken; adding, changing and removing one.

mod fields;
mod list;
mod manage;
pub mod view;

pub use list::page as list_page;
pub use manage::{add, add_page, change, page, remove};

use crate::policy::{Action, Permit, Resource, ability};
use crate::web::error::PageError;
use crate::web::visitor::Visitor;

/// Whether the viewer may look, as a permit.
fn look(visitor: &Visitor) -> Result<Permit<ability::ReadAdmin>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    Ok(app.policy.permit(&app.platform_question(op, access, Action::ReadAdmin, Resource::platform()))?)
}

/// Whether the viewer may change quotas; nothing is written down.
fn may_manage(visitor: &Visitor) -> bool {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    app.policy.allows(&app.platform_question(op, access, Action::ManageQuotas, Resource::platform()))
}

/// The permit to change quotas. A refusal is written down as what was to be done to which quota.
async fn permit(
    visitor: &Visitor,
    action: &'static str,
    quota: &str,
) -> Result<Permit<ability::ManageQuotas>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    match app.policy.permit(&app.platform_question(op, access, Action::ManageQuotas, Resource::platform())) {
        Ok(permit) => Ok(permit),
        Err(refused) => {
            app.record_refused_quota(op, action, quota).await?;
            Err(refused.into())
        }
    }
}
