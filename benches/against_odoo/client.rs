//! One HTTP client: a connection and a credential, and nothing that costs more than it must.
//!
//! A client of the gateway keeps its connection, as real ones do; Odoo closes it after each answer, so that a client of Odoo
//! opens a new one for each call.

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Where calls go, and in whose name.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    authority: String,
    headers: HeaderMap,
    keeps_connection: bool,
}

impl Way {
    pub(crate) fn to(url: &str, keeps_connection: bool) -> Self {
        let authority = url.trim_start_matches("http://").to_owned();
        let own = [(header::HOST, authority.as_str()), (header::CONTENT_TYPE, "application/json")];
        let headers = own.map(|(name, value)| (name, HeaderValue::from_str(value).unwrap()));
        Self { authority, headers: HeaderMap::from_iter(headers), keeps_connection }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    pub(crate) fn client(&self) -> Client {
        Client { way: self.clone(), sender: None }
    }
}

pub(crate) struct Client {
    way: Way,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// The whole body of the answer. Nothing is sent twice: a call that fails ends the benchmark.
    pub(crate) async fn post(&mut self, path: &str, body: Bytes) -> Bytes {
        let (status, _, answer) = self.exchange(path, body).await;
        assert!(status.is_success(), "{path}: {status}: {}", String::from_utf8_lossy(&answer));
        answer
    }

    /// The same of a call that may be refused, with whatever status.
    pub(crate) async fn try_post(&mut self, path: &str, body: Bytes) -> Bytes {
        self.exchange(path, body).await.2
    }

    /// The cookies of a login, and what it answers.
    pub(crate) async fn log_in(&mut self, body: &Value) -> (HashMap<String, String>, Value) {
        let (_, headers, answer) = self.exchange("/web/session/authenticate", body.to_string().into()).await;
        let pairs = headers.get_all(header::SET_COOKIE).iter().filter_map(|cookie| {
            let (name, value) = cookie.to_str().unwrap().split(';').next()?.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        (pairs.collect(), serde_json::from_slice(&answer).unwrap())
    }

    async fn exchange(&mut self, path: &str, body: Bytes) -> (StatusCode, HeaderMap, Bytes) {
        let kept = self.sender.take().filter(|sender| !sender.is_closed());
        let mut sender = match kept {
            Some(sender) => sender,
            None => self.connect().await,
        };
        let mut request = Request::post(path).body(Full::new(body)).unwrap();
        *request.headers_mut() = self.way.headers.clone();
        let answer = sender.send_request(request).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap_or_else(|error| panic!("the answer of {path}: {error}")).to_bytes();
        if self.way.keeps_connection {
            self.sender = Some(sender);
        }
        (head.status, head.headers, body)
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(&self.way.authority).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }
}
