//! Who looks: the extractors of every handler, and the gate in front of the pages.
//!
//! [`require`] stands before every page that needs a session; behind it a handler takes [`Visitor`].
//! Pages are for sessions only: a bearer token in the header counts for nothing here. Pages that
//! anybody may see take [`MaybeVisitor`].

use std::ops::Deref;

use axum::body::to_bytes;
use axum::extract::{FromRef, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::{self, Form};
use super::error::PageError;
use super::gate::view::SessionEndedPage;
use super::shell::{Notice, Preferences};
use super::words::Times;
use super::zone::Zone;
use super::{preferences, urls};
use crate::app::App;
use crate::app::http::{op_of, peer_of, session_cookie};
use crate::base::{ErrorKind, Kinded as _, Op};
use crate::identity::{self, Access, Authenticated, IdentityError};

/// Forms are small; the router's limit is the same.
const LARGEST_FORM: usize = 1024 * 1024;

/// What every page wants to know of the request that it answers.
#[derive(Clone)]
pub struct Visit {
    /// The shared state.
    pub app: App,
    /// The operation.
    pub op: Op,
    /// Path and query.
    pub here: String,
    /// htmx asks, so an error is told in a few words.
    pub htmx: bool,
    /// htmx asks for a part of the page only.
    pub partial: bool,
    /// Theme, density, rail.
    pub preferences: Preferences,
    /// In which zone times are shown.
    pub zone: Zone,
    /// The slug of the project that the viewer keeps to.
    pub scope: Option<String>,
    /// What a redirect wanted to be said.
    pub notice: Option<Notice>,
    /// The address of the TCP connection, when it is known.
    pub peer: Option<std::net::IpAddr>,
    /// The session token that the browser sent.
    pub session_token: Option<String>,
    /// The browser's name for itself.
    pub user_agent: Option<String>,
}

impl Visit {
    /// Reads a request.
    pub fn of(app: &App, parts: &Parts) -> Self {
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            app: app.clone(),
            op: op_of(app, parts, "web"),
            here: parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            htmx: text("hx-request") == Some("true"),
            partial: text("hx-request") == Some("true") && text("hx-request-type") == Some("partial"),
            preferences: preferences::of(&parts.headers),
            zone: preferences::zone_of(&parts.headers),
            scope: preferences::scope_of(&parts.headers),
            notice: answer::notice_of(&parts.headers),
            peer: peer_of(parts).0,
            session_token: session_cookie(app, &parts.headers),
            user_agent: text(header::USER_AGENT.as_str()).map(str::to_owned),
        }
    }

    /// The viewer's clock.
    pub fn times(&self) -> Times {
        Times::new(self.op.now(), self.zone.time_zone())
    }

    /// The browser, as sign-in wants to know it.
    pub fn browser(&self) -> identity::Browser<'_> {
        identity::Browser { session: self.session_token.as_deref(), user_agent: self.user_agent.as_deref() }
    }
}

/// A signed-in person and their request.
#[derive(Clone)]
pub struct Visitor {
    visit: Visit,
    /// Who, and what they hold.
    pub access: Access,
}

impl Deref for Visitor {
    type Target = Visit;
    fn deref(&self) -> &Visit {
        &self.visit
    }
}

impl Visitor {
    /// Puts the two together.
    pub fn new(mut visit: Visit, found: Authenticated) -> Self {
        visit.op = visit.op.with_actor(found.actor());
        Self { visit, access: found.access }
    }
}

impl<S> FromRequestParts<S> for Visitor
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        let app = App::from_ref(state);
        let found = parts.extensions.get::<Authenticated>().cloned();
        let found = found.ok_or_else(|| PageError::internal("a page without `require` before it"))?;
        Ok(Self::new(Visit::of(&app, parts), found))
    }
}

/// Somebody, signed in or not.
pub struct MaybeVisitor {
    /// The request.
    pub visit: Visit,
    /// Who, if somebody is signed in.
    pub found: Option<Authenticated>,
}

impl<S> FromRequestParts<S> for MaybeVisitor
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        let app = App::from_ref(state);
        let found = session_of(&app, &parts.headers).await?;
        Ok(Self { visit: Visit::of(&app, parts), found })
    }
}

/// Who the browser's session belongs to; `None` when there is none, or it has ended.
pub async fn session_of(app: &App, headers: &HeaderMap) -> Result<Option<Authenticated>, IdentityError> {
    let Some(token) = session_cookie(app, headers) else { return Ok(None) };
    match identity::authenticate_session(&mut *app.db.acquire().await?, &app.identity, &token).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::Unauthenticated => Ok(None),
        Err(error) => Err(error),
    }
}

/// The layer of all pages that need a session. Without one a visit goes to the sign-in and comes
/// back, and a post gets a page that can send the same again: nothing that was typed is lost.
pub async fn require(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match session_of(&app, request.headers()).await {
        Ok(Some(found)) => {
            request.extensions_mut().insert(found);
            next.run(request).await
        }
        Ok(None) => match turn_away(&app, request).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        },
        Err(error) => PageError::from(error).into_response(),
    }
}

async fn turn_away(app: &App, request: Request) -> Result<Response, PageError> {
    let (parts, body) = request.into_parts();
    let visit = Visit::of(app, &parts);
    if needs_set_up(app).await? {
        return Ok(answer::see_other(urls::SET_UP));
    }
    if visit.htmx {
        return Err(PageError::signed_out());
    }
    if parts.method.is_safe() {
        return Ok(answer::see_other(&urls::sign_in_then(&visit.here)));
    }
    let fields = match to_bytes(body, LARGEST_FORM).await {
        Ok(bytes) => Form::decode(&parts.headers, &bytes).map(|form| form.0).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let shell = super::frame::gate(&visit, "Sign in again");
    let page = SessionEndedPage { shell, sign_in: urls::SIGN_IN.to_owned(), action: visit.here.clone(), fields };
    Ok((StatusCode::UNAUTHORIZED, answer::page(&page)?).into_response())
}

/// Whether the first admin is still to be made. A demo has its own people, and an OpenID provider
/// may have a group of admins.
pub async fn needs_set_up(app: &App) -> Result<bool, PageError> {
    if app.identity.demo || app.oidc.as_ref().is_some_and(identity::Oidc::can_make_admins) {
        return Ok(false);
    }
    Ok(identity::setup_needed(&mut *app.db.acquire().await?).await?)
}

/// The visitor of a request that something else has already read: for error pages.
pub async fn visitor_of(app: &App, parts: &Parts) -> (Visit, Option<Visitor>) {
    let visit = Visit::of(app, parts);
    let found = session_of(app, &parts.headers).await.ok().flatten();
    let visitor = found.map(|found| Visitor::new(visit.clone(), found));
    (visit, visitor)
}
