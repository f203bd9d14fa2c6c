//! A receiver of webhooks: a real HTTP server on loopback that does what it is asked for once for each id,
//! keeps a ledger of its effects, and fails in every way that it is told to.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// The secret of every receiver here.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How it tells that work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In its answer.
    AtOnce,
    /// At a status address, at the second look.
    Polled,
    /// It calls back.
    CallsBack,
    /// It says 202, and never anything again.
    Silent,
    /// One of the first three, by the id.
    Each,
}

/// What goes wrong with one request for work. The effect is there afterwards where it says so.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This answer, without the effect.
    Answer(&'static str, String),
    /// This answer, after the effect.
    AnswerAfter(&'static str, String),
    /// The connection breaks before anything is done.
    BreakBefore,
    /// The connection breaks after the effect.
    BreakAfter,
    /// The effect, and no answer until the other side gives up or the receiver ends.
    Hang,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Came {
    pub method: String,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

impl Came {
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// Its type; empty for a look.
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap_or_default()
    }

    /// The path of the call-back.
    pub fn call_back(&self) -> String {
        let url = url::Url::parse(self.body["data"]["callback"]["url"].as_str().unwrap()).unwrap();
        url.path().to_owned()
    }
}

#[derive(Default)]
struct Book {
    came: Vec<Came>,
    faults: Vec<Fault>,
    /// What was done, once for each id: environment, kind, and the looks until now.
    done: Vec<(String, String, String)>,
    looks: BTreeMap<String, usize>,
    /// What is not as it was left, by environment.
    drifted: Vec<Value>,
}

pub struct Receiver {
    pub address: SocketAddr,
    book: Arc<Mutex<Book>>,
}

impl Receiver {
    pub fn start(way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let book = Arc::new(Mutex::new(Book::default()));
        let shared = Arc::clone(&book);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let book = Arc::clone(&shared);
                std::thread::spawn(move || drop(serve(&stream, &book, way)));
            }
        });
        Self { address, book }
    }

    /// The settings of a target.
    pub fn settings(&self) -> Value {
        json!({"url": format!("http://{}/hook", self.address)})
    }

    /// The next requests for work go wrong like this, one after the other.
    pub fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.book.lock().unwrap().faults.extend(faults);
    }

    /// Everything that came in.
    pub fn came(&self) -> Vec<Came> {
        self.book.lock().unwrap().came.clone()
    }

    /// The requests of this type.
    pub fn of_kind(&self, kind: &str) -> Vec<Came> {
        self.came().into_iter().filter(|one| one.kind() == kind).collect()
    }

    /// What was done for an environment, in order.
    pub fn effects(&self, environment: &str) -> Vec<String> {
        let book = self.book.lock().unwrap();
        book.done.iter().filter(|(_, one, _)| one == environment).map(|(_, _, kind)| kind.clone()).collect()
    }

    /// From now on this differs in every environment.
    pub fn drift(&self, differences: Value) {
        self.book.lock().unwrap().drifted = differences.as_array().unwrap().clone();
    }

    /// The ids that were asked for a second time without a look at them in between.
    pub fn asked_again_without_a_look(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut open: BTreeMap<String, bool> = BTreeMap::new();
        for one in self.came() {
            let id = one.id().to_owned();
            if one.method == "GET" {
                open.insert(id, true);
            } else if let Some(of) = one.body["data"]["of"].as_str() {
                open.insert(of.to_owned(), true);
            } else if one.body["data"].get("callback").is_some() && open.insert(id.clone(), false) == Some(false) {
                wrong.push(format!("{id} was asked again without a look"));
            }
        }
        wrong
    }
}

fn read(stream: &TcpStream) -> std::io::Result<Option<Came>> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(_)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Ok(Some(Came { method: method.to_owned(), headers, body }))
}

fn answer(mut stream: &TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let kind = if body.starts_with('<') { "text/html" } else { "application/json" };
    let (status, more) = status.split_once('|').unwrap_or((status, ""));
    let more = if more.is_empty() { String::new() } else { format!("{more}\r\n") };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n{more}\r\n{body}",
        body.len()
    )
}

fn serve(stream: &TcpStream, book: &Mutex<Book>, way: Way) -> std::io::Result<()> {
    let Some(came) = read(stream)? else { return Ok(()) };
    let fault = {
        let mut book = book.lock().unwrap();
        book.came.push(came.clone());
        let is_work = came.body["data"].get("callback").is_some();
        (is_work && !book.faults.is_empty()).then(|| book.faults.remove(0))
    };
    match (came.method.as_str(), came.kind()) {
        ("GET", _) => return look(stream, book, came.id()),
        (_, "paddock.ping") => return answer(stream, "204 No Content", ""),
        (_, "environment.status") => return status(stream, book, &came),
        (_, "environment.cancel") => return answer(stream, "202 Accepted", "{}"),
        _ => {}
    }
    match fault {
        Some(Fault::Answer(status, body)) => return answer(stream, status, &body),
        Some(Fault::BreakBefore) => return Ok(()),
        _ => {}
    }
    let id = came.id().to_owned();
    let environment = came.body["data"]["environment"]["id"].as_str().unwrap_or_default().to_owned();
    {
        let mut book = book.lock().unwrap();
        if !book.done.iter().any(|(known, ..)| *known == id) {
            book.done.push((id.clone(), environment, came.kind().to_owned()));
        }
    }
    match fault {
        Some(Fault::AnswerAfter(status, body)) => return answer(stream, status, &body),
        Some(Fault::BreakAfter) => return Ok(()),
        Some(Fault::Hang) => {
            // Until the other side is gone.
            return std::io::copy(&mut &*stream, &mut std::io::sink()).map(drop);
        }
        _ => {}
    }
    let way = match way {
        Way::Each => [Way::AtOnce, Way::Polled, Way::CallsBack][id.bytes().map(usize::from).sum::<usize>() % 3],
        way => way,
    };
    match way {
        Way::AtOnce => answer(stream, "200 OK", &result(&came.body).to_string()),
        Way::Polled => {
            let body = json!({"status_url": format!("/work/{id}"), "message": "in line"});
            answer(stream, "202 Accepted|Retry-After: 0", &body.to_string())
        }
        Way::CallsBack => {
            answer(stream, "202 Accepted", "{}")?;
            call_back(&came);
            Ok(())
        }
        Way::Silent | Way::Each => answer(stream, "202 Accepted", ""),
    }
}

/// What it says when work is done.
pub fn result(body: &Value) -> Value {
    let size = body["data"]["inputs"]["size"].clone();
    match body["type"].as_str() {
        Some("environment.deploy") => json!({
            "state": "succeeded", "message": "made", "keep": {"serial": 7},
            "outputs": {"size": {"value": size}, "key": {"value": "k-secret", "sensitive": true}},
            "resources": [{"address": "vm", "type": "vm", "id": "vm-1"}],
        }),
        _ => json!({"state": "succeeded"}),
    }
}

fn look(stream: &TcpStream, book: &Mutex<Book>, id: &str) -> std::io::Result<()> {
    let (known, looks) = {
        let mut book = book.lock().unwrap();
        let looks = book.looks.entry(id.to_owned()).or_default();
        *looks += 1;
        let looks = *looks;
        let asked = book.came.iter().find(|one| one.method == "POST" && one.id() == id).cloned();
        (book.done.iter().any(|(known, ..)| known == id).then_some(asked).flatten(), looks)
    };
    match known {
        None => answer(stream, "404 Not Found", "{}"),
        Some(_) if looks == 1 => {
            answer(stream, "200 OK", r#"{"state": "running", "progress": 50, "message": "at it"}"#)
        }
        Some(asked) => answer(stream, "200 OK", &result(&asked.body).to_string()),
    }
}

fn status(stream: &TcpStream, book: &Mutex<Book>, came: &Came) -> std::io::Result<()> {
    let body = {
        let book = book.lock().unwrap();
        let environment = came.body["data"]["environment"]["id"].as_str().unwrap_or_default();
        let mine = || book.done.iter().filter(|(_, one, _)| one == environment);
        let exists = mine().next_back().is_some_and(|(_, _, kind)| kind != "environment.delete");
        let of = came.body["data"]["of"].as_str();
        let work = of.map(|of| {
            let asked = book.came.iter().find(|one| one.headers.get("webhook-id").is_some_and(|id| id == of));
            let done = mine().any(|(id, ..)| id == of);
            asked.filter(|_| done).map_or_else(|| json!({"state": "unknown"}), |asked| result(&asked.body))
        });
        let mut body = work.unwrap_or_else(|| json!({}));
        body["exists"] = json!(exists);
        body["differences"] = json!(book.drifted);
        body
    };
    answer(stream, "200 OK", &body.to_string())
}

/// Calls back, as often as it takes to be heard.
fn call_back(came: &Came) {
    let url = url::Url::parse(came.body["data"]["callback"]["url"].as_str().unwrap()).unwrap();
    for body in [json!({"state": "running", "message": "half of it"}), result(&came.body)] {
        for _ in 0..20 {
            if post(&url, &body.to_string()).is_ok_and(|status| status < 500) {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }
}

fn post(url: &url::Url, body: &str) -> std::io::Result<u16> {
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let mut stream = TcpStream::connect(&host)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        stream,
        "POST {} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        url.path(),
        body.len()
    )?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line)?;
    Ok(line.split_whitespace().nth(1).and_then(|status| status.parse().ok()).unwrap_or(0))
}
