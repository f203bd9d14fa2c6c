//! The operation of an HTTP request, and who makes it.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;
use crate::base::id::OperationId;
use crate::base::{Actor, Op, Origin};
use crate::db::Held;
use crate::identity::{self, Authenticated, Cookie, IdentityError};

/// Answers carry the operation id here: quote it when asking for help.
pub const OPERATION_HEADER: HeaderName = HeaderName::from_static("x-operation-id");

/// The peer of the TCP connection. Forwarded headers are not believed.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub Option<IpAddr>);

/// The outermost layer: gives the request its operation id and writes one log line for it.
pub async fn begin(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = OperationId::new(&*app.clock, &*app.entropy);
    request.extensions_mut().insert(id);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(OPERATION_HEADER, value);
    }
    tracing::info!(
        operation.id = %id,
        http.method = %method,
        http.route = route.as_deref().unwrap_or("none"),
        http.status = response.status().as_u16(),
        duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "request"
    );
    response
}

/// The operation of a request: nobody is known yet. `channel` is `web` or `api`.
pub fn op_of(app: &App, parts: &Parts, channel: &'static str) -> Op {
    let peer = peer_of(parts);
    let origin = Origin { channel, address: peer.0.map(|address| address.to_string()) };
    let mut op = app.op(Actor::Anonymous, origin);
    if let Some(id) = parts.extensions.get::<OperationId>() {
        op.id = *id;
    }
    op
}

/// The peer of the connection.
pub fn peer_of(parts: &Parts) -> Peer {
    Peer(parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip()))
}

/// Who makes the request, and the connection on which they were found. A bearer token wins, and then
/// cookies do not count: a request with a token that is not valid is refused, never taken for the
/// browser's. `None`: no credential.
pub async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Option<(Authenticated, Held)>, IdentityError> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(|text| text.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        let token = token.ok_or(IdentityError::TokenInvalid)?;
        let mut connection = app.db.acquire().await?;
        let who = identity::authenticate_token(&mut connection, &app.identity, token).await?;
        return Ok(Some((who, connection)));
    }
    let Some(token) = session_cookie(app, headers) else { return Ok(None) };
    let mut connection = app.db.acquire().await?;
    let who = identity::authenticate_session(&mut connection, &app.identity, &token).await?;
    Ok(Some((who, connection)))
}

/// The session token that the browser sent.
pub fn session_cookie(app: &App, headers: &HeaderMap) -> Option<String> {
    cookie(headers, Cookie::Session.name(app.is_https()))
}

/// The value of a cookie.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
}
