//! A visit: one request of a person who is signed in, as pages see it.

use std::{net::IpAddr, sync::Arc};

use http::{Method, StatusCode};

use super::{
    Console,
    session::{Session, SignedIn},
};
use crate::{
    config::{Config, Role},
    http::Site,
    log::{self, Operator},
    operations::calls::Calls,
    web::{Form, Frame, Link, Person, Problem},
};

/// What a page answers, or why there is none.
pub(super) type Shown = Result<crate::wire::Response, Problem>;

pub(super) struct Visit<'v> {
    pub(super) console: &'v Console,
    pub(super) site: Arc<Site>,
    pub(super) session: Arc<Session>,
    pub(super) peer: IpAddr,
    pub(super) method: Method,
    /// The decoded segments of the path.
    pub(super) path: Vec<String>,
    pub(super) query: Form,
    /// What was sent, of a POST. Its `csrf` has been checked.
    pub(super) form: Form,
}

/// The pages of the bar on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Calls,
    Queue,
    Clients,
    Hooks,
    Docs,
}

impl Place {
    const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::Overview, "/", "Overview"),
        (Self::Calls, "/calls", "Calls"),
        (Self::Queue, "/queue", "Queue"),
        (Self::Clients, "/clients", "Clients"),
        (Self::Hooks, "/hooks", "Hooks"),
        (Self::Docs, "/docs", "API"),
    ];
}

impl Visit<'_> {
    pub(super) fn config(&self) -> &Config {
        &self.site.calls.config
    }

    /// Who does what is done, as records have it.
    pub(super) fn who(&self) -> &str {
        self.session.proof.name()
    }

    pub(super) fn is_operator(&self) -> bool {
        self.session.proof.role() >= Role::Operator
    }

    /// The same with role and address.
    pub(super) fn operator(&self) -> Operator {
        let role = Some(self.session.proof.role().name().into());
        Operator { by: self.who().to_owned(), role, address: Some(self.peer) }
    }

    /// The calls of the log.
    ///
    /// # Errors
    /// The log's folder cannot be read.
    pub(super) fn calls(&self) -> Result<Calls, Problem> {
        Calls::open(&self.config().log.directory).map_err(unreadable)
    }

    /// Whether the person is signed in still, for a page that stays open.
    pub(super) fn signed_in(&self) -> SignedIn {
        SignedIn::new(self.console, self.session.clone())
    }

    /// The frame of a page.
    pub(super) fn frame(&self, title: impl Into<String>, here: Place) -> Frame {
        let links =
            Place::ALL.map(|(place, path, label)| Link { path, label, is_here: place == here }).into_iter().collect();
        let person = Person {
            name: self.who().to_owned(),
            role: self.session.proof.role().name(),
            csrf: self.session.csrf.clone(),
        };
        Frame { links, person: Some(person), ..Frame::titled(title) }
    }
}

/// The log cannot be read.
pub(super) fn unreadable(error: log::Error) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The log cannot be read", error.to_string())
}

/// There is no such page.
pub(super) fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "Not found", "There is no such page.")
}
