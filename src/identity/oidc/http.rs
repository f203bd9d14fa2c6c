//! The HTTP client for calls to the provider.

use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use url::Url;

use super::OidcError;
use crate::base::is_loopback;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Metadata, keys and tokens are a few kilobytes.
const LARGEST_ANSWER: usize = 1 << 20;

/// Why a call did not work. Never holds what was sent or received.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("the address {0} is not https")]
    Insecure(String),
    #[error("no answer from {host}: {reason}")]
    NoAnswer { host: String, reason: String },
    #[error("the answer of {0} is larger than a mebibyte")]
    TooLarge(String),
    #[error("the answer could not be read")]
    Malformed,
}

/// Follows no redirect: a provider that is asked for keys must give them itself.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    /// The provider runs on this machine: plain HTTP to it is as good as TLS.
    local: bool,
}

impl Http {
    pub fn new(issuer: &Url) -> Result<Self, OidcError> {
        let local = issuer.scheme() == "http" && is_loopback(issuer);
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .user_agent(concat!("paddock/", env!("CARGO_PKG_VERSION")));
        let builder = if local { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| OidcError::Misconfigured(error.to_string()))?;
        let http = Self { client, local };
        http.check(issuer).map_err(|error| OidcError::Misconfigured(error.to_string()))?;
        Ok(http)
    }

    /// The metadata names further addresses: none of them may lead out of TLS.
    fn check(&self, url: &Url) -> Result<(), HttpError> {
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.local && is_loopback(url) => Ok(()),
            _ => Err(HttpError::Insecure(url.origin().ascii_serialization())),
        }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|_| HttpError::Malformed)?;
        self.check(&url)?;
        let host = url.origin().ascii_serialization();
        // The address may hold a query: only the kind of failure is told.
        let no_answer = |error: reqwest::Error| HttpError::NoAnswer {
            host: host.clone(),
            reason: if error.is_timeout() { "it took too long" } else { "the connection failed" }.to_owned(),
        };
        let request = self.client.request(parts.method, url).headers(parts.headers).body(body);
        let mut answer = request.send().await.map_err(no_answer)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(no_answer)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(HttpError::TooLarge(host));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = ::http::Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            headers.clone_from(answer.headers());
        }
        response.body(body).map_err(|_| HttpError::Malformed)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_provider_on_this_machine_may_do_without_tls() {
        let url = |text: &str| Url::parse(text).unwrap();
        let remote = Http::new(&url("https://id.example/")).unwrap();
        let local = Http::new(&url("http://127.0.0.1:55010/")).unwrap();
        assert!(Http::new(&url("http://id.example/")).is_err());
        assert!(Http::new(&url("http://127.0.0.1.evil.example/")).is_err());
        for (http, address, ok) in [
            (&remote, "https://keys.id.example/jwks", true),
            (&remote, "http://id.example/jwks", false),
            (&remote, "http://127.0.0.1/jwks", false),
            (&remote, "file:///etc/passwd", false),
            (&local, "http://[::1]:1/jwks", true),
            (&local, "http://10.0.0.1/jwks", false),
            (&local, "http://169.254.169.254/", false),
        ] {
            assert_eq!(http.check(&url(address)).is_ok(), ok, "{address}");
        }
    }
}
