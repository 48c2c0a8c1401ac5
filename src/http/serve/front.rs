//! What stands behind a listener: the public one and the admin listener have one each.

use std::{net::IpAddr, sync::Arc};

use hyper::body::Incoming;
use ipnet::IpNet;
use rustls::ServerConfig;

use crate::{config::Limits, errors::Code, limits::Exceeded, wire::Response};

/// What stands behind a listener.
pub trait Front: Clone + Send + Sync + 'static {
    /// What holds for a connection that is made now.
    fn rules(&self) -> Rules;

    /// Answers a request.
    fn answer(&self, peer: IpAddr, request: http::Request<Incoming>) -> impl Future<Output = Response> + Send;

    /// Notes a request that is not HTTP, or larger than a limit. hyper has answered it.
    fn note_malformed(&self, peer: IpAddr, malformed: Malformed) -> impl Future<Output = ()> + Send;

    /// Notes a connection that was closed because of a limit.
    fn note_turned_away(&self, peer: IpAddr, why: Exceeded);
}

/// What holds for a connection, from its beginning to its end.
#[derive(Debug, Clone)]
pub struct Rules {
    pub tls: Option<Arc<ServerConfig>>,
    pub limits: Limits,
    pub trusted: Vec<IpNet>,
}

/// A head that could not be read, as hyper has answered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    NotHttp,
    HeadTooLarge,
}

impl Malformed {
    /// For the log alone: hyper's answer has no body.
    pub fn code(self) -> Code {
        match self {
            Self::NotHttp => Code::InvalidHttp,
            Self::HeadTooLarge => Code::HeadTooLarge,
        }
    }
}
