//! The one error of all pages: what happened, why, and what to do next.
//!
//! A handler returns it; [`super::problem::show`] writes the page around it, because only there it
//! is known who looks. The status follows from the kind alone. The text of a defect of ours is
//! fixed; its cause is in the log under the operation id, and nowhere else (I20).

use std::error::Error as StdError;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::{roles, urls};
use crate::app::http::{CrossSite, denied};
use crate::base::{ErrorKind, Kinded};

/// Why a page cannot be shown.
#[derive(Debug, Clone)]
pub struct PageError(Box<Problem>);

/// What the error page says.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// What this is, in a few words.
    pub title: &'static str,
    /// What happened and why.
    pub sentence: String,
    /// What to do next.
    pub next: String,
    /// What does exist: words and address.
    pub links: Vec<(String, String)>,
    /// For the log: the error with its causes.
    pub cause: Option<String>,
}

impl PageError {
    /// There is no such thing, or it is not for this person to know of.
    pub fn not_found(what: &str) -> Self {
        Self::of_kind(ErrorKind::NotFound, format!("There is no such {what}, or you may not see it."))
    }

    /// The request brought something that fits nothing that our pages send.
    pub fn invalid(sentence: impl Into<String>) -> Self {
        Self::of_kind(ErrorKind::Invalid, sentence.into())
    }

    /// It does not go as things stand.
    pub fn conflict(sentence: impl Into<String>) -> Self {
        Self::of_kind(ErrorKind::Conflict, sentence.into())
    }

    /// A defect of ours. `cause` goes to the log only.
    pub fn internal(cause: impl Into<String>) -> Self {
        let mut error = Self::of_kind(ErrorKind::Internal, String::new());
        error.0.cause = Some(cause.into());
        error
    }

    /// The session has ended, and the page is not to go away.
    pub fn signed_out() -> Self {
        Self::of_kind(ErrorKind::Unauthenticated, "Your session has ended.".to_owned())
    }

    /// A page of another site sent it, or nothing shows that it did not.
    pub fn cross_site() -> Self {
        let mut error = Self::of_kind(ErrorKind::Denied, CrossSite.to_string());
        "Nothing was changed.".clone_into(&mut error.0.next);
        error
    }

    /// The body could not be read as a form.
    pub fn unreadable(status: StatusCode) -> Self {
        Self::of_status(if status.is_client_error() { status } else { StatusCode::BAD_REQUEST })
    }

    /// What an answer without words means.
    pub fn of_status(status: StatusCode) -> Self {
        let (kind, sentence) = match status {
            StatusCode::NOT_FOUND => (ErrorKind::NotFound, "There is no page at this address."),
            StatusCode::METHOD_NOT_ALLOWED => (ErrorKind::NotFound, "This address does not take that."),
            StatusCode::PAYLOAD_TOO_LARGE => (ErrorKind::Limited, "What was sent is larger than 1 MiB."),
            StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::BAD_REQUEST => {
                (ErrorKind::Invalid, "What was sent is not a form that Paddock can read.")
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                (ErrorKind::Unavailable, "This took longer than Paddock waits.")
            }
            _ if status.is_client_error() => (ErrorKind::Invalid, "The request was not understood."),
            _ => (ErrorKind::Internal, ""),
        };
        let mut error = Self::of_kind(kind, sentence.to_owned());
        error.0.status = status;
        error
    }

    /// Whether it says that there is nothing, or that the viewer may not.
    pub fn is_refusal(&self) -> bool {
        matches!(self.0.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
    }

    /// One more way on; the first is the main one.
    #[must_use]
    pub fn link(mut self, label: impl Into<String>, href: impl Into<String>) -> Self {
        self.0.links.insert(0, (label.into(), href.into()));
        self
    }

    fn of_kind(kind: ErrorKind, sentence: String) -> Self {
        let (title, next) = words(kind);
        let sentence = if kind == ErrorKind::Internal { DEFECT.to_owned() } else { sentence };
        // A page that is out of date conflicts with what is; 412 is for requests with preconditions.
        let status = if kind == ErrorKind::Stale { ErrorKind::Conflict } else { kind }.status();
        Self(Box::new(Problem {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            title,
            sentence,
            next: next.to_owned(),
            links: vec![("Home".to_owned(), urls::HOME.to_owned()), ("Catalog".to_owned(), urls::CATALOG.to_owned())],
            cause: None,
        }))
    }
}

const DEFECT: &str = "Something went wrong inside Paddock. It is not your doing, and it was written to the log.";

/// Title, and what to do next.
fn words(kind: ErrorKind) -> (&'static str, &'static str) {
    match kind {
        ErrorKind::Invalid => ("That did not fit", "Go back, correct it, and send it again."),
        ErrorKind::Unauthenticated => ("You are not signed in", "Sign in, in another tab if you typed something here."),
        ErrorKind::Denied => ("You may not do this", "Ask a lead of the project or a platform admin."),
        ErrorKind::NotFound => ("There is nothing here", "Check the address, or start from one of these."),
        ErrorKind::Conflict => ("That does not go now", "Go back to see how things stand."),
        ErrorKind::Stale => ("Somebody was faster", "Go back, look at what has changed, and decide again."),
        ErrorKind::Limited => ("That is too much", "Wait a moment, or do less at a time."),
        ErrorKind::Unavailable => ("Not at the moment", "Nothing was changed. Try again in a moment."),
        ErrorKind::Internal => {
            ("That went wrong", "Try again. If it stays, give your platform admin the operation id.")
        }
    }
}

/// A text of an error as a sentence: a capital letter and a full stop.
pub fn sentence(text: &str) -> String {
    let mut chars = text.trim().chars();
    let Some(first) = chars.next() else { return String::new() };
    let mut out: String = first.to_uppercase().chain(chars).collect();
    if !out.ends_with(['.', '!', '?', '…']) {
        out.push('.');
    }
    out
}

impl<E: Kinded + 'static> From<E> for PageError {
    fn from(error: E) -> Self {
        let kind = error.kind();
        let mut page = Self::of_kind(kind, sentence(&error.to_string()));
        // One role more would be enough: the least of them can be asked for.
        if let Some(denied) = denied(&error)
            && let Some(role) = denied.needed.first()
        {
            page = page.link("Ask for the role", roles::ask_href(role.as_str(), denied.project()));
            "Ask for the role for a time, or ask a lead of the project or a platform admin."
                .clone_into(&mut page.0.next);
        }
        if matches!(kind, ErrorKind::Internal | ErrorKind::Unavailable) {
            page.0.cause = Some(chain(&error));
        }
        page
    }
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> Self {
        Self::internal(chain(&error))
    }
}

fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut words = error.to_string();
    let mut at = error;
    while let Some(cause) = at.source() {
        words = format!("{words}: {cause}");
        at = cause;
    }
    words
}

/// An answer that [`super::problem::show`] still has to write.
impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<PageError> for Problem {
    fn from(error: PageError) -> Self {
        *error.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the secret of the defect")]
    struct Broken(ErrorKind);

    impl Kinded for Broken {
        fn kind(&self) -> ErrorKind {
            self.0
        }
    }

    #[test]
    fn a_defect_says_nothing_of_itself() {
        let problem = Problem::from(PageError::from(Broken(ErrorKind::Internal)));
        assert_eq!((problem.status, problem.sentence.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, DEFECT));
        assert_eq!(problem.cause.as_deref(), Some("the secret of the defect"));
        let problem = Problem::from(PageError::from(Broken(ErrorKind::Stale)));
        assert_eq!((problem.status, problem.sentence.as_str()), (StatusCode::CONFLICT, "The secret of the defect."));
    }
}
