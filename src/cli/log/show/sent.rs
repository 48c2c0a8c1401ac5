//! What the sender of a hook sent, as a person reads a request.

use serde_json::Value;

use super::terminal;

/// A body of more lines is folded.
const LINES: usize = 40;

/// Method, path and query, the headers and the first lines of the body.
pub(in crate::cli) fn sent(sent: &Value) -> String {
    in_words(sent, |body| folded(body, "--json"))
}

/// The same with the whole body.
pub(super) fn whole(sent: &Value) -> String {
    in_words(sent, str::to_owned)
}

fn in_words(sent: &Value, body: impl Fn(&str) -> String) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut shown = Vec::new();
    if let Some(method) = sent["method"].as_str() {
        shown.push(format!("{method} {}", text(&sent["path"])));
    }
    for (name, value) in sent["query"].as_object().into_iter().flatten() {
        shown.push(format!("?{name}={}", text(value)));
    }
    for (name, value) in sent["headers"].as_object().into_iter().flatten() {
        shown.push(format!("{name}: {}", text(value)));
    }
    let mut shown: Vec<String> = shown.iter().map(|line| terminal::plain(line).into_owned()).collect();
    if !shown.is_empty() {
        shown.push(String::new());
    }
    match &sent["unreadable"] {
        Value::Null => shown.push(body(&terminal::pretty(&sent["body"]))),
        unreadable => {
            shown.push(format!("(cannot be read: {})", terminal::plain(&text(&unreadable["why"]))));
            shown.push(body(&terminal::plain_lines(&text(&unreadable["text"]))));
        }
    }
    shown.join("\n")
}

/// The first lines of a long text, how many follow, and the option that shows them.
pub(in crate::cli) fn folded(text: &str, option: &str) -> String {
    match text.lines().count().checked_sub(LINES) {
        None | Some(0) => text.to_owned(),
        Some(more) => {
            let first: Vec<&str> = text.lines().take(LINES).collect();
            format!("{}\n… ({more} more lines; {option} shows all)", first.join("\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_shown_as_it_is_sent() {
        let request = json!({
            "method": "POST", "path": "/hooks/shop", "query": {"topic": "order"}, "headers": {"x-event": "a\u{1b}[2J"},
            "body": {"id": 7},
        });
        let lines = sent(&request);
        assert_eq!(lines, "POST /hooks/shop\n?topic=order\nx-event: a\\u{1b}[2J\n\n{\n  \"id\": 7\n}");
        let unreadable =
            json!({"method": "POST", "path": "/hooks/shop", "unreadable": {"text": "<a", "why": "no end"}});
        assert_eq!(sent(&unreadable), "POST /hooks/shop\n\n(cannot be read: no end)\n<a");
        // As lines of older versions have it.
        assert_eq!(sent(&json!({"headers": {}, "body": 1})), "1");
    }

    #[test]
    fn a_long_body_is_folded() {
        let body: Vec<usize> = (0..100).collect();
        let shown = sent(&json!({"body": body}));
        assert_eq!(shown.lines().count(), LINES + 1);
        assert!(shown.ends_with("… (62 more lines; --json shows all)"), "{shown}");
    }
}
