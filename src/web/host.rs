//! The `Host` that a request names, held against DNS rebinding: a page of another site whose name was made to point at this
//! machine has its own name in `Host`, and no number.

use std::net::IpAddr;

use http::{HeaderMap, header, uri::Authority};

/// The name in `Host` (or in an absolute target), without the port; none where it is missing or broken.
fn named(headers: &HeaderMap, target: &http::Uri) -> Option<String> {
    let authority = match target.authority() {
        Some(authority) => authority.clone(),
        None => headers.get(header::HOST)?.to_str().ok()?.parse::<Authority>().ok()?,
    };
    let host = authority.host().trim_matches(['[', ']']).trim_end_matches('.');
    Some(host.to_ascii_lowercase())
}

/// Whether the request names this machine by an address, as `localhost`, or by one of these names.
pub fn is_known(headers: &HeaderMap, target: &http::Uri, names: &[String]) -> bool {
    named(headers, target).is_some_and(|host| {
        host.parse::<IpAddr>().is_ok()
            || host == "localhost"
            || names.iter().any(|name| name.eq_ignore_ascii_case(&host))
    })
}

/// Whether the request names the loopback interface, and no proxy says that it forwards for another machine.
pub fn is_loopback(headers: &HeaderMap, target: &http::Uri) -> bool {
    let is_forwarded =
        ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name));
    let is_named = named(headers, target)
        .is_some_and(|host| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()));
    is_named && !is_forwarded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::HOST, value.parse().unwrap())])
    }

    #[test]
    fn a_name_that_is_not_configured_is_refused_and_an_address_is_not() {
        let root = http::Uri::from_static("/");
        let names = ["Gateway.example.com".to_owned()];
        for known in ["127.0.0.1:8081", "[::1]:8081", "localhost", "10.1.2.3", "gateway.example.com:443", "LOCALHOST:1"]
        {
            assert!(is_known(&host(known), &root, &names), "{known}");
        }
        for unknown in
            ["evil.example", "gateway.example.com.evil.example", "127.0.0.1.evil.example", "", "localhost.evil"]
        {
            assert!(!is_known(&host(unknown), &root, &names), "{unknown}");
        }
        assert!(!is_known(&HeaderMap::new(), &root, &names));
        // An absolute target goes before `Host` (RFC 9112, section 3.2.2).
        assert!(!is_known(&host("localhost"), &http::Uri::from_static("http://evil.example/"), &names));
    }

    #[test]
    fn what_a_proxy_forwards_is_not_from_this_machine() {
        let root = http::Uri::from_static("/");
        assert!(is_loopback(&host("127.0.0.1:8081"), &root) && is_loopback(&host("[::1]:8081"), &root));
        assert!(!is_loopback(&host("10.1.2.3"), &root));
        let mut forwarded = host("localhost");
        forwarded.insert("x-forwarded-for", "10.1.2.3".parse().unwrap());
        assert!(!is_loopback(&forwarded, &root));
    }
}
