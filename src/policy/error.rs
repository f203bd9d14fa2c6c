//! What can be wrong with a policy set.

use std::fmt;
use std::path::PathBuf;

use crate::base::{ErrorKind, Kinded};

/// One thing that is wrong in one file of a policy set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the set names it.
    pub file: String,
    /// Line and column, both from 1, where the place is known.
    pub place: Option<(usize, usize)>,
    /// The `@id` of the rule, where it has one.
    pub rule: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if let Some(rule) = &self.rule {
            write!(f, " (rule {rule})")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

/// Why a policy set was not loaded. The set in force stays in force.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or the folder cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no rule at all: everything would be denied.
    #[error("{0} holds no policies: expected *.cedar files")]
    Empty(String),
    /// The files are there and wrong. All problems are listed.
    #[error("the policies are not valid:{}", listed(.0))]
    Invalid(Vec<Problem>),
    /// The schema parses but does not describe what Paddock asks.
    #[error("the schema does not fit this version of Paddock: {0}")]
    SchemaMismatch(String),
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| ["\n  ", &problem.to_string()].concat()).collect::<Vec<_>>().concat()
}

impl Kinded for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreadable { .. } => ErrorKind::Unavailable,
            Self::Empty(_) | Self::Invalid(_) | Self::SchemaMismatch(_) => ErrorKind::Invalid,
        }
    }
}
