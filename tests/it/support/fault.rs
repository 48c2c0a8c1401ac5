//! A proxy between the gateway and the real Odoo that makes a chosen RPC fail, at wire level.
//!
//! It takes one request from each connection, as Odoo does, and tells RPCs apart by path and body. What a [`Script`] says is
//! done with each; requests that are no RPC (the login, the version) always pass.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
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
    /// It reaches Odoo, and after its answer nobody is here for a while: connections are refused.
    PassAndLeave(Duration),
    /// These bytes are the answer, head and all.
    Raw(Vec<u8>),
    /// These bytes, and then nothing for as long as the other side waits.
    Stall(Vec<u8>),
    /// An answer that begins well and never ends.
    Endless,
    /// The connection is reset before Odoo has seen it.
    ResetBefore,
    /// The connection is reset after Odoo has done it.
    ResetAfter,
    /// A proxy before Odoo answers 502, and Odoo has not seen it.
    BadGateway,
    /// Odoo has done it, and half of its answer comes through.
    CutReply,
    /// The body of the request is changed before Odoo sees it, that of the answer after; or the first gives the answer itself.
    Edit {
        ask: fn(&mut Value) -> Option<String>,
        answer: fn(&Value, &mut Value),
    },
    /// It reaches Odoo only after this is notified; `reached` is notified when it is here.
    Hold {
        reached: Arc<Notify>,
        release: Arc<Notify>,
    },
}

/// Decides by the RPC's number in the run, from 0, and by its `model/method`; of an XML-RPC that is `xmlrpc/2/object`.
pub(crate) type Script = Box<dyn Fn(usize, &str) -> Fault + Send + Sync>;

pub(crate) struct FaultProxy {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    odoo: String,
    script: Mutex<Script>,
    seen: Mutex<Vec<String>>,
    /// Every request, RPC or not.
    requests: Mutex<Vec<String>>,
    /// The version that Odoo is said to be, if not its own.
    version: Mutex<Option<u16>>,
    /// What every login is answered with, if not by Odoo.
    login: Mutex<Option<String>>,
    /// Told when to leave, and for how long.
    leave: Notify,
    left: Notify,
    away: Mutex<Duration>,
    /// How many RPCs are here at the moment, and the most that ever were.
    load: (AtomicUsize, AtomicUsize),
    /// The longest that Odoo has worked on a request.
    slowest: Mutex<Duration>,
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

    /// Passes everything, at this address.
    pub(crate) async fn at(address: SocketAddr, odoo: &Odoo) -> Self {
        Self::on(TcpListener::bind(address).await.unwrap(), odoo, None, Semaphore::MAX_PERMITS)
    }

    /// Passes everything, so many connections at a time, as an Odoo with so many workers does.
    pub(crate) async fn with_workers(odoo: &Odoo, workers: usize) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), odoo, None, workers)
    }

    async fn with_version(odoo: &Odoo, version: Option<u16>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), odoo, version, Semaphore::MAX_PERMITS)
    }

    fn on(listener: TcpListener, odoo: &Odoo, version: Option<u16>, workers: usize) -> Self {
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            odoo: odoo.url.trim_start_matches("http://").to_owned(),
            script: Mutex::new(Box::new(|_, _| Fault::Pass)),
            seen: Mutex::default(),
            requests: Mutex::default(),
            version: Mutex::new(version),
            login: Mutex::default(),
            leave: Notify::new(),
            left: Notify::new(),
            away: Mutex::default(),
            load: Default::default(),
            slowest: Mutex::default(),
        });
        let shared = state.clone();
        tokio::spawn(async move {
            let workers = Arc::new(Semaphore::new(workers));
            let mut listener = Some(listener);
            while let (Ok(worker), Some(open)) = (workers.clone().acquire_owned().await, &listener) {
                let stream = tokio::select! {
                    accepted = open.accept() => accepted.unwrap().0,
                    () = shared.leave.notified() => {
                        let away = *shared.away.lock().unwrap();
                        drop(listener.take());
                        shared.left.notify_one();
                        tokio::time::sleep(away).await;
                        listener = TcpListener::bind(address).await.ok();
                        continue;
                    }
                };
                let state = shared.clone();
                // A connection that ends badly is what this is for.
                tokio::spawn(async move {
                    let _ = serve(&state, stream).await;
                    drop(worker);
                });
            }
        });
        Self { url: format!("http://{address}"), state }
    }

    /// Starts a run: RPCs are counted anew.
    pub(crate) fn run(&self, script: impl Fn(usize, &str) -> Fault + Send + Sync + 'static) {
        *self.state.script.lock().unwrap() = Box::new(script);
        self.state.seen.lock().unwrap().clear();
    }

    /// From now on, Odoo is said to be of this version.
    pub(crate) fn pose_as(&self, version: u16) {
        *self.state.version.lock().unwrap() = Some(version);
    }

    /// From now on, this is the answer to every login for a session.
    pub(crate) fn answer_logins(&self, body: &str) {
        *self.state.login.lock().unwrap() = Some(body.to_owned());
    }

    /// From now on, Odoo answers logins itself.
    pub(crate) fn let_logins_pass(&self) {
        *self.state.login.lock().unwrap() = None;
    }

    /// How many requests had this in their head's first line.
    pub(crate) fn requests(&self, part: &str) -> usize {
        let requests = self.state.requests.lock().unwrap();
        requests.iter().filter(|request| request.lines().next().unwrap_or_default().contains(part)).count()
    }

    /// The last request, head and body.
    pub(crate) fn last_request(&self) -> String {
        self.state.requests.lock().unwrap().last().unwrap().clone()
    }

    /// The last request with this in its head's first line, head and body.
    pub(crate) fn last_request_to(&self, part: &str) -> String {
        let requests = self.state.requests.lock().unwrap();
        let is_it = |request: &&String| request.lines().next().unwrap_or_default().contains(part);
        requests.iter().rfind(is_it).unwrap().clone()
    }

    /// The most RPCs that were here at a time.
    pub(crate) fn most_at_a_time(&self) -> usize {
        self.state.load.1.load(Relaxed)
    }

    /// The longest that Odoo has worked on a request, whether or not its answer was waited for.
    pub(crate) fn slowest(&self) -> Duration {
        *self.state.slowest.lock().unwrap()
    }

    /// The RPCs of the run so far, as `model/method`.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.state.seen.lock().unwrap().clone()
    }
}

impl State {
    /// The fault for the RPC of this path, which is noted.
    fn judge(&self, path: &str, request: &[u8]) -> Fault {
        // The gateway asks with it whether there is the database.
        let no_key = [b'0'; 40];
        if request.windows(no_key.len()).any(|window| window == no_key) {
            return Fault::Pass;
        }
        let rpc = path.strip_prefix("/json/2/").or(path.strip_prefix("/web/dataset/call_kw/")).map(str::to_owned);
        let rpc = rpc.or_else(|| match path {
            "/jsonrpc" => json_rpc(request),
            // The gateway itself never calls this one.
            "/xmlrpc/2/object" | "/web/session/check" => Some(path[1..].to_owned()),
            _ => None,
        });
        let Some(rpc) = rpc else { return Fault::Pass };
        let mut seen = self.seen.lock().unwrap();
        seen.push(rpc.clone());
        self.script.lock().unwrap()(seen.len() - 1, &rpc)
    }
}

/// Model and method of an `execute_kw`.
fn json_rpc(request: &[u8]) -> Option<String> {
    let start = request.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let body: Value = serde_json::from_slice(&request[start..]).ok()?;
    let args = &body["params"]["args"];
    Some(format!("{}/{}", args[3].as_str()?, args[4].as_str()?))
}

async fn serve(state: &State, mut stream: TcpStream) -> std::io::Result<()> {
    let Some((head, request)) = read_request(&mut stream).await? else { return Ok(()) };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    state.requests.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
    let version = *state.version.lock().unwrap();
    if let Some(version) = version.filter(|_| path == "/web/webclient/version_info") {
        let said = format!(
            r#"{{"jsonrpc": "2.0", "id": null, "result": {{"server_version": "{version}.0", "server_version_info": [{version}, 0, 0, "final", 0, ""]}}}}"#
        );
        stream.write_all(&http("200 OK", &said)).await?;
        return stream.shutdown().await;
    }
    let login = state.login.lock().unwrap().clone();
    if let Some(answer) = login.filter(|_| path == "/web/session/authenticate") {
        stream.write_all(&http("200 OK", &answer)).await?;
        return stream.shutdown().await;
    }
    let fault = state.judge(&path, &request);
    let now = state.load.0.fetch_add(1, Relaxed) + 1;
    state.load.1.fetch_max(now, Relaxed);
    let outcome = answer(state, &fault, &request, &mut stream).await;
    state.load.0.fetch_sub(1, Relaxed);
    outcome
}

async fn answer(state: &State, fault: &Fault, request: &[u8], stream: &mut TcpStream) -> std::io::Result<()> {
    let answer = match fault {
        Fault::Pass | Fault::PassAndLeave(_) | Fault::ResetAfter | Fault::CutReply => ask_odoo(state, request).await?,
        Fault::Hold { reached, release } => {
            reached.notify_one();
            release.notified().await;
            ask_odoo(state, request).await?
        }
        Fault::Edit { ask, answer } => edited(state, request, *ask, *answer).await?,
        Fault::Refuse => http("200 OK", &exception("odoo.exceptions.UserError", "made to fail")),
        Fault::Answer { status, body } => http(status, body),
        Fault::Raw(bytes) | Fault::Stall(bytes) => bytes.clone(),
        Fault::BadGateway => http("502 Bad Gateway", "<html><h1>502 Bad Gateway</h1></html>"),
        Fault::Endless => b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"result\": \"".to_vec(),
        Fault::ResetBefore => Vec::new(),
    };
    match fault {
        Fault::ResetBefore | Fault::ResetAfter => return stream.set_zero_linger(),
        Fault::CutReply => {
            // Closed in order, but too early: the head has promised more.
            stream.write_all(&answer[..answer.len() - 1 - answer.len() / 8]).await?;
        }
        Fault::PassAndLeave(away) => {
            *state.away.lock().unwrap() = *away;
            state.leave.notify_one();
            state.left.notified().await;
            stream.write_all(&answer).await?;
        }
        Fault::Stall(_) => {
            stream.write_all(&answer).await?;
            stream.read_u8().await?;
        }
        Fault::Endless => {
            stream.write_all(&answer).await?;
            loop {
                stream.write_all(&[b'x'; 65_536]).await?;
            }
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

/// The answer to a changed request, changed in turn; without Odoo's headers, of which an RPC needs none.
async fn edited(
    state: &State,
    request: &[u8],
    ask: fn(&mut Value) -> Option<String>,
    edit: fn(&Value, &mut Value),
) -> std::io::Result<Vec<u8>> {
    let (head, body) = request.split_at(request.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4);
    let sent: Value = serde_json::from_slice(body).unwrap();
    let mut asked = sent.clone();
    if let Some(refusal) = ask(&mut asked) {
        return Ok(http("200 OK", &refusal));
    }
    let body = asked.to_string();
    let head = String::from_utf8_lossy(head).into_owned();
    let kept = head.lines().filter(|line| !line.is_empty() && !line.to_lowercase().starts_with("content-length:"));
    let head: String = kept.map(|line| format!("{line}\r\n")).collect();
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let answer = ask_odoo(state, request.as_bytes()).await?;
    let start = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let mut answer: Value = serde_json::from_slice(&answer[start..]).unwrap();
    edit(&sent, &mut answer);
    Ok(http("200 OK", &answer.to_string()))
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
    let asked = Instant::now();
    let mut odoo = TcpStream::connect(&state.odoo).await?;
    odoo.write_all(request).await?;
    let mut answer = Vec::new();
    odoo.read_to_end(&mut answer).await?;
    let mut slowest = state.slowest.lock().unwrap();
    *slowest = (*slowest).max(asked.elapsed());
    Ok(answer)
}
