//! `hook test --sign`: a delivery as its sender would sign it, and a `curl` that sends it to this gateway.

use std::{fmt::Write as _, path::Path};

use anyhow::{Context, bail};
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::sample::{Origin, Sample};
use crate::{
    call::{self, auth::clients::Clients},
    config::{self, Config},
    hook::RequestLine,
};

/// A request that is ready to be sent. It may show a secret that stands in the path or in a header: that is asked for.
pub(super) struct Signed {
    /// The headers that make the signature.
    pub(super) headers: HeaderMap,
    pub(super) curl: String,
}

/// Signs the delivery with the first secret of the hook's client, as of now. `file` is the file of its body.
///
/// # Errors
/// The client's requests have no signature, or only their sender can make it.
pub(super) fn signed(
    config: &Config,
    entry: &config::Hook,
    sample: &Sample,
    file: Option<&Path>,
) -> anyhow::Result<Signed> {
    let client = config.clients.iter().find(|client| client.name == entry.client).context("the client is gone")?;
    let clients = Clients::load(std::slice::from_ref(client))?;
    let client = clients.by_name(&entry.client).context("the client is gone")?;
    let origin = origin(config);
    let line = RequestLine { origin: origin.clone(), ..sample.line.clone() };
    let mut headers = sent(sample);
    let signature = client.sign(&line, &headers, &sample.body, Timestamp::now());
    let Some(signature) = signature else {
        bail!(
            "the client `{0}` has no [client.signature]: its requests have its key, as the header `X-API-Key`",
            entry.client
        )
    };
    let call::auth::Signed { headers: added, query, token, body } =
        signature.with_context(|| format!("no request of `{}` can be signed here", entry.client))?;
    for name in added.keys() {
        headers.remove(name);
    }
    headers.extend(added.clone());
    let mut path = line.path().to_owned();
    if let Some(token) = token {
        path = format!("{}/{}", path.trim_end_matches('/'), encoded(token.expose_secret()));
    }
    let mut members = vec![line.raw_query().to_owned()];
    members.extend(query.map(|(name, value)| format!("{}={}", encoded(&name), encoded(value.expose_secret()))));
    members.retain(|member| !member.is_empty());
    let query = if members.is_empty() { String::new() } else { format!("?{}", members.join("&")) };
    let text = body.map(|body| String::from_utf8_lossy(&body).into_owned());
    let text = text.unwrap_or_else(|| String::from_utf8_lossy(&sample.body).into_owned());
    let is_changed = text.as_bytes() != sample.body;
    let file = file.filter(|file| file.as_os_str() != "-" && !is_changed).map(|file| file.display().to_string());
    let body = match &file {
        Some(file) => Body::File(file),
        None if text.is_empty() => Body::None,
        None => Body::Text(&text),
    };
    let curl = command(line.method.as_str(), &format!("{origin}{path}{query}"), &headers, &body);
    Ok(Signed { headers: added, curl })
}

/// The headers of the request without its signature. What the log has is JSON, whatever form the body had.
fn sent(sample: &Sample) -> HeaderMap {
    let mut headers = sample.headers.clone();
    let of_connection =
        [header::HOST, header::CONTENT_LENGTH, header::CONNECTION, header::TRANSFER_ENCODING, header::ACCEPT_ENCODING];
    for name in of_connection {
        headers.remove(name);
    }
    let is_converted = !matches!(sample.origin, Origin::File);
    if is_converted {
        headers.remove(header::CONTENT_ENCODING);
    }
    if !sample.body.is_empty() && (is_converted || !headers.contains_key(header::CONTENT_TYPE)) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers
}

/// Scheme, host and port of the gateway, as this machine reaches it.
fn origin(config: &Config) -> String {
    let scheme = if config.tls.identity().is_some() { "https" } else { "http" };
    let listen = config.server.listen;
    match listen.ip().is_unspecified() {
        true => format!("{scheme}://localhost:{}", listen.port()),
        false => format!("{scheme}://{listen}"),
    }
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A command for a shell. `body` is the file of the body, or the body itself.
fn command(method: &str, url: &str, headers: &HeaderMap, body: &Body<'_>) -> String {
    let mut command = format!("curl -X {method} {}", quoted(url));
    for (name, value) in headers.iter().filter(|(name, _)| **name != header::CONTENT_LENGTH) {
        let _ =
            write!(command, " \\\n  -H {}", quoted(&format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))));
    }
    match body {
        Body::None => {}
        Body::File(file) => {
            let _ = write!(command, " \\\n  --data-binary {}", quoted(&format!("@{file}")));
        }
        Body::Text(text) => {
            let _ = write!(command, " \\\n  --data-raw {}", quoted(text));
        }
    }
    command
}

/// Where the body of a command comes from.
enum Body<'b> {
    None,
    File(&'b str),
    Text(&'b str),
}

/// One word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_for_a_shell_whatever_stands_in_it() {
        let mut headers = HeaderMap::new();
        headers.insert("x-signature", "t=1,v1='a".parse().unwrap());
        let told = command("POST", "http://127.0.0.1:8080/hooks/shop?a=b", &headers, &Body::File("my order.json"));
        let due = "curl -X POST 'http://127.0.0.1:8080/hooks/shop?a=b' \\\n  -H 'x-signature: t=1,v1='\\''a' \\\n  \
                   --data-binary '@my order.json'";
        assert_eq!(told, due);
        assert!(
            command("PUT", "x", &headers, &Body::Text("{\"a\": \"'\"}")).ends_with("--data-raw '{\"a\": \"'\\''\"}'")
        );
        assert!(command("GET", "x", &headers, &Body::None).ends_with("v1='\\''a'"));
    }
}
