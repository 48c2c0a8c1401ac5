//! Whom a request comes from, and to which trace it belongs.
//!
//! What a header says of that counts only where a trusted proxy has sent it: anybody can write one.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use crate::odoo::TraceParent;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request that a trusted proxy has sent.
#[derive(Debug, Clone, Copy)]
struct Proxied;

/// Notes whether a trusted proxy has sent a request.
pub(in crate::http) fn note<B>(request: &mut http::Request<B>, peer: IpAddr, trusted: &[IpNet]) {
    if is_trusted(peer, trusted) {
        request.extensions_mut().insert(Proxied);
    }
}

/// Whether this address is a proxy that is believed.
pub(in crate::http) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|range| range.contains(&address))
}

/// Scheme, host and port at which a sender reached the gateway, as far as the request tells. The word of a trusted
/// proxy counts: the first of several, which is what the sender has called. `is_tls` is that of the gateway's own listener.
pub(in crate::http) fn origin(head: &http::request::Parts, is_tls: bool) -> String {
    let is_proxied = head.extensions.get::<Proxied>().is_some();
    let of_proxy = |name: &HeaderName, parameter: &str| {
        let value = head.headers.get(name).filter(|_| is_proxied)?.to_str().ok()?.split(',').next()?.trim();
        let value = match *name == header::FORWARDED {
            true => {
                let mut pairs = value.split(';').filter_map(|pair| pair.split_once('='));
                pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(parameter))?.1.trim().trim_matches('"')
            }
            false => value,
        };
        Some(value).filter(|value| !value.is_empty())
    };
    let named = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = || head.uri.authority().map(http::uri::Authority::as_str).or(named).unwrap_or_default();
    let host = of_proxy(&FORWARDED_HOST, "").or_else(|| of_proxy(&header::FORWARDED, "host")).unwrap_or_else(own);
    let scheme = of_proxy(&FORWARDED_PROTO, "").or_else(|| of_proxy(&header::FORWARDED, "proto"));
    format!("{}://{host}", scheme.unwrap_or(if is_tls { "https" } else { "http" }))
}

/// Who has sent a request that came from `peer`: the last one named that is no trusted proxy itself.
pub(in crate::http) fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    if !is_trusted(client, trusted) {
        return client;
    }
    let named = if headers.contains_key(FORWARDED_FOR) {
        headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).flat_map(forwarded_for).collect()
    } else {
        headers
            .get_all(header::FORWARDED)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(forwarded)
            .collect::<Vec<_>>()
    };
    // From the nearest back; behind one that is not trusted, everything may be invented.
    for named in named.into_iter().rev() {
        let Some(named) = named else { break };
        client = named.to_canonical();
        if !is_trusted(client, trusted) {
            break;
        }
    }
    client
}

fn forwarded_for(value: &str) -> impl Iterator<Item = Option<IpAddr>> {
    value.split(',').map(node)
}

/// The `for` of each element (RFC 7239, section 4).
fn forwarded(value: &str) -> impl Iterator<Item = Option<IpAddr>> {
    value.split(',').map(|element| {
        let parameters = element.split(';').filter_map(|parameter| parameter.split_once('='));
        let (_, node_name) = parameters.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
        node(node_name)
    })
}

/// An address, with or without a port; one of IPv6 in brackets, where a port follows (RFC 7239, section 6).
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']')?.0.parse().ok();
    }
    text.parse().ok().or_else(|| text.split_once(':')?.0.parse().ok())
}

/// Only of the form that every version shares (W3C Trace Context, section 3.2): what goes out in our requests is no free
/// text of the caller's.
pub(in crate::http) fn traceparent(headers: &HeaderMap) -> Option<TraceParent> {
    headers.get(TRACEPARENT).and_then(|value| TraceParent::read(value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use crate::http::request::origin::*;

    #[track_caller]
    fn check(peer: &str, headers: &[(&'static str, &str)], expected: &str) {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].iter().map(|range| range.parse().unwrap()).collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let expected: IpAddr = expected.parse().unwrap();
        assert_eq!(address(peer.parse().unwrap(), &map, &trusted), expected, "{headers:?}");
    }

    #[test]
    fn what_a_sender_calls_is_said_by_a_trusted_proxy_else_by_the_request() {
        let own = [("host", "10.0.0.9:8080")];
        let forwarded = [("x-forwarded-host", "hooks.example.com"), ("x-forwarded-proto", "https")];
        let several = [("x-forwarded-host", "hooks.example.com, inner"), ("x-forwarded-proto", "https, http")];
        let standard = [("forwarded", "for=1.1.1.1;host=\"hooks.example.com\";proto=https, host=inner")];
        for (headers, is_proxied, is_tls, expected) in [
            (&own[..0], true, true, "https://10.0.0.9:8080"),
            (&own[..0], false, false, "http://10.0.0.9:8080"),
            (&forwarded, true, false, "https://hooks.example.com"),
            (&forwarded, false, true, "https://10.0.0.9:8080"),
            (&forwarded[1..], true, false, "https://10.0.0.9:8080"),
            (&several, true, false, "https://hooks.example.com"),
            (&standard, true, false, "https://hooks.example.com"),
            (&standard, false, false, "http://10.0.0.9:8080"),
        ] {
            let mut request = http::Request::builder().uri("/hooks/x");
            for (name, value) in own.iter().chain(headers) {
                request = request.header(*name, *value);
            }
            let mut request = request.body(()).unwrap();
            let peer = IpAddr::from([10, 0, 0, if is_proxied { 1 } else { 2 }]);
            note(&mut request, peer, &["10.0.0.1/32".parse().unwrap()]);
            assert_eq!(origin(&request.into_parts().0, is_tls), expected, "{headers:?} {is_proxied} {is_tls}");
        }
    }

    #[test]
    fn a_stranger_is_who_it_is_whatever_it_says() {
        check("203.0.113.7", &[("x-forwarded-for", "198.51.100.1")], "203.0.113.7");
        check("203.0.113.7", &[("forwarded", "for=198.51.100.1")], "203.0.113.7");
    }

    #[test]
    fn a_trusted_proxy_is_believed_as_far_as_it_can_know() {
        check("10.0.0.1", &[("x-forwarded-for", "198.51.100.1")], "198.51.100.1");
        check("::ffff:10.0.0.1", &[("x-forwarded-for", "198.51.100.1")], "198.51.100.1");
        check("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, 198.51.100.1, 10.9.9.9")], "198.51.100.1");
        check("10.0.0.1", &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.2")], "198.51.100.2");
        check("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, unknown")], "10.0.0.1");
        check("10.0.0.1", &[("forwarded", "for=1.1.1.1, for=\"[2001:db8::1]:4711\";proto=https")], "2001:db8::1");
        check("10.0.0.1", &[("forwarded", "for=198.51.100.1:80;by=10.0.0.2")], "198.51.100.1");
        check("fd00::1", &[], "fd00::1");
    }
}
