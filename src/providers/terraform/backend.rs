//! Terraform's HTTP state backend, on a port of this machine, for one program of one attempt.
//!
//! It lives inside the worker, so that a program whose worker died has no way to write: it leaves
//! `errored.tfstate` in its folder, which the next attempt rescues. The credential is good for one
//! environment and attempt. Facts of the protocol, tried with Terraform 1.11: it sends Basic
//! credentials at once, LOCK and UNLOCK with the lock as JSON body, writes with the lock's id in
//! the query and an MD5; a `force-unlock` sends no body at all, which cannot be told from a mistake
//! and is refused. Whoever comes second gets 423 and the holder's JSON.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{StatusCode, header};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use super::state;
use crate::base::{Digest, Entropy as _, OsEntropy};
use crate::providers::{Host, Job, Kept, NewState, ProviderError, StateLock, StateOrigin, Stream};

/// The largest state that is taken.
const LARGEST: usize = 256 * 1024 * 1024;
/// How long a write waits for our database before Terraform is told that it failed.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(500);
/// How many calls may wait; Terraform makes one at a time.
const QUEUE: usize = 8;

/// The name and the password of one attempt.
pub struct Credential {
    user: String,
    password: String,
}

impl Credential {
    /// A new one. The name says whose it is.
    pub fn new(job: &Job) -> Self {
        Self { user: format!("{}.{}", job.run, job.attempt), password: hex::encode(OsEntropy.bytes32()) }
    }

    fn header(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password)))
    }
}

/// A port that is open, before anybody is served.
pub struct Backend {
    listener: TcpListener,
    address: SocketAddr,
    digest: Digest,
}

#[derive(Clone)]
struct Door {
    digest: Digest,
    calls: mpsc::Sender<Call>,
}

/// One request, read and let in or not.
struct Call {
    what: What,
    answer: oneshot::Sender<Answer>,
}

enum What {
    Read,
    Write { lock: Option<String>, body: Bytes },
    Lock(Bytes),
    Unlock(Bytes),
    Stranger(String),
}

type Answer = (StatusCode, Vec<u8>);

impl Backend {
    /// Opens a port.
    pub async fn open(credential: &Credential) -> Result<Self, ProviderError> {
        let trouble = |error| ProviderError::retryable(format!("no port for Terraform's state: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(trouble)?;
        let address = listener.local_addr().map_err(trouble)?;
        Ok(Self { listener, address, digest: Digest::of(credential.header().as_bytes()) })
    }

    /// The variables that lead Terraform here. They take no part in a saved plan.
    pub fn variables(&self, credential: &Credential) -> Vec<(&'static str, String)> {
        let address = format!("http://{}/state", self.address);
        vec![
            ("TF_HTTP_ADDRESS", address.clone()),
            ("TF_HTTP_LOCK_ADDRESS", address.clone()),
            ("TF_HTTP_UNLOCK_ADDRESS", address),
            ("TF_HTTP_USERNAME", credential.user.clone()),
            ("TF_HTTP_PASSWORD", credential.password.clone()),
            // We wait ourselves. When nobody is there any more, waiting would only eat up the grace.
            ("TF_HTTP_RETRY_MAX", "0".to_owned()),
        ]
    }

    /// Serves until dropped. With `pinned`, that is what is read, and nothing can be changed.
    pub async fn serve(self, host: &dyn Host, pinned: Option<&[u8]>) -> Infallible {
        let (calls, mut queue) = mpsc::channel(QUEUE);
        let router = Router::new().fallback(enter).with_state(Door { digest: self.digest, calls });
        let mut server = std::pin::pin!(axum::serve(self.listener, router).into_future());
        loop {
            let call = tokio::select! {
                call = queue.recv() => call,
                _ = &mut server => None,
            };
            let Some(Call { what, answer }) = call else { std::future::pending().await };
            let said = match (pinned, what) {
                (Some(state), What::Read) => (StatusCode::OK, state.to_vec()),
                (Some(_), What::Write { .. } | What::Lock(_) | What::Unlock(_)) => {
                    (StatusCode::CONFLICT, b"this is only for reading".to_vec())
                }
                (_, what) => say(host, what).await,
            };
            let _ = answer.send(said);
        }
    }
}

/// Reads a request and hands it to the loop, which has the host.
async fn enter(State(door): State<Door>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let credential = header(header::AUTHORIZATION);
    let what = if Digest::of(credential.as_bytes()) != door.digest {
        What::Stranger(user(credential))
    } else if parts.method == "GET" {
        What::Read
    } else {
        let Ok(body) = to_bytes(body, LARGEST).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
        let sum = header(header::HeaderName::from_static("content-md5"));
        if !sum.is_empty() && sum != STANDARD.encode(Md5::digest(&body)) {
            return (StatusCode::BAD_REQUEST, "the body does not have the Content-MD5 that was sent").into_response();
        }
        match parts.method.as_str() {
            "POST" => What::Write { lock: lock_id(parts.uri.query().unwrap_or_default()), body },
            "LOCK" => What::Lock(body),
            "UNLOCK" => What::Unlock(body),
            _ => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
        }
    };
    let (answer, said) = oneshot::channel();
    if door.calls.send(Call { what, answer }).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let (status, body) = said.await.unwrap_or((StatusCode::SERVICE_UNAVAILABLE, Vec::new()));
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Whose credential it is, without the password.
fn user(header: &str) -> String {
    let text = header.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.split(':').next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(80).collect()
}

fn lock_id(query: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "ID").map(|(_, id)| id.into_owned())
}

async fn say(host: &dyn Host, what: What) -> Answer {
    let said = match what {
        What::Read => host.load_state().await.map(|state| match state {
            Some(state) => (StatusCode::OK, state),
            None => (StatusCode::NOT_FOUND, Vec::new()),
        }),
        What::Write { lock, body } => write(host, lock.as_deref(), &body).await,
        What::Lock(body) => match read_lock(&body) {
            Some(lock) => host.lock_state(&lock).await.map(|held| answer(StatusCode::LOCKED, held)),
            None => Ok((StatusCode::BAD_REQUEST, b"a lock is JSON with an ID".to_vec())),
        },
        What::Unlock(body) => match read_lock(&body) {
            Some(lock) => host.unlock_state(&lock.id).await.map(|held| answer(StatusCode::CONFLICT, held)),
            None => Ok((StatusCode::BAD_REQUEST, b"say which lock: its JSON is missing".to_vec())),
        },
        What::Stranger(who) => {
            let recorded = host.refused_state(&who).await;
            recorded.map(|()| (StatusCode::UNAUTHORIZED, Vec::new()))
        }
    };
    match said {
        Ok(said) => said,
        Err(ProviderError::LeaseLost) => {
            let holder = json!({"ID": "", "Who": "another attempt", "Info": "this attempt no longer holds its run"});
            (StatusCode::CONFLICT, holder.to_string().into_bytes())
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, cause, "Terraform's state cannot be served");
            (StatusCode::INTERNAL_SERVER_ERROR, Vec::new())
        }
    }
}

fn answer(status: StatusCode, held: Option<StateLock>) -> Answer {
    match held {
        None => (StatusCode::OK, Vec::new()),
        Some(held) => (status, held.info.to_string().into_bytes()),
    }
}

fn read_lock(body: &[u8]) -> Option<StateLock> {
    let info: Value = serde_json::from_slice(body).ok()?;
    let id = info.get("ID")?.as_str().filter(|id| !id.is_empty())?.to_owned();
    Some(StateLock { id, info })
}

/// Keeps a state; waits for our database, because Terraform would give up.
async fn write(host: &dyn Host, lock: Option<&str>, body: &[u8]) -> Result<Answer, ProviderError> {
    let Some(state) = state::State::parse(body) else {
        return Ok((StatusCode::BAD_REQUEST, b"this is not a state".to_vec()));
    };
    let (lineage, serial) = state.place();
    let new = NewState { origin: StateOrigin::Written, lineage, serial, bytes: body, lock: lock.unwrap_or_default() };
    let until = Instant::now() + PATIENCE;
    loop {
        match host.keep_state(new).await {
            Ok(Kept::Yes) => return Ok((StatusCode::OK, Vec::new())),
            Ok(Kept::NotLocked(held)) => {
                return Ok(match held {
                    Some(held) => answer(StatusCode::LOCKED, Some(held)),
                    None => (StatusCode::CONFLICT, b"the state is not locked".to_vec()),
                });
            }
            Ok(Kept::Older) => return Ok((StatusCode::CONFLICT, b"a newer state is kept already".to_vec())),
            Err(ProviderError::Internal(_) | ProviderError::Retryable { .. }) if Instant::now() < until => {
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Keeps a state under a lock of Paddock's own, which says what it is for.
pub async fn keep(host: &dyn Host, job: &Job, why: &str, state: NewState<'_>) -> Result<(), ProviderError> {
    let id = format!("{why}-{}-{}", job.run, job.attempt);
    let info = json!({"ID": id, "Operation": why, "Who": "paddock", "Info": "", "Version": "", "Path": ""});
    let lock = StateLock { id, info };
    if host.lock_state(&lock).await?.is_some() {
        return Err(ProviderError::retryable("the state is locked"));
    }
    let kept = host.keep_state(NewState { lock: &lock.id, ..state }).await;
    host.unlock_state(&lock.id).await?;
    match kept? {
        Kept::Yes => Ok(()),
        not => Err(ProviderError::retryable(format!("the state was not taken: {not:?}"))),
    }
}

/// What became of a state that was left on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It counts now.
    Taken,
    /// It was handed over after all.
    Known,
    /// It is not of the history that counts: kept, or not even readable, and not used.
    Stray,
}

/// Brings a state into Paddock that was left on this machine, under the lock.
pub async fn rescue(host: &dyn Host, job: &Job, saved: Option<&[u8]>, bytes: &[u8]) -> Result<Left, ProviderError> {
    let Some(left) = state::State::parse(bytes) else {
        host.log(Stream::Stderr, "A state that an earlier attempt left on this machine cannot be read").await?;
        return Ok(Left::Stray);
    };
    let known = saved.and_then(state::State::parse);
    let (lineage, serial) = left.place();
    let origin = match &known {
        Some(known) if known.place() == (lineage, serial) && known.resources() == left.resources() => {
            return Ok(Left::Known);
        }
        Some(known) if !left.continues(known) => StateOrigin::Stray,
        Some(_) | None => StateOrigin::Rescued,
    };
    keep(host, job, "rescue", NewState { origin, lineage, serial, bytes, lock: "" }).await?;
    if origin == StateOrigin::Stray {
        let known = known.map(|known| known.resources()).unwrap_or_default();
        let only: Vec<String> =
            left.resources().into_iter().filter(|r| !known.contains(r)).map(|r| r.to_string()).collect();
        let list = if only.is_empty() { "nothing".to_owned() } else { only.join(", ") };
        let line =
            format!("A state left on this machine is not of the kept history: stored, not used. Only in it: {list}");
        host.log(Stream::Stderr, &line).await?;
        return Ok(Left::Stray);
    }
    host.log(Stream::Paddock, "Going on from the state that an earlier attempt left on this machine").await?;
    Ok(Left::Taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_an_id() {
        assert_eq!(read_lock(br#"{"ID":"a","Who":"x"}"#).unwrap().id, "a");
        for bad in [&b""[..], b"{}", br#"{"ID":""}"#, b"[]", br#"{"ID":1}"#] {
            assert!(read_lock(bad).is_none());
        }
        assert_eq!(lock_id("a=1&ID=x-y").as_deref(), Some("x-y"));
        assert_eq!(lock_id(""), None);
    }

    #[test]
    fn a_stranger_is_named_without_the_password() {
        assert_eq!(user(&format!("Basic {}", STANDARD.encode("run_1.2:secret"))), "run_1.2");
        assert_eq!(user("Bearer x"), "");
    }
}
