//! Whom a credential belongs to: the user, and what Odoo would assume on this user's behalf.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::odoo::{
    Odoo,
    auth::{
        access::{Access, unreadable},
        credential::Credential,
    },
    model::{error::Error, rpc::Rpc, trace::Trace},
    protocol::Protocol,
    transport::RequestOptions,
};

/// For so long an identity is taken as it was asked: a company or language that is changed in Odoo counts after that time.
pub(in crate::odoo) const FRESH: Duration = Duration::from_secs(5);
/// From this age on it is asked again beside the calls that use it, so that those of a busy user do not wait for it.
const ASKED_AGAIN: Duration = Duration::from_millis(1_500);

/// An identity, and when it was asked.
#[derive(Debug)]
pub(in crate::odoo) struct Known {
    pub(in crate::odoo) identity: Identity,
    since: Instant,
    is_asked_again: AtomicBool,
}

impl Known {
    pub(in crate::odoo) fn now(identity: Identity) -> Self {
        Self { identity, since: Instant::now(), is_asked_again: AtomicBool::new(false) }
    }

    /// Whether it is time to ask again; true once.
    pub(in crate::odoo) fn is_to_be_asked_again(&self) -> bool {
        self.since.elapsed() > ASKED_AGAIN && !self.is_asked_again.swap(true, Relaxed)
    }
}

/// The user behind a credential.
#[derive(Debug, Clone)]
pub struct Identity {
    pub uid: i64,
    pub login: String,
    /// The company that the user works in when a call names none.
    pub company: Option<i64>,
    /// Language and time zone, sent with every call: Odoo applies neither to a call from outside by itself. Which companies
    /// the user sees is left to Odoo, as it is inside it.
    pub context: Map<String, Value>,
}

impl Identity {
    /// Asks Odoo: one call for a session; for the other protocols one where the user is known, else two.
    pub(in crate::odoo) async fn ask(
        odoo: &Odoo,
        access: &Access,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<Self, Error> {
        if access.protocol == Protocol::Session {
            let shown = json!({"model": "session", "method": "get_session_info"});
            let info = trace.note(shown, odoo.session_info(access, options, trace)).await?;
            return Self::of_session(&info, odoo.database());
        }
        let call =
            async |rpc: Rpc| trace.note(rpc.render(), odoo.enter(access, &rpc, &Map::new(), options, trace)).await;
        let uid = match access.protocol {
            Protocol::Json2 if let Some(uid) = odoo.known.get(&access.credential.fingerprint()).await => uid,
            Protocol::Json2 => {
                let context = call(Rpc::method("res.users", "context_get", None, Map::new()).reads()).await?;
                context["uid"].as_i64().ok_or_else(|| unreadable("res.users.context_get"))?
            }
            _ => odoo.uid(access, options, trace).await?,
        };
        let user = call(Rpc::read("res.users", vec![uid], json!(["login", "company_id", "lang", "tz"]))).await?;
        let user = &user[0];
        let login = text(&user["login"]);
        match &access.credential {
            // JSON-2 knows the user by the key alone.
            Credential::LoginKey { login: said, .. } if *said != login => {
                let words = Some("the API key is another user's".to_owned());
                let refusal = Error::WrongLogin { words };
                odoo.note_refusal(&access.credential, &refusal).await;
                Err(refusal)
            }
            _ => Ok(Self { uid, login, company: user["company_id"][0].as_i64(), context: language_and_zone(user) }),
        }
    }

    fn of_session(info: &Value, database: &str) -> Result<Self, Error> {
        let theirs = info["db"].as_str().unwrap_or_default();
        if theirs != database {
            return Err(Error::OtherDatabase { theirs: theirs.to_owned(), ours: database.to_owned() });
        }
        let Some(uid) = info["uid"].as_i64() else { return Err(Error::SessionExpired) };
        let company = &info["user_companies"]["current_company"];
        // Odoo 14 gives `[id, name]`, later ones the id; a portal user has neither.
        let company = company.as_i64().or_else(|| company[0].as_i64());
        Ok(Self { uid, login: text(&info["username"]), company, context: language_and_zone(&info["user_context"]) })
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
