//! The two addresses that the gateway listens on: free ones.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context;

use super::{
    ask::{Ask, Question},
    warn,
};

/// So many ports after the usual one are tried.
const NEXT: u16 = 100;

/// One of the two.
pub(super) struct Listener {
    question: Question<'static>,
    usual: u16,
}

pub(super) const SERVER: Listener = Listener {
    question: Question {
        flag: "--listen",
        words: "The port for callers:",
        help: "on this machine alone; 0.0.0.0:8080 is for callers from other machines",
    },
    usual: 8080,
};
pub(super) const ADMIN: Listener = Listener {
    question: Question {
        flag: "--admin",
        words: "The port for health, metrics and the console:",
        help: "on this machine alone; never a public address",
    },
    usual: 8081,
};

/// The address that is given, that a person chooses, or the first free one.
///
/// # Errors
/// It is no address, or the person stops.
pub(super) fn find(
    ask: &Ask,
    listener: &Listener,
    given: Option<&str>,
    other: Option<SocketAddr>,
) -> anyhow::Result<SocketAddr> {
    if let Some(text) = given {
        let address = read(text).with_context(|| format!("{} {text}", listener.question.flag))?;
        warn_if_taken(address);
        return Ok(address);
    }
    let free = first_free(listener.usual, other);
    if free.port() != listener.usual && other.is_none_or(|other| other.port() != listener.usual) {
        warn(&format!("port {} is in use; {} is free", listener.usual, free.port()));
    }
    if *ask == Ask::Nobody {
        return Ok(free);
    }
    let chosen = ask.text(listener.question, Some(&free.port().to_string()))?;
    let address = read(&chosen)?;
    if address != free {
        warn_if_taken(address);
    }
    Ok(address)
}

/// `8080`, or `0.0.0.0:8080`.
fn read(text: &str) -> anyhow::Result<SocketAddr> {
    let port = text.trim().parse::<u16>().map(here);
    let address = port.or_else(|_| text.trim().parse());
    address.with_context(|| format!("`{text}` is neither a port such as 8080 nor an address such as 0.0.0.0:8080"))
}

fn here(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn first_free(usual: u16, other: Option<SocketAddr>) -> SocketAddr {
    let mut ports = (usual..usual.saturating_add(NEXT)).map(here);
    let is_other = |address: SocketAddr| other.is_some_and(|other| other.port() == address.port());
    ports.find(|address| !is_other(*address) && is_free(*address)).unwrap_or_else(|| here(usual))
}

fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

fn warn_if_taken(address: SocketAddr) {
    if let Err(error) = TcpListener::bind(address) {
        warn(&format!("{address} cannot be listened on now: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_passed_over() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let free = first_free(port, None);
        assert!(free.port() > port);
        assert!(first_free(port, Some(free)).port() > free.port());
    }

    #[test]
    fn a_port_alone_is_one_of_this_machine() {
        assert_eq!(read(" 8080 ").unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(read("0.0.0.0:80").unwrap().to_string(), "0.0.0.0:80");
        assert!(read("eighty").unwrap_err().to_string().contains("neither a port such as 8080"));
    }
}
