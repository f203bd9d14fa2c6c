//! What the provider says about itself, and the client built from it.

use std::error::Error as StdError;

use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGenderClaim, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreSubjectIdentifierType, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AdditionalProviderMetadata, AuthType, Client, ClientId, ClientSecret, DiscoveryError,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields, IssuerUrl, ProviderMetadata,
    RedirectUrl, StandardErrorResponse, StandardTokenResponse,
};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::http::HttpError;
use super::{Oidc, OidcError};
use crate::base::Op;

/// Metadata is fetched again after this long.
const KEEP: SignedDuration = SignedDuration::from_hours(1);
/// A token signed with an unknown key makes us fetch the keys again, but not more often than this:
/// anybody can send tokens.
const REFETCH: SignedDuration = SignedDuration::from_mins(1);

/// Claims that OpenID Connect does not name, groups among them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct OtherClaims(pub Map<String, Value>);

impl AdditionalClaims for OtherClaims {}

/// Metadata that OpenID Connect Discovery does not name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct OtherMetadata {
    /// RFC 9207: the answer carries `iss`.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    /// RFC 8414: how PKCE may be done.
    code_challenge_methods_supported: Option<Vec<String>>,
}

impl AdditionalProviderMetadata for OtherMetadata {}

type Metadata = ProviderMetadata<
    OtherMetadata,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// The answer of the token endpoint.
pub(super) type Tokens = StandardTokenResponse<
    IdTokenFields<
        OtherClaims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

/// Our client at the provider, with its addresses and keys.
pub(super) type ProviderClient = Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The provider as it was last seen.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub client: ProviderClient,
    /// The provider promises `iss` in its answers.
    pub sends_iss: bool,
    pub has_user_info: bool,
}

/// The message of an error and of all that it came from. Ours and the crate's say what was wrong
/// without the bodies that were exchanged.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

impl Oidc {
    /// The provider, fetched if it was not, or too long ago.
    pub(super) async fn known(&self, op: &Op) -> Result<Known, OidcError> {
        self.known_since(op, KEEP).await
    }

    /// The provider, fetched again because a key was missing, but at most once a minute.
    pub(super) async fn refreshed(&self, op: &Op) -> Result<Known, OidcError> {
        self.known_since(op, REFETCH).await
    }

    async fn known_since(&self, op: &Op, age: SignedDuration) -> Result<Known, OidcError> {
        let now: Timestamp = op.now();
        // Held while fetching: a hundred people at nine o'clock fetch once.
        let mut known = self.known.lock().await;
        if let Some((at, known)) = &*known
            && now.duration_since(*at) < age
        {
            return Ok(known.clone());
        }
        let fresh = self.discover().await?;
        *known = Some((now, fresh.clone()));
        Ok(fresh)
    }

    async fn discover(&self) -> Result<Known, OidcError> {
        let misfit = |text: &str| OidcError::Misconfigured(text.to_owned());
        let issuer = IssuerUrl::new(self.config.issuer.clone()).map_err(|_| misfit("the issuer is not a URL"))?;
        let metadata = Metadata::discover_async(issuer, &self.http).await.map_err(discovery_error)?;
        let other = metadata.additional_metadata();
        if other.code_challenge_methods_supported.as_ref().is_some_and(|all| !all.iter().any(|one| one == "S256")) {
            return Err(misfit("the provider does not support PKCE with S256"));
        }
        let methods = metadata.token_endpoint_auth_methods_supported().cloned();
        let (sends_iss, has_user_info) =
            (other.authorization_response_iss_parameter_supported, metadata.userinfo_endpoint().is_some());
        let secret = self.config.client_secret.as_ref().map(|text| ClientSecret::new(text.expose_secret().to_owned()));
        let redirect = RedirectUrl::new(self.redirect.to_string()).map_err(|_| misfit("the redirect is not a URL"))?;
        let client_id = ClientId::new(self.config.client_id.clone());
        let mut client = ProviderClient::from_provider_metadata(metadata, client_id, secret).set_redirect_uri(redirect);
        // HTTP Basic is the default of the standard; some providers know only the body.
        if methods.is_some_and(|all| {
            all.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !all.contains(&CoreClientAuthMethod::ClientSecretBasic)
        }) {
            client = client.set_auth_type(AuthType::RequestBody);
        }
        Ok(Known { client, sends_iss, has_user_info })
    }
}

fn discovery_error(error: DiscoveryError<HttpError>) -> OidcError {
    match error {
        DiscoveryError::Request(HttpError::Insecure(_))
        | DiscoveryError::Validation(_)
        | DiscoveryError::UrlParse(_) => OidcError::Misconfigured(chain(&error)),
        DiscoveryError::Response(status, _, _) => {
            OidcError::Unreachable(format!("the provider's metadata or keys answered with status {status}"))
        }
        other => OidcError::Unreachable(chain(&other)),
    }
}
