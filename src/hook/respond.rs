//! Answers of a hook's own: `handshake`, to requests that nobody has signed, and `respond`, to deliveries.
//!
//! Both expressions give `{"status", "headers", "body"}`, or null for the usual answer. What must stay true: nothing of an answer
//! changes how it is framed, and no cookie is set.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value};

use super::{Error, Hook, Input, expression};

/// The most headers of an answer, and the longest value of one.
const HEADERS: usize = 32;
const VALUE: usize = 8 << 10;
/// The largest body.
const BODY: usize = 1 << 20;
/// What says how an answer is framed, how long its connection lasts, or would make a browser of a sender.
const FORBIDDEN: [HeaderName; 11] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::SET_COOKIE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("gateway-call-id"),
];

/// An answer as a sender expects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Hook {
    /// Whether a request by this method is for the hook: one that it lists, or one that its handshake may answer or that may be
    /// captured.
    pub fn takes(&self, method: &Method) -> bool {
        let may_shake = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        self.delivers_by(method) || (may_shake && self.has_handshake()) || self.entry.capture.is_some()
    }

    /// Whether a delivery may come by this method.
    pub fn delivers_by(&self, method: &Method) -> bool {
        self.entry.methods.contains(method)
    }

    /// The methods of its deliveries, for a header `Allow`.
    pub fn methods(&self) -> String {
        self.entry.methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
    }

    pub fn has_handshake(&self) -> bool {
        self.handshake.is_some()
    }

    pub fn has_respond(&self) -> bool {
        self.respond.is_some()
    }

    /// The answer to a request that nobody has signed; none where it is no handshake. `input` has `$secret`.
    ///
    /// # Errors
    /// The expression fails, or gives no answer.
    pub async fn handshake(&self, input: &Input) -> Result<Option<Reply>, Error> {
        let Some(code) = &self.handshake else { return Ok(None) };
        read("handshake", expression("handshake", code, input).await?)
    }

    /// The answer to a delivery; none where it is the usual one. `input` has `$secret`, and `$outcome` where that is known.
    ///
    /// # Errors
    /// The expression fails, or gives no answer.
    pub async fn respond(&self, input: &Input) -> Result<Option<Reply>, Error> {
        let Some(code) = &self.respond else { return Ok(None) };
        read("respond", expression("respond", code, input).await?)
    }
}

/// Reads the value of an expression.
fn read(key: &'static str, value: Value) -> Result<Option<Reply>, Error> {
    match value {
        Value::Null => Ok(None),
        Value::Object(answer) => reply(answer).map(Some).map_err(|why| Error::Expression { key, why }),
        other => {
            let why =
                format!("it gives {}, not an object with `status`, `headers` and `body`", crate::plan::kind_of(&other));
            Err(Error::Expression { key, why })
        }
    }
}

fn reply(mut answer: Map<String, Value>) -> Result<Reply, String> {
    let status = status(answer.remove("status"))?;
    let mut headers = headers(answer.remove("headers"))?;
    let (body, content_type) = body(answer.remove("body"))?;
    if let Some(unknown) = answer.keys().next() {
        return Err(format!("it gives an object with `{unknown}`; an answer has `status`, `headers` and `body`"));
    }
    let has_none = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    if has_none && !body.is_empty() {
        return Err(format!("an answer with the status {} has no body", status.as_u16()));
    }
    if let (false, Some(content_type)) = (headers.contains_key(header::CONTENT_TYPE), content_type) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    Ok(Reply { status, headers, body })
}

fn status(status: Option<Value>) -> Result<StatusCode, String> {
    let number = match status {
        None | Some(Value::Null) => return Ok(StatusCode::OK),
        Some(status) => status.as_u64().ok_or_else(|| format!("`status` is {status}, not a number from 200 to 599"))?,
    };
    let status = u16::try_from(number).ok().filter(|status| (200..600).contains(status));
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    status.ok_or_else(|| format!("`status` is {number}, not a number from 200 to 599"))
}

fn headers(headers: Option<Value>) -> Result<HeaderMap, String> {
    let headers = match headers {
        None | Some(Value::Null) => return Ok(HeaderMap::new()),
        Some(Value::Object(headers)) if headers.len() <= HEADERS => headers,
        Some(Value::Object(_)) => return Err(format!("`headers` has more than {HEADERS}")),
        Some(other) => return Err(format!("`headers` is {}, not an object", crate::plan::kind_of(&other))),
    };
    let one = |(name, value): (String, Value)| {
        let name: HeaderName = name.parse().map_err(|_| "`headers` has a name that is none".to_owned())?;
        if FORBIDDEN.contains(&name) {
            return Err(format!("`headers` must not have `{name}`"));
        }
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            other => return Err(format!("the header `{name}` is {}, not a text", crate::plan::kind_of(&other))),
        };
        let value = Some(text).filter(|text| text.len() <= VALUE).and_then(|text| HeaderValue::try_from(text).ok());
        let value = value.ok_or_else(|| format!("the header `{name}` has a value that is none, or is too long"))?;
        Ok((name, value))
    };
    headers.into_iter().map(one).collect()
}

/// The bytes of a body, and its content type where the headers name none.
fn body(body: Option<Value>) -> Result<(Bytes, Option<&'static str>), String> {
    let (bytes, content_type) = match body {
        None | Some(Value::Null) => return Ok((Bytes::new(), None)),
        Some(Value::String(text)) => (Bytes::from(text), "text/plain; charset=utf-8"),
        Some(Value::Object(file)) if file.len() == 1 && file.get("base64").is_some_and(Value::is_string) => {
            let text = file.get("base64").and_then(Value::as_str).unwrap_or_default();
            let bytes = STANDARD.decode(text).map_err(|_| "`body.base64` is no base64".to_owned())?;
            (Bytes::from(bytes), "application/octet-stream")
        }
        Some(json) => (Bytes::from(json.to_string()), "application/json"),
    };
    if bytes.len() > BODY {
        return Err(format!("`body` has {} bytes; {BODY} are the most", bytes.len()));
    }
    Ok((bytes, Some(content_type)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn given(value: Value) -> Result<Option<Reply>, String> {
        read("respond", value).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check(value: Value, status: u16, content_type: Option<&str>, body: &[u8]) {
        let reply = given(value).unwrap().unwrap();
        let own = reply.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap());
        assert_eq!((reply.status.as_u16(), own, &*reply.body), (status, content_type, body));
    }

    #[test]
    fn an_answer_is_what_the_expression_says_and_null_is_the_usual_one() {
        assert_eq!(given(json!(null)), Ok(None));
        check(json!({}), 200, None, b"");
        check(json!({"status": 406}), 406, None, b"");
        check(json!({"body": "[accepted]"}), 200, Some("text/plain; charset=utf-8"), b"[accepted]");
        check(json!({"body": {"challenge": "x"}}), 200, Some("application/json"), b"{\"challenge\":\"x\"}");
        check(
            json!({"headers": {"Content-Type": "text/xml"}, "body": "<Response/>"}),
            200,
            Some("text/xml"),
            b"<Response/>",
        );
        check(json!({"body": {"base64": "/w=="}}), 200, Some("application/octet-stream"), b"\xff");
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for (value, why) in [
            (json!("x"), "it gives a text"),
            (json!({"challenge": "x"}), "an object with `challenge`"),
            (json!({"status": 100}), "`status` is 100"),
            (json!({"status": 600}), "`status` is 600"),
            (json!({"status": "200"}), "`status` is \"200\""),
            (json!({"status": 204, "body": "x"}), "204 has no body"),
            (json!({"headers": {"Set-Cookie": "a=b"}}), "must not have `set-cookie`"),
            (json!({"headers": {"content-length": 3}}), "must not have `content-length`"),
            (json!({"headers": {"x": "a\r\nb: c"}}), "has a value that is none"),
            (json!({"headers": {"a b": "c"}}), "has a name that is none"),
            (json!({"headers": {"x": "y".repeat(9_000)}}), "too long"),
            (json!({"headers": (0..33).map(|n| (format!("x{n}"), json!(""))).collect::<Map<_, _>>()}), "more than 32"),
            (json!({"body": "x".repeat(2 << 20)}), "1048576 are the most"),
            (json!({"body": {"base64": "!"}}), "is no base64"),
        ] {
            let refused = given(value).unwrap_err();
            assert!(refused.contains(why) && refused.starts_with("`respond` of this hook fails"), "{refused}");
        }
    }
}
