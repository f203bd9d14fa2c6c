//! The price book: the list of items, adding one, giving one another price, importing and exporting a file.

mod fields;
mod list;
mod manage;
pub mod view;

pub use list::{csv, page as list_page};
pub use manage::{add, add_page, import, import_page, item_page, price, set_currency};

use crate::policy::{Action, Permit, Resource, ability};
use crate::web::error::PageError;
use crate::web::visitor::Visitor;

/// Whether the viewer may look, as a permit.
fn look(visitor: &Visitor) -> Result<Permit<ability::ReadAdmin>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    Ok(app.policy.permit(&app.platform_question(op, access, Action::ReadAdmin, Resource::platform()))?)
}

/// Whether the viewer may add prices; nothing is written down.
fn may_manage(visitor: &Visitor) -> bool {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    app.policy.allows(&app.platform_question(op, access, Action::ManagePrices, Resource::platform()))
}

/// The permit to add prices. A refusal is written down as what was to be done to which item.
async fn permit(
    visitor: &Visitor,
    action: &'static str,
    item: &str,
) -> Result<Permit<ability::ManagePrices>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    match app.policy.permit(&app.platform_question(op, access, Action::ManagePrices, Resource::platform())) {
        Ok(permit) => Ok(permit),
        Err(refused) => {
            app.record_refused_price(op, action, item).await?;
            Err(refused.into())
        }
    }
}
