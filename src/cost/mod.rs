//! What things cost: the price book, estimates by it, and what was used by the prices of its time.
//!
//! Invariants: money is decimal, never a float, and rounded only where it is told; a price is never changed, a new
//! one is a new row, and what was valid in the past stays so; an item without a price is *not priced*, never 0.
//! It does not know what takes the items: templates say that, and environments and requests ask.

mod accrue;
mod book;
mod budget;
mod error;
mod estimate;
mod import;
mod model;
mod money;
mod month;
mod store;

pub use accrue::{PriceBook, Used, UsedPrice, price_book};
pub use book::{
    add_item, add_price, currency, ensure_prices, export, import, item, items, record_refusal, set_currency,
};
pub use budget::{
    Budget, BudgetCheck, BudgetLevel, BudgetTerms, budget, record_budget_refusal, remove_budget, set_budget,
};
pub use error::Error;
pub use estimate::{Estimate, Line, UntilEnd, estimate};
pub use import::Imported;
pub use model::{Item, ItemPrices, Price, PriceText, Unit};
pub use money::Money;
pub use month::Month;
