//! An upstream that keeps every byte it is sent, and is stricter about them than any server.
//!
//! It answers the requests of the cases by itself and keeps its connections open, so that whatever is glued to a request
//! would become the next one. Anything else goes to the real Odoo.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{BODY, SMUGGLED, wire::find};
use crate::support::odoo::Odoo;

pub(super) struct Recorder {
    pub(super) url: String,
    state: Arc<State>,
}

struct State {
    address: String,
    odoo: String,
    /// The heads of the cases' whole requests.
    heads: Mutex<Vec<String>>,
    /// What no well-framed request of a case has.
    flaws: Mutex<Vec<String>>,
}

impl Recorder {
    pub(super) async fn before(odoo: &Odoo) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let odoo = odoo.url.trim_start_matches("http://").to_owned();
        let url = format!("http://{address}");
        let state = Arc::new(State { address, odoo, heads: Mutex::default(), flaws: Mutex::default() });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                tokio::spawn(async move { drop(serve(&state, stream).await) });
            }
        });
        Self { url, state }
    }

    /// How many whole requests came of this case.
    pub(super) fn count(&self, case: usize) -> usize {
        let tag = format!("x-case: {case}");
        let heads = self.state.heads.lock().unwrap();
        heads.iter().filter(|head| head.lines().any(|line| line.eq_ignore_ascii_case(&tag))).count()
    }

    pub(super) fn flaws(&self) -> Vec<String> {
        self.state.flaws.lock().unwrap().clone()
    }
}

async fn serve(state: &State, mut stream: TcpStream) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        match take_request(&bytes) {
            Ok(None) => {
                if stream.read_buf(&mut bytes).await? == 0 {
                    // A request that is cut off here is one that the gateway has given up.
                    return Ok(());
                }
            }
            Ok(Some(request)) => {
                let is_of_case = request.head.to_ascii_lowercase().contains("\r\nx-case: ");
                let whole: Vec<u8> = bytes.drain(..request.length).collect();
                state.look_for_smuggled(&request.head);
                if !is_of_case {
                    let mut odoo = TcpStream::connect(&state.odoo).await?;
                    odoo.write_all(&whole).await?;
                    tokio::io::copy(&mut odoo, &mut stream).await?;
                    return stream.shutdown().await;
                }
                state.judge(&request, &whole);
                state.heads.lock().unwrap().push(request.head.clone());
                let mark = request
                    .head
                    .lines()
                    .find_map(|line| line.to_ascii_lowercase().strip_prefix("x-mark: ").map(str::to_owned));
                let body = mark.map(|mark| format!(r#"{{"code": "{mark}"}}"#)).unwrap_or_default();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await?;
            }
            Err(flaw) => {
                state.flaws.lock().unwrap().push(format!("{flaw}: {:?}", String::from_utf8_lossy(&bytes)));
                return Ok(());
            }
        }
    }
}

impl State {
    fn judge(&self, request: &Taken, whole: &[u8]) {
        let mut flaws = Vec::new();
        let hosts: Vec<&str> = field(&request.head, "host");
        if hosts != [self.address.as_str()] {
            flaws.push("not Odoo's own host");
        }
        // More than was announced to the gateway, or less.
        if !["", BODY, SMUGGLED].iter().any(|body| request.body == body.as_bytes()) {
            flaws.push("another body than was sent");
        }
        for name in ["upgrade", "http2-settings", "keep-alive", "proxy-connection", "expect"] {
            if !field(&request.head, name).is_empty() {
                flaws.push("a header of the caller's connection");
            }
        }
        // WSGI servers take `X_Forwarded_Host` for `X-Forwarded-Host`.
        let names = request.head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0));
        if names.into_iter().any(|name| name.contains('_')) {
            flaws.push("a header with an underscore in its name");
        }
        let flaws = flaws.into_iter().map(|flaw| format!("{flaw}: {:?}", String::from_utf8_lossy(whole)));
        self.flaws.lock().unwrap().extend(flaws);
    }

    fn look_for_smuggled(&self, head: &str) {
        // The names of trailers may be announced; what comes as one is not a header.
        let lines = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("trailer:"));
        if lines.map(str::to_ascii_lowercase).any(|line| line.contains("smuggled")) {
            self.flaws.lock().unwrap().push(format!("what was smuggled: {head:?}"));
        }
    }
}

/// A request at the beginning of what has come.
struct Taken {
    head: String,
    body: Vec<u8>,
    length: usize,
}

fn field<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    fields.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
}

fn take_request(bytes: &[u8]) -> Result<Option<Taken>, &'static str> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "a head that is not UTF-8")?.to_owned();
    for line in head.split("\r\n") {
        if line.contains(['\r', '\n', '\0']) || line.starts_with([' ', '\t']) {
            return Err("a head with a line of its own kind");
        }
    }
    let first: Vec<&str> = head.split("\r\n").next().unwrap_or_default().split(' ').collect();
    if first.len() != 3 || !first[1].starts_with('/') || first[2] != "HTTP/1.1" {
        return Err("an odd request line");
    }
    let start = end + 4;
    match (&field(&head, "content-length")[..], &field(&head, "transfer-encoding")[..]) {
        ([], []) => Ok(Some(Taken { head, body: Vec::new(), length: start })),
        ([length], []) => {
            let length: usize = length.parse().map_err(|_| "a length that is no number")?;
            let body = bytes.get(start..start + length).map(<[u8]>::to_vec);
            Ok(body.map(|body| Taken { head, body, length: start + length }))
        }
        ([], ["chunked"]) => {
            Ok(take_chunks(&bytes[start..])?.map(|(body, length)| Taken { head, body, length: start + length }))
        }
        _ => Err("not one framing"),
    }
}

/// The body, and how many bytes it took.
fn take_chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, &'static str> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(line) = find(&bytes[at..], b"\r\n") else { return Ok(None) };
        let size = std::str::from_utf8(&bytes[at..at + line]).map_err(|_| "an odd chunk")?;
        let size = usize::from_str_radix(size, 16).map_err(|_| "an odd chunk")?;
        at += line + 2;
        let Some(chunk) = bytes.get(at..at + size + 2) else { return Ok(None) };
        if !chunk.ends_with(b"\r\n") {
            // Also where a trailer follows the last chunk.
            return Err("a chunk without its end");
        }
        body.extend_from_slice(&chunk[..size]);
        at += size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}
