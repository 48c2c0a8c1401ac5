//! Logins that pass through: into the configured database only, and told for what they are.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use bytesize::ByteSize;
use http::StatusCode;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use tokio::time;

use super::words;
use crate::{
    api::{Attempt, Attempts, BodyError, Error},
    http::{Path, Response, network},
    odoo::{Credential, Effect, Error as OdooError, Odoo, Why},
};

/// Odoo answers a login with a few kilobytes.
const MAX_ANSWER: usize = 4 << 20;

/// A login is a few hundred bytes.
const MAX_BODY: usize = 64 << 10;

/// What is read of a login. A key that stands twice is refused: another reader may take the other one.
#[derive(Deserialize, Default)]
struct Body {
    #[serde(default)]
    params: Params,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Params {
    db: Value,
    login: Value,
    password: Value,
}

/// What a caller logs in with.
pub(super) struct Login {
    login: String,
    password: SecretString,
    attempt: Option<Attempt>,
}

/// Odoo takes its login route by any method, and with a slash behind it.
pub(super) fn is_login(path: &Path) -> bool {
    path.is("/web/session/authenticate")
}

impl Login {
    /// A session of another database would carry every later call there, past `[upstream] database`. A body that cannot be
    /// read here may mean something else to Odoo, so it is not passed on. Nor is a password that Odoo has just refused, nor one
    /// of many from the same address.
    pub(super) async fn check(
        body: &[u8],
        odoo: &Odoo,
        attempts: &Attempts,
        address: Option<IpAddr>,
    ) -> Result<Self, Error> {
        if body.len() > MAX_BODY {
            return Err(BodyError::TooLargeForLogin(ByteSize(MAX_BODY as u64)).into());
        }
        let Body { params } = serde_json::from_slice(body).map_err(|error| Error::NotJson(error.to_string()))?;
        if let Value::String(theirs) = &params.db
            && theirs != odoo.database()
        {
            return Err(OdooError::OtherDatabase { theirs: theirs.clone(), ours: odoo.database().to_owned() }.into());
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut login = Self { login: text(&params.login), password: text(&params.password).into(), attempt: None };
        let credential = login.credential();
        if let Some(refusal) = odoo.refusal(&credential).await {
            return Err(refusal.into());
        }
        if let Some(address) = address {
            login.attempt = Some(attempts.begin(network(address), credential.fingerprint()).await?);
        }
        Ok(login)
    }

    /// Odoo answers a right password of an account with two-factor authentication as if all were well, but with no user in
    /// it (14-19), and every later call with a session that has expired. Better to say now what to do instead. A wrong one is
    /// remembered, as those of other callers are.
    pub(super) async fn read_answer(
        mut self,
        response: http::Response<Incoming>,
        odoo: &Odoo,
        patience: Duration,
    ) -> Result<Response, Error> {
        let (head, body) = response.into_parts();
        let lost = |why| OdooError::NoAnswer { effect: Effect::Read, why };
        let body = time::timeout(patience, Limited::new(body, MAX_ANSWER).collect()).await;
        let body = body.map_err(|_| lost(Why::TimedOut(patience)))?;
        let body = body.map_err(|error| lost(Why::Broken(words(&*error))))?.to_bytes();
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if head.status == StatusCode::OK && answer["result"].is_object() && answer["result"]["uid"].is_null() {
            let refusal = OdooError::SecondFactor { login: self.login.clone() };
            odoo.note_refusal(&self.credential(), &refusal).await;
            return Err(refusal.into());
        }
        let data = &answer["error"]["data"];
        if data["name"] == "odoo.exceptions.AccessDenied" && data["message"] == "Access Denied" {
            let refusal = OdooError::WrongLogin { words: None };
            odoo.note_refusal(&self.credential(), &refusal).await;
            if let Some(attempt) = self.attempt.take() {
                attempt.was_wrong();
            }
        }
        Ok(http::Response::from_parts(head, Full::<Bytes>::new(body).map_err(|never| match never {}).boxed_unsync()))
    }

    fn credential(&self) -> Credential {
        Credential::Password { login: self.login.clone(), password: self.password.clone() }
    }
}
