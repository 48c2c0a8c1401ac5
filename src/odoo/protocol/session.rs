//! The session protocol: `/web/dataset/call_kw` with a session's cookie (Odoo 14 and later).
//!
//! It is the cheapest protocol, since Odoo checks a session without hashing, and Odoo 22 does not remove it.

use http::{HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::odoo::{
    model::{
        effect::Effect,
        error::{Error, Why},
        fault::FaultKind,
        rpc::Rpc,
    },
    protocol::envelope,
    transport::{Request, RequestOptions, Transport},
};

/// The outcome of a request, and the new cookie of the session if Odoo rotated it (Odoo 19 does so every three hours). The old
/// cookie is valid for two more minutes, whatever the outcome.
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
    // Odoo ignores the rest of the path. It is there for readers of Odoo's access log.
    let (model, method) = rpc.as_path()?;
    let path = format!("/web/dataset/call_kw/{model}/{method}");
    post(transport, database, path, Some(session), &rpc.call_kw(user), rpc.effect, options).await
}

/// The user of the session: Odoo's `session_info` object.
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

/// The names of the databases that Odoo serves at this address, as a list. It needs no login, and is refused where Odoo's
/// `list_db` is off (14-19).
pub(in crate::odoo) async fn databases(transport: &Transport, options: RequestOptions) -> Result<Value, Error> {
    post(transport, "", "/web/database/list".to_owned(), None, &json!({}), Effect::Read, options).await?.result
}

/// Begins a session and returns its id. The database is sent in the body only: with the header `X-Odoo-Database`, Odoo 19 begins
/// a session that it does not save.
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
        Err(Error::Fault(fault)) if fault.is_wrong_login() => Err(Error::WrongLogin { words: None }),
        // By any other message, Odoo says that it accepts no logins for a while.
        Err(Error::Fault(fault)) if fault.is_access_denied() => Err(Error::LoginsHeld { words: fault.message }),
        // Odoo 16 and later serve only the databases that pass their filter.
        Err(Error::Fault(fault)) if fault.kind() == FaultKind::AccessError || fault.is_missing_database(database) => {
            Err(Error::NoSuchDatabase(database.to_owned()))
        }
        Err(error) => Err(error),
        // The password is correct, and Odoo waits for the second factor (14-19).
        Ok(info) if info["uid"].is_null() => Err(Error::SecondFactor { login: login.to_owned() }),
        Ok(_) => answer.rotated.as_ref().and_then(session_id).ok_or_else(|| Error::NoAnswer {
            effect: Effect::Read,
            why: Why::Garbled("a login gave no session".to_owned()),
        }),
    }
}

/// The session id in a `Set-Cookie` value of Odoo.
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
