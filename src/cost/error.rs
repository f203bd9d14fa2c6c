//! Errors of the price book.

use crate::base::{ErrorKind, FieldError, Kinded};
use crate::db;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such item.
    #[error("there is no item “{0}” in the price book")]
    NoItem(String),
    /// The currency stays, because there are prices in it.
    #[error("there are prices in {0} already: the currency cannot change any more")]
    CurrencyInUse(String),
    /// The project has no budget.
    #[error("the project has no budget")]
    NoBudget,
    /// The budget is not what it was when it was looked at.
    #[error("somebody has changed the budget since; look at it as it is now")]
    StaleBudget,
    /// Some values are wrong.
    #[error("some values are not right: {}", first(.0))]
    Invalid(Vec<FieldError>),
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl Kinded for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoItem(_) | Self::NoBudget => ErrorKind::NotFound,
            Self::StaleBudget => ErrorKind::Stale,
            Self::CurrencyInUse(_) => ErrorKind::Conflict,
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::Db(error) => error.kind(),
        }
    }
}

fn first(errors: &[FieldError]) -> String {
    errors.first().map_or_else(String::new, |error| format!("{} {}", error.pointer, error.detail))
}
