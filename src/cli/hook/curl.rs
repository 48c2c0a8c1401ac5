//! `hook test --sign`: a delivery as its sender would sign it, and a `curl` that sends it to this gateway.

use std::fmt::Write as _;

use anyhow::bail;
use http::{HeaderMap, header};

use super::sample::Sample;
use crate::config::{self, Config};

/// A request that is ready to be sent. It may show a secret that stands in the path or in a header: that is asked for.
pub(super) struct Signed {
    /// The headers that make the signature.
    pub(super) headers: HeaderMap,
    pub(super) curl: String,
}

/// Signs the delivery with the first secret of the hook's client, as of now.
///
/// # Errors
/// The client's requests have no signature, or only their sender can make it.
pub(super) fn signed(_config: &Config, entry: &config::Hook, _sample: &Sample) -> anyhow::Result<Signed> {
    bail!("the client `{}` has no signature that can be made here", entry.client)
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
