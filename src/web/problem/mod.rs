//! The error page, and the layer that writes it.

pub mod view;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};

use super::error::{PageError, Problem};
use super::frame;
use super::shell::Section;
use super::visitor::visitor_of;
use super::{answer, urls};
use crate::app::App;
use crate::app::http::check_origin;
use view::ProblemPage;

/// Writes the page of every error that comes out of the layers below, and takes away the notice
/// that a page has shown.
pub async fn show(State(app): State<App>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let asked = parts.clone();
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let error = response.extensions_mut().remove::<PageError>();
    let error = error.or_else(|| is_bare(&response).then(|| PageError::of_status(response.status())));
    let Some(error) = error else {
        if response.status() == StatusCode::OK && is_html(&response) && answer::notice_of(&asked.headers).is_some() {
            answer::clear_notice(&mut response);
        }
        return response;
    };
    let problem = Problem::from(error);
    let (visit, visitor) = visitor_of(&app, &asked).await;
    if let Some(cause) = &problem.cause {
        tracing::error!(operation.id = %visit.op.id, cause, "page failed");
    }
    if visit.htmx {
        return (problem.status, format!("{} {}", problem.sentence, problem.next)).into_response();
    }
    let shell = match &visitor {
        Some(visitor) => frame::shell(visitor, Section::Elsewhere, problem.title).await.ok(),
        None => None,
    };
    let mut links = problem.links;
    if matches!(problem.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
        links.push(("Why?".to_owned(), urls::why(&visit.here)));
    }
    let mut page = ProblemPage {
        shell: shell.unwrap_or_else(|| frame::gate(&visit, problem.title)),
        title: problem.title.to_owned(),
        sentence: problem.sentence,
        next: problem.next,
        operation_id: visit.op.id.to_string(),
        links,
    };
    if page.shell.viewer.is_none() {
        page.links = vec![("Sign in".to_owned(), urls::SIGN_IN.to_owned())];
    }
    let text =
        askama::Template::render(&page).unwrap_or_else(|_| format!("{} Operation {}", page.sentence, visit.op.id));
    (problem.status, Html(text)).into_response()
}

/// An error without words of ours: from the router, a limit, a time-out.
fn is_bare(response: &Response) -> bool {
    let status = response.status();
    (status.is_client_error() || status.is_server_error()) && !is_html(response)
}

fn is_html(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/html"))
}

/// The layer that refuses what a page of another site sends.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    match check_origin(&app, request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(_) => PageError::cross_site().into_response(),
    }
}

/// No page has this address.
pub async fn not_found() -> PageError {
    PageError::of_status(StatusCode::NOT_FOUND)
}

/// A handler panicked: the text is that of every defect.
#[allow(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
pub fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    PageError::internal(format!("panic: {}", text.unwrap_or_default())).into_response()
}
