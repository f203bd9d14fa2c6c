//! Answers: a rendered page, a redirect with a notice, and the fields of a posted form.

use askama::Template;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::PageError;
use super::shell::Notice;
use super::ui::Look;
use crate::app::http::cookie;

/// Carries a notice over one redirect.
const NOTICE_COOKIE: &str = "paddock_notice";
/// A notice is a sentence.
const LONGEST_NOTICE: usize = 600;

/// A page or fragment. Which of the two an address gives depends on these headers.
pub fn page(template: &impl Template) -> Result<Response, PageError> {
    let mut response = Html(template.render()?).into_response();
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("HX-Request, HX-Request-Type, Cookie"));
    Ok(response)
}

/// 303 to an address of ours.
pub fn see_other(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(value) => (StatusCode::SEE_OTHER, [(header::LOCATION, value)]).into_response(),
        Err(_) => PageError::internal("a redirect to no address").into_response(),
    }
}

/// 303, and the page there says what has happened.
pub fn see_other_saying(to: &str, text: &str) -> Response {
    saying(see_other(to), Look::Go, text)
}

/// 303, and the page there says what did not work.
pub fn see_other_warning(to: &str, text: &str) -> Response {
    saying(see_other(to), Look::Bad, text)
}

fn saying(mut response: Response, look: Look, text: &str) -> Response {
    let text: String = text.chars().take(LONGEST_NOTICE / 4).collect();
    let value = URL_SAFE_NO_PAD.encode(format!("{}:{text}", look.as_str()));
    set_notice(&mut response, &value, 60);
    response
}

/// Takes the notice away that a page has just shown.
pub fn clear_notice(response: &mut Response) {
    set_notice(response, "", 0);
}

fn set_notice(response: &mut Response, value: &str, seconds: u32) {
    let text = format!("{NOTICE_COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// The notice that a redirect left.
pub fn notice_of(headers: &HeaderMap) -> Option<Notice> {
    let value = cookie(headers, NOTICE_COOKIE).filter(|value| value.len() <= LONGEST_NOTICE * 2)?;
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(value).ok()?).ok()?;
    let (look, text) = text.split_once(':')?;
    let look = if look == Look::Go.as_str() { Look::Go } else { Look::Bad };
    Some(Notice { look, text: text.to_owned() })
}

/// The fields of a posted form, in order, repeated names kept.
#[derive(Debug, Clone, Default)]
pub struct Form(pub Vec<(String, String)>);

impl Form {
    /// Reads a body; `None` when it is no form.
    pub fn decode(headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_form = kind.split(';').next().is_some_and(|kind| kind.trim() == "application/x-www-form-urlencoded");
        (is_form || body.is_empty()).then(|| Self(pairs(body)))
    }

    /// The last value of a field; empty when it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().rev().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// Every value of a field, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Whether a field of this name was posted.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }
}

/// The fields of a query string or of a form's body.
pub fn pairs(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text).into_owned().collect()
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, state).await.map_err(|error| PageError::unreadable(error.status()))?;
        Self::decode(&headers, &body).ok_or_else(|| PageError::unreadable(StatusCode::UNSUPPORTED_MEDIA_TYPE))
    }
}

/// The query of the address, in order, repeated names kept.
#[derive(Debug, Clone, Default)]
pub struct Query(pub Form);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Query {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(Form(pairs(parts.uri.query().unwrap_or_default().as_bytes()))))
    }
}

impl std::ops::Deref for Query {
    type Target = Form;
    fn deref(&self) -> &Form {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_survives_one_redirect() {
        let response = see_other_saying("/requests", "Sent. Lee must agree…");
        let set = response.headers().get(header::SET_COOKIE).unwrap().to_str().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, set.split(';').next().unwrap().parse().unwrap());
        assert_eq!(notice_of(&headers), Some(Notice { look: Look::Go, text: "Sent. Lee must agree…".to_owned() }));
        headers.insert(header::COOKIE, HeaderValue::from_static("paddock_notice=%%%"));
        assert_eq!(notice_of(&headers), None);
    }

    #[test]
    fn forms_keep_order_and_repetition() {
        let form = Form(pairs(b"a=1&b=%C3%A9+x&a=2"));
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), ("2", "é x", ""));
        assert_eq!(form.0.len(), 3);
    }
}
