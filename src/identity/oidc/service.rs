//! Begin and finish a sign-in.

use openidconnect::core::CoreAuthenticationFlow;
use openidconnect::{CsrfToken, PkceCodeChallenge, Scope};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::flow::Flow;
use super::verify::Claims;
use super::{Oidc, OidcError, person};
use crate::base::Op;
use crate::db::Db;
use crate::identity::store::external as store;
use crate::identity::{
    Browser, IdentityError, Result, Settings, SignInMethod, SignedIn, local_path, session, throttle,
};

/// How long a person may take at the provider.
const FLOW_SECONDS: i64 = 600;

/// Where to send the browser.
#[derive(Debug)]
pub struct Redirect {
    /// The provider's sign-in page with our question.
    pub url: Url,
    /// The value for [`crate::identity::Cookie::SignIn`].
    pub browser: SecretString,
    /// How long that cookie lives.
    pub seconds: i64,
}

/// The query of the provider's answer, as the browser brought it.
#[derive(Debug, Clone, Default)]
pub struct Callback {
    /// The code, when the provider agreed.
    pub code: Option<String>,
    /// Our state, given back.
    pub state: Option<String>,
    /// The issuer (RFC 9207).
    pub iss: Option<String>,
    /// The error code, when it did not.
    pub error: Option<String>,
}

/// A finished sign-in.
#[derive(Debug)]
pub struct OidcSignedIn {
    /// The session.
    pub signed_in: SignedIn,
    /// Where the person wanted to go: a path of this site.
    pub return_to: String,
}

impl Oidc {
    /// Begins a sign-in. `browser` is the value of the sign-in cookie, if the browser has one.
    pub async fn begin(&self, db: &Db, op: &Op, browser: Option<&str>, return_to: &str) -> Result<Redirect> {
        let known = self.known(op).await.map_err(|error| self.logged(op, error))?;
        let flow = Flow::begin(op.entropy(), browser);
        let mut connection = db.acquire().await?;
        let return_to = local_path(return_to);
        store::insert_flow(&mut connection, flow.state_hash, flow.browser_hash, return_to, FLOW_SECONDS).await?;
        let (state, nonce) = (flow.state.expose_secret().to_owned(), flow.nonce());
        let mut question = known
            .client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || CsrfToken::new(state), || nonce)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&flow.verifier()));
        for scope in &self.config.scopes {
            question = question.add_scope(Scope::new(scope.clone()));
        }
        let (url, ..) = question.url();
        Ok(Redirect { url, browser: flow.browser, seconds: FLOW_SECONDS })
    }

    /// Finishes a sign-in. `sign_in_cookie` is what [`Self::begin`] gave to the browser.
    pub async fn finish(
        &self,
        db: &Db,
        op: &Op,
        settings: &Settings,
        callback: &Callback,
        sign_in_cookie: Option<&str>,
        browser: Browser<'_>,
    ) -> Result<OidcSignedIn> {
        // Each try may cost calls to the provider and an audit record.
        let attempt = throttle::take(db, op, None).await?;
        let (claims, return_to) = match self.believe(db, op, callback, sign_in_cookie).await {
            Ok(believed) => believed,
            Err(IdentityError::Oidc(error)) => {
                let mut tx = db.begin().await?;
                session::refused(&mut tx, op, None, SignInMethod::Oidc, error.reason()).await?;
                tx.commit().await?;
                return Err(self.logged(op, error));
            }
            Err(other) => return Err(other),
        };
        let mut tx = db.begin().await?;
        let person = person::find_or_make(&mut tx, op, &claims).await?;
        if !person.active {
            session::refused(&mut tx, op, Some(&person), SignInMethod::Oidc, "disabled").await?;
            tx.commit().await?;
            return Err(IdentityError::Disabled);
        }
        self.sync(&mut tx, op, &person, &claims.groups).await?;
        attempt.succeeded(&mut tx).await?;
        let signed_in = session::start(&mut tx, op, settings, person, SignInMethod::Oidc, browser).await?;
        tx.commit().await?;
        Ok(OidcSignedIn { signed_in, return_to })
    }

    /// Everything that must hold before anybody is signed in. No transaction is open meanwhile.
    async fn believe(
        &self,
        db: &Db,
        op: &Op,
        callback: &Callback,
        sign_in_cookie: Option<&str>,
    ) -> Result<(Claims, String)> {
        let flow = sign_in_cookie.zip(callback.state.as_deref());
        let flow = flow.and_then(|(browser, state)| Flow::resume(browser, state)).ok_or(OidcError::FlowUnknown)?;
        let taken = store::take_flow(&mut *db.acquire().await?, flow.state_hash, flow.browser_hash).await?;
        let return_to = taken.ok_or(OidcError::FlowUnknown)?;
        let known = self.known(op).await?;
        match callback.iss.as_deref() {
            Some(iss) if iss == self.config.issuer => {}
            Some(_) => return Err(OidcError::Untrusted("the answer came from another issuer".to_owned()).into()),
            None if known.sends_iss => {
                return Err(OidcError::Untrusted("the answer does not say its issuer".to_owned()).into());
            }
            None => {}
        }
        if let Some(code) = &callback.error {
            return Err(OidcError::Refused(error_word(code)).into());
        }
        let no_code = || OidcError::Untrusted("the answer has neither code nor error".to_owned());
        let code = callback.code.as_deref().filter(|code| !code.is_empty()).ok_or_else(no_code)?;
        let tokens = self.exchange(&known, &flow, code).await?;
        let claims = self.claims(op, &known, &flow, &tokens).await?;
        Ok((claims, return_to))
    }

    fn logged(&self, op: &Op, error: OidcError) -> IdentityError {
        let reason = error.reason();
        tracing::warn!(operation.id = %op.id, oidc.issuer = %self.config.issuer, reason, "identity.oidc.refused");
        error.into()
    }
}

/// The error codes of RFC 6749 and OpenID Connect; anything else is not repeated, because whoever
/// made the link chose it.
fn error_word(code: &str) -> &'static str {
    const KNOWN: [&str; 10] = [
        "access_denied",
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "invalid_request",
        "invalid_scope",
        "login_required",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
    ];
    KNOWN.into_iter().find(|known| *known == code).unwrap_or("another error")
}
