//! What goes wrong, as problem JSON (RFC 9457): the one place that maps kinds to statuses and texts.
//!
//! A handler returns a [`Problem`]. It travels in the response's extensions to [`render`], which
//! knows the operation id, writes the document, and logs what is our own fault, once.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{OriginalUri, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::http::denied;
use crate::base::id::OperationId;
use crate::base::{ErrorKind, FieldError, Kinded};
use crate::identity::{IdentityError, Scope};
use crate::policy::versions::VersionError;
use crate::{catalog, cost, projects, requests};

/// How long an answer may take to begin; a stream goes on for longer.
const TIME_OUT: Duration = Duration::from_secs(30);
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");
const OUR_FAULT: &str = "Something failed inside Paddock. Nothing more is known here: quote the operation id when you \
                         ask for help.";

/// What went wrong. Boxed: results that carry it stay small.
#[derive(Debug)]
pub struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    kind: ErrorKind,
    detail: String,
    errors: Vec<FieldError>,
    missing: Option<Missing>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What would allow it: one of the roles at the scope, or the scope of the token.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Missing {
    /// The action that was refused.
    pub action: String,
    /// Roles of which any one would be enough; empty when no role helps.
    pub roles: Vec<String>,
    /// Where the role is missing: `project payments` or `the platform`.
    pub scope: Option<String>,
    /// The scope that the API token lacks.
    pub token_scope: Option<String>,
}

/// A problem as it goes out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument<'a> {
    /// Names the kind of problem.
    #[schema(value_type = String, example = "urn:paddock:problem:denied")]
    r#type: String,
    /// The kind in words.
    #[schema(value_type = String)]
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What happened, and what to do about it.
    #[schema(value_type = String)]
    detail: &'a str,
    /// The kind, for programs.
    kind: ErrorKind,
    /// Quote it when asking for help.
    operation_id: Option<String>,
    /// The values that are wrong, each by its JSON pointer; a query parameter is `/name`.
    #[schema(value_type = Vec<FieldError>)]
    errors: &'a [FieldError],
    /// For status 403: what would allow it.
    #[schema(value_type = Option<Missing>)]
    missing: Option<&'a Missing>,
}

impl Problem {
    /// A problem of this kind, with the kind's status.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let detail = detail.into();
        Self(Box::new(Inner { status, kind, detail, errors: Vec::new(), missing: None, source: None }))
    }

    /// The request itself cannot be read: 400, with the place.
    pub fn malformed(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(pointer, detail).with_status(StatusCode::BAD_REQUEST)
    }

    /// A value is wrong: 422, with the place.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut problem = Self::new(ErrorKind::Invalid, sentence(&detail));
        problem.0.errors = vec![FieldError::new(pointer, detail)];
        problem
    }

    /// There is nothing here.
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorKind::NotFound, format!("There is no such {what}."))
    }

    /// The API token does not reach this far.
    pub fn token_scope(scope: Scope, action: &str) -> Self {
        let detail = format!("This API token lacks the scope {scope}. Use a token that has it, or sign in.");
        let missing = Missing {
            action: action.to_owned(),
            roles: Vec::new(),
            scope: None,
            token_scope: Some(scope.as_str().to_owned()),
        };
        let mut problem = Self::new(ErrorKind::Denied, detail);
        problem.0.missing = Some(missing);
        problem
    }

    /// With another status of the same kind.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    fn of(error: impl Kinded + Send + Sync + 'static) -> Self {
        let kind = error.kind();
        let any: &dyn Any = &error;
        let mut problem = match kind {
            ErrorKind::Internal => Self::new(kind, OUR_FAULT),
            _ => Self::new(kind, sentence(&error.to_string())),
        };
        problem.0.errors = fields(any);
        problem.0.missing = denied(any).map(|denied| Missing {
            action: denied.action.as_str().to_owned(),
            roles: denied.needed.iter().map(ToString::to_string).collect(),
            scope: Some(denied.scope.clone()),
            token_scope: None,
        });
        problem.0.source = Some(Box::new(error));
        problem
    }

    fn document(&self, operation: Option<OperationId>) -> ProblemDocument<'_> {
        ProblemDocument {
            r#type: format!("urn:paddock:problem:{}", self.0.kind.as_str()),
            title: title(self.0.kind),
            status: self.0.status.as_u16(),
            detail: &self.0.detail,
            kind: self.0.kind,
            operation_id: operation.map(|id| id.to_string()),
            errors: &self.0.errors,
            missing: self.0.missing.as_ref(),
        }
    }
}

impl<E: Kinded + Send + Sync + 'static> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::of(error)
    }
}

fn fields(error: &dyn Any) -> Vec<FieldError> {
    if let Some(error) = error.downcast_ref::<requests::Error>() {
        return error.field_errors().to_vec();
    }
    if let Some(projects::Error::Invalid(errors)) = error.downcast_ref::<projects::Error>() {
        return errors.clone();
    }
    if let Some(cost::Error::Invalid(errors)) = error.downcast_ref::<cost::Error>() {
        return errors.clone();
    }
    if let Some(VersionError::Invalid(problems)) = error.downcast_ref::<VersionError>() {
        return problems.iter().map(|problem| FieldError::new("/source", problem.to_string())).collect();
    }
    match (error.downcast_ref::<IdentityError>(), error.downcast_ref::<catalog::CatalogError>()) {
        (Some(IdentityError::Invalid(errors)), _) | (_, Some(catalog::CatalogError::InvalidSource(errors))) => {
            errors.clone()
        }
        _ => Vec::new(),
    }
}

fn title(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Invalid => "The request is not right",
        ErrorKind::Unauthenticated => "Not signed in",
        ErrorKind::Denied => "Not allowed",
        ErrorKind::NotFound => "Not found",
        ErrorKind::Conflict => "Not possible at the moment",
        ErrorKind::Stale => "Changed in the meantime",
        ErrorKind::Limited => "Too much",
        ErrorKind::Unavailable => "Not available",
        ErrorKind::Internal => "Internal error",
    }
}

/// The text with a capital at its beginning and a full stop at its end.
pub fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let mut out: String = rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect();
    if !out.ends_with(['.', '!', '?', '”']) {
        out.push('.');
    }
    out
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Answers within [`TIME_OUT`], whatever hangs, for example a connection that swallows everything.
pub async fn in_time(request: Request, next: Next) -> Response {
    let late =
        "Paddock's database did not answer in time. Try again later, with the same idempotency key if there was one.";
    match tokio::time::timeout(TIME_OUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(ErrorKind::Unavailable, late).into_response(),
    }
}

/// Writes the documents of problems. Stands inside the layer that gives out operation ids.
pub async fn render(request: Request, next: Next) -> Response {
    let operation = request.extensions().get::<OperationId>().copied();
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() else { return response };
    if problem.0.status.is_server_error() {
        let cause = problem.0.source.as_ref().map(|source| chain(&**source)).unwrap_or_default();
        tracing::error!(operation.id = operation.map(tracing::field::display), error = %cause, "the API failed");
    }
    let body = serde_json::to_vec(&problem.document(operation)).unwrap_or_default();
    let mut answer = (problem.0.status, body).into_response();
    let headers = answer.headers_mut();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        headers.insert(header::ALLOW, allow.clone());
    }
    headers.insert(header::CONTENT_TYPE, MEDIA_TYPE);
    if problem.0.status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"paddock\""));
    }
    answer
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// For addresses that the API does not have.
pub async fn unknown_address(OriginalUri(uri): OriginalUri) -> Problem {
    let path = without_token(uri.path());
    let detail = format!("There is no address {path} in the API; /api/openapi.json lists all of them.");
    Problem::new(ErrorKind::NotFound, detail)
}

/// The address as it may be told: what follows `/callbacks/` is a secret.
fn without_token(path: &str) -> String {
    path.split_once("/callbacks/").map_or_else(|| path.to_owned(), |(before, _)| format!("{before}/callbacks/…"))
}

/// For methods that an address does not take.
pub async fn wrong_method(method: Method, OriginalUri(uri): OriginalUri) -> Problem {
    let path = without_token(uri.path());
    let detail = format!("{path} does not take {method}; the header Allow lists what it takes.");
    Problem::new(ErrorKind::Invalid, detail).with_status(StatusCode::METHOD_NOT_ALLOWED)
}

/// For a handler that panicked: a defect of ours.
pub fn panicked(_: Box<dyn Any + Send>) -> Response {
    Problem::new(ErrorKind::Internal, OUR_FAULT).into_response()
}
