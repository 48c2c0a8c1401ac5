//! How a caller gets in: the credential, the door it opens, and what Odoo wants to see there with each call.
//!
//! A password or a key with its login is turned into that once, by a login that concurrent calls share, and kept until
//! Odoo refuses it. What Odoo refused is remembered for a minute: a login costs Odoo a third of a second of hashing, and
//! after five wrong ones it takes none from this address for a minute (Odoo 14-19).

use std::{sync::Mutex, time::Duration};

use http::HeaderValue;
use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{
    Odoo,
    credential::{Credential, Fingerprint},
    door::Door,
    error::{Error, Why},
    json_rpc, json2, lock,
    rpc::{Effect, Rpc},
    session,
    trace::Trace,
    transport::Terms,
    xml_rpc,
};

const REFUSED_FOR: Duration = Duration::from_secs(60);
const KEPT_UNUSED: Duration = Duration::from_secs(3_600);
const CALLERS: u64 = 1_000;
const REFUSED: u64 = 10_000;

/// One caller's way in, for the length of one call to the gateway.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) credential: Credential,
    pub(super) door: Door,
    /// The cookie by which Odoo replaced that of the caller during the call.
    pub(super) rotated: Mutex<Option<HeaderValue>>,
}

/// What Odoo sees with each call, and at which door.
#[derive(Debug, Clone)]
pub(super) enum Pass {
    Session(SecretString),
    JsonRpc(User),
    XmlRpc(User),
    Json2(SecretString),
}

/// A user as JSON-RPC and XML-RPC know one.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) uid: i64,
    /// An API key or a password.
    pub(super) secret: SecretString,
}

/// What is asked with a pass.
#[derive(Clone, Copy)]
enum Question<'q> {
    /// A call, with the user's own context.
    Rpc(&'q Rpc, &'q Map<String, Value>),
    SessionInfo,
}

/// What is known of credentials, of all callers.
#[derive(Debug)]
pub(super) struct Logins {
    passes: Cache<Fingerprint, Pass>,
    refused: Cache<Fingerprint, Error>,
}

impl Logins {
    pub(super) fn new() -> Self {
        Self {
            passes: Cache::builder().max_capacity(CALLERS).time_to_idle(KEPT_UNUSED).build(),
            refused: Cache::builder().max_capacity(REFUSED).time_to_live(REFUSED_FOR).build(),
        }
    }

    pub(super) fn forget_all(&self) {
        self.passes.invalidate_all();
        self.refused.invalidate_all();
    }
}

impl Odoo {
    /// The door for a credential that Odoo did not refuse within the last minute.
    pub(super) async fn access(&self, credential: Credential) -> Result<Access, Error> {
        if let Some(refusal) = self.logins.refused.get(&credential.fingerprint()).await {
            return Err(refusal);
        }
        let door = Door::of(&credential, self.protocol, async || self.version().await).await?;
        Ok(Access { credential, door, rotated: Mutex::default() })
    }

    /// Makes one RPC; once more after a new login where the session of a login was over. A session that is over is refused
    /// before the method runs.
    pub(super) async fn enter(
        &self,
        access: &Access,
        rpc: &Rpc,
        context: &Map<String, Value>,
        terms: Terms,
        trace: &Trace,
    ) -> Result<Value, Error> {
        self.ask(access, Question::Rpc(rpc, context), terms, trace).await
    }

    /// The `session_info` of the session that the caller has or was given.
    pub(super) async fn session_info(&self, access: &Access, terms: Terms, trace: &Trace) -> Result<Value, Error> {
        self.ask(access, Question::SessionInfo, terms, trace).await
    }

    /// The number of the user that a login gave.
    pub(super) async fn uid(&self, access: &Access, terms: Terms, trace: &Trace) -> Result<i64, Error> {
        match self.pass(access, terms, trace).await {
            Ok(Pass::JsonRpc(user) | Pass::XmlRpc(user)) => Ok(user.uid),
            Ok(Pass::Session(_) | Pass::Json2(_)) => Err(unreadable("a login")),
            Err(error) => {
                self.note_refusal(&access.credential, &error).await;
                Err(error)
            }
        }
    }

    async fn ask(&self, access: &Access, question: Question<'_>, terms: Terms, trace: &Trace) -> Result<Value, Error> {
        let outcome = self.ask_anew(access, question, terms, trace).await;
        if let Err(error) = &outcome {
            self.note_refusal(&access.credential, error).await;
        }
        outcome
    }

    async fn ask_anew(
        &self,
        access: &Access,
        question: Question<'_>,
        terms: Terms,
        trace: &Trace,
    ) -> Result<Value, Error> {
        let pass = self.pass(access, terms, trace).await?;
        match self.exchange(access, &pass, question, terms).await {
            Err(Error::SessionExpired) if access.credential.login().is_some() => {
                self.forget(access, &pass).await;
                let pass = self.pass(access, terms, trace).await?;
                self.exchange(access, &pass, question, terms).await
            }
            // These doors say the same of a secret that is no longer accepted and of a method that denies something.
            Err(Error::Fault(fault))
                if fault.is_access_denied() && matches!(pass, Pass::JsonRpc(_) | Pass::XmlRpc(_)) =>
            {
                self.forget(access, &pass).await;
                match self.pass(access, terms, trace).await {
                    Err(refusal) if refusal.is_refused_secret() => Err(refusal),
                    _ => Err(Error::Fault(fault)),
                }
            }
            outcome => outcome,
        }
    }

    async fn note_refusal(&self, credential: &Credential, error: &Error) {
        let fingerprint = credential.fingerprint();
        if error.is_about_credentials() {
            self.identities.invalidate(&fingerprint).await;
            self.logins.passes.invalidate(&fingerprint).await;
        }
        if error.is_refused_secret() {
            self.logins.refused.insert(fingerprint, error.clone()).await;
        }
    }

    /// Forgets a pass, unless another call has replaced it already.
    async fn forget(&self, access: &Access, pass: &Pass) {
        let fingerprint = access.credential.fingerprint();
        if self.logins.passes.get(&fingerprint).await.is_some_and(|known| known.shows_the_same(pass)) {
            self.logins.passes.invalidate(&fingerprint).await;
        }
    }

    async fn pass(&self, access: &Access, terms: Terms, trace: &Trace) -> Result<Pass, Error> {
        match (&access.credential, access.door) {
            (Credential::Session(id), _) => {
                let rotated = lock(&access.rotated).as_ref().and_then(session::session_id);
                Ok(Pass::Session(rotated.unwrap_or_else(|| id.clone())))
            }
            (Credential::Key(key) | Credential::LoginKey { key, .. }, Door::Json2) => Ok(Pass::Json2(key.clone())),
            (credential, door) => {
                let log_in = self.log_in(credential, door, terms, trace);
                let pass = self.logins.passes.try_get_with(credential.fingerprint(), log_in).await;
                pass.map_err(|error| Error::clone(&error))
            }
        }
    }

    /// One login; callers who wait for the same one share it.
    async fn log_in(&self, credential: &Credential, door: Door, terms: Terms, trace: &Trace) -> Result<Pass, Error> {
        let (transport, database) = (&self.transport, &self.database);
        let (login, secret) = match credential {
            Credential::LoginKey { login, key } => (login, key),
            Credential::Password { login, password } => (login, password),
            Credential::Session(_) => return Err(Error::SessionExpired),
            Credential::Key(key) => {
                // These doors want a user's number, and JSON-2 tells it.
                let rpc = Rpc::method("res.users", "context_get", None, Map::new()).reads();
                let no_context = Map::new();
                let ask = json2::call(transport, database, key, &rpc, &no_context, terms);
                let context = trace.note(rpc.render(), ask).await?;
                let uid = context["uid"].as_i64().ok_or_else(|| unreadable("res.users.context_get"))?;
                return Ok(Pass::of_user(door, User { uid, secret: key.clone() }));
            }
        };
        let uid = match door {
            Door::Session => {
                let log_in = session::login(transport, database, login, secret, terms);
                let shown = json!({"model": "session", "method": "authenticate"});
                return trace.note(shown, log_in).await.map(Pass::Session);
            }
            Door::JsonRpc => {
                trace.note(shown_login(), json_rpc::authenticate(transport, database, login, secret, terms)).await
            }
            Door::XmlRpc | Door::Json2 => {
                trace.note(shown_login(), xml_rpc::authenticate(transport, database, login, secret, terms)).await
            }
        };
        match uid {
            Ok(uid) => match uid.as_i64() {
                Some(uid) => Ok(Pass::of_user(door, User { uid, secret: secret.clone() })),
                // What is wrong is not told here.
                None => Err(Error::WrongLogin {
                    login: login.clone(),
                    words: Some("an account with two-factor authentication takes API keys only".to_owned()),
                }),
            },
            Err(Error::Fault(fault)) if fault.is_missing_database(database) => {
                Err(Error::NoSuchDatabase(database.clone()))
            }
            Err(error) => Err(error),
        }
    }

    async fn exchange(
        &self,
        access: &Access,
        pass: &Pass,
        question: Question<'_>,
        terms: Terms,
    ) -> Result<Value, Error> {
        let (transport, database) = (&self.transport, &self.database);
        let (rpc, context) = match question {
            Question::Rpc(rpc, context) => (rpc, context),
            Question::SessionInfo => {
                let Pass::Session(id) = pass else { return Err(Error::SessionExpired) };
                let answer = session::info(transport, id, terms).await?;
                self.keep_rotated(access, answer.rotated).await;
                return answer.result;
            }
        };
        let outcome = match pass {
            Pass::Session(id) => {
                let answer = session::call(transport, id, rpc, context, terms).await?;
                self.keep_rotated(access, answer.rotated).await;
                answer.result
            }
            Pass::JsonRpc(user) => json_rpc::call(transport, database, user, rpc, context, terms).await,
            Pass::XmlRpc(user) => xml_rpc::call(transport, database, user, rpc, context, terms).await,
            Pass::Json2(key) => json2::call(transport, database, key, rpc, context, terms).await,
        };
        outcome.map_err(|error| match error {
            Error::Fault(fault) if fault.is_unknown_model(&rpc.model) => Error::UnknownModel(rpc.model.clone()),
            Error::Fault(fault) if fault.is_missing_database(database) => Error::NoSuchDatabase(database.clone()),
            error => error,
        })
    }

    /// The caller gets the new cookie of its own session; that of a login is kept here.
    async fn keep_rotated(&self, access: &Access, rotated: Option<HeaderValue>) {
        let Some(cookie) = rotated else { return };
        if access.credential.login().is_none() {
            *lock(&access.rotated) = Some(cookie);
        } else if let Some(id) = session::session_id(&cookie) {
            self.logins.passes.insert(access.credential.fingerprint(), Pass::Session(id)).await;
        }
    }
}

impl Pass {
    fn of_user(door: Door, user: User) -> Self {
        if door == Door::XmlRpc { Self::XmlRpc(user) } else { Self::JsonRpc(user) }
    }

    fn shows_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Session(one), Self::Session(other)) => one.expose_secret() == other.expose_secret(),
            (Self::JsonRpc(one), Self::JsonRpc(other)) | (Self::XmlRpc(one), Self::XmlRpc(other)) => {
                one.uid == other.uid
            }
            _ => false,
        }
    }
}

fn shown_login() -> Value {
    json!({"model": "common", "method": "authenticate"})
}

pub(super) fn unreadable(what: &str) -> Error {
    Error::NoAnswer { effect: Effect::Read, why: Why::Garbled(format!("{what} gave no user")) }
}
