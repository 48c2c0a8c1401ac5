//! The addon, as its callers reach it. It gets reads alone.

use std::time::Duration;

use bytesize::ByteSize;
use http::{HeaderValue, header};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::recorded::Read;
use crate::odoo::{TlsError, tls};

/// Which database an Odoo with several is asked for (Odoo 18 and later; others go by the name of the host).
const DATABASE: &str = "x-odoo-database";
const SESSION: &str = "session_id";

/// The addon in an Odoo.
pub struct Addon {
    http: reqwest::Client,
    url: Url,
    database: String,
    access: Access,
    most: usize,
}

/// How a caller is known to the addon.
enum Access {
    /// In all versions, by a login with a password.
    Session(HeaderValue),
    /// From 18.0.2 and 15.0.2 on, by an API key.
    Key(HeaderValue),
}

/// Why the addon cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the addon's Odoo does not answer")]
    Http(#[from] reqwest::Error),
    #[error("the key has characters that no header can have")]
    NoHeader,
}

/// Why there is no answer of the addon.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    #[error("the addon's Odoo does not answer")]
    Http(#[from] reqwest::Error),
    #[error("there is no addon at this address: {route} answers with status {status} and no JSON")]
    NoAddon { route: &'static str, status: u16 },
    #[error("the addon takes neither password nor key: {0}")]
    Refused(String),
    #[error("the addon's answer is longer than {0}, which is [upstream] max_answer")]
    TooLong(ByteSize),
}

impl Addon {
    /// Logs in with login and password; where that is refused, or no login is given, the secret is shown as an API key.
    ///
    /// # Errors
    /// TLS cannot be set up, or Odoo does not answer.
    pub async fn open(
        url: Url,
        config: &crate::config::Upstream,
        database: String,
        login: Option<&str>,
        secret: &SecretString,
        patience: Duration,
    ) -> Result<Self, NotOpened> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(config.ca.as_deref())?)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(config.connect_timeout)
            .timeout(patience)
            .user_agent(concat!("odoo-gateway/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let session = match login {
            Some(login) => session(&http, &url, &database, login, secret).await?,
            None => None,
        };
        let access = match session {
            Some(session) => Access::Session(session),
            None => {
                let key = HeaderValue::from_str(secret.expose_secret()).map_err(|_| NotOpened::NoHeader)?;
                Access::Key(sensitive(key))
            }
        };
        let most = usize::try_from(config.max_answer.as_u64()).unwrap_or(usize::MAX);
        Ok(Self { http, url, database, access, most })
    }

    /// Sends a read, and gives what the caller gets: `result` of the answer, or its `error`.
    ///
    /// # Errors
    /// The addon does not answer, or does not take the credential.
    pub async fn read(&self, read: &Read) -> Result<Value, NoAnswer> {
        let call = read.call();
        let route = call.route.name();
        let body = json!({"jsonrpc": "2.0", "method": "call", "params": {"model": call.model, "vals": call.vals}});
        let request = self.http.post(at(&self.url, &format!("/api/{route}"))).header(DATABASE, &self.database);
        let request = match &self.access {
            Access::Session(cookie) => request.header(header::COOKIE, cookie),
            Access::Key(key) => request.header("x-api-key", key),
        };
        let mut response = request.json(&body).send().await?;
        let status = response.status();
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if text.len() + chunk.len() > self.most {
                return Err(NoAnswer::TooLong(ByteSize(self.most as u64)));
            }
            text.extend_from_slice(&chunk);
        }
        let no_addon = || NoAnswer::NoAddon { route, status: status.as_u16() };
        let mut answer: Value = serde_json::from_slice(&text).map_err(|_| no_addon())?;
        if let Some(result) = answer.get_mut("result").map(Value::take) {
            return Ok(result);
        }
        let error = answer.get_mut("error").map(Value::take).ok_or_else(no_addon)?;
        let words = error["data"]["message"].as_str().or(error["message"].as_str()).unwrap_or_default();
        Err(NoAnswer::Refused(words.to_owned()))
    }
}

/// The cookie of a new session; none where the login is refused, as one with an API key is (odoo/odoo#75331).
async fn session(
    http: &reqwest::Client,
    url: &Url,
    database: &str,
    login: &str,
    secret: &SecretString,
) -> Result<Option<HeaderValue>, reqwest::Error> {
    let params = json!({"db": database, "login": login, "password": secret.expose_secret()});
    let body = json!({"jsonrpc": "2.0", "method": "call", "params": params});
    let response = http.post(at(url, "/web/session/authenticate")).json(&body).send().await?;
    let cookies = response.headers().get_all(header::SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    let pairs = cookies.filter_map(|cookie| cookie.split(';').next()).map(str::trim);
    let named = |pair: &&str| pair.split('=').next() == Some(SESSION);
    let session = pairs.rev().find(named).and_then(|pair| HeaderValue::from_str(pair).ok());
    let answer: Value = response.json().await.unwrap_or_default();
    Ok(session.filter(|_| answer["result"]["uid"].is_i64()).map(sensitive))
}

fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

fn at(url: &Url, path: &str) -> String {
    format!("{}{path}", url.as_str().trim_end_matches('/'))
}
