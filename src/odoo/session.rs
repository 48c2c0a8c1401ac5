//! The session door: `/web/dataset/call_kw` with a session's cookie (Odoo 14 and later).
//!
//! The cheapest door, since Odoo checks a session without hashing anything, and not among those that Odoo 22 removes.

use http::{HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    envelope,
    error::{Error, Why},
    rpc::{Effect, Rpc},
    transport::{Request, Terms, Transport},
};
use crate::errors::Code;

/// A result or a refusal, and the cookie that Odoo gave the session anew, if it did (Odoo 19 does so every three hours): the
/// old one is good for two minutes more, whatever became of the call.
pub(super) struct Answer {
    pub(super) result: Result<Value, Error>,
    pub(super) rotated: Option<HeaderValue>,
}

pub(super) async fn call(
    transport: &Transport,
    database: &str,
    session: &SecretString,
    rpc: &Rpc,
    user: &Map<String, Value>,
    terms: Terms,
) -> Result<Answer, Error> {
    // Odoo ignores what follows call_kw in the path; it is there for the reader of Odoo's own access log.
    let (model, method) = rpc.as_path()?;
    let path = format!("/web/dataset/call_kw/{model}/{method}");
    post(transport, database, path, Some(session), &rpc.call_kw(user), rpc.effect, terms).await
}

/// Who the session belongs to: Odoo's `session_info` object.
pub(super) async fn info(
    transport: &Transport,
    database: &str,
    session: &SecretString,
    terms: Terms,
) -> Result<Answer, Error> {
    post(
        transport,
        database,
        "/web/session/get_session_info".to_owned(),
        Some(session),
        &json!({}),
        Effect::Read,
        terms,
    )
    .await
}

/// The server's version, which needs no login: `{"server_version_info": [19, 0, …], …}`.
pub(super) async fn version(transport: &Transport, database: &str, terms: Terms) -> Result<Value, Error> {
    post(transport, database, "/web/webclient/version_info".to_owned(), None, &json!({}), Effect::Read, terms)
        .await?
        .result
}

/// Begins a session: its id. The database goes in the body alone; the header `X-Odoo-Database` would make Odoo 19 begin
/// one that it does not keep.
pub(super) async fn login(
    transport: &Transport,
    database: &str,
    login: &str,
    password: &SecretString,
    terms: Terms,
) -> Result<SecretString, Error> {
    let params = json!({"db": database, "login": login, "password": password.expose_secret()});
    let answer =
        post(transport, database, "/web/session/authenticate".to_owned(), None, &params, Effect::Read, terms).await?;
    match answer.result {
        // Besides a wrong password, Odoo says by this that it takes no logins for a while.
        Err(Error::Fault(fault)) if fault.is_access_denied() => Err(match fault.message.as_str() {
            "Access Denied" => Error::WrongLogin { words: None },
            words => Error::LoginsHeld { words: words.to_owned() },
        }),
        // Odoo 16 and later serve only the databases that their filter lets through.
        Err(Error::Fault(fault)) if fault.code() == Code::AccessError || fault.is_missing_database(database) => {
            Err(Error::NoSuchDatabase(database.to_owned()))
        }
        Err(error) => Err(error),
        // The password is right, and Odoo waits for the second factor (14-19).
        Ok(info) if info["uid"].is_null() => Err(Error::SecondFactor { login: login.to_owned() }),
        Ok(_) => answer.rotated.as_ref().and_then(session_id).ok_or_else(|| Error::NoAnswer {
            effect: Effect::Read,
            why: Why::Garbled("a login gave no session".to_owned()),
        }),
    }
}

/// The id in a `Set-Cookie` line of Odoo's.
pub(super) fn session_id(cookie: &HeaderValue) -> Option<SecretString> {
    let id = cookie.to_str().ok()?.strip_prefix("session_id=")?.split(';').next()?.trim();
    if id.is_empty() { None } else { Some(id.into()) }
}

async fn post(
    transport: &Transport,
    database: &str,
    path: String,
    session: Option<&SecretString>,
    params: &impl Serialize,
    effect: Effect,
    terms: Terms,
) -> Result<Answer, Error> {
    let mut request = Request::json(path, &envelope::wrap(params), effect);
    if let Some(session) = session {
        let cookie = HeaderValue::try_from(format!("session_id={}", session.expose_secret()));
        let mut cookie = cookie.map_err(|_| Error::SessionExpired)?;
        cookie.set_sensitive(true);
        request = request.with(header::COOKIE, cookie);
    }
    let response = transport.post(request, terms).await?;
    let result = envelope::open(&response, database, effect);
    Ok(Answer { result, rotated: response.session_cookie })
}
