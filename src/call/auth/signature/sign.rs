//! What a sender does: it signs a request, so that a hook can be tried without its sender.

use std::fmt;

use base64::Engine;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Claim, Piece, Refused, Verifier, in_body,
    text::{self, Request, is},
    value::{BASE64, encoded},
    way::Way,
};
use crate::{
    config::{Form, Parts, Token},
    hook::RequestLine,
};

/// What a sender adds to its request. It may hold secrets, so it has no `Debug` of them.
#[derive(Default)]
pub struct Signed {
    pub headers: HeaderMap,
    /// A member of the query.
    pub query: Option<(String, SecretString)>,
    /// The last segment of the path.
    pub token: Option<SecretString>,
    /// The body with its signature, where that is within.
    pub body: Option<Vec<u8>>,
}

/// Why the gateway cannot sign as the sender does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    #[error("the sender signs with its private key, which nobody else has")]
    PublicKey,
    #[error("the signature cannot be made: {0}")]
    Refused(#[from] Refused),
    #[error("the body must be {0}, as this sender sends it")]
    Body(&'static str),
    #[error("the secret has characters that a header cannot hold")]
    Secret,
}

impl Verifier {
    /// Signs a request as the sender would, with the current secret. `headers` are those that the request has anyway.
    ///
    /// # Errors
    /// Only the sender can sign, or the request lacks what is signed.
    pub(in crate::call) fn sign(
        &self,
        line: &RequestLine,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Signed, NotSigned> {
        match &self.way {
            Way::StandardWebhooks => self.standard_webhooks(headers, body, now),
            Way::Mailgun => self.mailgun(headers, body, now),
            Way::Adyen => self.adyen(body),
            Way::Parts(parts) => self.of_parts(parts, line, headers, body, now),
            Way::Token(token) => self.token(token),
        }
    }

    fn mac(&self, signed: &[Piece<'_>]) -> Result<Vec<u8>, NotSigned> {
        let keys = self.keys.as_ref().ok_or(Refused::NoSecret)?;
        keys.sign(signed).ok_or(NotSigned::PublicKey)
    }

    fn of_parts(
        &self,
        parts: &Parts,
        line: &RequestLine,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Signed, NotSigned> {
        let time = parts.has_time().then(|| now.as_second().to_string());
        let mut signed = Signed::default();
        let mut all = headers.clone();
        if let (Some(name), Some(time)) = (&parts.timestamp_header, &time) {
            signed.headers.insert(name.clone(), value(time)?);
            all.insert(name.clone(), value(time)?);
        }
        let request = Request { origin: self.origin(line), line, headers: &all, body };
        let mac = encoded(parts.encoding, &self.mac(&text::of(parts, time.as_deref(), &request)?)?);
        let text = match &parts.form {
            Form::Plain { prefix, .. } => format!("{prefix}{mac}"),
            Form::Fields { separator, equals, signature, timestamp, prefix } => {
                let time = timestamp.iter().zip(&time).map(|(name, time)| format!("{name}{equals}{time}{separator}"));
                format!("{}{signature}{equals}{prefix}{mac}", time.collect::<String>())
            }
        };
        if let Some(name) = parts.headers.first() {
            signed.headers.insert(name.clone(), value(&text)?);
        }
        Ok(signed)
    }

    fn standard_webhooks(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Signed, NotSigned> {
        const ID: HeaderName = HeaderName::from_static("webhook-id");
        let given = headers.get(ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
        let id = given.unwrap_or_else(|| format!("msg_{}", Uuid::now_v7().simple()));
        let time = now.as_second().to_string();
        let signed = [id.as_bytes(), b".", time.as_bytes(), b".", body].map(piece);
        let mut headers = HeaderMap::new();
        headers.insert(ID, value(&id)?);
        headers.insert("webhook-timestamp", value(&time)?);
        headers.insert("webhook-signature", value(&format!("v1,{}", BASE64.encode(self.mac(&signed)?)))?);
        Ok(Signed { headers, ..Signed::default() })
    }

    fn mailgun(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Signed, NotSigned> {
        let (time, token) = (now.as_second().to_string(), Uuid::now_v7().simple().to_string());
        let signature = const_hex::encode(self.mac(&[time.as_bytes(), token.as_bytes()].map(piece))?);
        let body = if is(headers, "application/x-www-form-urlencoded") {
            let join = if body.is_empty() { "" } else { "&" };
            let fields = format!("{join}timestamp={time}&token={token}&signature={signature}");
            [body, fields.as_bytes()].concat()
        } else {
            let mut event: Value = serde_json::from_slice(body).map_err(|_| NotSigned::Body("JSON or a form"))?;
            let members = event.as_object_mut().ok_or(NotSigned::Body("a JSON object"))?;
            let values = serde_json::json!({"timestamp": time, "token": token, "signature": signature});
            members.insert("signature".to_owned(), values);
            event.to_string().into_bytes()
        };
        Ok(Signed { body: Some(body), ..Signed::default() })
    }

    fn adyen(&self, body: &[u8]) -> Result<Signed, NotSigned> {
        const DUE: NotSigned = NotSigned::Body("JSON with `notificationItems`");
        let mut notification: Value = serde_json::from_slice(body).map_err(|_| DUE)?;
        let items = notification.get_mut("notificationItems").and_then(Value::as_array_mut).ok_or(DUE)?;
        for item in items {
            let request = item.get_mut("NotificationRequestItem").and_then(Value::as_object_mut).ok_or(DUE)?;
            let data = request.entry("additionalData").or_insert_with(|| Value::Object(serde_json::Map::new()));
            // Something in its place, so that it can be read.
            data.as_object_mut().ok_or(DUE)?.insert("hmacSignature".to_owned(), "AA==".into());
            let alone = serde_json::json!({"notificationItems": [item]}).to_string();
            let claims = in_body::adyen(alone.as_bytes())?;
            let macs: Result<Vec<_>, _> = claims.iter().map(|Claim { signed, .. }| self.mac(signed)).collect();
            let mac = macs?.first().map(|mac| BASE64.encode(mac)).ok_or(DUE)?;
            item["NotificationRequestItem"]["additionalData"]["hmacSignature"] = mac.into();
        }
        Ok(Signed { body: Some(notification.to_string().into_bytes()), ..Signed::default() })
    }

    fn token(&self, token: &Token) -> Result<Signed, NotSigned> {
        let keys = self.keys.as_ref().ok_or(Refused::NoSecret)?;
        let secret = keys.secret().ok_or(NotSigned::PublicKey)?;
        let text = secret.expose_secret();
        let mut signed = Signed::default();
        match token {
            Token::Header { name, prefix } => {
                signed.headers.insert(name.clone(), value(&format!("{prefix}{text}"))?);
            }
            Token::Query(name) => signed.query = Some((name.clone(), secret.clone())),
            Token::Path => signed.token = Some(secret.clone()),
            Token::Basic => {
                let basic = format!("Basic {}", BASE64.encode(text));
                signed.headers.insert(header::AUTHORIZATION, value(&basic)?);
            }
        }
        Ok(signed)
    }
}

fn piece(bytes: &[u8]) -> Piece<'_> {
    Piece { bytes: bytes.into(), is_content: true }
}

fn value(text: &str) -> Result<HeaderValue, NotSigned> {
    HeaderValue::from_str(text).map_err(|_| NotSigned::Secret)
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signed")
    }
}
