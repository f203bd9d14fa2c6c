//! Two thousand readers of live logs on one `serve`: from the moment a step writes a line until a
//! reader on the page's own stream has it, and what each reader costs in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use paddock::audit::Entry;
use paddock::base::id::RunId;
use paddock::base::{Actor, Op, Origin, OsEntropy, SystemClock};
use paddock::db::Tx;
use paddock::identity;
use paddock::orchestrator::{Ending, Run, Settings, StepContext, StepError, Worker, Workflow};
use paddock::providers::Stream;
use rustix::process::{Resource, getrlimit, setrlimit};
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::world::{LOGIN, PASSWORD, World};

const FOLLOWERS: usize = 2_000;
/// How many runs they follow.
const RUNS: usize = 10;
/// How often each run writes a line.
const EVERY: Duration = Duration::from_millis(500);
/// How long it is measured.
const MEASURED: Duration = Duration::from_secs(10);
const LATENCY_GATE: Duration = Duration::from_millis(250);
/// KiB.
const MEMORY_GATE: f64 = 30.0;
/// What a line of the measurement begins with; then comes its time, in microseconds.
const MARK: &str = "bench-at-";

/// Two sockets for each reader: ours and the server's, which inherits the limit.
pub fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = 3 * FOLLOWERS as u64;
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(limit.maximum.map_or(wanted, |most| most.min(wanted)));
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// Writes lines with their time until it is told to stop.
struct Chatty(Arc<AtomicBool>);

#[async_trait]
impl Workflow for Chatty {
    fn steps(&self) -> &'static [&'static str] {
        &["apply"]
    }

    async fn started(&self, _: &mut Tx, _: &Op, _: &Run) -> paddock::db::Result<()> {
        Ok(())
    }

    async fn step(&self, context: &StepContext, _: &str) -> Result<Vec<u8>, StepError> {
        while !self.0.load(Ordering::Relaxed) {
            context.log(Stream::Stdout, &format!("{MARK}{} aws_instance.web: Still creating...", now())).await?;
            tokio::time::sleep(EVERY).await;
        }
        Ok(Vec::new())
    }

    async fn settle(
        &self,
        _: &mut Tx,
        _: &Op,
        _: &Run,
        _: &Ending,
        _: &BTreeMap<String, Vec<u8>>,
    ) -> paddock::db::Result<Vec<Entry>> {
        Ok(Vec::new())
    }
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()
}

pub async fn run(world: &World) {
    let cookie = sign_in(world).await;
    world.empty_queue().await;
    let mut runs = Vec::new();
    for number in 0..RUNS {
        let inputs = json!({"size": "small"});
        runs.push(world.create("postgres-database", format!("followed-{number}"), inputs).await.1);
    }
    let (stop, drain) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
    let workflow: Arc<dyn Workflow> = Arc::new(Chatty(Arc::clone(&stop)));
    let worker = Worker {
        settings: Settings { name: "bench-chatty".to_owned(), slots: RUNS, ..Settings::default() },
        db: world.app.db.clone(),
        signals: world.app.signals.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        workflows: BTreeMap::from([("create.postgres".to_owned(), workflow)]),
    };
    let working = tokio::spawn(worker.work(drain.clone()));

    // Pages of the program and caches that the first reader needs are not the two thousandth's.
    let first = futures_util::future::join_all(runs.iter().map(|run| open(&world.address, &cookie, *run))).await;
    drop(first);
    let before = world.memory();
    let connected = Arc::new(AtomicUsize::new(0));
    let streams: Vec<TcpStream> = futures_util::stream::iter(0..FOLLOWERS)
        .map(|number| open(&world.address, &cookie, runs[number % RUNS]))
        .buffer_unordered(64)
        .collect()
        .await;
    let deadline = Instant::now() + MEASURED;
    let readers = streams.into_iter().map(|stream| tokio::spawn(read(stream, deadline, Arc::clone(&connected))));
    let readers: Vec<_> = readers.collect();
    tokio::time::sleep(MEASURED / 2).await;
    let after = world.memory();
    let mut times = Vec::new();
    for reader in readers {
        times.extend(reader.await.unwrap());
    }
    stop.store(true, Ordering::Relaxed);
    drain.cancel();
    working.await.unwrap();

    times.sort_unstable();
    let at = |part: usize| Duration::from_micros(times[times.len() * part / 100]);
    let ok = if at(95) <= LATENCY_GATE { "ok" } else { "ABOVE" };
    let (readers, lines) = (connected.load(Ordering::Relaxed), times.len());
    println!(
        "live log, line to reader, {readers} readers          p50 {:.0?}, p95 {:.0?} (gate 250 ms)  {ok}  {lines} lines",
        at(50),
        at(95)
    );
    let Some((before, after)) = before.zip(after) else { return };
    let each = after.saturating_sub(before) as f64 / FOLLOWERS as f64;
    let ok = if each <= MEMORY_GATE { "ok" } else { "ABOVE" };
    println!("live log, memory for each reader               {each:.1} KiB (gate 30 KiB)  {ok}");
    assert_eq!(readers, FOLLOWERS, "every reader had lines");
}

async fn sign_in(world: &World) -> String {
    let op = world.app.op(Actor::Anonymous, Origin::internal("web"));
    let browser = identity::Browser { session: None, user_agent: None };
    let app = &world.app;
    let found = identity::sign_in_local(&app.db, &op, &app.identity, LOGIN, &PASSWORD.into(), browser).await.unwrap();
    format!("paddock={}", found.token.expose_secret())
}

/// A connection on which the stream has begun.
async fn open(address: &str, cookie: &str, run: RunId) -> TcpStream {
    let host = address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "GET /runs/{run}/events?after=0 HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nAccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200", "{}", String::from_utf8_lossy(&head));
    stream
}

/// How long each line took, in microseconds; those that were there before do not count.
async fn read(mut stream: TcpStream, until: Instant, connected: Arc<AtomicUsize>) -> Vec<u64> {
    let begun = now();
    let (mut times, mut rest, mut buffer) = (Vec::new(), Vec::new(), vec![0; 16 * 1024]);
    while let Ok(Ok(count)) = tokio::time::timeout_at(until.into(), stream.read(&mut buffer)).await {
        if count == 0 {
            break;
        }
        let got = now();
        rest.extend_from_slice(&buffer[..count]);
        // A line ends after its mark and sixteen digits.
        while let Some(place) = rest.windows(MARK.len()).position(|part| part == MARK.as_bytes()) {
            let end = place + MARK.len() + 16;
            if rest.len() < end {
                break;
            }
            let digits = String::from_utf8_lossy(&rest[place + MARK.len()..end]).into_owned();
            let at: u128 = digits.parse().unwrap();
            if at > begun {
                times.push(u64::try_from(got - at).unwrap());
            }
            rest.drain(..end);
        }
        let kept = rest.len().saturating_sub(MARK.len() + 16);
        if !rest.windows(MARK.len()).any(|part| part == MARK.as_bytes()) {
            rest.drain(..kept);
        }
    }
    connected.fetch_add(usize::from(!times.is_empty()), Ordering::Relaxed);
    times
}
