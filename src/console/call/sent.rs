//! What the sender of a hook sent, as a person reads a request.

use serde_json::Value;

use super::{
    super::words::plain,
    large::{Large, Shown},
};

/// A request of a sender. Headers and members of the query that hold credentials are not in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    /// Method and path.
    pub(super) request: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<Large>,
    /// Why the body could not be read.
    pub(super) unreadable: String,
}

impl Sent {
    pub(super) fn of(sent: &Value, shown: Shown) -> Option<Self> {
        if !sent.is_object() {
            return None;
        }
        let pairs = |member: &str| {
            let members = sent[member].as_object().into_iter().flatten();
            members.map(|(name, value)| (plain(name).into_owned(), plain(&text(value)).into_owned())).collect()
        };
        let unreadable = &sent["unreadable"];
        let body = match unreadable {
            Value::Null => Large::json("sent", &sent["body"], shown),
            unreadable => Large::text("sent", &text(&unreadable["text"]), shown),
        };
        Some(Self {
            request: plain(format!("{} {}", text(&sent["method"]), text(&sent["path"])).trim()).into_owned(),
            query: pairs("query"),
            headers: pairs("headers"),
            body,
            unreadable: plain(&text(&unreadable["why"])).into_owned(),
        })
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_shown_as_it_was_sent_whether_or_not_it_could_be_read() {
        let request = json!({
            "method": "POST", "path": "/hooks/shop", "query": {"topic": "order"}, "headers": {"x-event": "a\u{1b}[2J"},
            "body": {"id": 7},
        });
        let sent = Sent::of(&request, Shown::Beginning).unwrap();
        assert_eq!(sent.request, "POST /hooks/shop");
        assert_eq!(sent.headers, [("x-event".to_owned(), "a\\u{1b}[2J".to_owned())]);
        assert_eq!(sent.body.unwrap().text, "{\n  \"id\": 7\n}");
        let unreadable = json!({"method": "POST", "path": "/h", "unreadable": {"text": "<a", "why": "no end"}});
        let sent = Sent::of(&unreadable, Shown::Beginning).unwrap();
        assert_eq!((sent.unreadable.as_str(), sent.body.unwrap().text.as_str()), ("no end", "<a"));
        assert_eq!(Sent::of(&Value::Null, Shown::All), None);
    }
}
