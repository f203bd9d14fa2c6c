//! What an answer of AWS means, in words, and whether trying again may help.

use std::error::Error;

use aws_sdk_cloudformation::config::http::HttpResponse;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};

use crate::providers::ProviderError;

/// The most that is told of a page that should have been an answer, in characters.
const GIST: usize = 160;

/// A call that did not give what was asked for.
#[derive(Debug)]
pub enum Refusal {
    /// AWS said no.
    Said {
        /// Its word for it.
        code: String,
        /// Its sentence.
        message: String,
    },
    /// Nobody answered, or in a way that says nothing.
    Silent(String),
    /// The run was canceled meanwhile.
    Canceled,
}

impl Refusal {
    /// AWS said no.
    pub fn said(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Said { code: code.into(), message: message.into() }
    }

    /// Whether AWS used this word, and a sentence with these words.
    pub fn is(&self, word: &str, part: &str) -> bool {
        matches!(self, Self::Said { code, message } if code.starts_with(word) && message.contains(part))
    }

    /// As the outcome of something that only reads.
    pub fn reading(self) -> ProviderError {
        self.changing().without_effect()
    }

    /// As the outcome of something that changes: without an answer it may have been carried out.
    pub fn changing(self) -> ProviderError {
        match self {
            Self::Said { code, message } if is_an_accident(&code) => ProviderError::unknown(message),
            Self::Said { code, message } if may_pass(&code) => ProviderError::retryable(message),
            Self::Said { message, .. } => ProviderError::failed(message),
            Self::Silent(message) => ProviderError::unknown(message),
            Self::Canceled => ProviderError::Canceled,
        }
    }
}

/// AWS does not say whether it was carried out.
fn is_an_accident(code: &str) -> bool {
    matches!(
        code,
        "InternalFailure" | "InternalError" | "InternalServerError" | "RequestTimeout" | "ServiceUnavailable"
    )
}

/// Words that time, a second try or a renewed credential may cure.
fn may_pass(code: &str) -> bool {
    let busy = [
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "RequestThrottled",
        "SlowDown",
        "PriorRequestNotComplete",
        "OperationInProgressException",
    ];
    // The next attempt reads the credential anew.
    let credential = [
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "AuthFailure",
    ];
    busy.contains(&code) || credential.contains(&code)
}

/// What came back.
pub fn explain<E>(error: &SdkError<E, HttpResponse>) -> Refusal
where
    E: Error + ProvideErrorMetadata + 'static,
{
    match error {
        SdkError::ServiceError(refused) => {
            let code = refused.err().code().unwrap_or_default();
            let message = refused.err().message().map(str::trim).filter(|message| !message.is_empty());
            match message {
                Some(message) if !code.is_empty() => Refusal::said(code, format!("AWS said: {message}")),
                _ if !code.is_empty() => Refusal::said(code, format!("AWS said: {code}")),
                _ => unreadable(refused.raw()),
            }
        }
        SdkError::ResponseError(broken) => unreadable(broken.raw()),
        SdkError::TimeoutError(_) => Refusal::Silent("AWS did not answer in time".to_owned()),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            Refusal::Silent("AWS did not answer in time".to_owned())
        }
        other => Refusal::Silent(format!("AWS cannot be reached: {}", innermost(other))),
    }
}

/// An answer that is none of AWS: a proxy's page, or an emulator's stack trace.
fn unreadable(raw: &HttpResponse) -> Refusal {
    let status = raw.status().as_u16();
    let gist = gist(&String::from_utf8_lossy(raw.body().bytes().unwrap_or_default()));
    let told = if gist.is_empty() { String::new() } else { format!(": {gist}") };
    if (400..500).contains(&status) && !matches!(status, 408 | 429) {
        return Refusal::said("", format!("AWS answered with HTTP {status}{told}"));
    }
    Refusal::Silent(format!("AWS answered with HTTP {status}{told}"))
}

/// The title of a page, or the beginning of what it says.
fn gist(body: &str) -> String {
    let lower = body.to_ascii_lowercase();
    let title = lower.find("<title>").zip(lower.find("</title>")).and_then(|(from, to)| body.get(from + 7..to));
    let mut text = String::new();
    let mut inside = false;
    for c in title.unwrap_or(body).chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            _ if !inside => text.push(c),
            _ => {}
        }
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(GIST).collect()
}

/// The last cause: those around it only say that something failed.
fn innermost(error: &dyn Error) -> String {
    let mut at = error;
    while let Some(cause) = at.source() {
        at = cause;
    }
    at.to_string()
}

/// What a resource's handler said, without what CloudFormation wraps around it.
pub fn unwrapped(reason: &str) -> &str {
    let reason = reason.trim();
    let Some((_, rest)) = reason.split_once("Resource handler returned message: \"") else { return reason };
    let inner = rest.rsplit_once("\" (RequestToken:").map_or(rest, |(inner, _)| inner);
    inner.split_once(" (Service: ").map_or(inner, |(inner, _)| inner).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_by_its_title_or_its_first_words() {
        let page = "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>x</h1><p>The server";
        assert_eq!(gist(page), "500 Internal Server Error");
        assert_eq!(gist("<html><body><h1>Bad</h1>\n<p>gateway</p>"), "Bad gateway");
        assert_eq!(gist(&"x".repeat(1000)).len(), GIST);
    }

    #[test]
    fn a_handlers_words_are_unwrapped() {
        let wrapped = "Resource handler returned message: \"Queue x exists (Service: Sqs, Status Code: 400, Request ID: \
                       1)\" (RequestToken: 1-2, HandlerErrorCode: AlreadyExists)";
        assert_eq!(unwrapped(wrapped), "Queue x exists");
        assert_eq!(unwrapped("API: s3:CreateBucket Access Denied"), "API: s3:CreateBucket Access Denied");
    }

    #[test]
    fn what_aws_does_not_say_is_unknown_only_where_something_changes() {
        let silent = || Refusal::Silent("x".into());
        assert!(matches!(silent().changing(), ProviderError::Unknown { .. }));
        assert!(matches!(silent().reading(), ProviderError::Retryable { .. }));
        assert!(matches!(Refusal::said("InternalFailure", "x").changing(), ProviderError::Unknown { .. }));
        assert!(matches!(Refusal::said("Throttling", "x").changing(), ProviderError::Retryable { .. }));
        assert!(matches!(Refusal::said("ValidationError", "x").changing(), ProviderError::Failed { .. }));
    }
}
