//! Reading requests: bodies, query parameters, ids and conditions, each refusal with its place.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::error::Problem;
use crate::app::App;
use crate::base::ErrorKind;
use crate::base::text::{NUL_REFUSED, nul_places};
use crate::catalog::manifest::yaml_to_json;

/// A JSON body. Unknown fields are refused.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        if !is_a(request.headers(), "application/json") {
            let detail = "The body must be JSON: send “Content-Type: application/json”.";
            return Err(Problem::new(ErrorKind::Invalid, detail).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let bytes = read(request, app).await?;
        if let Some(place) = nul_in(&bytes) {
            return Err(Problem::invalid(place, NUL_REFUSED));
        }
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let place = pointer(error.path());
            refused(&place, error.inner())
        })?;
        reader.end().map_err(|error| refused("", &error))?;
        Ok(Self(value))
    }
}

/// A JSON body, or the same as YAML. Unknown fields are refused.
pub struct Document<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Document<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        // RFC 9512.
        if !is_a(request.headers(), "application/yaml") {
            return Body::from_request(request, app).await.map(|body| Self(body.0));
        }
        let bytes = read(request, app).await?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Problem::malformed("", "the body is not UTF-8 text"))?;
        let value = yaml_to_json(text).map_err(|error| {
            let place = error.at.map_or_else(String::new, |at| format!(" (line {}, column {})", at.line, at.col));
            Problem::malformed("", format!("the body cannot be read{place}: {}", error.message))
        })?;
        let value = serde_path_to_error::deserialize(value).map_err(|error| {
            let place = pointer(error.path());
            refused(&place, error.inner())
        })?;
        Ok(Self(value))
    }
}

/// No body, or an empty object: for verbs that take nothing.
pub struct NoBody;

impl FromRequest<App> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let bytes = read(request, app).await?;
        match bytes.trim_ascii() {
            b"" | b"{}" => Ok(Self),
            _ => Err(Problem::malformed("", "this address takes no body")),
        }
    }
}

/// Where a text of the body has the character NUL, which only an escape can put there.
fn nul_in(bytes: &[u8]) -> Option<String> {
    let escaped = bytes.windows(6).any(|part| part == br"\u0000");
    let value = escaped.then(|| serde_json::from_slice(bytes).ok())??;
    nul_places("", &value).into_iter().next()
}

async fn read(request: Request, app: &App) -> Result<Bytes, Problem> {
    Bytes::from_request(request, app).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let detail = "The body is larger than 1 MiB, which is the most that is taken.";
            Problem::new(ErrorKind::Limited, detail).with_status(StatusCode::PAYLOAD_TOO_LARGE)
        }
        _ => Problem::malformed("", "the body did not arrive whole"),
    })
}

fn is_a(headers: &HeaderMap, kind: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(kind)
}

fn refused(place: &str, error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let (line, column) = (error.line(), error.column());
    let words = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    if error.is_data() {
        return Problem::malformed(named(place, words), words);
    }
    Problem::malformed("", format!("the body is not valid JSON: {words} at line {line}, column {column}"))
}

/// The place with the field that serde names in its words, where the path does not have it yet.
fn named(place: &str, words: &str) -> String {
    let known = ["unknown field `", "missing field `", "duplicate field `"];
    let field = known.iter().find_map(|start| words.strip_prefix(start)).and_then(|rest| rest.split('`').next());
    match field {
        Some(field) if !place.ends_with(&format!("/{}", escaped(field))) => format!("{place}/{}", escaped(field)),
        _ => place.to_owned(),
    }
}

/// The path as a JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => out.extend(["/", &index.to_string()]),
            Segment::Map { key } => out.extend(["/", &escaped(key)]),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    out
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Query parameters. Unknown and repeated ones are refused; empty ones count as left out.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let pairs = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let given: Vec<(String, String)> =
            pairs.into_owned().filter(|(name, value)| !value.is_empty() || name.is_empty()).collect();
        if let Some((name, _)) = given.iter().find(|(_, value)| value.contains('\0')) {
            return Err(Problem::invalid(format!("/{}", escaped(name)), NUL_REFUSED));
        }
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
        let reader = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(text.as_bytes()));
        serde_path_to_error::deserialize(reader).map(Self).map_err(|error| {
            let words = error.inner().to_string();
            let words = words.replace("unknown field", "unknown query parameter");
            let place = named(&pointer(error.path()), &words.replace("unknown query parameter", "unknown field"));
            Problem::malformed(place, words)
        })
    }
}

/// The one id in the path. A text that is no id is the id of nothing: 404.
pub struct Id<T>(pub T);

impl<T> FromRequestParts<App> for Id<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let parameters = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|error| Problem::new(ErrorKind::NotFound, error.body_text()))?;
        let text = parameters.iter().next().map(|(_, value)| value).unwrap_or_default();
        let id = text.parse().map_err(|error| {
            let detail = format!("There is nothing at this address: {error}.");
            Problem::new(ErrorKind::NotFound, detail)
        })?;
        Ok(Self(id))
    }
}

/// The generation that `If-Match` asks for. `*` asks for any.
pub fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let generation = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    generation.map(Some).ok_or_else(|| {
        Problem::malformed("", "If-Match must be the ETag of the environment, for example \"3\" with its quotes")
    })
}

/// The key of `Idempotency-Key`.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().map_err(|_| Problem::malformed("", "Idempotency-Key must be printable ASCII"))?.trim();
    if key.is_empty() || key.len() > 255 {
        return Err(Problem::malformed("", "Idempotency-Key must have 1 to 255 characters"));
    }
    Ok(Some(key))
}
