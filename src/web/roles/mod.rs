//! Roles: who holds which where, until when; giving, changing and taking one.

mod asked;
mod fields;
mod list;
mod manage;
mod own;
pub mod view;

pub use asked::{decide, list_page as asked_list, page as asked_page, review};
pub use list::page as list_page;
pub use manage::{change, give, give_page, page, take};
pub use own::{ask, ask_href, end as end_own, page as own_page};

use crate::policy::{Action, Permit, Resource, ability};
use crate::web::error::PageError;
use crate::web::visitor::Visitor;

/// Whether the viewer may look, as a permit.
fn look(visitor: &Visitor) -> Result<Permit<ability::ReadAdmin>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    Ok(app.policy.permit(&app.platform_question(op, access, Action::ReadAdmin, Resource::platform()))?)
}

/// Whether the viewer may give and take roles; nothing is written down.
fn may_manage(visitor: &Visitor) -> bool {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    app.policy.allows(&app.platform_question(op, access, Action::ManageRoles, Resource::platform()))
}

/// The permit to. A refusal is written down as what was to be done to whose role.
async fn permit(visitor: &Visitor, action: &'static str, of: &str) -> Result<Permit<ability::ManageRoles>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    match app.permit_roles(op, access).await {
        Ok(permit) => Ok(permit),
        Err(refused) => {
            app.record_refused_role(op, action, of).await?;
            Err(refused.into())
        }
    }
}
