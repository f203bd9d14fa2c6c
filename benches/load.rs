//! A client that costs little beside what it measures: HTTP/1.1 over one kept connection, as
//! pgbench keeps its own. The machine is shared by the client, `serve` and Postgres, and so a rich
//! client would be counted as theirs.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One connection to `serve`.
pub struct Client {
    stream: TcpStream,
    head: String,
    received: Vec<u8>,
}

impl Client {
    /// Connects to `address` (`http://host:port`) with a bearer token.
    pub async fn connect(address: &str, token: &str) -> Self {
        let host = address.strip_prefix("http://").unwrap().trim_end_matches('/');
        let stream = TcpStream::connect(host).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let head = format!("host: {host}\r\nauthorization: Bearer {token}\r\n");
        Self { stream, head, received: Vec::with_capacity(128 * 1024) }
    }

    /// Asks once; the status, and the body is in [`Client::body`].
    pub async fn get(&mut self, path: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\n{}\r\n", self.head);
        self.exchange(request.as_bytes()).await
    }

    /// Posts JSON under an idempotency key.
    pub async fn post(&mut self, path: &str, key: &str, body: &str) -> u16 {
        let request = format!(
            "POST {path} HTTP/1.1\r\n{}idempotency-key: {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.head,
            body.len()
        );
        self.exchange(request.as_bytes()).await
    }

    /// The last answer, head and body, for a message.
    pub fn answer(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    async fn exchange(&mut self, request: &[u8]) -> u16 {
        self.stream.write_all(request).await.unwrap();
        self.received.clear();
        let head = loop {
            if let Some(at) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await;
        };
        let text = std::str::from_utf8(&self.received[..head]).unwrap().to_ascii_lowercase();
        let status = text.split_whitespace().nth(1).unwrap().parse().unwrap();
        let length: usize = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .expect("an answer of known length")
            .trim()
            .parse()
            .unwrap();
        while self.received.len() < head + length {
            self.more().await;
        }
        status
    }

    async fn more(&mut self) {
        let count = self.stream.read_buf(&mut self.received).await.unwrap();
        assert!(count > 0, "serve closed the connection: {}", self.answer());
    }
}
