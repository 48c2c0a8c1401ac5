//! Somebody who calls the gateway, in each of the ways that it takes credentials.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Value, json};

use super::{
    gateway::Gateway,
    odoo::{Odoo, odoo},
};

/// One client for a whole run would outlive the runtime of the test that made it; a new one for each call does not.
pub(crate) fn http() -> reqwest::Client {
    builder().build().unwrap()
}

/// The same, to be changed before it is made.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    static PROVIDER: LazyLock<()> = LazyLock::new(|| {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
    LazyLock::force(&PROVIDER);
    reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_secs(60))
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Null where the body is no JSON.
    pub(crate) json: Value,
}

/// `ok`, or the code of the error.
pub(crate) fn outcome(answer: &Answer) -> String {
    let error = &answer.json["error"]["data"]["code"];
    error.as_str().or(answer.json["result"]["error"]["code"].as_str()).unwrap_or("ok").to_owned()
}

/// Who calls, and how it shows.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    url: String,
    credential: HeaderMap,
}

impl Client {
    pub(crate) fn nobody(gateway: &Gateway) -> Self {
        Self { url: gateway.url.clone(), credential: HeaderMap::new() }
    }

    pub(crate) fn with_header(gateway: &Gateway, name: &'static str, value: &str) -> Self {
        let header = (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        Self { url: gateway.url.clone(), credential: HeaderMap::from_iter([header]) }
    }

    pub(crate) fn with_login(gateway: &Gateway, login: &str, secret: &str) -> Self {
        Self::with_header(gateway, "authorization", &format!("Basic {}", STANDARD.encode(format!("{login}:{secret}"))))
    }

    /// The same with one more header.
    pub(crate) fn and(mut self, name: &'static str, value: &str) -> Self {
        self.credential.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    pub(crate) async fn with_bearer(gateway: &Gateway) -> Self {
        Self::with_header(gateway, "authorization", &format!("Bearer {}", odoo().await.key))
    }

    pub(crate) async fn with_key(gateway: &Gateway) -> Self {
        Self::with_header(gateway, "x-api-key", &odoo().await.key)
    }

    /// Logs in to the run's Odoo through the gateway.
    pub(crate) async fn with_session(gateway: &Gateway) -> Self {
        Self::log_in(gateway, odoo().await).await
    }

    /// What shows who calls, of one header alone.
    pub(crate) fn credential(&self) -> &str {
        self.credential.values().next().unwrap().to_str().unwrap()
    }

    /// Logs in through the gateway.
    pub(crate) async fn log_in(gateway: &Gateway, odoo: &Odoo) -> Self {
        let log_in = async || Self::nobody(gateway).authenticate(&odoo.database, &odoo.login, &odoo.password).await;
        let mut answer = log_in().await;
        // An administrator's login stores the address that it came to (Odoo 14-19), and those of other tests do so at the same
        // time, to others: one of them gives up.
        for _ in 0..5 {
            if answer.json["error"]["data"]["name"] != "psycopg2.errors.SerializationFailure" {
                break;
            }
            answer = log_in().await;
        }
        assert!(answer.json["result"]["uid"].is_i64(), "the login failed: {answer:?}");
        let cookie = answer.headers.get_all(header::SET_COOKIE).iter().next_back().unwrap().to_str().unwrap();
        Self::with_header(gateway, "cookie", cookie.split(';').next().unwrap())
    }

    pub(crate) async fn authenticate(&self, database: &str, login: &str, password: &str) -> Answer {
        let params = json!({"db": database, "login": login, "password": password});
        self.send("POST", "/web/session/authenticate", HeaderMap::new(), Some(json!({"params": params}).to_string()))
            .await
    }

    /// A call of one of the five routes; the answer's `result` object.
    pub(crate) async fn call(&self, route: &str, model: &str, vals: Value) -> Value {
        let mut answer = self.post(route, json!({"params": {"model": model, "vals": vals}}).to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json["result"].take()
    }

    /// A body as it is, to one of the five routes.
    pub(crate) async fn post(&self, route: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.send("POST", &format!("/api/{route}"), HeaderMap::new(), Some(body)).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: HeaderMap,
        body: Option<impl Into<reqwest::Body>>,
    ) -> Answer {
        self.try_send(method, path, headers, body).await.unwrap()
    }

    /// The same of a gateway that may be killed meanwhile.
    pub(crate) async fn try_post(&self, route: &str, body: impl Into<reqwest::Body>) -> reqwest::Result<Answer> {
        self.try_send("POST", &format!("/api/{route}"), HeaderMap::new(), Some(body)).await
    }

    /// The same with headers.
    pub(crate) async fn try_send_to(&self, path: &str, headers: HeaderMap, body: String) -> reqwest::Result<Answer> {
        self.try_send("POST", path, headers, Some(body)).await
    }

    async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: HeaderMap,
        body: Option<impl Into<reqwest::Body>>,
    ) -> reqwest::Result<Answer> {
        let method = method.parse().unwrap();
        let mut request = http().request(method, format!("{}{path}", self.url)).headers(self.credential.clone());
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        let response = request.headers(headers).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let json = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
        Ok(Answer { status, headers, json })
    }
}
