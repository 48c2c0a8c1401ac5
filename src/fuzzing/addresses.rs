//! Targets for what says where a request comes from and goes to: paths, cookies, traces, forwarding headers, URLs, keys.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::percent_decode;
use reqwest::Url;

use super::{halves, text};
use crate::{
    call::fuzzing as call, config::UrlPattern, fetch, http::fuzzing as front, key_texts::mask_keys, odoo::TraceParent,
    telemetry, web::cookie, wire::Path,
};

/// A path: as Odoo reads it, and where it leads.
pub fn path(bytes: &[u8]) {
    let Ok(raw) = std::str::from_utf8(bytes) else { return };
    let decoded: Vec<u8> = percent_decode(bytes).collect();
    let segments: Vec<&[u8]> = decoded.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()).collect();
    if let Some(path) = Path::read(raw) {
        let read = path.as_str();
        assert!(read.starts_with('/') && !read.contains("//"), "{read:?}");
        assert!(!segments.iter().any(|segment| matches!(*segment, b"." | b"..")), "{read:?}");
        assert!(!read.contains(|c: char| c == '\\' || c.is_control()), "{read:?}");
        let own: Vec<String> = segments.iter().map(|segment| String::from_utf8_lossy(segment).into_owned()).collect();
        assert_eq!(read.split('/').filter(|segment| !segment.is_empty()).collect::<Vec<_>>(), own);
        // What is behind a language is a part of it.
        assert!(path.behind_language().is_none_or(|rest| read.ends_with(rest)));
    }
    // As Odoo routes it: at once, or behind a language.
    let behind = [0, 1].map(|skipped| segments.get(skipped..).unwrap_or_default());
    let is_closed = behind.iter().any(|rest| {
        let closed: [&[&[u8]]; 3] = [&[b"web", b"database"], &[b"xmlrpc", b"db"], &[b"xmlrpc", b"2", b"db"]];
        closed.iter().any(|closed| rest.starts_with(closed))
    });
    let is_call = behind.iter().any(|rest| *rest == [b"api".as_slice(), b"create_data".as_slice()]);
    assert!(!(front::is_passed_on(raw) && (is_closed || is_call)), "{raw:?} is passed on");
}

/// A `traceparent`.
pub fn traceparent(bytes: &[u8]) {
    if let Some(read) = TraceParent::read(bytes) {
        assert_eq!(read.as_str().as_bytes(), bytes);
        assert!(bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-')));
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(parent) = telemetry::read_parent(text)
    {
        assert!(parent.is_valid() && parent.is_remote());
    }
}

/// Cookies, a header a line, and the credentials beside them.
pub fn cookies(bytes: &[u8]) {
    let headers = headers(&text(bytes), &header::COOKIE);
    for name in ["session_id", "odoo_gateway"] {
        if let Some(value) = cookie::read(&headers, name) {
            assert!(!value.contains(';'), "{value:?}");
        }
    }
    call::credentials(&headers);
}

/// Who has sent a request that came through proxies: a header a line.
pub fn forwarded(bytes: &[u8]) {
    front::forwarded(&headers(&text(bytes), &HeaderName::from_static("x-forwarded-for")));
}

/// The headers of some lines, `name: value` each; a line without a name is one of `otherwise`.
fn headers(lines: &str, otherwise: &HeaderName) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.lines() {
        let named = line.split_once(": ").and_then(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value)));
        let (name, value) = named.unwrap_or_else(|| (otherwise.clone(), line));
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(name, value);
        }
    }
    headers
}

/// A pattern of URLs as the head, and a URL that a payload, a callback or a template names.
pub fn urls(bytes: &[u8]) {
    let (pattern, url) = halves(bytes);
    let pattern = text(pattern);
    let Ok(url) = Url::parse(&text(url)) else { return };
    if UrlPattern::read(&pattern).is_ok_and(|pattern| pattern.matches(&url)) {
        let own = Url::parse(&pattern.replacen("://*.", "://", 1)).expect("a pattern without its `*.`");
        let (host, own_host) = (url.host_str().unwrap_or_default(), own.host_str().unwrap_or_default());
        let is_below = pattern.contains("://*.") && host.ends_with(&format!(".{own_host}"));
        assert!(host == own_host || is_below, "{pattern} takes {url}");
        assert_eq!((url.scheme(), url.port_or_known_default()), (own.scheme(), own.port_or_known_default()));
    }
    let literal = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    if let Some(address) = literal.map(|address| address.to_canonical()) {
        let is_inner = address.is_loopback()
            || address.is_unspecified()
            || address.is_multicast()
            || match address {
                IpAddr::V4(address) => address.is_private() || address.is_link_local() || address.is_broadcast(),
                IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
            };
        assert!(!is_inner || !fetch::is_reachable(&url, &[]), "{url}");
    }
    let _ = fetch::host(&url);
}

/// A text in which keys are masked.
pub fn masked_keys(bytes: &[u8]) {
    let text = text(bytes);
    let masked = mask_keys(&text);
    assert_eq!(mask_keys(&masked), masked, "{text:?}");
}
