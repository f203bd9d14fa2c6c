//! How a provider's call can end when it does not succeed.

use crate::base::{ErrorKind, Kinded};

/// A provider error. The text of `Failed` is shown to the user: the first real error, unwrapped.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The target refused for good, or the template is wrong: trying again does not help.
    #[error("{message}")]
    Failed {
        /// The first real error, unwrapped, for people.
        message: String,
    },
    /// Something on the way did not answer or was busy: trying again may help.
    #[error("{message}")]
    Retryable {
        /// What did not answer, for people.
        message: String,
    },
    /// No answer, or one that does not say: what was asked for may have had its effect. It is looked
    /// for before anything is asked again (I9).
    #[error("{message}")]
    Unknown {
        /// What did not answer, for people.
        message: String,
    },
    /// The run was canceled and the provider has stopped.
    #[error("canceled")]
    Canceled,
    /// Another attempt holds the run now: nothing of this one may be written any more.
    #[error("another worker holds this run now")]
    LeaseLost,
    /// A defect of ours.
    #[error("the provider failed inside")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ProviderError {
    /// A permanent failure.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into() }
    }

    /// A failure that may pass.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::Retryable { message: message.into() }
    }

    /// An outcome that nobody knows.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::Unknown { message: message.into() }
    }

    /// The same of something that changes nothing: where nothing was asked for, nothing is unknown.
    #[must_use]
    pub fn without_effect(self) -> Self {
        match self {
            Self::Unknown { message } => Self::Retryable { message },
            other => other,
        }
    }

    /// Its text as a sentence of its own, with capital and full stop.
    pub fn sentence(&self) -> String {
        let text = self.to_string();
        let mut chars = text.chars();
        let first = chars.next().into_iter().flat_map(char::to_uppercase);
        format!("{}.", first.chain(chars).collect::<String>().trim_end_matches('.'))
    }

    /// A defect of ours.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }
}

impl Kinded for ProviderError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Failed { .. } => ErrorKind::Invalid,
            Self::Retryable { .. } | Self::Unknown { .. } => ErrorKind::Unavailable,
            Self::Canceled => ErrorKind::Conflict,
            Self::LeaseLost => ErrorKind::Stale,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }
}
