//! Passes requests on to Odoo: the session routes, so that callers log in as they did before.
//!
//! The path goes out byte for byte as it came in (reqwest would rewrite it, hyper's client does not). Odoo sees its own
//! host, never the gateway's: it stores the host by which an administrator logs in as the address of its links in mails.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, StatusCode, Uri, header, uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::{self, Instant};

use crate::{
    api::Error,
    config,
    http::Response,
    odoo::{Claim, Credential, Effect, Error as OdooError, Gate, Odoo, Why},
};

/// Headers that belong to one connection (RFC 9110, section 7.6.1), those by which a caller could tell an Odoo in proxy
/// mode that it is called by another name, and the one by which it could choose a database.
const NOT_PASSED: [HeaderName; 14] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-odoo-database"),
];

/// Odoo answers a login with a few kilobytes.
const MAX_LOGIN_ANSWER: usize = 4 << 20;

#[derive(Debug)]
pub struct Proxy {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    scheme: uri::Scheme,
    authority: uri::Authority,
    /// A path before Odoo's own, where `[upstream] url` has one; without a trailing slash.
    prefix: String,
    url: String,
    database: String,
    timeout: Duration,
    gate: Arc<Gate>,
    odoo: Arc<Odoo>,
}

impl Proxy {
    /// Requests that are passed on take their turn at the same gate as the gateway's own calls.
    pub fn build(config: &config::Upstream, odoo: Arc<Odoo>) -> Result<Self, rustls::Error> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(config.connect_timeout));
        let tls = rustls::ClientConfig::builder().try_with_platform_verifier()?.with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector);
        let not_usable = || rustls::Error::General(format!("`{}` is no address to pass requests to", config.url));
        let address = Uri::try_from(config.url.as_str()).map_err(|_| not_usable())?.into_parts();
        let (Some(scheme), Some(authority)) = (address.scheme, address.authority) else { return Err(not_usable()) };
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            scheme,
            authority,
            prefix: config.url.path().trim_end_matches('/').to_owned(),
            url: config.url.as_str().trim_end_matches('/').to_owned(),
            database: config.database.clone(),
            timeout: config.timeout,
            gate: odoo.gate(),
            odoo,
        })
    }

    /// Sends the request to Odoo and gives its answer, whose body is streamed.
    pub async fn forward(&self, request: Request<Bytes>) -> Result<Response, Error> {
        let login = if is_login(request.uri().path()) { Some(self.check_login(request.body()).await?) } else { None };
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", uri::PathAndQuery::as_str);
        head.uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path}", self.prefix))
            .build()
            .map_err(|_| Error::Internal)?;
        head.version = http::Version::HTTP_11;
        head.extensions.clear();
        strip(&mut head.headers);
        // The client sets the host of the address it connects to.
        head.headers.remove(header::HOST);
        let effect = if head.method.is_safe() { Effect::Read } else { Effect::Write };
        let _place = self.gate.enter(Claim::New, Instant::now() + self.timeout).await?;
        let answer = time::timeout(self.timeout, self.client.request(Request::from_parts(head, Full::new(body)))).await;
        let answer = match answer {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => {
                Err(OdooError::Unreachable { url: self.url.clone(), reason: words(&error) })
            }
            Ok(Err(error)) => Err(OdooError::NoAnswer { effect, why: Why::Broken(words(&error)) }),
            Err(_) => Err(OdooError::NoAnswer { effect, why: Why::TimedOut(self.timeout) }),
        };
        self.gate.connected(&answer);
        let mut response = answer?;
        strip(response.headers_mut());
        match login {
            Some(login) if response.status() == StatusCode::OK => self.read_login(login, response).await,
            _ => Ok(response.map(|body| body.map_err(Into::into).boxed_unsync())),
        }
    }

    /// Odoo answers a right password of an account with two-factor authentication as if all were well, but with no user in
    /// it (14-19), and every later call with a session that has expired. Better to say now what to do instead. A wrong one is
    /// remembered, as those of other callers are.
    async fn read_login(&self, login: Login, response: http::Response<Incoming>) -> Result<Response, Error> {
        let (head, body) = response.into_parts();
        let lost = |why| OdooError::NoAnswer { effect: Effect::Read, why };
        let body = time::timeout(self.timeout, Limited::new(body, MAX_LOGIN_ANSWER).collect()).await;
        let body = body.map_err(|_| lost(Why::TimedOut(self.timeout)))?;
        let body = body.map_err(|error| lost(Why::Broken(words(&*error))))?.to_bytes();
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if answer["result"].is_object() && answer["result"]["uid"].is_null() {
            let refusal = OdooError::SecondFactor { login: login.login.clone() };
            self.odoo.note_refusal(&login.credential(), &refusal).await;
            return Err(refusal.into());
        }
        let data = &answer["error"]["data"];
        if data["name"] == "odoo.exceptions.AccessDenied" && data["message"] == "Access Denied" {
            let refusal = OdooError::WrongLogin { login: login.login.clone(), words: None };
            self.odoo.note_refusal(&login.credential(), &refusal).await;
        }
        Ok(http::Response::from_parts(head, Full::new(body).map_err(|never| match never {}).boxed_unsync()))
    }

    /// A session of another database would carry every later call there, past `[upstream] database`. A body that cannot be
    /// read here may mean something else to Odoo, so it is not passed on. Nor is a password that Odoo has just refused.
    async fn check_login(&self, body: &[u8]) -> Result<Login, Error> {
        let body: Value = serde_json::from_slice(body).map_err(|error| Error::NotJson(error.to_string()))?;
        if let Value::String(theirs) = &body["params"]["db"]
            && *theirs != self.database
        {
            return Err(OdooError::OtherDatabase { theirs: theirs.clone(), ours: self.database.clone() }.into());
        }
        let text = |name: &str| body["params"][name].as_str().unwrap_or_default();
        let login = Login { login: text("login").to_owned(), password: text("password").into() };
        match self.odoo.refusal(&login.credential()).await {
            Some(refusal) => Err(refusal.into()),
            None => Ok(login),
        }
    }
}

/// What a caller logs in with.
struct Login {
    login: String,
    password: SecretString,
}

impl Login {
    fn credential(&self) -> Credential {
        Credential::Password { login: self.login.clone(), password: self.password.clone() }
    }
}

/// Odoo takes its login route by any method, and with a slash behind it.
fn is_login(path: &str) -> bool {
    path.split('/').filter(|segment| !segment.is_empty()).eq(["web", "session", "authenticate"])
}

/// Removes what must not pass, and what the `Connection` header names besides.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in NOT_PASSED.iter().chain(&named) {
        headers.remove(name);
    }
}

/// The innermost words of an error.
fn words(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_one_connection_and_a_callers_forwarding_are_not_passed() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "x-one, close"),
            ("x-one", "1"),
            ("x-forwarded-host", "evil"),
            ("te", "trailers"),
            ("cookie", "a=b"),
        ] {
            headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        strip(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["cookie"]);
    }
}
