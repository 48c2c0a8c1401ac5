//! A proxy between the gateway and the real Odoo that makes a chosen RPC fail, at wire level.
//!
//! It takes one request from each connection, as Odoo does, and tells RPCs apart by their path. What a [`Script`] says is
//! done with each; requests that are no RPC (the login, the version) always pass.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use super::odoo::Odoo;

/// What happens to one RPC.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    Pass,
    /// Odoo refuses it with a UserError.
    Refuse,
    /// This body is the answer, with this status, and Odoo has not seen the call.
    Answer {
        status: &'static str,
        body: String,
    },
    /// The connection is reset before Odoo has seen it.
    ResetBefore,
    /// The connection is reset after Odoo has done it.
    ResetAfter,
    /// A proxy before Odoo answers 502, and Odoo has not seen it.
    BadGateway,
    /// Odoo has done it, and half of its answer comes through.
    CutReply,
    /// It reaches Odoo only after this is notified; `reached` is notified when it is here.
    Hold {
        reached: Arc<Notify>,
        release: Arc<Notify>,
    },
}

/// Decides by the RPC's number in the run, from 0, and by its `model/method`.
pub(crate) type Script = Box<dyn Fn(usize, &str) -> Fault + Send + Sync>;

pub(crate) struct FaultProxy {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    odoo: String,
    script: Mutex<Script>,
    seen: Mutex<Vec<String>>,
    /// The version that Odoo is said to be, if not its own.
    version: Option<u16>,
}

impl FaultProxy {
    /// Passes everything until a script is set.
    pub(crate) async fn before(odoo: &Odoo) -> Self {
        Self::with_version(odoo, None).await
    }

    /// Passes everything, but says that Odoo is of this version: the gateway then makes the calls that it makes there.
    pub(crate) async fn posing_as(odoo: &Odoo, version: u16) -> Self {
        Self::with_version(odoo, Some(version)).await
    }

    async fn with_version(odoo: &Odoo, version: Option<u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let state = Arc::new(State {
            odoo: odoo.url.trim_start_matches("http://").to_owned(),
            script: Mutex::new(Box::new(|_, _| Fault::Pass)),
            seen: Mutex::default(),
            version,
        });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                // A connection that ends badly is what this is for.
                tokio::spawn(async move { serve(&state, stream).await });
            }
        });
        Self { url: format!("http://{address}"), state }
    }

    /// Starts a run: RPCs are counted anew.
    pub(crate) fn run(&self, script: impl Fn(usize, &str) -> Fault + Send + Sync + 'static) {
        *self.state.script.lock().unwrap() = Box::new(script);
        self.state.seen.lock().unwrap().clear();
    }

    /// The RPCs of the run so far, as `model/method`.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.state.seen.lock().unwrap().clone()
    }
}

impl State {
    /// The fault for the RPC of this path, which is noted.
    fn judge(&self, path: &str) -> Fault {
        let rpc = path.strip_prefix("/json/2/").or(path.strip_prefix("/web/dataset/call_kw/"));
        let Some(rpc) = rpc else { return Fault::Pass };
        let mut seen = self.seen.lock().unwrap();
        seen.push(rpc.to_owned());
        self.script.lock().unwrap()(seen.len() - 1, rpc)
    }
}

async fn serve(state: &State, mut stream: TcpStream) -> std::io::Result<()> {
    let Some((head, request)) = read_request(&mut stream).await? else { return Ok(()) };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    if let Some(version) = state.version.filter(|_| path == "/web/webclient/version_info") {
        let said = format!(
            r#"{{"jsonrpc": "2.0", "id": null, "result": {{"server_version_info": [{version}, 0, 0, "final", 0, ""]}}}}"#
        );
        stream.write_all(&http("200 OK", &said)).await?;
        return stream.shutdown().await;
    }
    let fault = state.judge(&path);
    let answer = match &fault {
        Fault::Pass | Fault::ResetAfter | Fault::CutReply => ask_odoo(state, &request).await?,
        Fault::Hold { reached, release } => {
            reached.notify_one();
            release.notified().await;
            ask_odoo(state, &request).await?
        }
        Fault::Refuse => http("200 OK", &exception("odoo.exceptions.UserError", "made to fail")),
        Fault::Answer { status, body } => http(status, body),
        Fault::BadGateway => http("502 Bad Gateway", "<html><h1>502 Bad Gateway</h1></html>"),
        Fault::ResetBefore => Vec::new(),
    };
    match fault {
        Fault::ResetBefore | Fault::ResetAfter => return stream.set_zero_linger(),
        Fault::CutReply => {
            // Closed in order, but too early: the head has promised more.
            stream.write_all(&answer[..answer.len() - 1 - answer.len() / 8]).await?;
        }
        _ => stream.write_all(&answer).await?,
    }
    stream.shutdown().await
}

/// An exception in the session door's form.
pub(crate) fn exception(name: &str, message: &str) -> String {
    let data = json!({"name": name, "message": message, "arguments": [], "context": {}, "debug": "Traceback"});
    json!({"jsonrpc": "2.0", "id": null, "error": {"code": 0, "message": "Odoo Server Error", "data": data}})
        .to_string()
}

fn http(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The head as text, and head and body as they came.
async fn read_request(stream: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().filter_map(|line| line.split_once(':'));
            let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length: usize = length.filter_map(|(_, value)| value.trim().parse().ok()).next().unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                return Ok(Some((head, bytes)));
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// Odoo's whole answer; Odoo closes the connection behind it.
async fn ask_odoo(state: &State, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut odoo = TcpStream::connect(&state.odoo).await?;
    odoo.write_all(request).await?;
    let mut answer = Vec::new();
    odoo.read_to_end(&mut answer).await?;
    Ok(answer)
}
