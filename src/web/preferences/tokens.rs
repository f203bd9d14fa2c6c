//! `/preferences/tokens`: the viewer's API tokens, making one, revoking one.
//!
//! The secret stands in the answer to the very post that made it, which no cache keeps, and nowhere
//! else. Sent again, the same form is refused: its name is taken.

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use secrecy::ExposeSecret as _;

use super::token_form::{self, NewToken};
use super::view::{FreshToken, TokenRow, TokensPage};
use crate::base::id::TokenId;
use crate::base::{FieldError, Kinded as _};
use crate::identity::{self, ApiToken, IdentityError};
use crate::policy::{Action, Permit, Resource, ability};
use crate::web::answer::{self, Form};
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::{Empty, FormError, Pill, Tab};
use crate::web::visitor::Visitor;
use crate::web::words::Times;
use crate::web::{frame, urls};

/// `GET /preferences/tokens`
pub async fn show(visitor: Visitor) -> Result<Response, PageError> {
    answer::page(&page(&visitor, &Form::default(), &[]).await?)
}

/// `POST /preferences/tokens`
pub async fn make(visitor: Visitor, form: Form) -> Result<Response, PageError> {
    let permit = manage(&visitor)?;
    let new = NewToken::read(&form);
    let made = match &new {
        Ok(new) => visitor.app.make_token(&visitor.op, &permit, &visitor.access, &new.name, &new.scopes, new.ttl).await,
        Err(found) => Err(IdentityError::Invalid(found.clone())),
    };
    match made {
        Ok(token) => {
            let mut page = page(&visitor, &Form::default(), &[]).await?;
            page.fresh = Some(FreshToken {
                name: form.get("name").trim().to_owned(),
                secret: token.secret.expose_secret().to_owned(),
                until: visitor.times().at(token.expires_at),
            });
            let mut response = answer::page(&page)?;
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(response)
        }
        Err(IdentityError::Invalid(found)) => {
            let page = page(&visitor, &form, &found).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, answer::page(&page)?).into_response())
        }
        Err(error) => Err(PageError::from(error).link("API tokens", urls::TOKENS)),
    }
}

/// `POST /preferences/tokens/{token}/revoke`
pub async fn revoke(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let permit = manage(&visitor)?;
    let id: TokenId = id.parse().map_err(|_| PageError::not_found("API token"))?;
    match visitor.app.revoke_token(&visitor.op, &permit, &visitor.access, id).await {
        Ok(()) => {
            let said = "The token is revoked. Programs that use it are refused from now on.";
            Ok(answer::see_other_saying(urls::TOKENS, said))
        }
        Err(error) if error.kind() == crate::base::ErrorKind::NotFound => {
            Err(PageError::not_found("API token").link("API tokens", urls::TOKENS))
        }
        Err(error) => Err(PageError::from(error).link("API tokens", urls::TOKENS)),
    }
}

fn manage(visitor: &Visitor) -> Result<Permit<ability::ManageTokens>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    Ok(app.policy.permit(&app.platform_question(op, access, Action::ManageTokens, Resource::platform()))?)
}

async fn page(visitor: &Visitor, form: &Form, found: &[FieldError]) -> Result<TokensPage, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let tokens = identity::list_tokens(&mut connection, visitor.access.person.id).await?;
    let reach = visitor.app.token_scopes(&mut connection, &visitor.op, &visitor.access).await?;
    drop(connection);
    let mut shell = frame::shell(visitor, Section::Elsewhere, "API tokens").await?;
    // The answer to a post comes back to what can be opened.
    urls::TOKENS.clone_into(&mut shell.here);
    let section = manage(visitor).is_ok().then(|| token_form::section(form, &reach, found));
    let times = visitor.times();
    Ok(TokensPage {
        shell,
        tabs: tabs(urls::TOKENS),
        fresh: None,
        empty: tokens.is_empty().then(empty),
        rows: tokens.into_iter().map(|token| row(token, &times, section.is_some())).collect(),
        errors: section.iter().flat_map(|section| FormError::collect(std::slice::from_ref(section))).collect(),
        form: section,
    })
}

/// The pages beside this one.
pub(in crate::web) fn tabs(current: &str) -> Vec<Tab> {
    let tab = |label: &str, href: &str| Tab {
        label: label.to_owned(),
        count: None,
        href: href.to_owned(),
        current: href == current,
    };
    vec![
        tab("Preferences", urls::PREFERENCES),
        tab("Your roles", urls::OWN_ROLES),
        tab("API tokens", urls::TOKENS),
        tab("While you are away", urls::DELEGATIONS),
    ]
}

fn empty() -> Empty {
    Empty {
        icon: "key-round",
        title: "You have no API token".to_owned(),
        text: "A program that acts for you, such as a pipeline, sends one with each request. Make one below."
            .to_owned(),
        action: None,
    }
}

fn row(token: ApiToken, times: &Times, may_revoke: bool) -> TokenRow {
    let works = token.works();
    let pill = match (token.revoked_at, token.expired) {
        (Some(_), _) => Some(Pill::of("withdrawn").saying("Revoked")),
        (None, true) => Some(Pill::of("lapsed").saying("Expired")),
        (None, false) => None,
    };
    TokenRow {
        id: token.id.to_string(),
        scopes: token.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        last4: token.last4,
        pill,
        created: times.near(token.created_at),
        used: token.last_used_at.map(|at| times.near(at)),
        expires: times.near(token.expires_at),
        revoke_action: (works && may_revoke).then(|| urls::token_revoke(token.id)),
        name: token.name,
    }
}
