//! Sign-in by OpenID Connect, against a real provider and against a hostile one.

mod answers;
mod hostile;
mod people;
mod provider;
mod real;
mod tokens;

use std::collections::HashMap;

use paddock::config::{GroupRule, OidcConfig};
use paddock::identity::{Browser, Callback, IdentityError, Oidc, OidcError, OidcSignedIn, Redirect};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::fixture::Fixture;

pub const PUBLIC_URL: &str = "http://127.0.0.1:4000/";
pub const SECRET: &str = "a secret of the tests";

pub fn config(issuer: &str) -> OidcConfig {
    let rule = |name: &str, team: Option<&str>, role: Option<&str>, project: Option<&str>| GroupRule {
        name: name.to_owned(),
        team: team.map(str::to_owned),
        role: role.map(str::to_owned),
        project: project.map(str::to_owned),
    };
    OidcConfig {
        issuer: issuer.to_owned(),
        client_id: "paddock".to_owned(),
        client_secret: Some(SecretString::from(SECRET)),
        name: "Test".to_owned(),
        scopes: ["profile", "email", "groups"].map(str::to_owned).to_vec(),
        groups_claim: "groups".to_owned(),
        groups: vec![
            rule("grp-payments", Some("Payments"), Some("developer"), Some("payments")),
            rule("grp-payments-leads", Some("Payments"), Some("lead"), Some("payments")),
            rule("grp-auditors", None, Some("auditor"), None),
            rule("grp-nowhere", None, Some("admin"), Some("no-such-project")),
        ],
    }
}

/// One sign-in under way.
pub struct Trip<'a> {
    fixture: &'a Fixture,
    oidc: &'a Oidc,
    pub redirect: Redirect,
    pub question: HashMap<String, String>,
    pub callback: Callback,
    pub cookie: Option<String>,
}

impl<'a> Trip<'a> {
    pub async fn begin(fixture: &'a Fixture, oidc: &'a Oidc, issuer: &str) -> Self {
        Self::begin_with(fixture, oidc, issuer, None, "/environments").await
    }

    pub async fn begin_with(
        fixture: &'a Fixture,
        oidc: &'a Oidc,
        issuer: &str,
        cookie: Option<&str>,
        return_to: &str,
    ) -> Self {
        let redirect = oidc.begin(&fixture.db, &fixture.anonymous(), cookie, return_to).await.unwrap();
        let question: HashMap<String, String> = redirect.url.query_pairs().into_owned().collect();
        let callback = Callback {
            code: Some("the code".to_owned()),
            state: Some(question["state"].clone()),
            iss: Some(issuer.to_owned()),
            error: None,
        };
        let cookie = Some(redirect.browser.expose_secret().to_owned());
        Self { fixture, oidc, redirect, question, callback, cookie }
    }

    pub async fn finish(&self) -> Result<OidcSignedIn, IdentityError> {
        self.finish_from("192.0.2.7", Browser::default()).await
    }

    pub async fn finish_from(&self, address: &str, browser: Browser<'_>) -> Result<OidcSignedIn, IdentityError> {
        let (db, op, settings) = (&self.fixture.db, self.fixture.from(address), &self.fixture.settings);
        let work = self.oidc.finish(db, &op, settings, &self.callback, self.cookie.as_deref(), browser);
        sendable(work).await
    }
}

pub fn oidc(issuer: &str) -> Oidc {
    Oidc::new(config(issuer), &Url::parse(PUBLIC_URL).unwrap()).unwrap()
}

/// Handlers need a future that moves between threads.
fn sendable<T: Send>(future: T) -> T {
    future
}

/// Why an answer was not trusted.
pub fn untrusted(result: Result<OidcSignedIn, IdentityError>) -> String {
    match result {
        Err(IdentityError::Oidc(OidcError::Untrusted(reason))) => reason,
        other => panic!("{other:?}"),
    }
}

pub fn is_unknown(result: &Result<OidcSignedIn, IdentityError>) -> bool {
    matches!(result, Err(IdentityError::Oidc(OidcError::FlowUnknown)))
}
