//! Which Odoo credential a request carries.

use http::{HeaderMap, header};

use super::Error;
use crate::odoo::Credential;

const API_KEY: &str = "x-api-key";
const SESSION: &str = "session_id";

/// A key that was sent on purpose goes before a cookie, which clients send by themselves.
pub(super) fn credential(headers: &HeaderMap) -> Result<Credential, Error> {
    let mut tried = None;
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let value = value.to_str().map_err(|_| Error::UnreadableCredential(header::AUTHORIZATION))?;
        let (scheme, secret) = value.split_once(' ').unwrap_or((value, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            return match secret.trim() {
                "" => Err(Error::UnreadableCredential(header::AUTHORIZATION)),
                key => Ok(Credential::Key(key.into())),
            };
        }
        tried = Some(scheme.chars().filter(char::is_ascii_alphanumeric).take(20).collect());
    }
    if let Some(value) = headers.get(API_KEY) {
        return match value.to_str().map(str::trim) {
            Ok(key) if !key.is_empty() => Ok(Credential::Key(key.into())),
            _ => Err(Error::UnreadableCredential(header::HeaderName::from_static(API_KEY))),
        };
    }
    match session(headers) {
        Some(session) => Ok(Credential::Session(session.into())),
        None => Err(Error::NoCredentials { tried }),
    }
}

/// The body is declared as JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = declared.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.eq_ignore_ascii_case("application/json-rpc")
}

/// The `session_id` cookie, as a browser or an HTTP library sends it back.
fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    pairs.filter(|(name, _)| *name == SESSION).map(|(_, value)| value.trim_matches('"')).find(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use secrecy::ExposeSecret;

    use super::*;

    #[track_caller]
    fn check(headers: &[(&'static str, &'static str)], expected: &str) {
        let headers = headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let seen = match credential(&headers) {
            Ok(Credential::Key(key)) => format!("key {}", key.expose_secret()),
            Ok(Credential::Session(session)) => format!("session {}", session.expose_secret()),
            Err(error) => error.code().to_owned(),
        };
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_credential_is_found_in_each_of_its_three_places() {
        check(&[("authorization", "Bearer k1")], "key k1");
        check(&[("authorization", "bearer  k1 ")], "key k1");
        check(&[("x-api-key", "k2")], "key k2");
        check(&[("cookie", "lang=en; session_id=s3; x=y")], "session s3");
    }

    #[test]
    fn a_key_goes_before_a_cookie() {
        check(&[("cookie", "session_id=s"), ("x-api-key", "k")], "key k");
        check(&[("cookie", "session_id=s"), ("authorization", "Basic abc")], "session s");
    }

    #[test]
    fn an_empty_or_missing_credential_is_none() {
        check(&[], "no_credentials");
        check(&[("cookie", "session_id=")], "no_credentials");
        check(&[("authorization", "Basic abc")], "no_credentials");
        check(&[("authorization", "Bearer ")], "unreadable_credential");
        check(&[("x-api-key", "")], "unreadable_credential");
    }
}
