//! A small proxy on a loopback port, between a program and Postgres: it can cut, at once or at the
//! n-th piece of what is said, freeze, also there, and slow down.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// How the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// As it should be.
    Good,
    /// Every connection is closed, and new ones are closed at once.
    Cut,
    /// Connections stay open, new ones too, and nothing gets through, also not later.
    HalfOpen,
    /// Everything takes so long, each way.
    Slow(Duration),
    /// So many bytes a second get through, each way.
    Narrow(u32),
}

/// Which way something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Towards {
    /// To Postgres.
    Server,
    /// Back to the program.
    Client,
}

/// The proxy; it ends with the value.
pub struct Proxy {
    port: u16,
    network: Arc<watch::Sender<Network>>,
    fuse: Fuse,
}

/// How many pieces still pass in one direction before the network becomes like that.
type Fuse = Arc<Mutex<Option<(Towards, usize, Network)>>>;

/// What gets through a narrow line at a time.
const DROP: usize = 64;

/// What each connection's two halves share.
#[derive(Clone)]
struct Line {
    network: watch::Receiver<Network>,
    change: std::sync::Weak<watch::Sender<Network>>,
    fuse: Fuse,
}

impl Line {
    /// Whether this piece passes; the one at which the fuse burns changes the network.
    fn passes(&self, towards: Towards) -> bool {
        let mut fuse = self.fuse.lock().unwrap();
        match fuse.as_mut() {
            Some((way, 0, then)) if *way == towards => {
                if let Some(change) = self.change.upgrade() {
                    change.send_replace(*then);
                }
                *fuse = None;
                false
            }
            Some((way, left, _)) if *way == towards => {
                *left -= 1;
                true
            }
            _ => true,
        }
    }
}

#[derive(Clone)]
enum Upstream {
    Socket(PathBuf),
    Tcp(String, u16),
}

impl Proxy {
    /// In front of the server of these options.
    pub fn start(options: &PgConnectOptions) -> Self {
        let upstream = match options.get_socket() {
            Some(folder) => Upstream::Socket(folder.join(format!(".s.PGSQL.{}", options.get_port()))),
            None => Upstream::Tcp(options.get_host().to_owned(), options.get_port()),
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (network, seen) = watch::channel(Network::Good);
        let (network, fuse) = (Arc::new(network), Fuse::default());
        let line = Line { network: seen, change: Arc::downgrade(&network), fuse: Arc::clone(&fuse) };
        // A thread of its own: a test may block its runtime.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { accept(TcpListener::from_std(listener).unwrap(), upstream, line).await });
        });
        Self { port, network, fuse }
    }

    /// The same address by way of the proxy.
    pub fn url(&self, url: &str) -> String {
        let mut url = url::Url::parse(url).unwrap();
        url.set_query(Some("sslmode=disable"));
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.into()
    }

    /// Changes the network.
    pub fn set(&self, network: Network) {
        self.network.send(network).unwrap();
    }

    /// Lets so many pieces pass in this direction and cuts the network at the next one.
    pub fn cut_after(&self, towards: Towards, pieces: usize) {
        *self.fuse.lock().unwrap() = Some((towards, pieces, Network::Cut));
    }

    /// The same, but at the next one everything that is open becomes half-open.
    pub fn freeze_after(&self, towards: Towards, pieces: usize) {
        *self.fuse.lock().unwrap() = Some((towards, pieces, Network::HalfOpen));
    }

    /// Waits until the fuse has burnt.
    pub async fn burnt(&self) {
        let mut network = self.network.subscribe();
        network.wait_for(|network| matches!(network, Network::Cut | Network::HalfOpen)).await.unwrap();
    }

    /// Everything passes again; whether the fuse had burnt.
    pub fn mend(&self) -> bool {
        let burnt = self.fuse.lock().unwrap().take().is_none();
        self.set(Network::Good);
        burnt
    }
}

async fn accept(listener: TcpListener, upstream: Upstream, line: Line) {
    let mut network = line.network.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            changed = network.changed() => if changed.is_err() { return } else { continue },
        };
        let (Ok((client, _)), false) = (accepted, *network.borrow() == Network::Cut) else { continue };
        let (upstream, line) = (upstream.clone(), line.clone());
        tokio::spawn(async move {
            match upstream {
                Upstream::Socket(path) => join(client, UnixStream::connect(path).await, line).await,
                Upstream::Tcp(host, port) => join(client, TcpStream::connect((host, port)).await, line).await,
            }
        });
    }
}

async fn join<S: AsyncRead + AsyncWrite>(client: TcpStream, server: std::io::Result<S>, line: Line) {
    let Ok(server) = server else { return };
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = tokio::io::split(server);
    // When one way ends, both do.
    tokio::select! {
        () = pump(from_client, to_server, line.clone(), Towards::Server) => {}
        () = pump(from_server, to_client, line, Towards::Client) => {}
    }
}

/// Nothing ever again, until the test ends.
async fn swallowed(mut network: watch::Receiver<Network>) {
    while network.changed().await.is_ok() {}
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, line: Line, towards: Towards) {
    let mut network = line.network.clone();
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let now = *network.borrow_and_update();
        let read = match now {
            Network::Cut => return,
            Network::HalfOpen => return swallowed(network).await,
            Network::Good | Network::Slow(_) | Network::Narrow(_) => tokio::select! {
                read = from.read(&mut bytes) => read,
                changed = network.changed() => if changed.is_err() { return } else { continue },
            },
        };
        let Ok(count @ 1..) = read else { return };
        let passes = line.passes(towards);
        if let (false, Network::Cut) = (passes, *network.borrow()) {
            return;
        }
        let mut rest = &bytes[..count];
        // Drop by drop, for as long as it is narrow.
        while !rest.is_empty() {
            let state = *network.borrow();
            let Network::Narrow(rate) = state else { break };
            let (drop, after) = rest.split_at(rest.len().min(DROP));
            rest = after;
            tokio::time::sleep(Duration::from_secs(drop.len() as u64) / rate).await;
            if to.write_all(drop).await.is_err() {
                return;
            }
        }
        if let Network::Slow(pause) = now {
            tokio::time::sleep(pause).await;
        }
        if *network.borrow() == Network::HalfOpen {
            return swallowed(network).await;
        }
        if *network.borrow() == Network::Cut || to.write_all(rest).await.is_err() {
            return;
        }
    }
}
