//! What came against what the page shows: ids, times, sizes and numbers of documents may be others, and `…` stands for anything.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

/// What differs between two texts, line by line; a line `…` stands for any number of lines.
pub(super) fn differs(shown: &str, said: &str) -> Option<String> {
    let (shown, said) = (plain(shown), plain(said));
    let (shown, said): (Vec<&str>, Vec<&str>) = (lines(&shown), lines(&said));
    (!holds(&shown, &said)).then(|| format!("the page shows other lines:\n{}", shown.join("\n")))
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

fn holds(shown: &[&str], said: &[&str]) -> bool {
    match (shown, said) {
        ([], []) => true,
        (["…", rest @ ..], _) => (0..=said.len()).any(|skipped| holds(rest, &said[skipped..])),
        ([line, rest @ ..], [other, others @ ..]) => is_like(line, other) && holds(rest, others),
        _ => false,
    }
}

/// Whether the text has all parts of the other one that stand between `…`, in their order.
fn is_like(shown: &str, said: &str) -> bool {
    let pattern: Vec<String> = shown.split('…').map(regex::escape).collect();
    Regex::new(&format!("^(?s:{})$", pattern.join(".*"))).unwrap().is_match(said)
}

/// A number of a document: `S00027`, `WH/IN/00012`.
fn without_numbers(text: &str) -> String {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[A-Z]+(/[A-Z0-9]+)*/?\d{5,}\b").unwrap());
    NUMBER.replace_all(text, "<name>").into_owned()
}

/// The text of a terminal without what differs from run to run.
fn plain(text: &str) -> String {
    static KINDS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let kinds = [
            (r"\x1b\[[0-9;]*m", ""),
            (r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|UTC|[+-]\d\d:\d\d))?)?", "<time>"),
            (r"\b\d\d:\d\d(:\d\d(\.\d+)?)?\b", "<time>"),
            (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,27}\b", "<id>"),
            (r"\bgw_[0-9a-f…]+", "<key>"),
            (r"\b[0-9a-f]{8,}\b", "<id>"),
            (r"\b\d+([.,]\d+)* ?(µs|ms|s|min|h|d)\b", "<span>"),
            (r"\b\d+([.,]\d+)* ?(B|KiB|MiB|GiB|bytes)\b", "<size>"),
            (r"[─━-]{3,}", "---"),
            (r"[ \t]+", " "),
        ];
        kinds.into_iter().map(|(kind, instead)| (Regex::new(kind).unwrap(), instead)).collect()
    });
    KINDS.iter().fold(without_numbers(text), |text, (kind, instead)| {
        kind.replace_all(&text, |_: &Captures<'_>| *instead).into_owned()
    })
}

/// What an answer lacks of the JSON that the page shows. It may show the whole, its `result`, or the result of that.
pub(super) fn as_shown(shown: &Value, answer: &Value) -> Option<String> {
    let has = |key: &str| shown.get(key).is_some();
    let is_whole = has("jsonrpc") || has("result") && !has("is_success") || has("error") && !has("is_success");
    let of_it = match () {
        () if is_whole || answer.get("jsonrpc").is_none() => answer,
        () if has("is_success") => &answer["result"],
        () => &answer["result"]["result"],
    };
    unlike(shown, of_it, "")
}

fn unlike(shown: &Value, said: &Value, at: &str) -> Option<String> {
    match (shown, said) {
        (Value::Object(shown), Value::Object(said)) => shown.iter().find_map(|(key, value)| {
            let at = format!("{at}.{key}");
            match said.get(key) {
                Some(other) if is_number_of_a_record(key, value, other) => None,
                Some(other) => unlike(value, other, &at),
                None => Some(format!("the answer has no `{at}`")),
            }
        }),
        (Value::Array(shown), Value::Array(said)) => {
            let goes_on = shown.last().and_then(Value::as_str) == Some("…");
            let shown = if goes_on { &shown[..shown.len() - 1] } else { shown.as_slice() };
            if said.len() < shown.len() || !goes_on && said.len() != shown.len() {
                return Some(format!("`{at}` has {} entries, and the page shows {}", said.len(), shown.len()));
            }
            // `[20, "Belgium"]` is a record by its id and its name.
            let is_record = matches!(shown, [Value::Number(_), Value::String(_)]);
            let from = usize::from(is_record);
            (shown.iter().zip(said).enumerate().skip(from))
                .find_map(|(place, (value, other))| unlike(value, other, &format!("{at}[{place}]")))
        }
        (Value::String(shown), Value::String(said)) => (!is_like(&without_numbers(shown), &without_numbers(said)))
            .then(|| format!("`{at}` is {said:?}, and the page shows {shown:?}")),
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (shown, said) => (shown != said).then(|| format!("`{at}` is {said}, and the page shows {shown}")),
    }
}

/// Ids are those of the database.
fn is_number_of_a_record(key: &str, shown: &Value, said: &Value) -> bool {
    let is_id = |value: &Value| value.is_i64();
    let are_ids = |value: &Value| value.as_array().is_some_and(|values| values.iter().all(is_id));
    let named = key == "id" || key == "ids" || key == "record" || key.ends_with("_id") || key.ends_with("_ids");
    named && (is_id(shown) && is_id(said) || are_ids(shown) && are_ids(said))
}

#[test]
fn what_came_is_held_against_what_the_page_shows() {
    assert_eq!(
        differs(
            "call 019ab0c1-7d2e-7c33-9d11-3f0a5e6b7c8d  12 ms",
            "call 019ab0c2-7d2e-7c33-9d11-3f0a5e6b7c8d 7.5 ms\n"
        ),
        None
    );
    assert_eq!(differs("first\n…\nlast", "first\nsecond\nthird\nlast"), None);
    assert_eq!(differs("S00027 at 2026-11-30 12:00:00", "S00031 at 2026-12-01 07:08:09"), None);
    for (shown, said) in [("done", "failed"), ("done", "done\nmore"), ("first\nsecond", "first"), ("a … b", "a then c")]
    {
        assert!(differs(shown, said).is_some(), "{shown} {said}");
    }
    let answer = serde_json::json!({"jsonrpc": "2.0", "result": {"is_success": true, "result": {"id": 7, "lines": [1, 2], "at": [3, "A"]}}});
    let good = [
        r#"{"id": 1}"#,
        r#"{"is_success": true}"#,
        r#"{"at": [4, "A"]}"#,
        r#"{"jsonrpc": "2.0", "result": {"result": {"lines": [1, "…"]}}}"#,
    ];
    for shown in good {
        assert_eq!(as_shown(&serde_json::from_str(shown).unwrap(), &answer), None, "{shown}");
    }
    for shown in [
        r#"{"is_success": false}"#,
        r#"{"lines": [1]}"#,
        r#"{"lines": [1, 3]}"#,
        r#"{"name": "A"}"#,
        r#"{"at": [3, "B"]}"#,
    ] {
        assert!(as_shown(&serde_json::from_str(shown).unwrap(), &answer).is_some(), "{shown}");
    }
}
