//! The user behind a credential, with the context that Odoo would assume for this user.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    access::{Access, RotatedCookie},
    authenticator::Authenticator,
    login::unreadable,
};
use crate::odoo::{
    cache::single_flight,
    credential::Credential,
    model::{
        error::{Error, Repeatable},
        rpc::Rpc,
        trace::Trace,
    },
    protocol::Protocol,
    transport::{RequestOptions, retries::Cost},
};

/// How long a cached identity is used. A change of the company or language in Odoo takes effect after this time.
pub(super) const FRESH: Duration = Duration::from_secs(5);
/// From this age on, an identity that is used is refreshed in the background, so that the calls of a busy user never wait for it.
const REFRESH_AFTER: Duration = Duration::from_millis(1_500);

/// An identity, and when it was read.
#[derive(Debug)]
pub(in crate::odoo) struct CachedIdentity {
    pub(in crate::odoo) identity: Identity,
    since: Instant,
    is_refreshing: AtomicBool,
}

impl CachedIdentity {
    fn now(identity: Identity) -> Self {
        Self { identity, since: Instant::now(), is_refreshing: AtomicBool::new(false) }
    }

    /// Whether it is time to refresh it; true once.
    fn needs_refresh(&self) -> bool {
        self.since.elapsed() > REFRESH_AFTER && !self.is_refreshing.swap(true, Relaxed)
    }
}

/// The user behind a credential.
#[derive(Debug, Clone)]
pub struct Identity {
    pub uid: i64,
    pub login: String,
    /// The company that the user works in when a call names none.
    pub company: Option<i64>,
    /// Language and time zone. They are sent with every call, as Odoo applies neither to an external call by itself. Which
    /// companies the user sees is left to Odoo.
    pub context: Map<String, Value>,
}

impl Authenticator {
    /// The user behind a credential, from the cache or from Odoo.
    ///
    /// # Errors
    /// Odoo refuses the credential, or does not answer until `options.until`.
    pub(in crate::odoo) async fn identify(
        self: &Arc<Self>,
        access: &Access,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<Arc<CachedIdentity>, Error> {
        let fingerprint = access.credential.fingerprint();
        let fetch = || self.fetch_identity(access, options, trace);
        let known = single_flight::get_or_fetch(&self.identities, fingerprint, options.until, fetch).await?;
        // An answer about a session may come with a new cookie, which must reach the owner of the session.
        if !matches!(access.credential, Credential::Session(_)) && known.needs_refresh() {
            let (credential, protocol) = (access.credential.clone(), access.protocol);
            tokio::spawn(self.clone().refresh_identity(credential, protocol, options));
        }
        Ok(known)
    }

    async fn fetch_identity(
        &self,
        access: &Access,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<Arc<CachedIdentity>, Error> {
        let mut tries = self.endpoint.retries.begin();
        loop {
            let identity = self.ask_identity(access, options, trace).await;
            if !tries.again(&identity, Repeatable::Whole, Cost::Budgeted, options.until).await {
                let identity = identity?;
                self.note_accepted(access.credential.fingerprint(), identity.uid).await;
                return Ok(Arc::new(CachedIdentity::now(identity)));
            }
        }
    }

    /// Refreshes an identity in the background. An error is left to the next call, which asks for itself.
    async fn refresh_identity(self: Arc<Self>, credential: Credential, protocol: Protocol, options: RequestOptions) {
        let access = Access { credential, protocol, rotated: RotatedCookie::default() };
        if let Ok(known) = self.fetch_identity(&access, options, &Trace::default()).await {
            self.identities.insert(access.credential.fingerprint(), known).await;
        }
    }

    /// Asks Odoo: one RPC for a session; by the other protocols one where the user id is known, otherwise two.
    async fn ask_identity(&self, access: &Access, options: RequestOptions, trace: &Trace) -> Result<Identity, Error> {
        if access.protocol == Protocol::Session {
            let shown = json!({"model": "session", "method": "get_session_info"});
            let info = trace.note(shown, self.session_info(access, options, trace)).await?;
            return Identity::of_session(&info, &self.endpoint.database);
        }
        let call =
            async |rpc: Rpc| trace.note(rpc.render(), self.call(access, &rpc, &Map::new(), options, trace)).await;
        let uid = match access.protocol {
            Protocol::Json2 if let Some(uid) = self.accepted.get(&access.credential.fingerprint()).await => uid,
            Protocol::Json2 => {
                let context = call(Rpc::method("res.users", "context_get", None, Map::new()).reads()).await?;
                context["uid"].as_i64().ok_or_else(|| unreadable("res.users.context_get"))?
            }
            _ => self.uid(access, options, trace).await?,
        };
        let user = call(Rpc::read("res.users", vec![uid], json!(["login", "company_id", "lang", "tz"]))).await?;
        let user = &user[0];
        let login = text(&user["login"]).ok_or_else(|| unreadable("res.users.read"))?;
        match &access.credential {
            // JSON-2 identifies the user by the key alone.
            Credential::LoginKey { login: given, .. } if *given != login => {
                let words = Some("the API key is another user's".to_owned());
                let refusal = Error::WrongLogin { words };
                self.note_refusal(&access.credential, &refusal).await;
                Err(refusal)
            }
            _ => Ok(Identity { uid, login, company: user["company_id"][0].as_i64(), context: language_and_zone(user) }),
        }
    }
}

impl Identity {
    fn of_session(info: &Value, database: &str) -> Result<Self, Error> {
        let theirs = info["db"].as_str().ok_or_else(|| unreadable("session_info"))?;
        if theirs != database {
            return Err(Error::OtherDatabase { theirs: theirs.to_owned(), ours: database.to_owned() });
        }
        let Some(uid) = info["uid"].as_i64() else { return Err(Error::SessionExpired) };
        let company = &info["user_companies"]["current_company"];
        // Odoo 14 gives `[id, name]`, later ones the id; a portal user has neither.
        let company = company.as_i64().or_else(|| company[0].as_i64());
        let login = text(&info["username"]).ok_or_else(|| unreadable("session_info"))?;
        Ok(Self { uid, login, company, context: language_and_zone(&info["user_context"]) })
    }
}

fn language_and_zone(context: &Value) -> Map<String, Value> {
    let given =
        |key: &str| context.get(key).filter(|value| value.is_string()).map(|value| (key.to_owned(), value.clone()));
    ["lang", "tz"].into_iter().filter_map(given).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_without_a_user_or_a_name_is_no_identity() {
        let code = |info: Value| Identity::of_session(&info, "d").err().map_or("ok", |error| error.code().as_str());
        assert_eq!(code(json!({"db": "d", "uid": 7, "username": "l", "user_context": {}})), "ok");
        assert_eq!(code(json!({"db": "d", "uid": null})), "session_expired");
        assert_eq!(code(json!({"db": "e", "uid": 7, "username": "l"})), "other_database");
        for unreadable in [json!({"db": "d", "uid": 7}), json!({"uid": 7, "username": "l"}), json!([])] {
            assert_eq!(code(unreadable), "odoo_no_answer");
        }
    }
}
