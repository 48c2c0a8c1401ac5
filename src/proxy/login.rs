//! Logins that pass through: into the configured database only, told for what they are, and no more wrong ones than Odoo can
//! take before it refuses the right ones too (`odoo/auth/failed_login_budget`).

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use bytesize::ByteSize;
use http::{StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use percent_encoding::percent_decode;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{self, Instant};

use super::{flowing::Flowing, words};
use crate::{
    call::Error,
    limits::{LoginAttempt, LoginThrottle, network},
    odoo::{BudgetedLogin, Credential, Effect, Error as OdooError, Odoo, Why},
    wire::{BodyError, Path, Response},
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
    attempt: Option<LoginAttempt>,
    tried: Option<BudgetedLogin>,
}

/// A login by Odoo's own page, which a browser sends as a form: Odoo answers a right one with a redirect, a wrong one with the
/// page (14-19).
pub(super) struct Form {
    tried: BudgetedLogin,
}

/// Whether a path is that of Odoo's login page, or of the second factor behind it: wrong codes count there too.
pub(super) fn is_form(path: &Path) -> bool {
    path.is("/web/login") || path.is("/web/login/totp")
}

impl Form {
    /// The login and password of a form are known again where they have been right before.
    pub(super) async fn check(
        body: &[u8],
        odoo: &Odoo,
        address: Option<IpAddr>,
        patience: Duration,
    ) -> Result<Self, Error> {
        let field = |name: &str| {
            let mut pairs = body.split(|byte| *byte == b'&');
            let value = pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
            let value: Vec<u8> = value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
            Some(percent_decode(&value).decode_utf8_lossy().into_owned())
        };
        let credential = match (field("login"), field("password")) {
            (Some(login), Some(password)) if body.len() <= MAX_BODY => {
                Some(Credential::Password { login, password: password.into() }.fingerprint())
            }
            _ => None,
        };
        Ok(Self { tried: odoo.failed_logins().begin(address, credential, Instant::now() + patience).await? })
    }

    pub(super) async fn read_status(self, status: StatusCode) {
        match status.as_u16() {
            300..=399 => self.tried.was_right().await,
            200 => self.tried.was_wrong().await,
            _ => {}
        }
    }
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
        attempts: &LoginThrottle,
        address: Option<IpAddr>,
        patience: Duration,
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
        let mut login =
            Self { login: text(&params.login), password: text(&params.password).into(), attempt: None, tried: None };
        let credential = login.credential();
        if let Some(refusal) = odoo.refusal(&credential).await {
            return Err(refusal.into());
        }
        if let Some(address) = address {
            login.attempt = Some(attempts.begin(network(address), credential.fingerprint()).await?);
        }
        let until = Instant::now() + patience;
        login.tried = Some(odoo.failed_logins().begin(address, Some(credential.fingerprint()), until).await?);
        Ok(login)
    }

    /// Odoo answers a right password of an account with two-factor authentication as if all were well, but with no user in
    /// it (14-19), and every later call with a session that has expired. Better to say now what to do instead. A wrong one is
    /// remembered, as those of other callers are.
    pub(super) async fn read_answer(
        mut self,
        response: http::Response<Flowing>,
        odoo: &Odoo,
        patience: Duration,
    ) -> Result<Response, Error> {
        let (head, body) = response.into_parts();
        let lost = |why| OdooError::NoAnswer { effect: Effect::Read, why };
        let body = time::timeout(patience, Limited::new(body, MAX_ANSWER).collect()).await;
        let body = body.map_err(|_| lost(Why::TimedOut(patience)))?;
        let body = body.map_err(|error| lost(Why::Broken(words(&*error))))?.to_bytes();
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let data = &answer["error"]["data"];
        let is_denied = data["name"] == "odoo.exceptions.AccessDenied";
        let is_wrong = is_denied && data["message"] == "Access Denied";
        match self.tried.take() {
            Some(tried) if is_wrong => tried.was_wrong().await,
            Some(tried) if is_denied => tried.was_held(),
            Some(tried) if head.status == StatusCode::OK && answer["result"].is_object() => tried.was_right().await,
            _ => {}
        }
        if head.status == StatusCode::OK && answer["result"].is_object() && answer["result"]["uid"].is_null() {
            let refusal = OdooError::SecondFactor { login: self.login.clone() };
            odoo.note_refusal(&self.credential(), &refusal).await;
            return Err(refusal.into());
        }
        if let Some(uid) = answer["result"]["uid"].as_i64() {
            // Its owner has a turn of its own from here on.
            let cookies = head.headers.get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
            let ids = cookies.filter_map(|line| line.strip_prefix("session_id=")?.split(';').next());
            for id in ids {
                odoo.note_accepted(Credential::Session(id.into()).fingerprint(), uid).await;
            }
        }
        if is_wrong {
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
