//! A token: a secret that a sender sends along as it is. It says who sends, and nothing of what is sent.

use base64::Engine;
use http::{HeaderMap, header};
use secrecy::ExposeSecret;

use super::{
    Place, Refused,
    keys::Keys,
    value::{BASE64, one},
};
use crate::{config::Token, hook::RequestLine};

/// Whether the token that came is one of the client's.
pub(super) fn check(token: &Token, keys: &Keys, line: &RequestLine, headers: &HeaderMap) -> Result<(), Refused> {
    let place = place(token);
    let malformed = || Refused::Malformed(place.clone());
    let is_right = match token {
        Token::Header { name, prefix } => {
            let text = one(headers, name)?.strip_prefix(&**prefix).ok_or_else(malformed)?;
            keys.have_token(text.trim_start().as_bytes())
        }
        Token::Query(name) => {
            let query = line.query();
            let text = query.get(name).ok_or_else(|| Refused::Missing(place.clone()))?;
            keys.have_token(text.as_str().filter(|text| !text.is_empty()).ok_or_else(malformed)?.as_bytes())
        }
        Token::Path => {
            let text = line.token.as_ref().ok_or_else(|| Refused::Missing(place.clone()))?;
            keys.have_token(text.expose_secret().as_bytes())
        }
        Token::Basic => {
            if !headers.contains_key(header::AUTHORIZATION) {
                return Err(Refused::Missing(place));
            }
            let value = one(headers, &header::AUTHORIZATION).map_err(|_| malformed())?;
            let (scheme, pair) = value.split_once(' ').ok_or_else(malformed)?;
            let pair = BASE64.decode(pair.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"));
            keys.have_token(&pair.ok_or_else(malformed)?)
        }
    };
    if is_right { Ok(()) } else { Err(Refused::WrongToken(place)) }
}

fn place(token: &Token) -> Place {
    match token {
        Token::Header { name, .. } => Place::Header(name.clone()),
        Token::Query(name) => Place::Query(name.clone()),
        Token::Path => Place::Path,
        Token::Basic => Place::Basic,
    }
}
