//! Authenticated RPCs: sends an RPC by the selected protocol, and once more after a new login where the first has expired.

use serde_json::{Map, Value};

use super::{
    access::{Access, RpcAuth},
    authenticator::Authenticator,
};
use crate::{
    config::ProtocolChoice,
    odoo::{
        credential::Credential,
        model::{
            error::{Error, Why},
            rpc::Rpc,
            trace::Trace,
        },
        protocol::{ServiceUser, json_rpc, json2, session, xml_rpc},
        transport::RequestOptions,
    },
};

/// What is sent.
#[derive(Clone, Copy)]
enum Request<'r> {
    /// An RPC, with the context of its user.
    Rpc(&'r Rpc, &'r Map<String, Value>),
    SessionInfo,
}

impl Authenticator {
    /// Makes one RPC; once more after a new login where the session of a login has expired. An expired session is refused before
    /// the method runs.
    ///
    /// # Errors
    /// Those of the login and of the RPC.
    pub(in crate::odoo) async fn call(
        &self,
        access: &Access,
        rpc: &Rpc,
        context: &Map<String, Value>,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<Value, Error> {
        self.send(access, Request::Rpc(rpc, context), options, trace).await
    }

    /// The `session_info` of the caller's session.
    pub(super) async fn session_info(
        &self,
        access: &Access,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<Value, Error> {
        self.send(access, Request::SessionInfo, options, trace).await
    }

    async fn send(
        &self,
        access: &Access,
        request: Request<'_>,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<Value, Error> {
        let outcome = self.send_with_new_login(access, request, options, trace).await;
        if let Err(error) = &outcome {
            self.note_refusal(&access.credential, error).await;
        }
        outcome
    }

    async fn send_with_new_login(
        &self,
        access: &Access,
        request: Request<'_>,
        options: RequestOptions,
        trace: &Trace,
    ) -> Result<Value, Error> {
        let auth = self.rpc_auth(access, options, trace).await?;
        match self.exchange(access, &auth, request, options).await {
            Err(Error::SessionExpired) if access.credential.login().is_some() => {
                self.forget(access, &auth).await;
                let auth = self.rpc_auth(access, options, trace).await?;
                self.exchange(access, &auth, request, options).await
            }
            // These protocols give the same answer for a secret that is no longer accepted and for a method that denies access.
            Err(Error::Fault(fault))
                if fault.is_access_denied() && matches!(auth, RpcAuth::JsonRpc(_) | RpcAuth::XmlRpc(_)) =>
            {
                // If the new login succeeds, it was the method that denied access.
                if self.counts_failed_logins(access.protocol, options).await? {
                    self.failed_logins.note_wrong(options.origin.address).await;
                }
                self.forget(access, &auth).await;
                let again = self.rpc_auth(access, options, trace).await?;
                if again.is_same_as(&auth) {
                    return Err(Error::Fault(fault));
                }
                // The login belongs to another user now.
                self.exchange(access, &again, request, options).await
            }
            outcome => outcome,
        }
    }

    async fn exchange(
        &self,
        access: &Access,
        auth: &RpcAuth,
        request: Request<'_>,
        options: RequestOptions,
    ) -> Result<Value, Error> {
        let (transport, database) = (&self.endpoint.transport, &self.endpoint.database);
        let (rpc, context) = match request {
            Request::Rpc(rpc, context) => (rpc, context),
            Request::SessionInfo => {
                let RpcAuth::Session(id) = auth else { return Err(Error::SessionExpired) };
                let answer = session::info(transport, database, id, options).await?;
                self.keep_rotated(access, auth, &answer).await;
                return answer.result;
            }
        };
        let outcome = match auth {
            RpcAuth::Session(id) => {
                let answer = session::call(transport, database, id, rpc, context, options).await?;
                self.keep_rotated(access, auth, &answer).await;
                answer.result
            }
            RpcAuth::JsonRpc(user) => json_rpc::call(transport, database, user, rpc, context, options).await,
            RpcAuth::XmlRpc(user) => xml_rpc::call(transport, database, user, rpc, context, options).await,
            RpcAuth::Json2(key) => json2::call(transport, database, key, rpc, context, options).await,
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

    /// Makes the RPC with positional arguments, for a method whose last override names its arguments otherwise: by JSON-RPC,
    /// which also takes API keys (Odoo 19 to 21). None where JSON-RPC is not available, so that the first refusal stands.
    pub(in crate::odoo) async fn call_by_position(
        &self,
        access: &Access,
        uid: i64,
        rpc: &Rpc,
        context: &Map<String, Value>,
        options: RequestOptions,
    ) -> Option<Result<Value, Error>> {
        let (Credential::Key(key) | Credential::LoginKey { key, .. }) = &access.credential else { return None };
        if self.endpoint.choice != ProtocolChoice::Auto {
            return None;
        }
        let auth = RpcAuth::JsonRpc(ServiceUser { uid, secret: key.clone() });
        match self.exchange(access, &auth, Request::Rpc(rpc, context), options).await {
            Err(Error::NoSuchDatabase(_) | Error::TurnedAway { .. }) => None,
            outcome => Some(outcome),
        }
    }

    /// Keeps the new cookie of a session that Odoo rotated: a caller's own for its answer, that of a login here, unless there
    /// has been another login meanwhile. The cookie that comes with an expired session belongs to an empty one (Odoo 14) and
    /// is dropped.
    async fn keep_rotated(&self, access: &Access, auth: &RpcAuth, answer: &session::Answer) {
        let Some(cookie) = &answer.rotated else { return };
        if matches!(answer.result, Err(Error::SessionExpired)) {
            return;
        }
        if access.credential.login().is_none() {
            access.rotated.replace(Some(cookie.clone()));
            return;
        }
        let fingerprint = access.credential.fingerprint();
        let is_current = self.logins.get(&fingerprint).await.is_some_and(|known| known.is_same_as(auth));
        if let Some(id) = session::session_id(cookie).filter(|_| is_current) {
            self.logins.insert(fingerprint, RpcAuth::Session(id)).await;
        }
    }
}
