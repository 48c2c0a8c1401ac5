//! What a conformance case expects: JSON with matchers in it, such as `"$int"` or `{"$subset": {…}}`.

use regex::Regex;
use serde_json::Value;

/// What a mistake has besides its code, place and words.
const EXPLANATIONS: [&str; 6] = ["hint", "errors", "did_you_mean", "model", "key", "value"];

/// `None` where `got` is as wanted, else a sentence that says where it is not.
pub(crate) fn difference(want: &Value, got: &Value, at: &str) -> Option<String> {
    let not = |what: &str| Some(format!("{at}: {} is not {what}", short(got)));
    match (want, got) {
        (Value::String(matcher), _) if matcher.starts_with('$') => match matches(matcher, got) {
            Some(true) => None,
            Some(false) => not(matcher),
            None => (want != got).then(|| format!("{at}: {} is not {}", short(got), short(want))),
        },
        (Value::Object(wanted), _) if wanted.contains_key("$unordered") => {
            let (Some(wanted), Some(got)) = (wanted["$unordered"].as_array(), got.as_array()) else {
                return not("a list");
            };
            let mut rest: Vec<&Value> = got.iter().collect();
            for item in wanted {
                let Some(index) = rest.iter().position(|got| difference(item, got, at).is_none()) else {
                    return Some(format!(
                        "{at}: nothing matches {} in {}",
                        short(item),
                        short(&Value::from(got.clone()))
                    ));
                };
                rest.remove(index);
            }
            (!rest.is_empty()).then(|| format!("{at}: {} items too many", rest.len()))
        }
        (Value::Object(wanted), _) if wanted.contains_key("$len") => {
            let length = got.as_array().map(Vec::len).or_else(|| got.as_str().map(|text| text.chars().count()));
            if length.map(Value::from) == Some(wanted["$len"].clone()) {
                None
            } else {
                not(&format!("of length {}", wanted["$len"]))
            }
        }
        (Value::Object(wanted), _) if wanted.contains_key("$all") => {
            wanted["$all"].as_array().into_iter().flatten().find_map(|want| difference(want, got, at))
        }
        (Value::Object(wanted), Value::Object(entries)) => {
            let subset = wanted.get("$subset").and_then(Value::as_object);
            // A result may carry warnings besides what is expected of it, and a mistake what explains it: `mistakes` has tests of that.
            let explains = |key: &str| entries.contains_key("code") && EXPLANATIONS.contains(&key);
            let is_known = |key: &str| wanted.contains_key(key) || (at == "$" && key == "warnings") || explains(key);
            if subset.is_none()
                && let Some(extra) = entries.keys().find(|key| !is_known(key))
            {
                return Some(format!("{at}: unexpected `{extra}` in {}", short(got)));
            }
            subset.unwrap_or(wanted).iter().find_map(|(key, want)| match entries.get(key) {
                Some(got) => difference(want, got, &format!("{at}.{key}")),
                None => Some(format!("{at}: `{key}` is missing in {}", short(got))),
            })
        }
        (Value::Array(wanted), Value::Array(items)) if wanted.len() == items.len() => {
            let mut pairs = wanted.iter().zip(items).enumerate();
            pairs.find_map(|(index, (want, got))| difference(want, got, &format!("{at}[{index}]")))
        }
        // As in Python, 3 equals 3.0.
        (Value::Number(wanted), Value::Number(number)) if wanted.as_f64() == number.as_f64() => None,
        _ => (want != got).then(|| format!("{at}: {} is not {}", short(got), short(want))),
    }
}

fn matches(matcher: &str, got: &Value) -> Option<bool> {
    let (kind, argument) = matcher.split_once(':').unwrap_or((matcher, ""));
    let text = || got.as_str().map_or_else(|| got.to_string(), str::to_owned);
    Some(match kind {
        "$any" => true,
        "$int" => got.is_i64(),
        "$str" => got.is_string(),
        "$bool" => got.is_boolean(),
        "$list" => got.is_array(),
        "$ids" => got.as_array().is_some_and(|items| items.iter().all(Value::is_i64)),
        "$contains" => text().contains(argument),
        "$lacks" => !text().contains(argument),
        "$re" => got.as_str().is_some_and(|text| Regex::new(argument).expect("a regular expression").is_match(text)),
        _ => return None,
    })
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(300).collect()
}

#[test]
fn a_matcher_can_fail() {
    use serde_json::json;
    let differs = |want: Value, got: Value| difference(&want, &got, "$").is_some();
    assert!(differs(json!("$int"), json!("1")));
    assert!(differs(json!("$contains:a"), json!("b")));
    assert!(differs(json!({"$unordered": [1, 2]}), json!([1, 3])));
    assert!(differs(json!({"$subset": {"a": 1}}), json!({"b": 1})));
    assert!(differs(json!({"a": 1}), json!({"a": 1, "b": 2})));
    assert!(differs(json!([1]), json!([1, 2])));
    assert!(differs(json!({"$len": 2}), json!([1])));
    assert!(!differs(json!({"a": "$re:^x", "b": 3}), json!({"a": "xy", "b": 3.0, "warnings": []})));
}
