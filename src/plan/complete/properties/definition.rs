//! A property's definition, and the conversion of a value by it.
//!
//! Odoo stores what it is given, and answers false in the place of a value that the type does not fit (16-19). So a value
//! is converted to the form of its type, or refused.

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Map, Value, json};

use crate::plan::{Error, kind_of, read::GivenValue};

/// The number of names that a refusal lists.
const LISTED: usize = 20;

/// One property, as its container defines it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Definition {
    pub(super) name: String,
    label: String,
    kind: String,
    /// Of a selection or of tags: the values with their labels.
    choices: Vec<(String, String)>,
}

impl Definition {
    /// The definitions in an answer: a list of them, with or without values.
    pub(super) fn all(list: &Value) -> Vec<Self> {
        let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
        let definition = |item: &Value| {
            let kind = text(item, "type");
            let choices = item[if kind == "tags" { "tags" } else { "selection" }].as_array().into_iter().flatten();
            let choice = |choice: &Value| Some((choice[0].as_str()?.to_owned(), choice[1].as_str()?.to_owned()));
            let choices = choices.filter_map(choice).collect();
            Self { name: text(item, "name"), label: text(item, "string"), kind, choices }
        };
        let is_named = |definition: &Self| !definition.name.is_empty() && definition.kind != "separator";
        list.as_array().into_iter().flatten().map(definition).filter(is_named).collect()
    }

    /// The property that is meant, by its name or else by its label.
    ///
    /// # Errors
    /// There is none, or several have the label.
    pub(super) fn find<'d>(all: &'d [Self], given: &GivenValue) -> Result<&'d Self, Error> {
        if let Some(named) = all.iter().find(|definition| definition.name == given.property) {
            return Ok(named);
        }
        let labelled: Vec<&Self> =
            all.iter().filter(|definition| definition.label.trim() == given.property.trim()).collect();
        match labelled[..] {
            [one] => Ok(one),
            [] => Err(refused(&given.path, format!("names no property: {}", there_are(all)))),
            _ => {
                let names: Vec<&str> = labelled.iter().map(|definition| definition.name.as_str()).collect();
                let problem = format!("names several properties by their label: name one of `{}`", names.join("`, `"));
                Err(refused(&given.path, problem))
            }
        }
    }

    /// The value in the form that Odoo stores.
    ///
    /// # Errors
    /// The value does not fit the property's type.
    pub(super) fn convert(&self, value: &Value, path: &str) -> Result<Value, Error> {
        let due = |due: &str| refused(path, format!("must be {due}, not {}", kind_of(value)));
        match (self.kind.as_str(), value) {
            ("boolean", Value::Bool(_)) => Ok(value.clone()),
            ("boolean", Value::Null) => Ok(json!(false)),
            ("boolean", _) => Err(due("true or false")),
            (_, Value::Null | Value::Bool(false)) => Ok(json!(false)),
            ("char" | "text" | "html", Value::String(_)) => Ok(value.clone()),
            ("char" | "text" | "html", _) => Err(due("a text")),
            ("integer", Value::Number(number)) if number.is_i64() => Ok(value.clone()),
            ("integer", _) => Err(due("a whole number")),
            ("float" | "monetary", Value::Number(_)) => Ok(value.clone()),
            ("float" | "monetary", _) => Err(due("a number")),
            ("date", Value::String(text)) => date(text, path),
            ("date", _) => Err(due("a date such as \"2026-12-31\"")),
            ("datetime", Value::String(text)) => datetime(text, path),
            ("datetime", _) => Err(due("a time such as \"2026-12-31 18:00:00\"")),
            ("selection", Value::String(text)) => self.choice(text, path).map(Value::from),
            ("selection", _) => Err(due("one of its choices")),
            ("tags", Value::Array(tags)) => {
                let tag = |(index, tag): (usize, &Value)| {
                    let path = format!("{path}[{index}]");
                    match tag {
                        Value::String(text) => self.choice(text, &path).map(Value::from),
                        other => Err(refused(&path, format!("must be a tag, not {}", kind_of(other)))),
                    }
                };
                tags.iter().enumerate().map(tag).collect()
            }
            ("tags", _) => Err(due("a list of tags")),
            ("many2one", _) => id(value).map(Value::from).ok_or_else(|| due("the id of a record")),
            ("many2many", Value::Array(ids)) => {
                let ids = ids.iter().map(id).collect::<Option<Vec<i64>>>();
                ids.map(Value::from).ok_or_else(|| refused(path, "must be a list of ids".to_owned()))
            }
            ("many2many", _) => Err(due("a list of ids")),
            // Types of later versions.
            _ => Ok(value.clone()),
        }
    }

    /// The value of a choice that is named by its value or its label.
    fn choice(&self, text: &str, path: &str) -> Result<&str, Error> {
        let by_value = self.choices.iter().find(|(value, _)| value == text);
        let mut by_label = self.choices.iter().filter(|(_, label)| label == text);
        match (by_value, by_label.next(), by_label.next()) {
            (Some((value, _)), _, _) | (None, Some((value, _)), None) => Ok(value),
            _ => {
                let choices = self.choices.iter().take(LISTED).map(|(value, label)| format!("`{value}` ({label})"));
                let problem = format!("is none of its choices: {}", choices.collect::<Vec<_>>().join(", "));
                Err(refused(path, problem))
            }
        }
    }
}

/// The values in an answer, by name, in the form in which they are written.
pub(super) fn values(list: &Value) -> Map<String, Value> {
    let value = |item: &Value| {
        let value = match (item["type"].as_str(), &item["value"]) {
            (_, Value::Null) => return None,
            // With their names, as `read` gives them.
            (Some("many2one"), pair @ Value::Array(_)) => json!(id(pair)?),
            (Some("many2many"), Value::Array(pairs)) => pairs.iter().filter_map(id).collect(),
            (_, value) => value.clone(),
        };
        Some((item["name"].as_str()?.to_owned(), value))
    };
    list.as_array().into_iter().flatten().filter_map(value).collect()
}

/// An id, or an id with a name beside it.
fn id(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value[0].as_i64())
}

fn date(text: &str, path: &str) -> Result<Value, Error> {
    let date =
        text.parse::<civil::Date>().map_err(|_| refused(path, "is no date such as \"2026-12-31\"".to_owned()))?;
    Ok(json!(date.to_string()))
}

/// A time in UTC. One without a zone is in UTC already, as everywhere in Odoo.
fn datetime(text: &str, path: &str) -> Result<Value, Error> {
    let with_zone = text.parse::<Timestamp>().map(|time| TimeZone::UTC.to_datetime(time));
    let time = with_zone.or_else(|_| text.parse::<civil::DateTime>());
    let time = time.map_err(|_| refused(path, "is no time such as \"2026-12-31 18:00:00\"".to_owned()))?;
    Ok(json!(time.strftime("%Y-%m-%d %H:%M:%S").to_string()))
}

fn there_are(all: &[Definition]) -> String {
    if all.is_empty() {
        return "there are none".to_owned();
    }
    let names = all.iter().take(LISTED).map(|definition| match definition.label.as_str() {
        "" => format!("`{}`", definition.name),
        label => format!("`{label}`"),
    });
    let more = if all.len() > LISTED { ", …" } else { "" };
    format!("there are {}{more}", names.collect::<Vec<_>>().join(", "))
}

fn refused(path: &str, problem: String) -> Error {
    Error::WrongKind { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definitions() -> Vec<Definition> {
        Definition::all(&json!([
            {"name": "a1", "string": "Shop order", "type": "char"},
            {"name": "a2", "string": "Color", "type": "selection", "selection": [["red", "Red"], ["blu", "Blue"]]},
            {"name": "a3", "string": "Color", "type": "tags", "tags": [["x", "X", 1]]},
            {"name": "a4", "string": "Due", "type": "datetime"},
            {"name": "a5", "string": "Who", "type": "many2one", "comodel": "res.partner", "value": [3, "Bob"]},
            {"name": "s", "string": "Part two", "type": "separator"},
        ]))
    }

    fn given(property: &str) -> GivenValue {
        GivenValue { property: property.to_owned(), value: Value::Null, path: format!("payload.p.{property}") }
    }

    #[test]
    fn a_property_is_found_by_name_or_by_its_only_label() {
        let all = definitions();
        assert_eq!(Definition::find(&all, &given("a2")).unwrap().name, "a2");
        assert_eq!(Definition::find(&all, &given("Shop order")).unwrap().name, "a1");
        let several = Definition::find(&all, &given("Color")).unwrap_err().to_string();
        assert!(several.contains("`a2`, `a3`"), "{several}");
        let unknown = Definition::find(&all, &given("Shop")).unwrap_err().to_string();
        assert_eq!(
            unknown,
            "`payload.p.Shop` names no property: there are `Shop order`, `Color`, `Color`, `Due`, `Who`"
        );
    }

    #[test]
    fn a_value_has_the_form_of_its_type_or_is_refused() {
        let all = definitions();
        let convert = |name: &str, value: Value| {
            Definition::find(&all, &given(name)).unwrap().convert(&value, "p").map_err(|error| error.to_string())
        };
        assert_eq!(convert("a1", json!("S-1")), Ok(json!("S-1")));
        assert_eq!(convert("a1", json!(5)), Err("`p` must be a text, not a number".to_owned()));
        assert_eq!(convert("a2", json!("Blue")), Ok(json!("blu")));
        assert_eq!(
            convert("a2", json!("green")),
            Err("`p` is none of its choices: `red` (Red), `blu` (Blue)".to_owned())
        );
        assert_eq!(convert("a3", json!(["X"])), Ok(json!(["x"])));
        assert_eq!(convert("a4", json!("2026-03-04T10:00:00+02:00")), Ok(json!("2026-03-04 08:00:00")));
        assert_eq!(convert("a4", json!("2026-03-04 10:00:00")), Ok(json!("2026-03-04 10:00:00")));
        assert!(convert("a4", json!("tomorrow")).is_err());
        assert_eq!(convert("a5", json!([3, "Bob"])), Ok(json!(3)));
        assert!(convert("a5", json!("Bob")).is_err());
        assert_eq!(convert("a5", json!(false)), Ok(json!(false)));
    }

    #[test]
    fn values_that_were_read_are_written_back_by_id() {
        let read = json!([
            {"name": "a1", "type": "char"},
            {"name": "a5", "type": "many2one", "value": [3, "Bob"]},
            {"name": "a6", "type": "many2many", "value": [[1, "A"], [2, "B"]]},
        ]);
        assert_eq!(Value::Object(values(&read)), json!({"a5": 3, "a6": [1, 2]}));
    }
}
