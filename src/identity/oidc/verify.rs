//! From the provider's answer to claims that may be believed.

use openidconnect::core::CoreGenderClaim;
use openidconnect::core::CoreJwsSigningAlgorithm as Alg;
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClaimsVerificationError, OAuth2TokenResponse as _, RequestTokenError,
    SignatureVerificationError, SubjectIdentifier, TokenResponse as _, UserInfoClaims, UserInfoError,
};
use serde_json::{Map, Value};

use super::flow::Flow;
use super::http::HttpError;
use super::provider::{Known, OtherClaims, Tokens, chain};
use super::{Oidc, OidcError};
use crate::base::Op;

/// Asymmetric, and nothing weaker than what every provider offers. `none` and the HMAC family can
/// never be part of it: whoever knows the client secret or nothing could sign.
const ALGORITHMS: [Alg; 4] = [Alg::RsaSsaPkcs1V15Sha256, Alg::RsaSsaPssSha256, Alg::EcdsaP256Sha256, Alg::EdDsa];
/// How far the provider's clock may be ahead of ours.
const SKEW_SECONDS: i64 = 300;
const LONGEST_SUBJECT: usize = 255;

/// What the provider says about who signed in.
#[derive(Debug)]
pub(super) struct Claims {
    pub issuer: String,
    pub subject: String,
    pub username: Option<String>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub groups: Vec<String>,
}

fn untrusted(reason: impl Into<String>) -> OidcError {
    OidcError::Untrusted(reason.into())
}

impl Oidc {
    /// Turns the code into tokens. The verifier proves that we are who began.
    pub(super) async fn exchange(&self, known: &Known, flow: &Flow, code: &str) -> Result<Tokens, OidcError> {
        let request = known
            .client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| OidcError::Misconfigured("the provider has no token endpoint".to_owned()))?;
        request.set_pkce_verifier(flow.verifier()).request_async(&self.http).await.map_err(|error| match error {
            RequestTokenError::Request(error @ HttpError::Insecure(_)) => OidcError::Misconfigured(error.to_string()),
            RequestTokenError::Request(error) => OidcError::Unreachable(error.to_string()),
            RequestTokenError::ServerResponse(answer) => {
                untrusted(format!("the token endpoint refused the code: {}", plain(answer.error().as_ref())))
            }
            // Its text may quote what was received: tokens.
            RequestTokenError::Parse(..) => untrusted("the token endpoint's answer is not valid"),
            RequestTokenError::Other(_) => untrusted("the token endpoint's answer is not usable"),
        })
    }

    /// Checks the ID token and collects the claims; asks the userinfo endpoint for what is missing.
    pub(super) async fn claims(
        &self,
        op: &Op,
        known: &Known,
        flow: &Flow,
        tokens: &Tokens,
    ) -> Result<Claims, OidcError> {
        let checked = match self.check(op, known, flow, tokens) {
            // The provider may have changed its keys since we last asked.
            Err(Failed::NoKey) => {
                self.check(op, &self.refreshed(op).await?, flow, tokens).map_err(|failed| match failed {
                    Failed::NoKey => untrusted("the ID token is signed with a key that the provider does not publish"),
                    Failed::Other(error) => error,
                })
            }
            Err(Failed::Other(error)) => Err(error),
            Ok(claims) => Ok(claims),
        };
        let mut claims = checked?;
        if known.has_user_info && (claims.groups.is_none() || claims.username.is_none()) {
            self.add_user_info(known, tokens, &mut claims).await?;
        }
        Ok(Claims {
            issuer: self.config.issuer.clone(),
            subject: claims.subject,
            username: claims.username,
            name: claims.name,
            email: claims.email,
            groups: claims.groups.unwrap_or_default(),
        })
    }

    fn check(&self, op: &Op, known: &Known, flow: &Flow, tokens: &Tokens) -> Result<Found, Failed> {
        let now = op.now().as_second();
        let verifier =
            known.client.id_token_verifier().set_allowed_algs(ALGORITHMS).set_issue_time_verifier_fn(move |at| {
                if at.timestamp() > now + SKEW_SECONDS { Err("issued in the future".to_owned()) } else { Ok(()) }
            });
        let token = tokens.id_token().ok_or_else(|| untrusted("the answer has no ID token"))?;
        let claims = token.claims(&verifier, &flow.nonce()).map_err(|error| match error {
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => Failed::NoKey,
            other => Failed::Other(untrusted(format!("the ID token is not valid: {}", plain(&chain(&other))))),
        })?;
        let client_id = self.config.client_id.as_str();
        if !matches!(claims.audiences().as_slice(), [only] if only.as_str() == client_id) {
            return Err(untrusted("the ID token is not for this client alone").into());
        }
        if claims.authorized_party().is_some_and(|party| party.as_str() != client_id) {
            return Err(untrusted("the ID token was issued to another client").into());
        }
        if claims.expiration().timestamp() <= now {
            return Err(untrusted("the ID token has expired").into());
        }
        if let Some(hash) = claims.access_token_hash() {
            let key = token.signing_key(&verifier).map_err(|_| Failed::NoKey)?;
            let alg = token.signing_alg().map_err(|error| untrusted(chain(&error)))?;
            let actual = AccessTokenHash::from_token(tokens.access_token(), alg, key)
                .map_err(|_| untrusted("the access token's hash cannot be checked"))?;
            if actual != *hash {
                return Err(untrusted("the access token is not the one of the ID token").into());
            }
        }
        let subject = claims.subject().as_str();
        if subject.trim().is_empty() || subject.len() > LONGEST_SUBJECT || subject.chars().any(char::is_control) {
            return Err(untrusted("the ID token names nobody").into());
        }
        Ok(Found {
            subject: subject.to_owned(),
            username: claims.preferred_username().map(|text| text.to_string()),
            name: claims.name().and_then(|all| all.get(None)).map(|text| text.to_string()),
            email: claims.email().map(|text| text.to_string()),
            groups: self.groups_of(&claims.additional_claims().0),
        })
    }

    async fn add_user_info(&self, known: &Known, tokens: &Tokens, claims: &mut Found) -> Result<(), OidcError> {
        let request = known
            .client
            // The answer must be about the same subject, or it is refused.
            .user_info(tokens.access_token().clone(), Some(SubjectIdentifier::new(claims.subject.clone())))
            .map_err(|_| OidcError::Misconfigured("the provider has no userinfo endpoint".to_owned()))?;
        let info: UserInfoClaims<OtherClaims, CoreGenderClaim> =
            request.request_async(&self.http).await.map_err(|error| match error {
                UserInfoError::Request(error) => OidcError::Unreachable(error.to_string()),
                UserInfoError::ClaimsVerification(error) => untrusted(format!("userinfo: {}", plain(&chain(&error)))),
                UserInfoError::Response(status, _, _) => untrusted(format!("userinfo answered with status {status}")),
                _ => untrusted("the userinfo endpoint's answer is not valid"),
            })?;
        claims.groups = claims.groups.take().or_else(|| self.groups_of(&info.additional_claims().0));
        claims.username = claims.username.take().or_else(|| info.preferred_username().map(|text| text.to_string()));
        let name = || info.name().and_then(|all| all.get(None)).map(|text| text.to_string());
        claims.name = claims.name.take().or_else(name);
        claims.email = claims.email.take().or_else(|| info.email().map(|text| text.to_string()));
        Ok(())
    }

    /// The groups of the configured claim: a list of names, or one name. Anything else is none.
    fn groups_of(&self, claims: &Map<String, Value>) -> Option<Vec<String>> {
        match claims.get(&self.config.groups_claim)? {
            Value::String(one) => Some(vec![one.clone()]),
            Value::Array(all) => Some(all.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        }
    }
}

/// What one token or answer said.
struct Found {
    subject: String,
    username: Option<String>,
    name: Option<String>,
    email: Option<String>,
    groups: Option<Vec<String>>,
}

enum Failed {
    NoKey,
    Other(OidcError),
}

impl From<OidcError> for Failed {
    fn from(error: OidcError) -> Self {
        Self::Other(error)
    }
}

/// Text from outside, short and without anything that could break a log line.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
