//! How a caller gets in: the credential, the protocol it opens, and what Odoo wants to see there with each call.
//!
//! A password or a key with its login is turned into that once, by a login that concurrent calls share, and kept until
//! Odoo refuses it. What Odoo refused is remembered for a minute: a login costs Odoo a third of a second of hashing, and
//! after several wrong ones in a row it takes none from this address for a minute (Odoo 14-19).

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::HeaderValue;
use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::{
    config::ProtocolChoice,
    odoo::{
        Odoo,
        auth::credential::{Credential, Fingerprint},
        cache::single_flight,
        lock,
        model::{
            error::{Error, Why},
            rpc::{Effect, Rpc},
            trace::Trace,
        },
        protocol::{Protocol, json_rpc, json2, session, xml_rpc},
        transport::RequestOptions,
    },
};

const OTHER_REASONS: &str = "an account with two-factor authentication takes API keys only, and after several wrong secrets \
    in a row Odoo takes no logins for a minute";
const REFUSED_FOR: Duration = Duration::from_secs(60);
const KEPT_UNUSED: Duration = Duration::from_secs(3_600);
const CALLERS: u64 = 1_000;
const REFUSED: u64 = 10_000;

/// One caller's way in, for the length of one call to the gateway.
#[derive(Debug)]
pub(in crate::odoo) struct Access {
    pub(in crate::odoo) credential: Credential,
    pub(in crate::odoo) protocol: Protocol,
    pub(in crate::odoo) rotated: RotatedCookie,
}

/// The `Set-Cookie` line by which Odoo replaced the caller's own session during a call, if it did: the caller must have it,
/// whatever becomes of the call.
#[derive(Debug, Clone, Default)]
pub struct RotatedCookie(Arc<Mutex<Option<HeaderValue>>>);

impl RotatedCookie {
    pub fn get(&self) -> Option<HeaderValue> {
        lock(&self.0).clone()
    }

    /// A later one takes its place; none leaves it.
    pub(in crate::odoo) fn replace(&self, cookie: Option<HeaderValue>) {
        if cookie.is_some() {
            *lock(&self.0) = cookie;
        }
    }
}

/// What Odoo sees with each call, and at which protocol.
#[derive(Debug, Clone)]
pub(in crate::odoo) enum Pass {
    Session(SecretString),
    JsonRpc(User),
    XmlRpc(User),
    Json2(SecretString),
}

/// A user as JSON-RPC and XML-RPC know one.
#[derive(Debug, Clone)]
pub(in crate::odoo) struct User {
    pub(in crate::odoo) uid: i64,
    /// An API key or a password.
    pub(in crate::odoo) secret: SecretString,
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
pub(in crate::odoo) struct Logins {
    passes: Cache<Fingerprint, Pass>,
    refused: Cache<Fingerprint, Error>,
}

impl Logins {
    pub(in crate::odoo) fn new() -> Self {
        Self {
            passes: Cache::builder().max_capacity(CALLERS).time_to_idle(KEPT_UNUSED).build(),
            refused: Cache::builder().max_capacity(REFUSED).time_to_live(REFUSED_FOR).build(),
        }
    }

    pub(in crate::odoo) fn forget_all(&self) {
        self.passes.invalidate_all();
        self.refused.invalidate_all();
    }
}

impl Odoo {
    /// The protocol for a credential that Odoo did not refuse within the last minute.
    pub(in crate::odoo) async fn access(
        &self,
        credential: Credential,
        rotated: RotatedCookie,
        until: Instant,
    ) -> Result<Access, Error> {
        if let Some(refusal) = self.refusal(&credential).await {
            return Err(refusal);
        }
        let protocol = Protocol::of(&credential, self.protocol, async || self.version(until).await).await?;
        Ok(Access { credential, protocol, rotated })
    }

    /// Makes one RPC; once more after a new login where the session of a login was over. A session that is over is refused
    /// before the method runs.
    pub(in crate::odoo) async fn enter(
        &self,
        access: &Access,
        rpc: &Rpc,
        context: &Map<String, Value>,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<Value, Error> {
        self.ask(access, Question::Rpc(rpc, context), options, trace).await
    }

    /// The `session_info` of the session that the caller has or was given.
    pub(in crate::odoo) async fn session_info(
        &self,
        access: &Access,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<Value, Error> {
        self.ask(access, Question::SessionInfo, options, trace).await
    }

    /// The number of the user that a login gave.
    pub(in crate::odoo) async fn uid(
        &self,
        access: &Access,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<i64, Error> {
        match self.pass(access, options, trace).await {
            Ok(Pass::JsonRpc(user) | Pass::XmlRpc(user)) => Ok(user.uid),
            Ok(Pass::Session(_) | Pass::Json2(_)) => Err(unreadable("a login")),
            Err(error) => {
                self.note_refusal(&access.credential, &error).await;
                Err(error)
            }
        }
    }

    async fn ask(
        &self,
        access: &Access,
        question: Question<'_>,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<Value, Error> {
        let outcome = self.ask_anew(access, question, options, trace).await;
        if let Err(error) = &outcome {
            self.note_refusal(&access.credential, error).await;
        }
        outcome
    }

    async fn ask_anew(
        &self,
        access: &Access,
        question: Question<'_>,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<Value, Error> {
        let pass = self.pass(access, options, trace).await?;
        match self.exchange(access, &pass, question, options).await {
            Err(Error::SessionExpired) if access.credential.login().is_some() => {
                self.forget(access, &pass).await;
                let pass = self.pass(access, options, trace).await?;
                self.exchange(access, &pass, question, options).await
            }
            // These protocols say the same of a secret that is no longer accepted and of a method that denies something.
            Err(Error::Fault(fault))
                if fault.is_access_denied() && matches!(pass, Pass::JsonRpc(_) | Pass::XmlRpc(_)) =>
            {
                // Where the login turns out right, it was the method that denied something.
                if self.counts_logins(access.protocol, options).await? {
                    self.cooldown.note_wrong(options.origin.address).await;
                }
                self.forget(access, &pass).await;
                let again = self.pass(access, options, trace).await?;
                if again.shows_the_same(&pass) {
                    return Err(Error::Fault(fault));
                }
                // There is another user of this login now.
                self.exchange(access, &again, question, options).await
            }
            outcome => outcome,
        }
    }

    /// What Odoo said to this credential within the last minute, if it refused it.
    pub async fn refusal(&self, credential: &Credential) -> Option<Error> {
        self.logins.refused.get(&credential.fingerprint()).await
    }

    pub async fn note_refusal(&self, credential: &Credential, error: &Error) {
        let fingerprint = credential.fingerprint();
        if error.is_about_credentials() {
            self.identities.invalidate(&fingerprint).await;
            self.known.invalidate(&fingerprint).await;
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

    async fn pass(&self, access: &Access, options: RequestOptions, trace: &Trace) -> Result<Pass, Error> {
        match (&access.credential, access.protocol) {
            (Credential::Session(id), _) => {
                let rotated = access.rotated.get().as_ref().and_then(session::session_id);
                Ok(Pass::Session(rotated.unwrap_or_else(|| id.clone())))
            }
            (Credential::Key(key) | Credential::LoginKey { key, .. }, Protocol::Json2) => Ok(Pass::Json2(key.clone())),
            (credential, protocol) => {
                let log_in = || self.log_in(credential, protocol, options, trace);
                single_flight::get_or_fetch(&self.logins.passes, credential.fingerprint(), options.until, log_in).await
            }
        }
    }

    /// One login; callers who wait for the same one share it. One that Odoo counts where it is wrong has to fit into what is
    /// left for wrong ones.
    async fn log_in(
        &self,
        credential: &Credential,
        protocol: Protocol,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<Pass, Error> {
        if credential.login().is_none() || !self.counts_logins(protocol, options).await? {
            return self.make_login(credential, protocol, options, trace).await;
        }
        let tried = self.cooldown.begin(options.origin.address, Some(credential.fingerprint()), options.until).await?;
        let outcome = self.make_login(credential, protocol, options, trace).await;
        match &outcome {
            Ok(_) | Err(Error::SecondFactor { .. }) => tried.was_right().await,
            Err(Error::WrongLogin { .. }) => tried.was_wrong().await,
            Err(Error::LoginsHeld { .. }) => tried.was_held(),
            Err(_) => {}
        }
        outcome
    }

    /// Whether Odoo counts wrong logins at this protocol: before 16 also those by JSON-RPC and XML-RPC.
    async fn counts_logins(&self, protocol: Protocol, options: RequestOptions) -> Result<bool, Error> {
        Ok(match protocol {
            Protocol::Session => true,
            Protocol::JsonRpc | Protocol::XmlRpc => self.version(options.until).await? < 16,
            Protocol::Json2 => false,
        })
    }

    async fn make_login(
        &self,
        credential: &Credential,
        protocol: Protocol,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<Pass, Error> {
        let (transport, database) = (&self.transport, &self.database);
        let (login, secret) = match credential {
            Credential::LoginKey { login, key } => (login, key),
            Credential::Password { login, password } => (login, password),
            Credential::Session(_) => return Err(Error::SessionExpired),
            Credential::Key(key) => {
                // These protocols want a user's number, and JSON-2 tells it.
                let rpc = Rpc::method("res.users", "context_get", None, Map::new()).reads();
                let no_context = Map::new();
                let ask = json2::call(transport, database, key, &rpc, &no_context, options);
                let context = trace.note(rpc.render(), ask).await?;
                let uid = context["uid"].as_i64().ok_or_else(|| unreadable("res.users.context_get"))?;
                return Ok(Pass::of_user(protocol, User { uid, secret: key.clone() }));
            }
        };
        let uid = match protocol {
            Protocol::Session => {
                let log_in = session::login(transport, database, login, secret, options);
                let shown = json!({"model": "session", "method": "authenticate"});
                return trace.note(shown, log_in).await.map(Pass::Session);
            }
            Protocol::JsonRpc => {
                trace.note(shown_login(), json_rpc::authenticate(transport, database, login, secret, options)).await
            }
            Protocol::XmlRpc | Protocol::Json2 => {
                trace.note(shown_login(), xml_rpc::authenticate(transport, database, login, secret, options)).await
            }
        };
        match uid {
            Ok(uid) => match uid.as_i64() {
                Some(uid) => Ok(Pass::of_user(protocol, User { uid, secret: secret.clone() })),
                // What is wrong is not told here, and may be something else than the secret.
                None => Err(Error::WrongLogin { words: Some(OTHER_REASONS.to_owned()) }),
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
        options: RequestOptions,
    ) -> Result<Value, Error> {
        let (transport, database) = (&self.transport, &self.database);
        let (rpc, context) = match question {
            Question::Rpc(rpc, context) => (rpc, context),
            Question::SessionInfo => {
                let Pass::Session(id) = pass else { return Err(Error::SessionExpired) };
                let answer = session::info(transport, database, id, options).await?;
                self.keep_rotated(access, pass, &answer).await;
                return answer.result;
            }
        };
        let outcome = match pass {
            Pass::Session(id) => {
                let answer = session::call(transport, database, id, rpc, context, options).await?;
                self.keep_rotated(access, pass, &answer).await;
                answer.result
            }
            Pass::JsonRpc(user) => json_rpc::call(transport, database, user, rpc, context, options).await,
            Pass::XmlRpc(user) => xml_rpc::call(transport, database, user, rpc, context, options).await,
            Pass::Json2(key) => json2::call(transport, database, key, rpc, context, options).await,
        };
        outcome.map_err(|error| match error {
            Error::Fault(fault) if fault.is_unknown_model(&rpc.model) => Error::UnknownModel(rpc.model.clone()),
            Error::Fault(fault) if fault.is_missing_database(database) => Error::NoSuchDatabase(database.clone()),
            Error::Fault(fault) if fault.is_database_lost() => {
                Error::NoAnswer { effect: rpc.effect, why: Why::DatabaseLost(fault) }
            }
            error => error,
        })
    }

    /// The same by position, for a method whose last override has other names for its arguments: by JSON-RPC, which takes
    /// API keys too (Odoo 19 to 21). The first refusal stands where that protocol is not there.
    pub(in crate::odoo) async fn by_position(
        &self,
        access: &Access,
        uid: i64,
        rpc: &Rpc,
        context: &Map<String, Value>,
        options: RequestOptions,
    ) -> Option<Result<Value, Error>> {
        let (Credential::Key(key) | Credential::LoginKey { key, .. }) = &access.credential else { return None };
        if self.protocol != ProtocolChoice::Auto {
            return None;
        }
        let pass = Pass::JsonRpc(User { uid, secret: key.clone() });
        match self.exchange(access, &pass, Question::Rpc(rpc, context), options).await {
            Err(Error::NoSuchDatabase(_) | Error::TurnedAway { .. }) => None,
            outcome => Some(outcome),
        }
    }

    /// The caller gets the new cookie of its own session; that of a login is kept here, unless there has been another login
    /// meanwhile. With a session that is over comes the cookie of an empty one (Odoo 14), which is of use to nobody.
    async fn keep_rotated(&self, access: &Access, pass: &Pass, answer: &session::Answer) {
        let Some(cookie) = &answer.rotated else { return };
        if matches!(answer.result, Err(Error::SessionExpired)) {
            return;
        }
        if access.credential.login().is_none() {
            *lock(&access.rotated.0) = Some(cookie.clone());
            return;
        }
        let fingerprint = access.credential.fingerprint();
        let is_current = self.logins.passes.get(&fingerprint).await.is_some_and(|known| known.shows_the_same(pass));
        if let Some(id) = session::session_id(cookie).filter(|_| is_current) {
            self.logins.passes.insert(fingerprint, Pass::Session(id)).await;
        }
    }
}

impl Pass {
    fn of_user(protocol: Protocol, user: User) -> Self {
        if protocol == Protocol::XmlRpc { Self::XmlRpc(user) } else { Self::JsonRpc(user) }
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

pub(in crate::odoo) fn unreadable(what: &str) -> Error {
    Error::NoAnswer { effect: Effect::Read, why: Why::Garbled(format!("{what} gave no user")) }
}
