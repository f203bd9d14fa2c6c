//! A double of AWS: CloudFormation and STS on a loopback port, for what no emulator does honestly.
//!
//! Modelled on the API references of CloudFormation (2010-05-15) and STS (2011-06-15): the Query protocol
//! with its XML answers and error codes, change sets that are made in a while, the states of a stack and
//! its resources one after the other, events with reasons and client request tokens, rollbacks, deletion
//! policies, drift, paging, and what is refused in which state. Time passes only when somebody looks: each
//! `DescribeStacks` lets the next events of an operation happen, so that no test waits for a clock.
//!
//! What a resource does is said in its `Metadata`: `Fails`, `FailsDelete`, `FailsRollback` (a reason),
//! `Replaces`, `Hangs`; `Is` gives its physical id, which for a nested stack is another stack's ARN. Of the functions of templates only `{"Ref": parameter}` is understood.
//! [`Fault`]s make calls hang, break or be throttled. The [`Ledger`](account::Account) tells what was done.

mod account;
mod sts;
mod wire;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub use account::Account;
use wire::Params;

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No answer, and no effect.
    Hang,
    /// The effect, and no answer.
    HangAfter,
    /// A page of a proxy, and no effect.
    Html500,
    /// The effect, and a page of a proxy.
    Html500After,
    /// “Slow down.”
    Throttle,
    /// The connection is cut after the effect.
    Cut,
}

/// The server. It has a thread of its own: whoever waits for a program does not keep it waiting.
pub struct Aws {
    address: SocketAddr,
    account: Arc<Mutex<Account>>,
    end: CancellationToken,
}

impl Drop for Aws {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Aws {
    /// Starts it on a free port.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let account: Arc<Mutex<Account>> = Arc::default();
        let router = Router::new().route("/", post(serve)).with_state(Arc::clone(&account));
        let end = CancellationToken::new();
        let ended = end.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let serving = axum::serve(listener, router);
                tokio::select! {
                    () = ended.cancelled() => {}
                    result = serving => result.unwrap(),
                }
            });
        });
        Self { address, account, end }
    }

    /// What it knows.
    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap()
    }

    /// The next calls of this action go wrong, in this order.
    pub fn breaks(&self, action: &str, faults: &[Fault]) {
        self.account().faults.entry(action.to_owned()).or_default().extend(faults);
    }

    /// Settings of a target that is this account.
    pub fn settings(&self) -> Value {
        json!({"region": "eu-west-1", "endpoint": self.url(), "call_timeout_seconds": 5, "deadline_seconds": 60})
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn serve(State(account): State<Arc<Mutex<Account>>>, headers: HeaderMap, body: String) -> Response {
    let params = Params::parse(&body);
    let action = params.get("Action").to_owned();
    let (fault, answer) = {
        let mut account = account.lock().unwrap();
        let fault = account.faults.get_mut(&action).and_then(std::collections::VecDeque::pop_front);
        account.calls.push(action.clone());
        let effect = !matches!(fault, Some(Fault::Hang | Fault::Html500 | Fault::Throttle));
        (fault, effect.then(|| account.answer(&action, &params, &headers)))
    };
    match fault {
        Some(Fault::Hang | Fault::HangAfter) => std::future::pending().await,
        Some(Fault::Html500 | Fault::Html500After) => {
            let page = "<!doctype html>\n<html><head><title>500 Internal Server Error</title></head><body><h1>Oops</h1></body></html>";
            (StatusCode::INTERNAL_SERVER_ERROR, Html(page)).into_response()
        }
        Some(Fault::Throttle) => wire::error(400, "Throttling", "Rate exceeded"),
        Some(Fault::Cut) => {
            // A body that is shorter than it says.
            let body = axum::body::Body::from_stream(futures_util::stream::iter([Err::<String, _>(
                std::io::Error::other("cut"),
            )]));
            Response::new(body)
        }
        None => match answer.unwrap() {
            Ok(body) => wire::answer(&action, &body),
            Err((code, message)) => wire::error(if code.contains("Token") { 403 } else { 400 }, &code, &message),
        },
    }
}
