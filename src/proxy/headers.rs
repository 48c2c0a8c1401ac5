//! The headers of what is passed on: what belongs to one connection stays there, and who is who is said by the gateway.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header, uri};

use crate::odoo::PublicAddress;

/// Headers that belong to one connection (RFC 9110, section 7.6.1). `Trailer` belongs to the message.
const OF_CONNECTION: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
];

/// What a caller could choose a database by, or tell an Odoo in proxy mode that it is somebody else or called by another
/// name; what hyper sets by itself; and what has been done already by reading the body.
const NOT_SENT: [HeaderName; 6] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::FORWARDED,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-odoo-database"),
];

const VIA: HeaderValue = HeaderValue::from_static("1.1 odoo-gateway");
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Makes a caller's headers those that Odoo gets.
pub(super) fn to_odoo(headers: &mut HeaderMap) {
    let takes_trailers = lists(headers, &header::TE, "trailers");
    strip(headers);
    let is_ours = |name: &HeaderName| {
        // WSGI reads X_Forwarded_For as X-Forwarded-For.
        NOT_SENT.contains(name) || name.as_str().starts_with("x-forwarded-") || name.as_str().contains('_')
    };
    let ours: Vec<HeaderName> = headers.keys().filter(|name| is_ours(name)).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    if takes_trailers {
        // Of this connection now (RFC 9110, section 10.1.4).
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("TE"));
    }
    headers.append(header::VIA, VIA);
}

/// Makes Odoo's headers those that the caller gets.
pub(super) fn to_caller(headers: &mut HeaderMap, outside: &PublicAddress) {
    strip(headers);
    if let Some(location) = headers.get(header::LOCATION).and_then(|location| moved(location, outside)) {
        headers.insert(header::LOCATION, location);
    }
}

/// Whether the caller wants to go on with a websocket. Other protocols are not gone over to.
pub(super) fn wants_websocket(headers: &HeaderMap) -> bool {
    lists(headers, &header::CONNECTION, "upgrade") && lists(headers, &header::UPGRADE, "websocket")
}

/// Asks for a websocket, or says that there is one.
pub(super) fn switch_to_websocket(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, WEBSOCKET);
}

/// Whether a header, a list, has this word.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

/// Removes what belongs to the connection, and what `Connection` names besides.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in OF_CONNECTION.iter().chain(&named) {
        headers.remove(name);
    }
}

/// A redirect to Odoo's own host leads past the gateway; it must lead back to it. Old Odoos, and those not in proxy mode,
/// write redirects with the host and scheme that they believe to have.
fn moved(location: &HeaderValue, outside: &PublicAddress) -> Option<HeaderValue> {
    let to = Uri::try_from(location.as_bytes()).ok()?.into_parts();
    let authority = to.authority?;
    if authority != outside.inner && authority != outside.authority {
        return None;
    }
    let path = to.path_and_query.as_ref().map_or("/", uri::PathAndQuery::as_str);
    let to = if outside.is_public {
        format!("{}://{}{path}", outside.scheme, outside.authority)
    } else {
        format!("/{}", path.trim_start_matches('/'))
    };
    HeaderValue::try_from(to).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn outside(public: Option<&str>) -> PublicAddress {
        PublicAddress::of(&"http://10.0.0.5:8069".parse().unwrap(), public.map(|url| url.parse().unwrap()).as_ref())
            .unwrap()
    }

    #[test]
    fn headers_of_one_connection_and_a_callers_forwarding_are_not_passed() {
        let mut all = headers(&[
            ("connection", "x-one, close"),
            ("x-one", "1"),
            ("x-forwarded-host", "evil"),
            ("x-forwarded-prefix", "/evil"),
            ("x_forwarded_for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1"),
            ("x-odoo-database", "other"),
            ("te", "gzip, trailers"),
            ("cookie", "a=b"),
        ]);
        to_odoo(&mut all);
        assert_eq!(
            all,
            headers(&[("cookie", "a=b"), ("te", "trailers"), ("connection", "TE"), ("via", "1.1 odoo-gateway")])
        );
    }

    #[test]
    fn a_redirect_to_odoo_leads_back_to_the_gateway() {
        let check = |public, from: &'static str, expected: &'static str| {
            let mut all = headers(&[("location", from)]);
            to_caller(&mut all, &outside(public));
            assert_eq!(all, headers(&[("location", expected)]), "{from}");
        };
        let public = Some("https://erp.example.com");
        check(public, "http://10.0.0.5:8069/web/login?a=b", "https://erp.example.com/web/login?a=b");
        check(public, "http://erp.example.com/web", "https://erp.example.com/web");
        check(public, "/web", "/web");
        check(public, "https://pay.example.net/", "https://pay.example.net/");
        check(None, "http://10.0.0.5:8069/web/login?a=b", "/web/login?a=b");
        check(None, "http://10.0.0.5:8069//evil.example.net/", "/evil.example.net/");
    }

    #[test]
    fn only_a_websocket_is_gone_over_to() {
        assert!(wants_websocket(&headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")])));
        assert!(!wants_websocket(&headers(&[("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c")])));
        assert!(!wants_websocket(&headers(&[("upgrade", "websocket")])));
    }
}
