//! What the head of a request must be before anything is made of it.

use http::{HeaderMap, Request, Version, header, uri::Authority};

use super::destination::Refusal;
use crate::config::Limits;

/// Refuses what servers read in different ways, and what is longer than may be.
pub(in crate::http) fn check<B>(request: &Request<B>, limits: &Limits) -> Result<(), Refusal> {
    let length = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if length as u64 > limits.url_length.as_u64() {
        return Err(Refusal::UrlTooLong(limits.url_length));
    }
    if !has_one_host(request) {
        return Err(Refusal::Host);
    }
    if !is_framed_once(request.headers()) {
        return Err(Refusal::Framing);
    }
    Ok(())
}

/// RFC 9112, section 3.2: HTTP/1.1 has one `Host`, of its form. HTTP/2 has it in the URI (RFC 9113, section 8.3.1), and may
/// have both, alike.
fn has_one_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let host = match (first, second) {
        (None, _) => return request.version() == Version::HTTP_10 || request.uri().authority().is_some(),
        (Some(host), None) => host,
        (Some(_), Some(_)) => return false,
    };
    let Ok(host) = Authority::try_from(host.as_bytes()) else { return false };
    // Credentials before a host are an old way to mislead, and a port beyond 65535 is read differently by everybody.
    let has_port = host.as_str().rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && !port.ends_with(']'));
    if host.as_str().contains('@') || (has_port && host.port_u16().is_none()) {
        return false;
    }
    request.version() != Version::HTTP_2 || request.uri().authority().is_none_or(|authority| *authority == host)
}

/// RFC 9112, section 6.3: a length beside a transfer coding is how requests are smuggled. hyper reads such a request by its
/// coding, and we would send it on with one framing; but somebody before us may have read it by its length.
fn is_framed_once(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        // Another coding before it would be that of a body which the gateway does not decode.
        (Some(coding), None) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked") && !headers.contains_key(header::CONTENT_LENGTH)
        }
        (Some(_), Some(_)) => false,
    }
}
