//! What the sign-in and set-up pages show.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::{
    shell::Shell,
    ui::{FormError, Person},
};

/// A demo person, signed in by one click.
#[derive(Debug, Clone)]
pub struct DemoPerson {
    /// Posted as `person`: `developer`.
    pub key: String,
    pub person: Person,
    /// "Developer in payments and search".
    pub role: String,
}

/// `GET /sign-in`, and again with errors after a failed post.
#[derive(Debug, Template)]
#[template(path = "gate/sign_in.html")]
pub struct SignInPage {
    pub shell: Shell,
    pub errors: Vec<FormError>,
    /// Local accounts can sign in; fields `user` and `password`.
    pub local: bool,
    /// What was typed as user.
    pub user: String,
    /// "Sign in with Example SSO", when a provider is configured.
    pub oidc: Option<String>,
    /// Where that begins. A link, not a form: the page's policy lets forms lead to this site only.
    pub oidc_href: String,
    /// Only with `--demo`.
    pub demo_people: Vec<DemoPerson>,
    /// Where to go afterwards; posted as `next`.
    pub next: String,
}

/// `GET /set-up`: the one-time code of the terminal and the first admin.
/// Fields `code`, `name`, `user`, `password`.
#[derive(Debug, Template)]
#[template(path = "gate/set_up.html")]
pub struct SetUpPage {
    pub shell: Shell,
    pub errors: Vec<FormError>,
    pub code: String,
    pub name: String,
    pub user: String,
    /// "at least 12 characters"
    pub password_rule: String,
}

/// What a post without a session gets: sign in elsewhere, then send the same again.
#[derive(Debug, Template)]
#[template(path = "gate/session_ended.html")]
pub struct SessionEndedPage {
    pub shell: Shell,
    pub sign_in: String,
    /// Where the post went.
    pub action: String,
    /// All that was typed, names and values.
    pub fields: Vec<(String, String)>,
}
