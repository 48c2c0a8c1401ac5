//! Callers: so many connections, each of which makes one call after another, and looks at every answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use memchr::memmem;
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinHandle};

use super::{
    gateway::CLIENT_KEY,
    message::{FIRST, Incoming, Template, digits},
    stub::MODEL,
};

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// `search_data`, each time for another value.
    Search,
    /// `create_data` of one record, with nothing to be looked up.
    Create,
    /// The same by a client, for what the next two are held against.
    Client,
    /// The same with an `Idempotency-Key`.
    Keyed,
    /// The same, answered as soon as it is stored.
    Queued,
}

impl Work {
    /// What is measured where nothing is named.
    pub(crate) const USUAL: [Self; 2] = [Self::Search, Self::Create];
    pub(crate) const ALL: [Self; 5] = [Self::Search, Self::Create, Self::Client, Self::Keyed, Self::Queued];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Create => "create",
            Self::Client => "client",
            Self::Keyed => "keyed",
            Self::Queued => "queued",
        }
    }

    /// Who calls, and what else stands in the head.
    fn headers(self) -> String {
        let client = format!("x-api-key: {CLIENT_KEY}\r\n");
        match self {
            Self::Search | Self::Create => "Cookie: session_id=0123456789abcdef0123456789abcdef01234567\r\n".to_owned(),
            Self::Client => client,
            Self::Keyed => format!("{client}Idempotency-Key: call-########\r\n"),
            Self::Queued => format!("{client}Idempotency-Key: call-########\r\nPrefer: respond-async\r\n"),
        }
    }

    fn request(self) -> Template {
        let (route, payload) = match self {
            Self::Search => (
                "search_data",
                r#"{"search_domain": [["ref", "=", "R########"]], "search_field": ["name", "ref", "email", "phone", "city"], "limit": 1}"#,
            ),
            Self::Create | Self::Client | Self::Keyed | Self::Queued => (
                "create_data",
                r#"{"name": "Customer ########", "ref": "R########", "email": "customer########@example.com", "phone": "+32 2 555 01 23", "street": "Rue de la Loi 16", "zip": "1000", "city": "Brussels", "is_company": true, "credit_limit": 1250.5, "comment": "Came by the web shop, wants invoices by mail."}"#,
            ),
        };
        let body = format!(
            r#"{{"jsonrpc": "2.0", "id": ########, "params": {{"model": "{MODEL}", "vals": {{"payload": {payload}}}}}}}"#
        );
        Template::new(&format!(
            "POST /api/{route} HTTP/1.1\r\nHost: gateway.example.com\r\nUser-Agent: webshop/1.0\r\nAccept: */*\r\n\
             Content-Type: application/json\r\n{}Content-Length: {}\r\n\r\n{body}",
            self.headers(),
            body.len()
        ))
    }
}

/// Callers at work.
pub(crate) struct Load {
    /// How long each call took that has been answered.
    took: Arc<Mutex<Vec<Duration>>>,
    is_over: Arc<AtomicBool>,
    callers: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) async fn start(gateway: SocketAddr, work: Work, connections: usize) -> Self {
        let (took, is_over) = (Arc::<Mutex<Vec<Duration>>>::default(), Arc::<AtomicBool>::default());
        let next = Arc::new(AtomicU32::new(FIRST));
        let mut callers = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(gateway).await.unwrap();
            stream.set_nodelay(true).unwrap();
            callers.push(tokio::spawn(call(stream, work, next.clone(), took.clone(), is_over.clone())));
        }
        Self { took, is_over, callers }
    }

    /// How many calls have been answered.
    pub(crate) fn calls(&self) -> usize {
        self.took.lock().unwrap().len()
    }

    /// How long the calls behind the first `calls` took, the quickest first.
    pub(crate) fn took_behind(&self, calls: usize) -> Vec<Duration> {
        let mut took = self.took.lock().unwrap()[calls..].to_vec();
        took.sort_unstable();
        took
    }

    /// Waits for the answers that are due.
    pub(crate) async fn stop(self) {
        self.is_over.store(true, Relaxed);
        for caller in self.callers {
            caller.await.unwrap();
        }
    }
}

async fn call(
    mut stream: TcpStream,
    work: Work,
    next: Arc<AtomicU32>,
    took: Arc<Mutex<Vec<Duration>>>,
    is_over: Arc<AtomicBool>,
) {
    let mut incoming = Incoming::default();
    let mut request = work.request();
    while !is_over.load(Relaxed) {
        let number = next.fetch_add(1, Relaxed);
        let began = Instant::now();
        stream.write_all(request.with(number)).await.unwrap();
        let answer = incoming.next(&mut stream).await.unwrap().expect("the gateway hung up");
        let lasted = began.elapsed();
        // The record's id is the number that was sent (stub.rs); that of the envelope follows a comma.
        let id = [b"{\"id\":".as_slice(), &digits(number)].concat();
        let is_done = answer.head.starts_with(b"HTTP/1.1 200 ")
            && memmem::find(answer.body, b"\"is_success\":true").is_some()
            && memmem::find(answer.body, &id).is_some();
        let is_right = match work {
            Work::Queued => answer.head.starts_with(b"HTTP/1.1 202 "),
            _ => is_done,
        };
        assert!(is_right, "call {number}: {}", String::from_utf8_lossy(answer.body));
        took.lock().unwrap().push(lasted);
    }
}
