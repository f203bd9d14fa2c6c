//! The way into an account: region, endpoints and credential of a target, as clients of the SDK.
//!
//! A credential is found once for each call of the provider, before anything else, so that what is
//! wrong with it is told in words. The SDK asks again only when it runs out while a stack is made.
//! Nothing is read from this process's environment or files, but where the target says `instance`.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_cloudformation::config::retry::RetryConfig;
use aws_sdk_cloudformation::config::timeout::TimeoutConfig;
use aws_sdk_cloudformation::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_sdk_sts::types::Credentials as StsCredentials;
use aws_smithy_runtime::client::retries::RetryPartition;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::words::{Refusal, explain};
use crate::providers::address::refuse_special;
use crate::providers::{ProviderError, Target};

/// What a name of a credential's origin is, in the SDK's own records.
const ORIGIN: &str = "paddock";
/// How long the worker's own chain of credentials may take: the metadata service is a second at most.
const CHAIN: Duration = Duration::from_secs(15);
/// How long a single call may take without an answer.
const CALL: u64 = 20;
/// How long a stack may take.
const DEADLINE: u64 = 60 * 60;
/// Calls of the same kind before the run goes back to the queue. The SDK waits longer after each.
const TRIES: u32 = 4;

/// The settings of a target.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `eu-west-1`.
    pub region: String,
    endpoint: Option<String>,
    sts_endpoint: Option<String>,
    credentials: Option<String>,
    role_arn: Option<String>,
    external_id: Option<String>,
    web_identity_token_file: Option<PathBuf>,
    /// The role that CloudFormation itself works with.
    pub service_role_arn: Option<String>,
    deadline_seconds: Option<u64>,
    call_timeout_seconds: Option<u64>,
}

/// The sealed part of a target.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Sealed {
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
    web_identity_token: Option<String>,
}

/// Clients for one target.
#[derive(Debug)]
pub struct Access {
    /// Of CloudFormation.
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// Of the service that says who one is.
    pub sts: aws_sdk_sts::Client,
    /// What the target says.
    pub settings: Settings,
}

impl Access {
    /// Finds the credential and makes the clients.
    pub async fn open(target: &Target) -> Result<Self, ProviderError> {
        let settings = Settings::of(target)?;
        let secret = secret(target)?;
        for endpoint in [&settings.endpoint, &settings.sts_endpoint].into_iter().flatten() {
            check_endpoint(endpoint).await?;
        }
        let credential = settings.credential(target, secret).await?;
        let sts = settings.sts(target, Some(credential.clone()));
        let cloudformation = aws_sdk_cloudformation::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(settings.region.clone()))
            .credentials_provider(credential)
            .timeout_config(settings.timeouts())
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
            .retry_partition(RetryPartition::new(target.slug.clone()))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let cloudformation = match &settings.endpoint {
            Some(endpoint) => cloudformation.endpoint_url(endpoint),
            None => cloudformation,
        };
        let cloudformation = aws_sdk_cloudformation::Client::from_conf(cloudformation.build());
        Ok(Self { cloudformation, sts, settings })
    }
}

impl Settings {
    fn of(target: &Target) -> Result<Self, ProviderError> {
        let settings = Self::deserialize(&target.settings).map_err(|error| {
            ProviderError::failed(format!("the settings of the target {} cannot be used: {error}", target.slug))
        })?;
        if settings.region.is_empty() {
            return Err(ProviderError::failed(format!("the target {} has no region", target.slug)));
        }
        Ok(settings)
    }

    /// How long a stack may take, where the template does not say.
    pub fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds.unwrap_or(DEADLINE))
    }

    fn call_timeout(&self) -> Duration {
        Duration::from_secs(self.call_timeout_seconds.unwrap_or(CALL))
    }

    fn timeouts(&self) -> TimeoutConfig {
        let call = self.call_timeout();
        TimeoutConfig::builder()
            .connect_timeout(call.min(Duration::from_secs(5)))
            .read_timeout(call)
            .operation_attempt_timeout(call)
            .operation_timeout(call.saturating_mul(TRIES))
            .build()
    }

    fn sts(&self, target: &Target, credential: Option<SharedCredentialsProvider>) -> aws_sdk_sts::Client {
        let mut config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .timeout_config(self.timeouts())
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
            .retry_partition(RetryPartition::new(target.slug.clone()))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_credentials_provider(credential);
        config.set_endpoint_url(self.sts_endpoint.clone().or_else(|| self.endpoint.clone()));
        aws_sdk_sts::Client::from_conf(config.build())
    }

    async fn credential(&self, target: &Target, secret: Sealed) -> Result<SharedCredentialsProvider, ProviderError> {
        let lacks = |what: &str| ProviderError::failed(format!("the target {} lacks {what}", target.slug));
        let base = match self.credentials.as_deref().unwrap_or_default() {
            "web_identity" => {
                let role = self.role_arn.clone().ok_or_else(|| lacks("the role of its web identity"))?;
                let token = match (&self.web_identity_token_file, secret.web_identity_token) {
                    (Some(file), _) => Token::File(file.clone()),
                    (None, Some(token)) => Token::Text(token.trim().into()),
                    (None, None) => return Err(lacks("a web identity token, or the file that has it")),
                };
                let way = Way::WebIdentity { token };
                return Role { sts: self.sts(target, None), arn: role, way }.primed().await;
            }
            "instance" => instance().await?,
            _ => {
                let id = secret.access_key_id.ok_or_else(|| lacks("an access key"))?;
                let key = secret.secret_access_key.ok_or_else(|| lacks("the secret of its access key"))?;
                SharedCredentialsProvider::new(Credentials::new(id, key, secret.session_token, None, ORIGIN))
            }
        };
        match &self.role_arn {
            None => Ok(base),
            Some(role) => {
                let way = Way::Assume { external_id: self.external_id.clone() };
                Role { sts: self.sts(target, Some(base)), arn: role.clone(), way }.primed().await
            }
        }
    }
}

fn secret(target: &Target) -> Result<Sealed, ProviderError> {
    let Some(secret) = &target.secret else { return Ok(Sealed::default()) };
    // The parser's own words would quote what it stumbled over.
    serde_json::from_str(secret.expose_secret())
        .map_err(|_| ProviderError::failed(format!("the credential of the target {} cannot be read", target.slug)))
}

/// An endpoint is a URL of a host that can be one.
async fn check_endpoint(endpoint: &str) -> Result<(), ProviderError> {
    let wrong = || ProviderError::failed(format!("the endpoint {endpoint} is not an http or https address"));
    let url = url::Url::parse(endpoint).map_err(|_| wrong())?;
    let plain = url.username().is_empty() && url.password().is_none() && matches!(url.scheme(), "http" | "https");
    let (Some(host), Some(port), true) = (url.host_str(), url.port_or_known_default(), plain) else {
        return Err(wrong());
    };
    refuse_special(host, port).await
}

/// What the worker has by itself: variables, a profile, a container's or a machine's role.
async fn instance() -> Result<SharedCredentialsProvider, ProviderError> {
    let none = |why: &str| ProviderError::retryable(format!("this worker has no AWS credentials of its own{why}"));
    let chain = async {
        let chain = SharedCredentialsProvider::new(aws_config::default_provider::credentials::default_provider().await);
        let first = chain.provide_credentials().await.map_err(|_| none(""))?;
        Ok(Primed::with(first, chain))
    };
    match tokio::time::timeout(CHAIN, Box::pin(chain)).await {
        Ok(found) => found,
        Err(_) => Err(none(": nothing that could give them answered")),
    }
}

/// A credential that was found already, and how the next one is found.
#[derive(Debug)]
struct Primed {
    first: Mutex<Option<Credentials>>,
    then: SharedCredentialsProvider,
}

impl Primed {
    fn with(first: Credentials, then: SharedCredentialsProvider) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Self { first: Mutex::new(Some(first)), then })
    }
}

impl ProvideCredentials for Primed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self.first.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(first) => future::ProvideCredentials::ready(Ok(first)),
            None => self.then.provide_credentials(),
        }
    }
}

/// A role that is taken on.
#[derive(Debug)]
struct Role {
    sts: aws_sdk_sts::Client,
    arn: String,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Assume { external_id: Option<String> },
    WebIdentity { token: Token },
}

enum Token {
    File(PathBuf),
    Text(SecretString),
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Text(_) => f.write_str("Text"),
        }
    }
}

impl Token {
    async fn read(&self) -> Result<SecretString, ProviderError> {
        match self {
            Self::Text(token) => Ok(token.clone()),
            // Whoever renews it writes the file anew.
            Self::File(path) => match tokio::fs::read_to_string(path).await {
                Ok(token) => Ok(token.trim().into()),
                Err(error) => {
                    let message = format!("the web identity token {} cannot be read: {error}", path.display());
                    Err(ProviderError::retryable(message))
                }
            },
        }
    }
}

impl Role {
    async fn primed(self) -> Result<SharedCredentialsProvider, ProviderError> {
        let first = self.take_on().await?;
        Ok(Primed::with(first, SharedCredentialsProvider::new(self)))
    }

    async fn take_on(&self) -> Result<Credentials, ProviderError> {
        let (role, session) = (&self.arn, ORIGIN);
        let given = match &self.way {
            Way::Assume { external_id } => {
                let call = self.sts.assume_role().role_arn(role).role_session_name(session);
                let call = call.set_external_id(external_id.clone());
                Box::pin(call.send()).await.map(|answer| answer.credentials).map_err(|error| explain(&error))
            }
            Way::WebIdentity { token } => {
                let token = token.read().await?;
                let call = self.sts.assume_role_with_web_identity().role_arn(role).role_session_name(session);
                let call = call.web_identity_token(token.expose_secret());
                Box::pin(call.send()).await.map(|answer| answer.credentials).map_err(|error| explain(&error))
            }
        };
        let given = given.map_err(|refusal| match refusal {
            Refusal::Said { code, message, .. } => {
                // A trust policy that is changed, or a token that is renewed, may take a moment.
                let passes = matches!(code.as_str(), "AccessDenied" | "InvalidIdentityToken" | "ExpiredTokenException");
                let words = format!("the role {role} cannot be assumed: {message}");
                if passes { ProviderError::retryable(words) } else { Refusal::said(code, words).reading() }
            }
            other => other.reading(),
        })?;
        given.map(|given| credentials(&given)).ok_or_else(|| {
            ProviderError::retryable(format!("the role {role} was assumed, and the answer has no credential"))
        })
    }
}

fn credentials(given: &StsCredentials) -> Credentials {
    let ends = SystemTime::try_from(*given.expiration()).ok();
    let session = Some(given.session_token().to_owned());
    Credentials::new(given.access_key_id(), given.secret_access_key(), session, ends, ORIGIN)
}

impl ProvideCredentials for Role {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.take_on().await.map_err(CredentialsError::provider_error) })
    }
}
