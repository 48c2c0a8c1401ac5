//! What fuzz targets feed of a request's head. What must hold: no way of writing a path leads to what is closed, and no header of a
//! stranger says who a request comes from.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by panicking")]

use std::{net::IpAddr, path::Path, sync::LazyLock};

use http::{HeaderMap, Method};
use ipnet::IpNet;

use super::request::{
    destination::{self, Destination},
    origin::{address, is_trusted, note, origin, traceparent},
};
use crate::{
    config::{Config, Proxy},
    hook::Hooks,
};

static ALL: LazyLock<Proxy> = LazyLock::new(|| {
    let text = "[upstream]\nurl = \"http://odoo:8069\"\ndatabase = \"shop\"\npublic_url = \"http://shop.example.com\"\n\
                [proxy]\npass = \"all\"\n";
    Config::parse(text, Path::new("gateway.toml")).unwrap().proxy
});

/// Whether a path is passed on where all of Odoo is.
pub(crate) fn is_passed_on(raw: &str) -> bool {
    let hooks = Hooks::default();
    [Method::GET, Method::POST, Method::PUT]
        .iter()
        .any(|method| matches!(destination::of(method, raw, &ALL, &hooks), Ok(Destination::Passed(_))))
}

pub(crate) fn forwarded(headers: &HeaderMap) {
    let (proxy, stranger): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [203, 0, 113, 7].into());
    let trusted: [IpNet; 1] = ["10.0.0.0/8".parse().unwrap()];
    assert_eq!(address(stranger, headers, &trusted), stranger);
    let named = address(proxy, headers, &trusted);
    assert!(!is_trusted(named, &trusted) || is_trusted(proxy, &trusted));
    let mut request = http::Request::builder().uri("/x").body(()).unwrap();
    *request.headers_mut() = headers.clone();
    let (own, _) = request.clone().into_parts();
    assert!(origin(&own, true).starts_with("https://"), "a stranger says it came in plain text");
    note(&mut request, proxy, &trusted);
    let _ = origin(&request.into_parts().0, false);
    let _ = traceparent(headers);
}
