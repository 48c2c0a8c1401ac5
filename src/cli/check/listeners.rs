//! `check`: whether the gateway can listen where the configuration says, by the function that `serve` listens with.

use std::{io::ErrorKind, net::SocketAddr};

use super::finding::Finding;
use crate::{config::Config, http::serve::server::Server};

const AREA: &str = "listen";

/// Both listeners at once, since they must not be at one place. Those of the gateway that runs with this log are its own.
pub(super) async fn findings(config: &Config, runs: bool) -> Vec<Finding> {
    let public = Server::bind(config.server.listen).await;
    let private = Server::bind(config.admin.listen).await;
    vec![
        finding("[server]", config.server.listen, &public, runs),
        finding("[admin]", config.admin.listen, &private, runs),
    ]
}

fn finding(section: &str, address: SocketAddr, bound: &std::io::Result<Server>, runs: bool) -> Finding {
    match bound {
        Ok(_) => Finding::ok(AREA, format!("{address} is free ({section} listen)")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && runs => {
            Finding::ok(AREA, format!("{address} is in use by the running gateway ({section} listen)"))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let port = address.port();
            Finding::failure(
                AREA,
                format!("{address} is in use by another program ({section} listen)"),
                format!(
                    "`ss -ltnp 'sport = :{port}'` shows which; stop it, or set another {section} listen (a socket that systemd holds for the gateway is right)"
                ),
            )
        }
        Err(error) => Finding::failure(
            AREA,
            format!("cannot listen on {address} ({section} listen): {error}"),
            format!("set {section} listen to an address of this machine and a port that its user may use"),
        ),
    }
}
