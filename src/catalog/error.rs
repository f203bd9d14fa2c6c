//! What can go wrong in the catalog.

use crate::base::{ErrorKind, FieldError, Kinded};
use crate::db;

/// A catalog error.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// No template has this slug or id.
    #[error("there is no template “{0}” in the catalog")]
    TemplateNotFound(String),
    /// The template has no such version.
    #[error("there is no version “{0}” of this template")]
    VersionNotFound(String),
    /// There is no such source.
    #[error("there is no catalog source “{0}”")]
    SourceNotFound(String),
    /// Another source has this slug.
    #[error("a catalog source named “{0}” exists already; choose another name")]
    SourceExists(String),
    /// The description of a source is wrong.
    #[error("the catalog source is not valid")]
    InvalidSource(Vec<FieldError>),
    /// The source cannot be read at all; the text says why and what to do.
    #[error("{0}")]
    Unreadable(String),
    /// Something that the source needs did not answer.
    #[error("{0}")]
    Unavailable(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] db::Error),
    /// A defect of ours.
    #[error("the catalog failed inside")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl CatalogError {
    /// A defect of ours.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }
}

impl Kinded for CatalogError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TemplateNotFound(_) | Self::VersionNotFound(_) | Self::SourceNotFound(_) => ErrorKind::NotFound,
            Self::SourceExists(_) => ErrorKind::Conflict,
            Self::InvalidSource(_) | Self::Unreadable(_) => ErrorKind::Invalid,
            Self::Unavailable(_) => ErrorKind::Unavailable,
            Self::Store(error) => error.kind(),
            Self::Internal(_) => ErrorKind::Internal,
        }
    }
}
