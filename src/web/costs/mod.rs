//! What environments cost, by month: for members what their projects cost, for admins and auditors everything, with
//! a file of every line.

pub mod budget;
mod export;
mod page;
pub mod view;

pub use export::csv;
pub use page::page;

use crate::cost::Month;
use crate::web::answer::Form;
use crate::web::error::PageError;
use crate::web::visitor::Visitor;

/// The month of the address; none there: the present one.
fn month_of(visitor: &Visitor, query: &Form) -> Result<Month, PageError> {
    match query.get("month") {
        "" => Ok(Month::of(visitor.op.now())),
        text => Month::parse(text).ok_or_else(|| PageError::invalid("A month is written like 2026-11.")),
    }
}
