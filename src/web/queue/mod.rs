//! The queue and the workers: why each run waits, what holds runs, who executes them.

mod circuit;
mod freeze;
mod list;
pub mod view;
mod workers;

pub use circuit::close as close_circuit;
pub use freeze::{lift, set};
pub use list::page;
pub use workers::{drain, page as workers_page, resume};

use crate::policy::{Action, Permit, Resource, ability};
use crate::web::error::PageError;
use crate::web::ui::Tab;
use crate::web::urls;
use crate::web::visitor::Visitor;

/// Whether the viewer may look, as a permit.
fn look(visitor: &Visitor) -> Result<Permit<ability::ReadAdmin>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    Ok(app.policy.permit(&app.platform_question(op, access, Action::ReadAdmin, Resource::platform()))?)
}

/// Whether the viewer may hold runs and drain workers, as a permit.
fn manage(visitor: &Visitor) -> Result<Permit<ability::ManageQueue>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    Ok(app.policy.permit(&app.platform_question(op, access, Action::ManageQueue, Resource::platform()))?)
}

/// The pages of administration.
pub(in crate::web) fn tabs(current: &str) -> Vec<Tab> {
    let pages = [
        ("Queue", urls::ADMIN_QUEUE),
        ("Workers", urls::ADMIN_WORKERS),
        ("Policies", urls::ADMIN_POLICIES),
        ("Roles", urls::ADMIN_ROLES),
        ("Targets", urls::ADMIN_TARGETS),
        ("Quotas", urls::ADMIN_QUOTAS),
        ("Prices", urls::ADMIN_PRICES),
        ("Orphans", urls::ADMIN_ORPHANS),
        ("Catalog sources", urls::ADMIN_CATALOG),
    ];
    pages
        .map(|(label, href)| Tab {
            label: label.to_owned(),
            count: None,
            href: href.to_owned(),
            current: href == current,
        })
        .into()
}
