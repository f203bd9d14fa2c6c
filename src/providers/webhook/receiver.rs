//! The way to a receiver: signed calls to its own server and nowhere else.
//!
//! The name is looked up once, special addresses are refused, and what was found is what is connected to.
//! Redirects are not followed, no proxy is used, and answers are bounded. Nothing here tells a path or a
//! query: they may hold secrets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::{Host as UrlHost, Url};

use super::sign::Keys;
use crate::base::{Clock, is_loopback};
use crate::providers::address;
use crate::providers::{CallBack, ProviderError, Target};

const CONNECT: Duration = Duration::from_secs(5);
/// How long a call may take: it only says what it wants, the work goes on behind it.
pub const CALL: Duration = Duration::from_secs(30);
/// The largest answer.
const LARGEST: usize = 1024 * 1024;
/// The longest that a receiver may put off the next question.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The server of a target.
pub struct Receiver {
    /// Where work is asked for.
    url: Url,
    client: reqwest::Client,
    keys: Keys,
    clock: Arc<dyn Clock>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// How long it wants to be left alone.
    pub retry_after: Option<Duration>,
    /// `Location`.
    pub location: Option<String>,
    /// Its body, where it is JSON.
    pub json: Option<Value>,
    /// Its body, where it is a text that is no page for a browser.
    text: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// There was no connection: nothing was sent.
    NotSent(String),
    /// It was sent, and nobody knows what became of it.
    NoAnswer(String),
}

impl From<Silence> for ProviderError {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::NotSent(message) => Self::retryable(message),
            Silence::NoAnswer(message) => Self::unknown(message),
        }
    }
}

/// The URL of a target, when it may be asked.
pub fn url_of(target: &Target) -> Result<Url, String> {
    let text = target.settings.get("url").and_then(Value::as_str).unwrap_or_default();
    let url = Url::parse(text).map_err(|_| "the target's URL is none".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("the target's URL does not begin with https:// and a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("the target's URL has a user, a password or a fragment, which are of no use here".to_owned());
    }
    Ok(url)
}

impl Receiver {
    /// The way to the receiver of a target: its name is looked up here.
    pub async fn open(target: Option<&Target>, clock: Arc<dyn Clock>) -> Result<Self, ProviderError> {
        let target = target.ok_or_else(|| ProviderError::failed("no target is bound, so there is nobody to ask"))?;
        let url = url_of(target).map_err(ProviderError::failed)?;
        let keys = Keys::of(target).map_err(ProviderError::failed)?;
        let port = url.port_or_known_default().unwrap_or(443);
        let found = address::look_up(url.host_str().unwrap_or_default(), port).await?;
        if url.scheme() == "http"
            && !plain_is_fine(target)
            && !found.iter().all(|at| at.ip().to_canonical().is_loopback())
        {
            let message = "the target's URL begins with http://, and its server is another machine: use https://";
            return Err(ProviderError::failed(message));
        }
        let client = client(target, &url, &found)?;
        Ok(Self { url, client, keys, clock })
    }

    /// Host and port, for people.
    pub fn name(&self) -> String {
        name_of(&self.url)
    }

    /// Whether somebody there cannot reach this call-back address, because it is one of this machine alone.
    pub fn is_cut_off_from(&self, back: &CallBack) -> bool {
        Url::parse(back.url.expose_secret()).is_ok_and(|back| is_cut_off(&self.url, &back))
    }

    /// The time, as signatures and bodies tell it.
    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// An address on the receiver's own server, relative or whole. `None`: it leads elsewhere.
    pub fn own(&self, text: &str) -> Option<Url> {
        let url = self.url.join(text).ok()?;
        let own = url.origin() == self.url.origin() && url.username().is_empty() && url.password().is_none();
        own.then_some(url)
    }

    /// Asks for something at the target's URL.
    pub async fn post(&self, id: &str, body: &Value) -> Result<Answer, Silence> {
        self.send(Method::POST, self.url.clone(), id, Some(body)).await
    }

    /// Asks for something at another address of the same server.
    pub async fn post_to(&self, url: Url, id: &str, body: &Value) -> Result<Answer, Silence> {
        self.send(Method::POST, url, id, Some(body)).await
    }

    /// Looks at an address of the same server.
    pub async fn get(&self, url: Url, id: &str) -> Result<Answer, Silence> {
        self.send(Method::GET, url, id, None).await
    }

    async fn send(&self, method: Method, url: Url, id: &str, body: Option<&Value>) -> Result<Answer, Silence> {
        let body = body.map(ToString::to_string).unwrap_or_default();
        let timestamp = self.now().as_second();
        let mut request = self
            .client
            .request(method, url)
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.keys.sign(id, timestamp, body.as_bytes()))
            .header(header::ACCEPT, "application/json");
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        let name = self.name();
        let mut answer = request.send().await.map_err(|error| silence(&name, &error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| silence(&name, &error))? {
            if bytes.len() + chunk.len() > LARGEST {
                return Err(Silence::NoAnswer(format!("the answer of {name} is larger than a mebibyte")));
            }
            bytes.extend_from_slice(&chunk);
        }
        let is_page = text(header::CONTENT_TYPE).is_some_and(|kind| kind.to_ascii_lowercase().contains("html"));
        let body = String::from_utf8(bytes).ok().filter(|body| !is_page && !body.trim_start().starts_with('<'));
        Ok(Answer {
            status,
            retry_after: text(header::RETRY_AFTER).and_then(pause),
            location: text(header::LOCATION).map(str::to_owned),
            json: body.as_deref().and_then(|body| serde_json::from_str(body).ok()),
            text: body,
        })
    }
}

impl Answer {
    /// The first words of an error that people can use.
    pub fn words(&self) -> Option<String> {
        let said = |value: &Value| {
            let names = ["message", "error", "detail", "title", "reason"];
            names.iter().find_map(|name| {
                let found = value.get(name)?;
                found.as_str().or_else(|| found.get("message").and_then(Value::as_str)).map(str::to_owned)
            })
        };
        let plain = || self.text.as_deref()?.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned);
        let found = match &self.json {
            Some(value @ Value::Object(_)) => said(value),
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => None,
            None => plain(),
        };
        found.map(|words| words.chars().take(500).collect())
    }
}

/// Host and port of a URL.
pub fn name_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn plain_is_fine(target: &Target) -> bool {
    target.settings.get("plain_http").and_then(Value::as_str) == Some("allow")
}

fn client(target: &Target, url: &Url, found: &[SocketAddr]) -> Result<reqwest::Client, ProviderError> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .timeout(CALL)
        .user_agent(concat!("paddock/", env!("CARGO_PKG_VERSION")));
    if let Some(UrlHost::Domain(domain)) = url.host() {
        builder = builder.resolve_to_addrs(domain, found);
    }
    if let Some(pem) = target.settings.get("ca_certificate").and_then(Value::as_str) {
        let wrong = |_| ProviderError::failed("the target's CA certificate is no certificate in PEM");
        let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(wrong)?;
        if certificates.is_empty() {
            return Err(ProviderError::failed("the target's CA certificate is no certificate in PEM"));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| ProviderError::failed(format!("no connection can be made: {error}")))
}

/// In words without the address, whose path may be a secret.
fn silence(name: &str, error: &reqwest::Error) -> Silence {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if error.is_connect() {
        return Silence::NotSent(format!("{name} cannot be reached: {cause}"));
    }
    let how = if error.is_timeout() {
        format!("did not answer within {} s", CALL.as_secs())
    } else {
        format!("broke the connection off: {cause}")
    };
    Silence::NoAnswer(format!("{name} {how}"))
}

/// `Retry-After` in seconds; a date is not worth its clock.
fn pause(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

fn is_cut_off(receiver: &Url, back: &Url) -> bool {
    is_loopback(back) && !is_loopback(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_machine_is_of_no_use_elsewhere() {
        let cut_off = |receiver: &str, back: &str| is_cut_off(&receiver.parse().unwrap(), &back.parse().unwrap());
        assert!(cut_off("https://make.example.com/hook", "http://127.0.0.1:8400/api/v1/callbacks/x"));
        assert!(!cut_off("https://make.example.com/hook", "https://paddock.example.com/api/v1/callbacks/x"));
        assert!(!cut_off("http://127.0.0.1:9000/hook", "http://127.0.0.1:8400/api/v1/callbacks/x"));
    }
}
