//! Both sides of the gateway, byte by byte: a caller, and an upstream that answers as the test says.
//!
//! A test plays both, so that it knows what has come on one side when it goes on with the other.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time,
};

use crate::support::gateway::Gateway;

/// How long anything may take to come; only a gateway that keeps it lets this pass.
const DEADLINE: Duration = Duration::from_secs(30);

const VERSION: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 86\r\n\r\n\
    {\"jsonrpc\": \"2.0\", \"id\": null, \"result\": {\"server_version_info\": [19, 0, 0, \"final\"]}}";

const NO_SUCH_KEY: &str = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

const NO_PAGE: &str = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Stands where Odoo would.
pub(super) struct Upstream {
    pub(super) url: String,
    listener: TcpListener,
}

impl Upstream {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { url: format!("http://{}", listener.local_addr().unwrap()), listener }
    }

    pub(super) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// The next connection of the gateway's, and the head of its request. What the gateway itself asks is answered.
    pub(super) async fn request(&self) -> (Wire, Head) {
        loop {
            let accepted = time::timeout(DEADLINE, self.listener.accept()).await.expect("a connection");
            let mut wire = Wire::of(accepted.unwrap().0);
            let head = wire.head().await;
            // The gateway asks under a host that cannot be whether Odoo is in proxy mode.
            if head.fields.iter().any(|(name, host)| name == "x-forwarded-host" && host.ends_with("..invalid")) {
                wire.send(NO_PAGE).await;
                continue;
            }
            // It asks with a key that cannot be whether there is the database.
            if head.first.contains("/json/2/res.users/fields_get ") {
                wire.send(NO_SUCH_KEY).await;
                continue;
            }
            if !head.first.ends_with("/web/webclient/version_info HTTP/1.1") {
                return (wire, head);
            }
            wire.send(VERSION).await;
        }
    }

    /// Fails where a request comes within this future.
    pub(super) async fn hears_nothing_of<T>(&self, future: impl Future<Output = T>) -> T {
        tokio::select! {
            (_, head) = self.request() => panic!("{head:?}"),
            done = future => done,
        }
    }
}

/// A gateway that passes everything on to this upstream; `more` begins within `[upstream]`.
pub(super) fn before(upstream: &Upstream, more: &str) -> Gateway {
    Gateway::before(&upstream.url, "none", &format!("{more}\n[proxy]\npass = [\"/\"]"))
}

/// What a caller sends, and what comes of its head at the other side.
pub(super) async fn pass(gateway: &Gateway, upstream: &Upstream, request: impl AsRef<[u8]>) -> (Wire, Wire, Head) {
    let mut caller = Wire::to(gateway).await;
    caller.send(request).await;
    let (odoo, head) = upstream.request().await;
    (caller, odoo, head)
}

/// One end of a connection, with what has come and is not read yet.
pub(super) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
    /// What has come in chunks beyond what was asked for.
    unpacked: Vec<u8>,
}

impl Wire {
    fn of(stream: TcpStream) -> Self {
        Self { stream, received: Vec::new(), unpacked: Vec::new() }
    }

    pub(super) async fn to(gateway: &Gateway) -> Self {
        Self::of(TcpStream::connect(gateway.url.trim_start_matches("http://")).await.unwrap())
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        assert!(self.try_send(bytes).await, "the other side is gone");
    }

    /// Whether the other side has taken it.
    pub(super) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        time::timeout(DEADLINE, self.stream.write_all(bytes.as_ref())).await.expect("somebody who reads").is_ok()
    }

    /// Sends no more.
    pub(super) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Goes away as a machine does that loses its power.
    pub(super) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }

    /// Whether more has come. False at the end, be it an orderly one or not.
    async fn has_more(&mut self) -> bool {
        let read = time::timeout(DEADLINE, self.stream.read_buf(&mut self.received)).await;
        matches!(read.expect("more bytes, or the end"), Ok(1..))
    }

    /// What comes up to this, which is taken as well.
    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.received.windows(end.len()).position(|window| window == end.as_bytes()) {
                let bytes: Vec<u8> = self.received.drain(..at + end.len()).take(at).collect();
                return String::from_utf8(bytes).unwrap();
            }
            assert!(self.has_more().await, "{end:?} behind {:?}", String::from_utf8_lossy(&self.received));
        }
    }

    pub(super) async fn head(&mut self) -> Head {
        Head::read(&self.until("\r\n\r\n").await)
    }

    /// So many bytes.
    pub(super) async fn bytes(&mut self, size: usize) -> Vec<u8> {
        while self.received.len() < size {
            assert!(self.has_more().await, "{} bytes of {size}", self.received.len());
        }
        self.received.drain(..size).collect()
    }

    /// One chunk; the last one is empty.
    pub(super) async fn chunk(&mut self) -> Vec<u8> {
        let size = usize::from_str_radix(&self.until("\r\n").await, 16).unwrap();
        let chunk = self.bytes(size).await;
        if size > 0 {
            assert_eq!(self.bytes(2).await, b"\r\n");
        }
        chunk
    }

    /// So many bytes of a body in chunks, wherever those end.
    pub(super) async fn chunked_bytes(&mut self, size: usize) -> Vec<u8> {
        while self.unpacked.len() < size {
            let chunk = self.chunk().await;
            assert!(!chunk.is_empty(), "{} bytes of {size}", self.unpacked.len());
            self.unpacked.extend(chunk);
        }
        self.unpacked.drain(..size).collect()
    }

    /// All chunks, and the trailers behind them.
    pub(super) async fn chunks(&mut self) -> (Vec<u8>, Vec<String>) {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk().await;
            if chunk.is_empty() {
                break;
            }
            body.extend(chunk);
        }
        let mut trailers = Vec::new();
        loop {
            match self.until("\r\n").await {
                line if line.is_empty() => return (body, trailers),
                line => trailers.push(line),
            }
        }
    }

    /// Head and body of an answer.
    pub(super) async fn answer(&mut self) -> (Head, Vec<u8>) {
        let head = self.head().await;
        let body = match head.one("content-length") {
            Some(length) => self.bytes(length.parse().unwrap()).await,
            None if head.one("transfer-encoding") == Some("chunked") => self.chunks().await.0,
            None => Vec::new(),
        };
        (head, body)
    }

    /// Everything to the end of the connection.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        while self.has_more().await {}
        std::mem::take(&mut self.received)
    }

    /// Whether the connection ends within this time. What comes meanwhile is kept.
    pub(super) async fn ends_within(&mut self, patience: Duration) -> bool {
        let end = async { while matches!(self.stream.read_buf(&mut self.received).await, Ok(1..)) {} };
        time::timeout(patience, end).await.is_ok()
    }
}

/// The first line and the headers of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) first: String,
    /// Names in small letters, sorted.
    pub(super) fields: Vec<(String, String)>,
}

impl Head {
    pub(super) fn read(text: &str) -> Self {
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap().to_owned();
        let field = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let mut fields: Vec<_> = lines.take_while(|line| !line.is_empty()).map(field).collect();
        // Those of one name stay in their order.
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        Self { first, fields }
    }

    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header that is there once, if it is there.
    #[track_caller]
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name}: {all:?}");
        all.first().copied()
    }

    /// The headers but these, as lines.
    pub(super) fn but(&self, names: &[&str]) -> Vec<String> {
        let kept = self.fields.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        kept.map(|(name, value)| format!("{name}: {value}")).collect()
    }
}
