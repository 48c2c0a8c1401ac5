//! Whom a credential belongs to: the user, and what Odoo would assume on this user's behalf.

use std::sync::Mutex;

use http::HeaderValue;
use serde_json::{Map, Value, json};

use super::{
    Odoo,
    credential::Credential,
    error::{Error, Why},
    json2,
    rpc::{Effect, Rpc},
    session,
    trace::Trace,
};

/// The user behind a credential.
#[derive(Debug, Clone)]
pub struct Identity {
    pub uid: i64,
    pub login: String,
    /// The company that the user works in when a call names none.
    pub company: Option<i64>,
    /// Language and time zone, sent with every call: Odoo applies neither to a call from outside by itself.
    pub context: Map<String, Value>,
}

impl Identity {
    /// Asks Odoo: one call for a session, two for a key.
    pub(super) async fn ask(
        odoo: &Odoo,
        credential: &Credential,
        trace: &Trace,
        rotated: &Mutex<Option<HeaderValue>>,
    ) -> Result<Self, Error> {
        match credential {
            Credential::Session(cookie) => {
                let ask = async {
                    let answer = session::info(&odoo.transport, cookie).await?;
                    *rotated.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = answer.rotated;
                    answer.result
                };
                let info = trace.note(json!({"model": "session", "method": "get_session_info"}), ask).await?;
                let theirs = info["db"].as_str().unwrap_or_default();
                if theirs != odoo.database {
                    return Err(Error::OtherDatabase { theirs: theirs.to_owned(), ours: odoo.database.clone() });
                }
                let Some(uid) = info["uid"].as_i64() else { return Err(Error::SessionExpired) };
                let company = &info["user_companies"]["current_company"];
                // Odoo 14 gives `[id, name]`, later ones the id; a portal user has neither.
                let company = company.as_i64().or_else(|| company[0].as_i64());
                Ok(Self {
                    uid,
                    login: text(&info["username"]),
                    company,
                    context: language_and_zone(&info["user_context"]),
                })
            }
            Credential::Key(key) => {
                let no_context = Map::new();
                let call = async |rpc: Rpc| {
                    let answer = json2::call(&odoo.transport, &odoo.database, key, &rpc, &no_context);
                    trace.note(rpc.render(), answer).await
                };
                let context = call(Rpc::method("res.users", "context_get", None, Map::new()).reads()).await?;
                let Some(uid) = context["uid"].as_i64() else { return Err(unreadable("res.users.context_get")) };
                let user = call(Rpc::read("res.users", vec![uid], json!(["login", "company_id"]))).await?;
                Ok(Self {
                    uid,
                    login: text(&user[0]["login"]),
                    company: user[0]["company_id"][0].as_i64(),
                    context: language_and_zone(&context),
                })
            }
        }
    }
}

fn language_and_zone(context: &Value) -> Map<String, Value> {
    let given =
        |key: &str| context.get(key).filter(|value| value.is_string()).map(|value| (key.to_owned(), value.clone()));
    ["lang", "tz"].into_iter().filter_map(given).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn unreadable(what: &str) -> Error {
    Error::NoAnswer { effect: Effect::Read, why: Why::Garbled(format!("{what} gave no user")) }
}
