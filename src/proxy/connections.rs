//! Connections to Odoo, for what is passed on.
//!
//! A connection is driven by the task of the request that it carries, from the head of the request to the end of the answer:
//! hyper-util's client has a task for each connection, and handing every request and answer to it and back costs as much as
//! all else that the gateway does with a small one. Between requests a connection waits, for [`IDLE`] at the most, driven by
//! nobody; before it is used again, one look at it tells whether Odoo has closed it.
//!
//! A request that was not sent, since its connection was closed meanwhile, goes out on another one. One that may have been
//! sent does not.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{Request, Response, Uri};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{Builder, SendRequest},
    },
};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use parking_lot::Mutex;
use tokio::time::{self, Instant, Sleep};
use tower::Service as _;

use super::flow::Outgoing;

/// Below the time for which proxies before Odoo keep a connection (60-75 s), as in `odoo/transport.rs`.
const IDLE: Duration = Duration::from_secs(30);
/// How often waiting connections are looked at.
const SWEEP: Duration = Duration::from_secs(10);
/// So many wait; `[limits] requests` is 1,024 by default.
const MOST_IDLE: usize = 1_024;

/// Connections to one of Odoo's ports.
#[derive(Debug)]
pub(super) struct Connections {
    to: Uri,
    connector: HttpsConnector<HttpConnector>,
    /// For a connection, with its TLS handshake.
    patience: Duration,
    waiting: Mutex<Waiting>,
}

/// Those that carry nothing, the latest last.
#[derive(Debug, Default)]
struct Waiting {
    all: Vec<(Instant, Connection)>,
    is_swept: bool,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Outgoing>,
    driver: Driver,
    /// Of the request that it carries. To move it further away takes no lock, as a timer for each request would.
    deadline: Pin<Box<Sleep>>,
}

/// What reads and writes; none when the connection has ended.
struct Driver(Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>);

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// No connection was made.
    Unreachable(Box<dyn std::error::Error + Send + Sync>),
    Broken(hyper::Error),
    TimedOut,
}

/// Why there is no head of an answer.
enum NoHead {
    Failed(Box<TrySendError<Request<Outgoing>>>),
    TimedOut,
}

impl Connections {
    /// Connections to the scheme, host and port of this address.
    pub(super) fn new(to: Uri, connector: HttpsConnector<HttpConnector>, patience: Duration) -> Arc<Self> {
        Arc::new(Self { to, connector, patience, waiting: Mutex::default() })
    }

    /// Sends a request; gives the head of its answer, and the connection that brings the rest. Odoo has `patience` for the head,
    /// where that is limited.
    pub(super) async fn send(
        self: &Arc<Self>,
        request: Box<Request<Outgoing>>,
        patience: Option<Duration>,
    ) -> Result<(Response<Incoming>, Connection), Failed> {
        let mut unsent = request;
        while let Some(mut connection) = self.take() {
            match connection.send(*unsent, patience).await {
                Ok(response) => return Ok((response, connection)),
                Err(NoHead::TimedOut) => return Err(Failed::TimedOut),
                Err(NoHead::Failed(mut error)) => match error.take_message() {
                    Some(message) => unsent = message.into(),
                    None => return Err(Failed::Broken(error.into_error())),
                },
            }
        }
        let mut connection = Box::pin(self.connect()).await?;
        match connection.send(*unsent, patience).await {
            Ok(response) => Ok((response, connection)),
            Err(NoHead::TimedOut) => Err(Failed::TimedOut),
            Err(NoHead::Failed(error)) => Err(Failed::Broken(error.into_error())),
        }
    }

    async fn connect(&self) -> Result<Connection, Failed> {
        let mut connector = self.connector.clone();
        poll_fn(|context| connector.poll_ready(context)).await.map_err(Failed::Unreachable)?;
        let connected = time::timeout(self.patience, connector.call(self.to.clone())).await;
        let stream = connected.map_err(|elapsed| Failed::Unreachable(elapsed.into()))?.map_err(Failed::Unreachable)?;
        let (sender, connection) = Builder::new().handshake(stream).await.map_err(Failed::Broken)?;
        let driver = Driver(Some(Box::pin(connection.with_upgrades())));
        Ok(Connection { sender, driver, deadline: Box::pin(time::sleep(IDLE)) })
    }

    /// The latest of those that wait and can be used.
    fn take(&self) -> Option<Connection> {
        loop {
            let (since, mut connection) = self.waiting.lock().all.pop()?;
            if since.elapsed() < IDLE && connection.is_ready() {
                return Some(connection);
            }
        }
    }

    /// The answer of this connection has come whole.
    pub(super) fn give_back(self: &Arc<Self>, mut connection: Connection) {
        if !connection.is_ready() {
            // The rest of a long request may still be on its way out, though it has been answered.
            return connection.go_on();
        }
        let mut waiting = self.waiting.lock();
        if waiting.all.len() < MOST_IDLE {
            waiting.all.push((Instant::now(), connection));
        }
        if !std::mem::replace(&mut waiting.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Drops those that have waited too long or were closed; whether any is left.
    fn drop_old(&self) -> bool {
        let all = std::mem::take(&mut self.waiting.lock().all);
        let is_young =
            |(since, connection): &mut (Instant, Connection)| since.elapsed() < IDLE && connection.is_ready();
        let mut young: Vec<_> = all.into_iter().filter_map(|mut one| is_young(&mut one).then_some(one)).collect();
        let mut waiting = self.waiting.lock();
        // Those that came meanwhile are the latest.
        young.append(&mut waiting.all);
        young.truncate(MOST_IDLE);
        waiting.all = young;
        waiting.is_swept = !waiting.all.is_empty();
        waiting.is_swept
    }
}

async fn sweep(connections: Weak<Connections>) {
    loop {
        time::sleep(SWEEP).await;
        let Some(connections) = connections.upgrade() else { return };
        if !connections.drop_old() {
            return;
        }
    }
}

impl Connection {
    /// The request is handed over at once, so that what is waited for has no room for it.
    fn send(
        &mut self,
        request: Request<Outgoing>,
        patience: Option<Duration>,
    ) -> impl Future<Output = Result<Response<Incoming>, NoHead>> {
        let Self { sender, driver, deadline } = self;
        let answer = sender.try_send_request(request);
        if let Some(patience) = patience {
            deadline.as_mut().reset(Instant::now() + patience);
        }
        async move {
            let mut answer = pin!(answer);
            poll_fn(|context| {
                driver.drive(context);
                match answer.as_mut().poll(context) {
                    Poll::Ready(answered) => Poll::Ready(answered.map_err(|error| NoHead::Failed(Box::new(error)))),
                    Poll::Pending if patience.is_some() => {
                        deadline.as_mut().poll(context).map(|()| Err(NoHead::TimedOut))
                    }
                    Poll::Pending => Poll::Pending,
                }
            })
            .await
        }
    }

    /// Reads and writes as much as can be. The task is woken when there is more to do.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        self.driver.drive(context);
    }

    /// Whether it can take a request: it is open, and nothing of the last one is left.
    fn is_ready(&mut self) -> bool {
        self.driver.drive(&mut Context::from_waker(Waker::noop()));
        self.driver.0.is_some() && self.sender.is_ready()
    }

    /// Goes on by itself, with what is left to do.
    pub(super) fn go_on(self) {
        let Self { sender, driver, .. } = self;
        // Without a sender it ends when nothing is left.
        drop(sender);
        if let Some(connection) = driver.0 {
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to Odoo ended badly");
                }
            });
        }
    }
}

impl Driver {
    fn drive(&mut self, context: &mut Context<'_>) {
        // How it ended is told by what it carried.
        if self.0.as_mut().is_some_and(|connection| connection.as_mut().poll(context).is_ready()) {
            self.0 = None;
        }
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Driver").field(&self.0.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};
    use hyper_rustls::HttpsConnectorBuilder;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        task,
    };

    use super::*;
    use crate::{odoo::tls, proxy::flowing::Flowing};

    async fn start() -> (TcpListener, Arc<Connections>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls(None).unwrap()).https_or_http().enable_http1();
        let to = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        (listener, Connections::new(to, builder.wrap_connector(connector), Duration::from_secs(60)))
    }

    async fn answer(odoo: &mut TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert!(odoo.read_buf(&mut head).await.unwrap() > 0);
        }
        assert!(head.starts_with(b"GET /web?a=%2f HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&head));
        odoo.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    }

    async fn ask(connections: &Arc<Connections>) {
        let request = Request::get("/web?a=%2f").body(Outgoing::Whole(Full::default())).unwrap();
        let (response, connection) = connections.send(Box::new(request), None).await.unwrap();
        let from = (connection, connections.clone());
        let body = Flowing::new(response.into_body(), from, Duration::from_secs(60)).collect().await.unwrap();
        assert_eq!(body.to_bytes(), "ok");
    }

    #[tokio::test]
    async fn an_open_connection_is_used_again_and_one_that_odoo_has_closed_is_not() {
        let (listener, connections) = start().await;
        let odoo = async {
            let (mut first, _) = listener.accept().await.unwrap();
            answer(&mut first).await;
            answer(&mut first).await;
        };
        tokio::join!(odoo, async {
            ask(&connections).await;
            ask(&connections).await;
        });
        // The word of its end may take a moment.
        while let Some(connection) = connections.take() {
            connections.give_back(connection);
            task::yield_now().await;
        }
        let odoo = async { answer(&mut listener.accept().await.unwrap().0).await };
        tokio::join!(odoo, ask(&connections));
    }

    #[tokio::test]
    async fn a_connection_that_waits_too_long_is_closed() {
        let (listener, connections) = start().await;
        let (mut odoo, ()) = tokio::join!(
            async {
                let (mut odoo, _) = listener.accept().await.unwrap();
                answer(&mut odoo).await;
                odoo
            },
            ask(&connections)
        );
        time::pause();
        time::advance(IDLE).await;
        while connections.waiting.lock().is_swept {
            time::advance(SWEEP).await;
        }
        assert_eq!(odoo.read(&mut [0; 1]).await.unwrap(), 0);
    }
}
