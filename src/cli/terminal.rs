//! Words on the terminal. Progress and errors go to standard error, results to standard output.

use std::io::Write as _;

use crate::base::FieldError;
use crate::catalog::CatalogError;
use crate::db::embedded::Reporter;
use crate::identity::IdentityError;

/// Progress for the person at the terminal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal;

impl Reporter for Terminal {
    fn line(&self, text: &str) {
        // Nobody may be reading: that is no reason to stop.
        writeln!(std::io::stderr().lock(), "{text}").ok();
    }
}

/// One line of a result.
pub(super) fn out(text: impl std::fmt::Display) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}

/// An error with its causes, each on a line of its own.
pub(super) fn error(error: &anyhow::Error) {
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "paddock: {error}").ok();
    for cause in error.chain().skip(1) {
        writeln!(stderr, "  because: {cause}").ok();
    }
    for wrong in wrong_values(error) {
        writeln!(stderr, "  {}: {}", wrong.pointer.trim_start_matches('/'), wrong.detail).ok();
    }
}

/// The values that a use-case refused, each with why.
fn wrong_values(error: &anyhow::Error) -> &[FieldError] {
    if let Some(IdentityError::Invalid(errors)) = error.downcast_ref() {
        return errors;
    }
    if let Some(CatalogError::InvalidSource(errors)) = error.downcast_ref() {
        return errors;
    }
    &[]
}
