//! Logins: from a credential to what authenticates its RPCs.
//!
//! A password, or a key with its login, is exchanged once for a session or a user id. Concurrent calls share one login, and its
//! result is kept until Odoo refuses it.

use serde_json::{Map, Value, json};

use super::{
    access::{Access, RpcAuth},
    authenticator::Authenticator,
};
use crate::odoo::{
    cache::single_flight,
    credential::Credential,
    model::{
        effect::Effect,
        error::{Error, Why},
        rpc::Rpc,
        trace::Trace,
    },
    protocol::{Protocol, ServiceUser, json_rpc, json2, session, xml_rpc},
    transport::RequestOptions,
};

const OTHER_REASONS: &str = "an account with two-factor authentication takes API keys only, and after several wrong secrets \
    in a row Odoo takes no logins for a minute";

impl Authenticator {
    /// What authenticates the RPCs of a caller, by a login where one is needed.
    ///
    /// # Errors
    /// Odoo refuses the login, or does not answer it.
    pub(super) async fn rpc_auth(
        &self,
        access: &Access,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<RpcAuth, Error> {
        match (&access.credential, access.protocol) {
            (Credential::Session(id), _) => {
                let rotated = access.rotated.get().as_ref().and_then(session::session_id);
                Ok(RpcAuth::Session(rotated.unwrap_or_else(|| id.clone())))
            }
            (Credential::Key(key) | Credential::LoginKey { key, .. }, Protocol::Json2) => {
                Ok(RpcAuth::Json2(key.clone()))
            }
            (credential, protocol) => {
                let log_in = || self.log_in(credential, protocol, options, trace);
                single_flight::get_or_fetch(&self.logins, credential.fingerprint(), options.until, log_in).await
            }
        }
    }

    /// The id of the user, from a login by JSON-RPC or XML-RPC.
    ///
    /// # Errors
    /// As [`Self::rpc_auth`].
    pub(super) async fn uid(&self, access: &Access, options: RequestOptions, trace: &Trace) -> Result<i64, Error> {
        match self.rpc_auth(access, options, trace).await {
            Ok(RpcAuth::JsonRpc(user) | RpcAuth::XmlRpc(user)) => Ok(user.uid),
            Ok(RpcAuth::Session(_) | RpcAuth::Json2(_)) => Err(unreadable("a login")),
            Err(error) => {
                self.note_refusal(&access.credential, &error).await;
                Err(error)
            }
        }
    }

    /// Forgets the result of a login, unless another call has replaced it already.
    pub(super) async fn forget(&self, access: &Access, auth: &RpcAuth) {
        let fingerprint = access.credential.fingerprint();
        if self.logins.get(&fingerprint).await.is_some_and(|known| known.is_same_as(auth)) {
            self.logins.invalidate(&fingerprint).await;
        }
    }

    /// One login. Where Odoo counts failed logins, it has to fit into their budget.
    async fn log_in(
        &self,
        credential: &Credential,
        protocol: Protocol,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<RpcAuth, Error> {
        if credential.login().is_none() || !self.counts_failed_logins(protocol, options).await? {
            return self.send_login(credential, protocol, options, trace).await;
        }
        let address = options.origin.address;
        let attempt = self.failed_logins.begin(address, Some(credential.fingerprint()), options.until).await?;
        let outcome = self.send_login(credential, protocol, options, trace).await;
        match &outcome {
            Ok(_) | Err(Error::SecondFactor { .. }) => attempt.was_right().await,
            Err(Error::WrongLogin { .. }) => attempt.was_wrong().await,
            Err(Error::LoginsHeld { .. }) => attempt.was_held(),
            Err(_) => {}
        }
        outcome
    }

    /// Whether Odoo counts failed logins by this protocol: before 16 also those by JSON-RPC and XML-RPC.
    pub(super) async fn counts_failed_logins(
        &self,
        protocol: Protocol,
        options: RequestOptions,
    ) -> Result<bool, Error> {
        Ok(match protocol {
            Protocol::Session => true,
            Protocol::JsonRpc | Protocol::XmlRpc => self.endpoint.version(options.until).await? < 16,
            Protocol::Json2 => false,
        })
    }

    async fn send_login(
        &self,
        credential: &Credential,
        protocol: Protocol,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<RpcAuth, Error> {
        let (transport, database) = (&self.endpoint.transport, &self.endpoint.database);
        let (login, secret) = match credential {
            Credential::LoginKey { login, key } => (login, key),
            Credential::Password { login, password } => (login, password),
            Credential::Session(_) => return Err(Error::SessionExpired),
            Credential::Key(key) => {
                // JSON-RPC and XML-RPC need the id of the user, which JSON-2 tells.
                let rpc = Rpc::method("res.users", "context_get", None, Map::new()).reads();
                let no_context = Map::new();
                let ask = json2::call(transport, database, key, &rpc, &no_context, options);
                let context = trace.note(rpc.render(), ask).await?;
                let uid = context["uid"].as_i64().ok_or_else(|| unreadable("res.users.context_get"))?;
                return Ok(RpcAuth::of_user(protocol, ServiceUser { uid, secret: key.clone() }));
            }
        };
        let uid = match protocol {
            Protocol::Session => {
                let log_in = session::login(transport, database, login, secret, options);
                let shown = json!({"model": "session", "method": "authenticate"});
                return trace.note(shown, log_in).await.map(RpcAuth::Session);
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
                Some(uid) => Ok(RpcAuth::of_user(protocol, ServiceUser { uid, secret: secret.clone() })),
                // The answer does not tell the reason, which may be another one than the secret.
                None => Err(Error::WrongLogin { words: Some(OTHER_REASONS.to_owned()) }),
            },
            Err(Error::Fault(fault)) if fault.is_missing_database(database) => {
                Err(Error::NoSuchDatabase(database.clone()))
            }
            Err(error) => Err(error),
        }
    }
}

fn shown_login() -> Value {
    json!({"model": "common", "method": "authenticate"})
}

pub(super) fn unreadable(what: &str) -> Error {
    Error::NoAnswer { effect: Effect::Read, why: Why::Garbled(format!("{what} gave no user")) }
}
