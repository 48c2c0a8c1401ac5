//! What fuzz targets feed of credentials. What must hold: nobody is a client who has shown no key of it, and no text that is shown
//! gets into an error.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by panicking")]

use http::HeaderMap;

pub(crate) use super::signature::fuzzing::{signature, signed};
use super::{
    clients::Clients,
    headers::{Shown, session_of, shown},
};

pub(crate) fn credentials(headers: &HeaderMap) {
    let clients = Clients::load(&[]).unwrap();
    match shown(headers, &clients) {
        Ok(Shown::Own(credential)) => assert!(!format!("{credential:?}").is_empty()),
        Ok(_) => panic!("a client, where there is none"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let _ = session_of(headers);
}
