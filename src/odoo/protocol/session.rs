//! The session protocol: `/web/dataset/call_kw` with a session's cookie (Odoo 14 and later).
//!
//! The cheapest protocol, since Odoo checks a session without hashing anything, and not among those that Odoo 22 removes.

use http::{HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::errors::Code;
use crate::odoo::{
    model::{
        error::{Error, Why},
        rpc::{Effect, Rpc},
    },
    protocol::envelope,
    transport::{Request, RequestOptions, Transport},
};

/// A result or a refusal, and the cookie that Odoo gave the session anew, if it did (Odoo 19 does so every three hours): the
/// old one is good for two minutes more, whatever became of the call.
pub(in crate::odoo) struct Answer {
    pub(in crate::odoo) result: Result<Value, Error>,
    pub(in crate::odoo) rotated: Option<HeaderValue>,
}

pub(in crate::odoo) async fn call(
    transport: &Transport,
    database: &str,
    session: &SecretString,
    rpc: &Rpc,
    user: &Map<String, Value>,
    options: RequestOptions,
) -> Result<Answer, Error> {
    // Odoo ignores what follows call_kw in the path; it is there for the reader of Odoo's own access log.
    let (model, method) = rpc.as_path()?;
    let path = format!("/web/dataset/call_kw/{model}/{method}");
    post(transport, database, path, Some(session), &rpc.call_kw(user), rpc.effect, options).await
}

/// Who the session belongs to: Odoo's `session_info` object.
pub(in crate::odoo) async fn info(
    transport: &Transport,
    database: &str,
    session: &SecretString,
    options: RequestOptions,
) -> Result<Answer, Error> {
    post(
        transport,
        database,
        "/web/session/get_session_info".to_owned(),
        Some(session),
        &json!({}),
        Effect::Read,
        options,
    )
    .await
}

/// The server's version, which needs no login: `{"server_version_info": [19, 0, …], …}`.
pub(in crate::odoo) async fn version(
    transport: &Transport,
    database: &str,
    options: RequestOptions,
) -> Result<Value, Error> {
    post(transport, database, "/web/webclient/version_info".to_owned(), None, &json!({}), Effect::Read, options)
        .await?
        .result
}

/// Begins a session: its id. The database goes in the body alone; the header `X-Odoo-Database` would make Odoo 19 begin
/// one that it does not keep.
pub(in crate::odoo) async fn login(
    transport: &Transport,
    database: &str,
    login: &str,
    password: &SecretString,
    options: RequestOptions,
) -> Result<SecretString, Error> {
    let params = json!({"db": database, "login": login, "password": password.expose_secret()});
    let answer =
        post(transport, database, "/web/session/authenticate".to_owned(), None, &params, Effect::Read, options).await?;
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
pub(in crate::odoo) fn session_id(cookie: &HeaderValue) -> Option<SecretString> {
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
    options: RequestOptions,
) -> Result<Answer, Error> {
    let mut request = Request::json(path, &envelope::wrap(params), effect);
    if let Some(session) = session {
        let cookie = HeaderValue::try_from(format!("session_id={}", session.expose_secret()));
        let mut cookie = cookie.map_err(|_| Error::SessionExpired)?;
        cookie.set_sensitive(true);
        request = request.with(header::COOKIE, cookie);
    }
    let response = transport.post(request, options).await?;
    let result = envelope::open(&response, database, effect);
    Ok(Answer { result, rotated: response.session_cookie })
}
