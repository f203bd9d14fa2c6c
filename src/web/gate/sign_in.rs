//! Sign-in and sign-out.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;

use super::view::{DemoPerson, SignInPage};
use crate::app::App;
use crate::base::{ErrorKind, Kinded as _};
use crate::identity::{self, Cookie, DEMO_LOGINS, IdentityError, SignedIn, local_path};
use crate::web::answer::{self, Form, Query};
use crate::web::error::{PageError, sentence};
use crate::web::ui::{FormError, Person};
use crate::web::visitor::{MaybeVisitor, Visit, needs_set_up};
use crate::web::{frame, urls};

/// `GET /sign-in?next=`
pub async fn page(State(app): State<App>, visitor: MaybeVisitor, query: Query) -> Result<Response, PageError> {
    let next = local_path(query.get("next"));
    // In a demo it is the way to be somebody else.
    if visitor.found.is_some() && !app.identity.demo {
        return Ok(answer::see_other(next));
    }
    if needs_set_up(&app).await? {
        return Ok(answer::see_other(urls::SET_UP));
    }
    answer::page(&form(&visitor.visit, next, "", Vec::new()))
}

/// `POST /sign-in`: login and password.
pub async fn local(visitor: MaybeVisitor, fields: Form) -> Result<Response, PageError> {
    let visit = visitor.visit;
    let (user, next) = (fields.get("user"), local_path(fields.get("next")));
    let password = SecretString::from(fields.get("password"));
    let app = &visit.app;
    match identity::sign_in_local(&app.db, &visit.op, &app.identity, user, &password, visit.browser()).await {
        Ok(signed_in) => Ok(welcome(&visit, &signed_in, next)),
        Err(error) => refused(&visit, error, next, user),
    }
}

/// `POST /sign-in/demo`: one click.
pub async fn demo(visitor: MaybeVisitor, fields: Form) -> Result<Response, PageError> {
    let visit = visitor.visit;
    let next = local_path(fields.get("next"));
    let peer = visit.peer.ok_or_else(|| PageError::internal("the peer's address is not known"))?;
    let (app, login) = (&visit.app, fields.get("person"));
    match identity::demo_sign_in(&app.db, &visit.op, &app.identity, login, peer, visit.browser()).await {
        Ok(signed_in) => Ok(welcome(&visit, &signed_in, next)),
        Err(error) => refused(&visit, error, next, ""),
    }
}

/// `POST /sign-out`
pub async fn sign_out(visitor: MaybeVisitor) -> Result<Response, PageError> {
    let visit = visitor.visit;
    if let Some(token) = &visit.session_token {
        identity::sign_out(&visit.app.db, &visit.op, token).await?;
    }
    let mut response = answer::see_other_saying(urls::SIGN_IN, "You are signed out.");
    add_cookie(&mut response, &Cookie::Session.clear(visit.app.is_https()));
    Ok(response)
}

/// Sets the session's cookie and goes on.
pub fn welcome(visit: &Visit, signed_in: &SignedIn, next: &str) -> Response {
    let seconds = signed_in.absolute_until.duration_since(visit.op.now()).as_secs().max(0);
    let mut response = answer::see_other(next);
    add_cookie(&mut response, &Cookie::Session.set(visit.app.is_https(), &signed_in.token, seconds));
    response
}

/// Adds a `Set-Cookie` header.
pub fn add_cookie(response: &mut Response, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// The form again with what went wrong; defects get the page of every defect.
pub fn refused(visit: &Visit, error: IdentityError, next: &str, user: &str) -> Result<Response, PageError> {
    let kind = error.kind();
    if matches!(kind, ErrorKind::Internal | ErrorKind::Unavailable) {
        return Err(error.into());
    }
    let errors = vec![FormError { text: sentence(&error.to_string()), href: String::new() }];
    let page = answer::page(&form(visit, next, user, errors))?;
    let status = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    Ok((status, page).into_response())
}

fn form(visit: &Visit, next: &str, user: &str, errors: Vec<FormError>) -> SignInPage {
    let demo = visit.app.identity.demo && visit.peer.is_some_and(|peer| peer.to_canonical().is_loopback());
    SignInPage {
        shell: frame::gate(visit, "Sign in"),
        errors,
        local: !visit.app.identity.demo,
        user: user.to_owned(),
        oidc: visit.app.oidc.as_ref().map(|oidc| format!("Sign in with {}", oidc.name())),
        oidc_href: urls::sign_in_oidc_then(next),
        demo_people: if demo { DEMO_LOGINS.iter().map(demo_person).collect() } else { Vec::new() },
        next: next.to_owned(),
    }
}

fn demo_person((login, name): &(&str, &str)) -> DemoPerson {
    let role = match *login {
        "developer" => "Asks for environments in payments and storefront",
        "lead" => "Leads payments and storefront, approves production",
        "admin" => "Curates the catalog and the platform",
        "second-admin" => "Publishes the policies that Ada writes, and the other way round",
        _ => "Reads everything, changes nothing",
    };
    let name = name.split_once(" (").map_or(*name, |(name, _)| name);
    DemoPerson { key: (*login).to_owned(), person: Person::named(name), role: role.to_owned() }
}
