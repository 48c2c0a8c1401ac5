//! A call as a command for a shell, without its credential: the caller's key stands in `GATEWAY_KEY`.

use serde_json::{Value, json};

use crate::route::Route;

/// A longer body is read from a file.
const MOST: usize = 32 << 10;

/// The command; `url` is the public address of the gateway.
pub(super) fn command(url: &str, route: Route, model: &str, vals: &Value) -> String {
    let body = json!({"model": model, "vals": vals});
    let body = body.to_string();
    let data = if body.len() > MOST { "@call.json".to_owned() } else { quoted(&body) };
    format!(
        "curl {} \\\n  -H \"Authorization: Bearer $GATEWAY_KEY\" \\\n  -H 'Content-Type: application/json' \\\n  --data-binary {data}",
        quoted(&format!("{}/api/{}", url.trim_end_matches('/'), route.name()))
    )
}

/// In single quotes, within which a shell of POSIX reads nothing.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_ends_the_quotes_of_the_command() {
        let vals = json!({"payload": {"name": "O'Neil $(id) `id`"}});
        let command = command("https://gateway.example.com/", Route::CreateData, "res.partner", &vals);
        assert!(command.starts_with("curl 'https://gateway.example.com/api/create_data' \\\n"), "{command}");
        assert!(command.ends_with(r#"{"name":"O'\''Neil $(id) `id`"}}}'"#), "{command}");
        assert!(command.contains("\"Authorization: Bearer $GATEWAY_KEY\""));
        let long = json!({"payload": {"name": "x".repeat(MOST)}});
        assert!(super::command("http://g", Route::CreateData, "m", &long).ends_with("--data-binary @call.json"));
    }
}
