//! Every value of a payload is refused with its place, or becomes in Odoo what docs/payloads.md says.
//!
//! Random JSON values of all kinds go into fields of all types of a real Odoo, in lists of records. What each should become is worked
//! out here from the document, by other means than the gateway's.

use std::collections::HashMap;

use base64::prelude::{BASE64_STANDARD, Engine};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use crate::support::{client::Client, gateway::Gateway, odoo::Odoo};

const MODEL: &str = "x_gateway_values";
/// The number of values, and of those that go in one request.
const VALUES: usize = 10_000;
const TOGETHER: usize = 400;
const CHOICES: [(&str, &str); 4] = [("a", "Alpha"), ("b", "Beta"), ("2", "Second"), ("3", "Beta")];

const TYPES: [&str; 14] = [
    "char",
    "text",
    "html",
    "integer",
    "float",
    "boolean",
    "date",
    "datetime",
    "selection",
    "binary",
    "many2one",
    "many2many",
    "monetary",
    "reference",
];

/// What the document says that becomes of a value.
#[derive(Debug, Clone, PartialEq)]
enum Meaning {
    Refused,
    Becomes(Value),
    /// Odoo cleans HTML.
    Anything,
}
use Meaning::{Anything, Becomes, Refused};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_is_refused_with_its_place_or_becomes_what_is_documented() {
    let odoo = tokio::task::spawn_blocking(|| Odoo::up(&["--name", "values"])).await.unwrap();
    let records = Records::of(&odoo).await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "");
    let client = Client::with_header(&gateway, "authorization", &format!("Bearer {}", odoo.key));
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut seen, mut refused, mut wrong) = (0, 0, Vec::new());
    while seen < VALUES && wrong.len() < 20 {
        let cases: Vec<(&str, Value)> = (0..TOGETHER)
            .map(|n| {
                let kind = TYPES[n % TYPES.len()];
                (kind, records.values(kind).new_tree(&mut runner).unwrap().current())
            })
            .collect();
        let payload: Vec<Value> = cases.iter().map(|(kind, value)| json!({(field(kind)): value})).collect();
        let answer = client.call("create_data", MODEL, json!({ "payload": payload })).await;
        let answers = answer["result"].as_array().unwrap_or_else(|| panic!("{answer}"));
        assert_eq!(answers.len(), cases.len(), "{answer}");
        let ids: Vec<&Value> = answers.iter().map(|answer| &answer["result"]["id"]).filter(|id| id.is_i64()).collect();
        let fields: Vec<String> = TYPES.iter().map(|kind| field(kind)).collect();
        let rows = odoo.call(MODEL, "read", json!([ids, fields]), json!({})).await.unwrap();
        let rows: HashMap<i64, &Value> =
            rows.as_array().unwrap().iter().map(|row| (row["id"].as_i64().unwrap(), row)).collect();
        for (n, ((kind, value), answer)) in cases.iter().zip(answers).enumerate() {
            let meaning = records.meaning(kind, value);
            let case = format!("{kind} {value}: {answer}");
            let problem = match answer["is_success"].as_bool() {
                Some(true) => {
                    let own = &rows[&answer["result"]["id"].as_i64().unwrap()][field(kind)];
                    match meaning {
                        Becomes(expected) if !is_same(kind, &expected, own) => {
                            Some(format!("is {own}, not {expected}"))
                        }
                        Refused => Some(format!("is {own}, and should have been refused")),
                        Becomes(_) | Anything => None,
                    }
                }
                _ => {
                    refused += 1;
                    let path = answer["error"]["path"].as_str().unwrap_or_default();
                    let is_placed = path.starts_with(&format!("payload[{n}].{}", field(kind)));
                    match meaning {
                        Refused if is_placed => None,
                        Refused => Some("is refused without its place".to_owned()),
                        meaning => Some(format!("is refused, and should be {meaning:?}")),
                    }
                }
            };
            wrong.extend(problem.map(|problem| format!("{case}\n  {problem}")));
        }
        seen += cases.len();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{seen} values, {refused} of them refused");
    assert!(refused > seen / 10 && refused < seen * 9 / 10, "{refused} of {seen}");
}

fn field(kind: &str) -> String {
    format!("x_{kind}")
}

/// Whether Odoo holds what was expected. It reads an empty value as false, a number that is none as 0.
fn is_same(kind: &str, expected: &Value, own: &Value) -> bool {
    let is_empty = |value: &Value| *value == json!(false) || *value == json!("") || value.as_f64() == Some(0.0);
    match kind {
        "many2one" => own.get(0).unwrap_or(&Value::Bool(false)) == expected,
        "binary" => match (expected.as_str(), own.as_str()) {
            (Some(expected), Some(own)) => decoded(expected) == decoded(own),
            _ => is_empty(expected) && is_empty(own),
        },
        _ => {
            expected == own
                || is_empty(expected) && is_empty(own)
                || expected.is_f64() && expected.as_f64() == own.as_f64()
        }
    }
}

/// Records that values name.
struct Records {
    countries: Vec<i64>,
    codes: HashMap<String, i64>,
    tags: Vec<i64>,
}

impl Records {
    /// Makes the model, with a field of each type.
    async fn of(odoo: &Odoo) -> Self {
        let currency = json!({"name": "x_currency_id", "field_description": "Currency", "ttype": "many2one", "relation": "res.currency"});
        let fields = std::iter::once(currency).chain(TYPES.iter().map(|kind| described(kind)));
        let fields: Vec<Value> = fields.map(|field| json!([0, 0, field])).collect();
        odoo.create("ir.model", json!({"name": "Values", "model": MODEL, "field_id": fields})).await;
        let model = odoo.call("ir.model", "search", json!([[["model", "=", MODEL]]]), json!({})).await.unwrap();
        let access =
            json!({"name": "values", "model_id": model[0], "perm_read": true, "perm_write": true, "perm_create": true});
        let access = odoo.create("ir.model.access", access).await;
        // Odoo 19 remembers who may create what while it creates the rule; only a write makes it forget.
        odoo.call("ir.model.access", "write", json!([[access], {"perm_unlink": true}]), json!({})).await.unwrap();
        let countries = odoo.call("res.country", "search_read", json!([[], ["code"]]), json!({})).await.unwrap();
        let pair = |row: &Value| (row["code"].as_str().unwrap().to_owned(), row["id"].as_i64().unwrap());
        let codes: HashMap<String, i64> = countries.as_array().unwrap().iter().map(pair).collect();
        let mut tags = Vec::new();
        for n in 0..5 {
            tags.push(odoo.create("res.partner.category", json!({"name": format!("tag {n}")})).await);
        }
        Self { countries: codes.values().copied().collect(), codes, tags }
    }

    /// Values for a field: such as are meant for it, and any others.
    fn values(&self, kind: &str) -> BoxedStrategy<Value> {
        let number = prop_oneof![
            any::<i32>().prop_map(|n| json!(n)),
            (-3..4_i64).prop_map(|n| json!(n)),
            any::<i64>().prop_map(|n| json!(n)),
            (-1e12..1e12_f64).prop_map(|n| json!(n)),
            Just(json!(3.0)),
            Just(json!(2_147_483_648_i64)),
        ];
        let text = prop_oneof![
            ".{0,12}",
            "[ ]{0,2}",
            "[+-]?[0-9]{1,12}",
            "[+-]?[0-9]{0,4}[.,][0-9]{0,4}",
            "[0-9]{1,3}e[0-9]{1,2}",
            "(?i)true|false|yes|no|0|1|nan|inf",
            "Alpha|Beta|Second|a|b|2|3|x",
            "[a-z\u{0}]{1,3}",
            "<p>[a-z]{0,4}</p>",
            "[0-9]{4}-[0-9]{2}-[0-9]{2}",
            "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9])",
            "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9])[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,6})?)?(Z|[+-](0[0-9]|1[0-2]):[03]0)?",
        ]
        .prop_map(|text| json!(text));
        let scalar =
            prop_oneof![Just(json!(null)), any::<bool>().prop_map(|flag| json!(flag)), number.clone(), text.clone()];
        let nested = prop_oneof![
            proptest::collection::vec(scalar.clone(), 0..3).prop_map(Value::from),
            proptest::collection::hash_map("[a-z]{1,4}|code|name|mode|records", scalar.clone(), 0..2)
                .prop_map(|entries| json!(entries)),
        ];
        let any_value = prop_oneof![4 => scalar, 1 => nested];
        let country = proptest::sample::select(self.countries.clone());
        let codes: Vec<String> = self.codes.keys().cloned().collect();
        let tags = proptest::collection::vec(proptest::sample::select(self.tags.clone()), 0..4);
        match kind {
            "many2one" => prop_oneof![
                3 => country.clone().prop_map(|id| json!(id)),
                2 => country.clone().prop_map(|id| json!(id.to_string())),
                1 => country.prop_map(|id| json!(f64::from(i32::try_from(id).unwrap()))),
                3 => proptest::sample::select(codes).prop_map(|code| json!({"code": code})),
                1 => Just(json!(0)),
                4 => prop_oneof![Just(json!(null)), Just(json!(true)), text, Just(json!([1])), Just(json!({}))],
            ]
            .boxed(),
            "many2many" => prop_oneof![
                3 => tags.clone().prop_map(|ids| json!(ids)),
                3 => tags.clone().prop_map(|ids| json!({"records": ids})),
                2 => tags.clone().prop_map(|ids| ids.iter().map(ToString::to_string).collect()),
                2 => tags.prop_map(|ids| ids.iter().map(|id| json!([4, id])).collect()),
                3 => prop_oneof![Just(json!(null)), Just(json!(true)), text, Just(json!([["unlink", 3]])), Just(json!({}))],
            ]
            .boxed(),
            "reference" => prop_oneof![
                2 => country.prop_map(|id| json!(format!("res.country,{id}"))),
                1 => any_value,
            ]
            .boxed(),
            "binary" => prop_oneof![
                2 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| json!(BASE64_STANDARD.encode(bytes))),
                2 => any_value,
            ]
            .boxed(),
            _ => any_value.boxed(),
        }
    }

    /// What the document says, under 'Values by type'.
    fn meaning(&self, kind: &str, value: &Value) -> Meaning {
        let is_text = matches!(kind, "char" | "text" | "html");
        let empty = if kind == "many2many" { json!([]) } else { json!(false) };
        match value {
            Value::Null | Value::Bool(false) => return Becomes(empty),
            Value::String(text) if text.contains('\0') => return Refused,
            Value::String(text) if text.trim().is_empty() && !is_text && !matches!(kind, "many2many" | "binary") => {
                return Becomes(empty);
            }
            _ => {}
        }
        let text = value.as_str().map(str::trim);
        match kind {
            "char" | "text" => match value {
                Value::String(_) => Becomes(value.clone()),
                Value::Number(number) => Becomes(json!(number.to_string())),
                _ => Refused,
            },
            "html" => match value {
                Value::String(_) => Anything,
                _ => Refused,
            },
            "boolean" => match text.map(str::to_lowercase).as_deref() {
                Some("true" | "yes" | "1") => Becomes(json!(true)),
                Some("false" | "no" | "0") => Becomes(json!(false)),
                Some(_) => Refused,
                None if *value == json!(true) || value.as_f64() == Some(1.0) => Becomes(json!(true)),
                None if value.as_f64() == Some(0.0) => Becomes(json!(false)),
                None => Refused,
            },
            "integer" => match number(value) {
                Some(number) if number.fract() == 0.0 && (-2_147_483_648.0..=2_147_483_647.0).contains(&number) => {
                    #[expect(clippy::cast_possible_truncation, reason = "a whole number of 32 bits")]
                    let whole = number as i64;
                    Becomes(json!(whole))
                }
                _ => Refused,
            },
            "float" | "monetary" => number(value).map_or(Refused, |number| Becomes(json!(number))),
            "date" => moment(value)
                .map_or(Refused, |(written, utc)| if written.0 == utc.0 { Becomes(json!(written.0)) } else { Refused }),
            "datetime" => moment(value).map_or(Refused, |(_, (date, time))| Becomes(json!(format!("{date} {time}")))),
            "selection" => {
                let sent = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    _ => return Refused,
                };
                let labelled: Vec<&str> =
                    CHOICES.iter().filter(|(_, label)| *label == sent.trim()).map(|(value, _)| *value).collect();
                match (CHOICES.iter().any(|(value, _)| *value == sent), &labelled[..]) {
                    (true, _) => Becomes(json!(sent)),
                    (false, [only]) => Becomes(json!(only)),
                    _ => Refused,
                }
            }
            "reference" => match value.as_str().and_then(|text| text.strip_prefix("res.country,")) {
                Some(number) if number.parse().is_ok_and(|id| self.countries.contains(&id)) => Becomes(value.clone()),
                _ => Refused,
            },
            "binary" => match value.as_str() {
                Some(text) if is_base64(text) => Becomes(value.clone()),
                _ => Refused,
            },
            "many2one" => match (id(value), &value["code"]) {
                (Some(0), _) => Becomes(empty),
                (Some(id), _) if self.countries.contains(&id) => Becomes(json!(id)),
                (None, Value::String(code)) if self.codes.contains_key(code) => Becomes(json!(self.codes[code])),
                _ => Refused,
            },
            _ => match value {
                Value::Array(items) => self.tags_of(items),
                Value::Object(object) => {
                    object.get("records").and_then(Value::as_array).map_or(Refused, |records| self.tags_of(records))
                }
                _ => Refused,
            },
        }
    }

    fn tags_of(&self, items: &[Value]) -> Meaning {
        let of_item = |item: &Value| id(if item[0] == json!(4) { &item[1] } else { item });
        let ids: Option<Vec<i64>> = items.iter().map(of_item).collect();
        let Some(mut ids) = ids.filter(|ids| ids.iter().all(|id| self.tags.contains(id))) else { return Refused };
        ids.sort_unstable();
        ids.dedup();
        Becomes(json!(ids))
    }
}

fn described(kind: &str) -> Value {
    let mut values = json!({"name": field(kind), "field_description": kind, "ttype": kind});
    match kind {
        "many2one" => values["relation"] = json!("res.country"),
        "many2many" => values["relation"] = json!("res.partner.category"),
        "selection" => {
            let choice = |(n, (value, name)): (usize, &(&str, &str))| json!([0, 0, {"value": value, "name": name, "sequence": n}]);
            values["selection_ids"] = CHOICES.iter().enumerate().map(choice).collect();
        }
        "monetary" => values["currency_field"] = json!("x_currency_id"),
        "reference" => values["selection_ids"] = json!([[0, 0, {"value": "res.country", "name": "Country"}]]),
        _ => {}
    }
    values
}

fn id(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => {
            Some(text.trim()).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
        }
        value => value.as_i64().or_else(|| value.as_f64().filter(|id| id.fract() == 0.0)?.to_string().parse().ok()),
    }
}

/// The number in a value, or in a text in the form of JSON, which may have a sign and zeros before it.
fn number(value: &Value) -> Option<f64> {
    let Some(text) = value.as_str() else { return value.as_f64() };
    let text = text.trim();
    let form = regex::Regex::new(r"^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$").unwrap();
    let number: f64 = form.is_match(text).then(|| text.parse().ok())??;
    number.is_finite().then_some(number)
}

type Moment = (String, String);

/// The date and time of a text as it is written, and in UTC.
fn moment(value: &Value) -> Option<(Moment, Moment)> {
    let form = r"^([1-9]\d{3})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d{1,9})?)?(?:([Zz])|([+-])(\d\d):?(\d\d))?)?$";
    let parts = regex::Regex::new(form).unwrap().captures(value.as_str()?.trim())?;
    let part = |n: usize| parts.get(n).map_or(0, |part| part.as_str().parse::<i64>().unwrap_or(0));
    let (year, month, day, hour, minute, second) = (part(1), part(2), part(3), part(4), part(5), part(6));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_date = (1..=12).contains(&month) && (1..=days[usize::try_from(month - 1).unwrap_or(0)]).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 || part(9) > 25 || part(10) > 59 {
        return None;
    }
    let offset = (part(9) * 60 + part(10)) * if parts.get(8).is_some_and(|sign| sign.as_str() == "-") { -1 } else { 1 };
    let (mut date, mut minutes) = ((year, month, day), hour * 60 + minute - offset);
    while minutes < 0 {
        minutes += 24 * 60;
        date = if date.2 > 1 {
            (date.0, date.1, date.2 - 1)
        } else if date.1 > 1 {
            (date.0, date.1 - 1, days[usize::try_from(date.1 - 2).unwrap()])
        } else {
            (date.0 - 1, 12, 31)
        };
    }
    while minutes >= 24 * 60 {
        minutes -= 24 * 60;
        date = if date.2 < days[usize::try_from(date.1 - 1).unwrap()] {
            (date.0, date.1, date.2 + 1)
        } else if date.1 < 12 {
            (date.0, date.1 + 1, 1)
        } else {
            (date.0 + 1, 1, 1)
        };
    }
    let moment = |(year, month, day): (i64, i64, i64), hour: i64, minute: i64| {
        (format!("{year:04}-{month:02}-{day:02}"), format!("{hour:02}:{minute:02}:{second:02}"))
    };
    Some((moment((year, month, day), hour, minute), moment(date, minutes / 60, minutes % 60)))
}

fn decoded(base64: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(base64.replace(['\r', '\n'], "")).unwrap()
}

/// Base64 with padding; line ends may stand in it.
fn is_base64(text: &str) -> bool {
    let text = text.replace(['\r', '\n'], "");
    let form = regex::Regex::new("^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$").unwrap();
    form.is_match(&text)
}
