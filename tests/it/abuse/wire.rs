//! One connection to the gateway, byte by byte: what is sent is no request that an HTTP client would make.

use std::time::Duration;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

/// How long any one step may take; only a gateway that hangs lets it pass.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

/// One step of a peer.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Send(Vec<u8>),
    /// Until one more answer has come, be it an interim one.
    Await,
    /// A byte at a time, with so long in between.
    Trickle(Vec<u8>, Duration),
    /// Sends no more, but still listens.
    HangUp,
}

/// Status, and `code` where the body has one.
pub(super) type Answer = (u16, Option<String>);

/// What became of a connection.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) answers: Vec<Answer>,
    pub(super) is_closed: bool,
    /// A further request on the same connection was answered as if nothing had been.
    pub(super) is_usable: bool,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (status, code) in &self.answers {
            write!(f, "{status}{} ", code.as_deref().map(|code| format!(":{code}")).unwrap_or_default())?;
        }
        f.write_str(match (self.is_usable, self.is_closed) {
            (true, _) => "open",
            (false, true) => "closed",
            (false, false) => "HANGS",
        })
    }
}

/// Plays the acts, waits for so many answers, and tries `after`, a harmless request that closes the connection.
pub(super) async fn play(address: &str, acts: &[Act], answers: usize, after: &[u8]) -> Seen {
    let mut peer = Peer { stream: TcpStream::connect(address).await.unwrap(), received: Vec::new(), is_closed: false };
    for act in acts {
        match act {
            Act::Send(bytes) => peer.send(bytes).await,
            Act::Await => {
                let more = peer.answers().len() + 1;
                peer.wait_for(more).await;
            }
            Act::Trickle(bytes, pause) => {
                for byte in bytes {
                    // A gateway that has had enough is found out by reading, not by the next write.
                    let _ = time::timeout(*pause, peer.read()).await;
                    if peer.is_closed {
                        break;
                    }
                    peer.send(&[*byte]).await;
                }
            }
            Act::HangUp => drop(peer.stream.shutdown().await),
        }
    }
    peer.wait_for(answers.max(1)).await;
    let before = peer.answers().len();
    if !peer.is_closed && before > 0 && !acts.iter().any(|act| matches!(act, Act::HangUp)) {
        peer.send(after).await;
    }
    peer.wait_for(usize::MAX).await;
    let mut answers = peer.answers();
    let is_usable = answers.len() > before && answers.last().is_some_and(|(_, code)| code.as_deref() == Some("after"));
    if is_usable {
        answers.pop();
    }
    Seen { answers, is_closed: peer.is_closed, is_usable }
}

struct Peer {
    stream: TcpStream,
    received: Vec<u8>,
    is_closed: bool,
}

impl Peer {
    /// Reads meanwhile: a gateway that answers before all has come must not be kept waiting.
    async fn send(&mut self, bytes: &[u8]) {
        let (mut reader, mut writer) = self.stream.split();
        let sent = time::timeout(DEADLINE, writer.write_all(bytes));
        tokio::pin!(sent);
        loop {
            tokio::select! {
                biased;
                _ = &mut sent => return,
                read = reader.read_buf(&mut self.received), if !self.is_closed => {
                    self.is_closed = !matches!(read, Ok(1..));
                }
            }
        }
    }

    async fn read(&mut self) {
        if !self.is_closed {
            self.is_closed = !matches!(self.stream.read_buf(&mut self.received).await, Ok(1..));
        }
    }

    async fn wait_for(&mut self, answers: usize) {
        let read = async {
            while !self.is_closed && self.answers().len() < answers {
                self.read().await;
            }
        };
        let _ = time::timeout(DEADLINE, read).await;
    }

    /// The whole answers that have come so far.
    fn answers(&self) -> Vec<Answer> {
        let mut rest = &self.received[..];
        let mut answers = Vec::new();
        while let Some((answer, behind)) = answer(rest, self.is_closed) {
            answers.push(answer);
            rest = behind;
        }
        answers
    }
}

/// The first answer, and what is behind it.
fn answer(bytes: &[u8], is_closed: bool) -> Option<(Answer, &[u8])> {
    let end = find(bytes, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let length = match field("content-length:") {
        Some(length) => length.parse().ok()?,
        None if status < 200 || status == 204 || status == 304 => 0,
        // None of ours is chunked; what has no length goes on to the end.
        None if is_closed => bytes.len() - end,
        None => return None,
    };
    let body = bytes.get(end..end + length)?;
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = ["/error/data/code", "/error/code", "/result/error/code", "/code"]
        .into_iter()
        .find_map(|path| json.pointer(path)?.as_str());
    Some(((status, code.map(str::to_owned)), &bytes[end + length..]))
}

pub(super) fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
