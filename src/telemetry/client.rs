//! What sends spans: the gateway's own HTTP client, so that there is one TLS library and one reqwest.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use parking_lot::Mutex;
use tokio::runtime::Handle;

/// A collector that is away is told of once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// The longest answer that is read.
const ANSWER: usize = 64 << 10;

/// Sends from the thread of the exporter, on the gateway's runtime.
#[derive(Debug)]
pub(super) struct Client {
    client: reqwest::Client,
    runtime: Handle,
    told: Mutex<Option<Instant>>,
}

impl Client {
    pub(super) fn new(headers: HeaderMap, timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().default_headers(headers).timeout(timeout);
        let client = client.redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
        Ok(Self { client, runtime: Handle::current(), told: Mutex::default() })
    }

    fn tell(&self, why: &dyn std::fmt::Display) {
        let mut told = self.told.lock();
        if told.is_none_or(|told| told.elapsed() > TOLD_EVERY) {
            *told = Some(Instant::now());
            tracing::warn!(error = %why, "traces cannot be sent; those that do not fit into the queue are dropped");
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move { send(client, request).await }).await;
        let answer = sent.map_err(HttpError::from).and_then(|answer| answer);
        match &answer {
            Ok(answer) if !answer.status().is_success() => self.tell(&answer.status()),
            Err(error) => self.tell(error),
            Ok(_) => {}
        }
        answer
    }
}

async fn send(client: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request.try_into()?).await?;
    let mut response = Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        *headers = std::mem::take(answer.headers_mut());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER {
            return Err("the collector's answer is too long".into());
        }
    }
    Ok(response.body(body.into())?)
}
