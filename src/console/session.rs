//! Sessions: who is signed in.
//!
//! A session is in memory alone and ends with the process, after [`crate::config::Console::idle`] without a request, when its
//! person signs out, and when the [[console.user]] behind it is gone from the configuration or has another token or role. The
//! browser has a random number, the gateway its hash.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use moka::future::Cache;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::Console;
use crate::{
    config::{ConsoleToken, ConsoleUser, LEAST_TOKEN, Role},
    current::Current,
};

/// The cookie that has the session's number.
pub(super) const COOKIE: &str = "odoo-gateway-console";
/// The most sessions at a time; the ones that were idle for longest go first.
const MOST: u64 = 1000;
const NUMBER_BYTES: usize = 32;

#[derive(Debug, Clone)]
pub(super) struct Sessions(Cache<[u8; 32], Arc<Session>>);

/// A person who is signed in.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) proof: Proof,
    /// What a form must send back.
    pub(super) csrf: String,
    /// The person has signed out.
    ended: CancellationToken,
}

/// How a person was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// By the token beside the log, which changes with each start.
    Posted,
    /// By the token of a [[console.user]].
    User(ConsoleUser),
    /// The browser is on this machine, and `[console] loopback` is set.
    Loopback,
}

impl Proof {
    /// As it stands in records of what was done.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Posted => "operator",
            Self::User(user) => &user.name,
            Self::Loopback => "loopback",
        }
    }

    pub(super) fn role(&self) -> Role {
        match self {
            Self::Posted | Self::Loopback => Role::Operator,
            Self::User(user) => user.role,
        }
    }
}

impl Sessions {
    pub(super) fn new(idle: Duration) -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_idle(idle).build())
    }

    /// Signs a person in. The number for the cookie; none where this system gives no random numbers.
    pub(super) async fn begin(&self, proof: Proof) -> Option<(String, Arc<Session>)> {
        let (number, csrf) = (random()?, random()?);
        let session = Arc::new(Session { proof, csrf, ended: CancellationToken::new() });
        self.0.insert(digest(&number), session.clone()).await;
        Some((number, session))
    }

    pub(super) async fn get(&self, number: &str) -> Option<Arc<Session>> {
        self.0.get(&digest(number)).await
    }

    pub(super) async fn end(&self, number: &str) {
        if let Some(session) = self.0.remove(&digest(number)).await {
            session.ended.cancel();
        }
    }
}

/// The session of a page that stays open.
#[derive(Debug)]
pub(super) struct SignedIn {
    sessions: Sessions,
    session: Arc<Session>,
    current: Arc<Current>,
}

impl SignedIn {
    pub(super) fn new(console: &Console, session: Arc<Session>) -> Self {
        Self { sessions: console.sessions.clone(), session, current: console.current.clone() }
    }

    /// Returns when the person signs out; other ends of a session are seen by [`Self::is_still`] alone.
    pub(super) async fn signed_out(&self) {
        self.session.ended.cancelled().await;
    }

    /// Whether the person is signed in still. A page that is only watched does not keep a session from ending.
    pub(super) fn is_still(&self) -> bool {
        let is_known = match &self.session.proof {
            Proof::User(user) => self.current.site().calls.config.console.users.contains(user),
            Proof::Posted | Proof::Loopback => true,
        };
        is_known && self.sessions.0.iter().any(|(_, session)| Arc::ptr_eq(&session, &self.session))
    }
}

impl Session {
    /// Compares in constant time.
    pub(super) fn has_csrf(&self, shown: &str) -> bool {
        verify_slices_are_equal(shown.as_bytes(), self.csrf.as_bytes()).is_ok()
    }
}

/// The user whose token is shown. Hashes are compared, so that the time reveals nothing.
pub(super) fn user_of<'u>(users: &'u [ConsoleUser], shown: &str) -> Option<&'u ConsoleUser> {
    users.iter().find(|user| match &user.token {
        ConsoleToken::Sha256(token) => digest(shown) == *token,
        ConsoleToken::File(file) => std::fs::read_to_string(file).is_ok_and(|token| {
            let token = token.trim();
            token.len() >= LEAST_TOKEN && digest(token) == digest(shown)
        }),
    })
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

pub(super) fn random() -> Option<String> {
    let mut bytes = [0; NUMBER_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(const_hex::encode(bytes))
}
