//! The first visit: the code of the terminal, and the first admin.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;

use super::sign_in::welcome;
use super::view::SetUpPage;
use crate::app::App;
use crate::base::{ErrorKind, Kinded as _};
use crate::identity::{self, IdentityError, SetupForm};
use crate::web::answer::{self, Form};
use crate::web::error::{PageError, sentence};
use crate::web::ui::FormError;
use crate::web::visitor::{MaybeVisitor, Visit, needs_set_up};
use crate::web::{frame, urls};

/// `GET /set-up`
pub async fn page(State(app): State<App>, visitor: MaybeVisitor) -> Result<Response, PageError> {
    if !needs_set_up(&app).await? {
        return Ok(answer::see_other(urls::HOME));
    }
    answer::page(&form(&visitor.visit, &Form::default(), Vec::new()))
}

/// `POST /set-up`
pub async fn complete(visitor: MaybeVisitor, fields: Form) -> Result<Response, PageError> {
    let visit = visitor.visit;
    let app = &visit.app;
    if !needs_set_up(app).await? {
        return Ok(answer::see_other_warning(urls::SIGN_IN, "The set-up is done already: sign in instead."));
    }
    let setup = SetupForm {
        code: SecretString::from(fields.get("code")),
        login: fields.get("user").to_owned(),
        display_name: fields.get("name").to_owned(),
        password: SecretString::from(fields.get("password")),
    };
    match identity::complete_setup(&app.db, &visit.op, &app.identity, &setup, visit.browser()).await {
        Ok(signed_in) => Ok(welcome(&visit, &signed_in, urls::HOME)),
        Err(error) if matches!(error.kind(), ErrorKind::Internal | ErrorKind::Unavailable) => Err(error.into()),
        Err(error) => {
            let status = StatusCode::from_u16(error.kind().status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            let page = answer::page(&form(&visit, &fields, errors(&error)))?;
            Ok((status, page).into_response())
        }
    }
}

fn errors(error: &IdentityError) -> Vec<FormError> {
    let IdentityError::Invalid(fields) = error else {
        return vec![FormError { text: sentence(&error.to_string()), href: "#f-code".to_owned() }];
    };
    let line = |pointer: &str, detail: &str| {
        let (label, href) = match pointer {
            "/login" => ("User name", "#f-user"),
            "/display_name" => ("Your name", "#f-name"),
            "/password" => ("Password", "#f-password"),
            _ => ("", ""),
        };
        let text = if label.is_empty() { sentence(detail) } else { format!("{label}: {detail}") };
        FormError { text, href: href.to_owned() }
    };
    fields.iter().map(|field| line(&field.pointer, &field.detail)).collect()
}

fn form(visit: &Visit, fields: &Form, errors: Vec<FormError>) -> SetUpPage {
    SetUpPage {
        shell: frame::gate(visit, "Set up"),
        errors,
        code: fields.get("code").to_owned(),
        name: fields.get("name").to_owned(),
        user: fields.get("user").to_owned(),
        password_rule: "at least 12 characters".to_owned(),
    }
}
