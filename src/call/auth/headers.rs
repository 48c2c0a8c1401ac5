//! Which Odoo credential a request carries, its own or that of the client that it proves to be.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::SecretString;

use super::{
    clients::{Client, Clients},
    error::{Error, Tried},
    signature::Delivery,
};
use crate::{
    key_texts::{PREFIX, is_key},
    odoo::Credential,
};

/// A key of Odoo's or of the gateway's.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The login of the user whose key is sent.
pub const LOGIN: HeaderName = HeaderName::from_static("x-odoo-login");
/// The cookie of a session of Odoo's.
pub const SESSION: &str = "session_id";

/// Who calls, as far as what is presented tells.
#[derive(Debug)]
pub(in crate::call) enum Shown<'c> {
    /// A credential of Odoo's.
    Own(Credential),
    /// A key of the gateway's.
    Client(&'c Client),
    /// A signature or token of a client's. A token says nothing of what is delivered.
    Signed(&'c Client, Option<Delivery>),
    /// The gateway or its operator acts for a client.
    Trusted(&'c Client),
}

impl Shown<'_> {
    /// The client's name, where it is one.
    pub(in crate::call) fn client(&self) -> Option<Arc<str>> {
        match self {
            Self::Own(_) => None,
            Self::Client(client) | Self::Signed(client, _) | Self::Trusted(client) => Some(client.name.clone()),
        }
    }
}

/// What was sent on purpose goes before a cookie, which clients send by themselves; a key before a login and password, which
/// may be meant for something in between.
pub(in crate::call) fn shown<'c>(headers: &HeaderMap, clients: &'c Clients) -> Result<Shown<'c>, Error> {
    let authorization = match one(headers, &header::AUTHORIZATION)? {
        Some(value) => Some(Authorization::of(value)?),
        None => None,
    };
    if let Some(Authorization::Bearer(key)) = authorization {
        return of_key(key, headers, clients);
    }
    if let Some(value) = one(headers, &API_KEY)? {
        return match value.to_str().map(str::trim) {
            Ok(key) if !key.is_empty() => of_key(key, headers, clients),
            _ => Err(Error::UnreadableCredential(API_KEY)),
        };
    }
    let tried = match authorization {
        Some(Authorization::Basic { login, secret }) => {
            // Some tools send no key but with a name before it.
            let has_key = login.is_empty() || secret.starts_with(PREFIX);
            return match has_key {
                true => of_key(&secret, headers, clients),
                false if is_key(&login) => Err(Error::KeyAsLogin(header::AUTHORIZATION)),
                false => Ok(Shown::Own(Credential::of_login(login, secret.into()))),
            };
        }
        Some(Authorization::Other(tried)) => Some(tried),
        Some(Authorization::Bearer(_)) | None => None,
    };
    match session_of(headers) {
        Some(session) => Ok(Shown::Own(session)),
        None => Err(Error::NoCredentials { tried }),
    }
}

/// What the header `Authorization` says.
enum Authorization<'h> {
    Bearer(&'h str),
    Basic { login: String, secret: String },
    Other(Tried),
}

impl<'h> Authorization<'h> {
    fn of(value: &'h HeaderValue) -> Result<Self, Error> {
        let unreadable = || Error::UnreadableCredential(header::AUTHORIZATION);
        let value = value.to_str().map_err(|_| unreadable())?.trim();
        let Some((scheme, secret)) = value.split_once(' ').map(|(scheme, secret)| (scheme, secret.trim())) else {
            let is_scheme = ["bearer", "basic"].iter().any(|scheme| value.eq_ignore_ascii_case(scheme));
            return if is_scheme || value.is_empty() { Err(unreadable()) } else { Ok(Self::Other(Tried::NoScheme)) };
        };
        match scheme {
            _ if scheme.eq_ignore_ascii_case("bearer") => Ok(Self::Bearer(secret)),
            _ if scheme.eq_ignore_ascii_case("basic") => {
                let (login, secret) = basic(secret).ok_or_else(unreadable)?;
                Ok(Self::Basic { login, secret })
            }
            _ => Ok(Self::Other(Tried::OtherScheme)),
        }
    }
}

/// A header's value; that of one that stands twice is anybody's guess.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Error> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Error::UnreadableCredential(name.clone())),
        (value, None) => Ok(value),
    }
}

/// An API key of Odoo's, alone or beside its user's login; or a key of the gateway's.
fn of_key<'c>(key: &str, headers: &HeaderMap, clients: &'c Clients) -> Result<Shown<'c>, Error> {
    if let Some(client) = clients.by_key(key) {
        return Ok(Shown::Client(client));
    }
    if key.starts_with(PREFIX) {
        return Err(Error::UnknownClient);
    }
    let key = SecretString::from(key);
    let login = headers.get(LOGIN).map(utf8).map(|login| login.filter(|login| !login.is_empty()));
    Ok(Shown::Own(match login {
        None => Credential::Key(key),
        // It is not even asked of Odoo, which logs what it is given as a login.
        Some(Some(login)) if is_key(&login) => return Err(Error::KeyAsLogin(LOGIN)),
        Some(Some(login)) => Credential::LoginKey { login, key },
        Some(None) => return Err(Error::UnreadableCredential(LOGIN)),
    }))
}

/// Login and secret (RFC 7617, section 2); the login cannot hold a colon.
fn basic(encoded: &str) -> Option<(String, String)> {
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (login, secret) = pair.split_once(':')?;
    if secret.is_empty() { None } else { Some((login.to_owned(), secret.to_owned())) }
}

/// Logins are e-mail addresses and names, which may have letters beyond ASCII.
fn utf8(value: &HeaderValue) -> Option<String> {
    String::from_utf8(value.as_bytes().to_vec()).ok().map(|text| text.trim().to_owned())
}

/// The body is declared as JSON.
pub(in crate::call) fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = declared.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.eq_ignore_ascii_case("application/json-rpc")
}

/// The credential that a session's cookie is.
pub fn session_of(headers: &HeaderMap) -> Option<Credential> {
    session(headers).map(|session| Credential::Session(session.into()))
}

/// The `session_id` cookie, as a browser or an HTTP library sends it back.
fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    pairs.filter(|(name, _)| *name == SESSION).map(|(_, value)| value.trim_matches('"')).find(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[track_caller]
    fn check(headers: &[(&'static str, &'static str)], expected: &str) {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let clients = Clients::load(&[]).unwrap();
        let seen = match shown(&headers, &clients) {
            Ok(Shown::Own(credential)) => {
                let kind = credential.kind();
                match credential {
                    Credential::Session(secret) | Credential::Key(secret) => {
                        format!("{kind} {}", secret.expose_secret())
                    }
                    Credential::LoginKey { login, key: secret } | Credential::Password { login, password: secret } => {
                        format!("{kind} {login} {}", secret.expose_secret())
                    }
                }
            }
            Ok(shown) => shown.client().unwrap().to_string(),
            Err(error) => error.code().as_str().to_owned(),
        };
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_credential_is_found_in_each_of_its_places() {
        check(&[("authorization", "Bearer k1")], "key k1");
        check(&[("authorization", "bearer  k1 ")], "key k1");
        check(&[("x-api-key", "k2")], "key k2");
        check(&[("cookie", "lang=en; session_id=s3; x=y")], "session s3");
        // joe:pa:ss, and joe with forty digits
        check(&[("authorization", "Basic am9lOnBhOnNz")], "login and password joe pa:ss");
        check(
            &[("authorization", "basic am9lOjAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODk=")],
            "login and key joe 0123456789012345678901234567890123456789",
        );
    }

    #[test]
    fn a_login_beside_a_key_belongs_to_it() {
        check(&[("x-api-key", "k"), ("x-odoo-login", "joe")], "login and key joe k");
        check(&[("authorization", "Bearer k"), ("x-odoo-login", " joe ")], "login and key joe k");
        check(&[("authorization", "Bearer k"), ("x-odoo-login", "")], "unreadable_credential");
        // A key alone, as some tools send one: with an empty login.
        check(&[("authorization", "Basic Oms=")], "key k");
    }

    #[test]
    fn a_key_goes_before_a_cookie() {
        check(&[("cookie", "session_id=s"), ("x-api-key", "k")], "key k");
        check(&[("cookie", "session_id=s"), ("authorization", "Digest abc")], "session s");
        // A name and password may be for a proxy in between.
        check(&[("authorization", "Basic am9lOnBhOnNz"), ("x-api-key", "k")], "key k");
    }

    #[test]
    fn a_key_without_a_scheme_is_shown_nowhere() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("0123456789abcdef"));
        let error = shown(&headers, &Clients::load(&[]).unwrap()).unwrap_err();
        assert!(error.to_string().contains("put `Bearer ` before the key"), "{error}");
        assert!(!format!("{error} {error:?}").contains("0123"), "{error:?}");
    }

    #[test]
    fn a_header_that_stands_twice_is_not_guessed_at() {
        let mut headers = HeaderMap::new();
        headers.append(API_KEY, HeaderValue::from_static("a"));
        headers.append(API_KEY, HeaderValue::from_static("b"));
        assert_eq!(shown(&headers, &Clients::load(&[]).unwrap()).unwrap_err().code().as_str(), "unreadable_credential");
    }

    #[test]
    fn an_empty_or_missing_credential_is_none() {
        check(&[], "no_credentials");
        check(&[("cookie", "session_id=")], "no_credentials");
        check(&[("authorization", "Digest abc")], "no_credentials");
        check(&[("authorization", "Bearer ")], "unreadable_credential");
        check(&[("authorization", "Basic !!")], "unreadable_credential");
        check(&[("authorization", "Basic am9lOg==")], "unreadable_credential");
        check(&[("x-api-key", "")], "unreadable_credential");
    }

    #[test]
    fn a_key_in_the_place_of_a_login_goes_nowhere() {
        // Forty digits and x; gw_0123abcd and x
        check(
            &[("authorization", "Basic MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTp4")],
            "unreadable_credential",
        );
        check(&[("authorization", "Basic Z3dfMDEyM2FiY2Q6eA==")], "unreadable_credential");
        check(
            &[("x-api-key", "k"), ("x-odoo-login", "0123456789012345678901234567890123456789")],
            "unreadable_credential",
        );
    }

    #[test]
    fn a_key_of_the_gateways_own_form_is_not_taken_to_odoo() {
        check(&[("x-api-key", "gw_0123")], "unknown_client");
        // shop:gw_1
        check(&[("authorization", "Basic c2hvcDpnd18x")], "unknown_client");
    }
}
