//! Sign-in at the OpenID provider: out and back.
//!
//! The start is a link, because a form of ours may lead to this site only (`form-action`). Starting
//! signs nobody in: the answer must come back to the browser that began, with its cookie.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::sign_in::{add_cookie, refused, welcome};
use crate::app::App;
use crate::app::http::cookie;
use crate::identity::{Callback, Cookie, Oidc, local_path};
use crate::web::answer::{self, Query};
use crate::web::error::PageError;
use crate::web::urls;
use crate::web::visitor::MaybeVisitor;

/// `GET /sign-in/oidc?next=`
pub async fn begin(
    State(app): State<App>,
    visitor: MaybeVisitor,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, PageError> {
    let next = local_path(query.get("next"));
    let browser = cookie(&headers, Cookie::SignIn.name(app.is_https()));
    let begun = provider(&app)?.begin(&app.db, &visitor.visit.op, browser.as_deref(), next).await;
    match begun {
        Ok(redirect) => {
            let mut response = answer::see_other(redirect.url.as_str());
            add_cookie(&mut response, &Cookie::SignIn.set(app.is_https(), &redirect.browser, redirect.seconds));
            Ok(response)
        }
        Err(error) => refused(&visitor.visit, error, next, ""),
    }
}

/// `GET /auth/callback`
pub async fn finish(
    State(app): State<App>,
    visitor: MaybeVisitor,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, PageError> {
    let text = |name: &str| Some(query.get(name).to_owned()).filter(|value| !value.is_empty());
    let callback = Callback { code: text("code"), state: text("state"), iss: text("iss"), error: text("error") };
    let browser = cookie(&headers, Cookie::SignIn.name(app.is_https()));
    let visit = &visitor.visit;
    let finished =
        provider(&app)?.finish(&app.db, &visit.op, &app.identity, &callback, browser.as_deref(), visit.browser()).await;
    match finished {
        Ok(done) => {
            let mut response = welcome(visit, &done.signed_in, &done.return_to);
            add_cookie(&mut response, &Cookie::SignIn.clear(app.is_https()));
            Ok(response)
        }
        Err(error) => refused(visit, error, urls::HOME, ""),
    }
}

fn provider(app: &App) -> Result<&Oidc, PageError> {
    app.oidc.as_ref().ok_or_else(|| PageError::not_found("sign-in").link("Sign in", urls::SIGN_IN))
}
