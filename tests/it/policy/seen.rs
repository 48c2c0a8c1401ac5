//! What the recorded Odoo was called for: the words in it, and what its domains mean. Knows nothing of how the gateway plans.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::world;

/// A call of a method.
#[derive(Debug, Clone)]
pub(super) struct Rpc {
    pub(super) path: String,
    pub(super) model: String,
    pub(super) method: String,
    args: Vec<Value>,
    kwargs: Value,
}

/// What is looked at for a field that must not be read, or not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Read,
    Written,
}

impl Rpc {
    pub(super) fn read(path: &str, mut params: Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            path: path.to_owned(),
            model: text(&params["model"]),
            method: text(&params["method"]),
            args: serde_json::from_value(params["args"].take()).unwrap_or_default(),
            kwargs: params["kwargs"].take(),
        }
    }

    pub(super) fn arg(&self, place: usize) -> &Value {
        self.args.get(place).unwrap_or(&Value::Null)
    }

    pub(super) fn context(&self) -> &Value {
        &self.kwargs["context"]
    }

    /// All of it, as it came.
    pub(super) fn text(&self) -> String {
        let Self { path, model, method, args, kwargs } = self;
        json!([path, model, method, args, kwargs]).to_string()
    }

    pub(super) fn writes(&self) -> bool {
        !matches!(self.method.as_str(), "fields_get" | "search_read" | "web_search_read" | "read" | "onchange")
    }

    /// The fields that the form of a new record is asked for.
    pub(super) fn form_fields(&self) -> &Value {
        &self.kwargs["fields_spec"]
    }

    /// What it reads: domains, orders, fields, specifications. Or what it writes: values, and defaults in its context.
    pub(super) fn side(&self, side: Side) -> Value {
        let args = match (self.method.as_str(), side) {
            ("fields_get", _) | ("search_read" | "web_search_read" | "read", Side::Written) => json!([]),
            ("create" | "write" | "unlink", Side::Read) => json!([]),
            ("web_save", Side::Read) => json!([self.arg(2)]),
            ("web_save", Side::Written) => json!([self.arg(1)]),
            ("onchange", _) => json!([]),
            _ => json!(self.args),
        };
        let mut kwargs = self.kwargs.clone();
        if let Some(kwargs) = kwargs.as_object_mut() {
            // A form is given the values that are to be written.
            let other = match side {
                Side::Read => ["context", "values"],
                Side::Written => ["fields_spec", "field_names"],
            };
            let of_form = |key: &str| self.method == "onchange" || key == "context";
            other.into_iter().filter(|key| of_form(key)).for_each(|key| drop(kwargs.remove(key)));
        }
        let mut all = json!([args, kwargs]);
        if side == Side::Written {
            drop_domains(&mut all);
        }
        all
    }

    /// A model's or field's name, wherever it stands.
    pub(super) fn has(&self, name: &str) -> bool {
        let text = self.text();
        if name.contains('.') { text.contains(name) } else { words(&text).contains(name) }
    }

    /// A context writes a field by giving it a default.
    pub(super) fn has_word(&self, side: Side, word: &str) -> bool {
        let text = self.side(side).to_string();
        let words = words(&text);
        words.contains(word) || words.contains(&*format!("default_{word}"))
    }

    /// The domain of a search.
    pub(super) fn domain(&self) -> Option<&Value> {
        matches!(self.method.as_str(), "search_read" | "web_search_read").then(|| self.arg(0))
    }

    /// The links through which fields are written, where they are given a value, and the models that they lead to.
    pub(super) fn links(&self) -> Vec<(String, &'static str)> {
        let mut links = Vec::new();
        linked(&self.side(Side::Written), &mut links);
        links
    }

    /// A value in it changes the definitions of properties.
    pub(super) fn defines_properties(&self) -> bool {
        self.text().contains("definition_changed") || self.text().contains("definition_deleted")
    }

    /// The models of which records are searched by name.
    pub(super) fn searched_by_name(&self) -> Vec<&'static str> {
        let mut models = Vec::new();
        let model = world::models().get_key_value(&*self.model).map_or("", |(model, _)| model);
        by_name(model, self.domain().unwrap_or(&Value::Null), &mut models);
        let order = self.domain().and_then(|_| self.arg(4).as_str()).unwrap_or_default();
        for term in order.split(',') {
            let path = term.split_whitespace().next().unwrap_or_default().replace('"', "");
            models.extend(end(model, &path).filter(|_| path.ends_with("display_name")));
        }
        models
    }

    /// The models into which a specification leads for more than the names of their records.
    pub(super) fn specified_models(&self) -> HashSet<&'static str> {
        let specification = match self.method.as_str() {
            "web_search_read" => self.arg(1),
            "web_save" => self.arg(2),
            "onchange" => self.form_fields(),
            _ => &Value::Null,
        };
        let mut models = HashSet::new();
        lead(&self.model, specification, &mut models);
        models
    }
}

/// The domain of a property's records writes none of the fields that it names.
fn drop_domains(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(drop_domains),
        Value::Object(values) => {
            values.remove("domain");
            values.values_mut().for_each(drop_domains);
        }
        _ => {}
    }
}

fn linked(value: &Value, links: &mut Vec<(String, &'static str)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| linked(item, links)),
        Value::Object(values) => {
            for (name, value) in values {
                let link = name.strip_prefix("default_").unwrap_or(name);
                let is_given = !matches!(value, Value::Null | Value::Bool(false));
                if let Some(relation) = world::written_through(link).filter(|_| is_given) {
                    links.push((link.to_owned(), relation));
                }
                linked(value, links);
            }
        }
        _ => {}
    }
}

/// The model whose field is at the end of a path.
fn end(model: &'static str, path: &str) -> Option<&'static str> {
    path.rsplit_once('.')
        .map_or(Some(model), |(way, _)| way.split('.').try_fold(model, |model, name| world::relation(model, name)))
}

/// What a domain searches by name: names themselves and their copies, and relations that are compared with texts.
fn by_name(model: &'static str, domain: &Value, models: &mut Vec<&'static str>) {
    for condition in domain.as_array().into_iter().flatten().filter_map(Value::as_array) {
        let [Value::String(path), operator, value] = &condition[..] else { continue };
        let Some(owner) = end(model, path) else { continue };
        let (last, operator) = (path.rsplit('.').next().unwrap(), operator.as_str().unwrap_or_default().to_lowercase());
        let has_text =
            |value: &Value| value.is_string() || value.as_array().is_some_and(|list| list.iter().any(Value::is_string));
        match (last, world::relation(owner, last)) {
            ("display_name", _) => models.push(owner),
            ("o_named", _) => models.push("zq.partner"),
            (_, Some(relation)) if operator.contains("any") => by_name(relation, value, models),
            (_, Some(relation)) if has_text(value) || operator.contains("like") => models.push(relation),
            _ => {}
        }
    }
}

fn lead(model: &str, specification: &Value, models: &mut HashSet<&'static str>) {
    for (name, within) in specification.as_object().into_iter().flatten() {
        let (Some(relation), Some(fields)) = (world::relation(model, name), within["fields"].as_object()) else {
            continue;
        };
        if fields.keys().any(|field| field != "display_name") || fields.is_empty() {
            models.insert(relation);
        }
        lead(relation, &within["fields"], models);
    }
}

/// Names, as they stand in a text; a dot divides two.
pub(super) fn words(text: &str) -> HashSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect()
}

/// A domain's meaning.
#[derive(Debug, PartialEq)]
enum Tree {
    Condition(Value),
    And(Box<[Tree; 2]>),
    Or(Box<[Tree; 2]>),
    Not(Box<Tree>),
}

fn tree(items: &mut std::slice::Iter<'_, Value>) -> Option<Tree> {
    let item = items.next()?;
    Some(match item.as_str() {
        Some("&") => Tree::And(Box::new([tree(items)?, tree(items)?])),
        Some("|") => Tree::Or(Box::new([tree(items)?, tree(items)?])),
        Some("!") => Tree::Not(Box::new(tree(items)?)),
        _ => Tree::Condition(item.clone()),
    })
}

/// What must hold together for a domain to hold.
fn conjuncts(domain: &Value) -> Vec<Tree> {
    fn split(tree: Tree, into: &mut Vec<Tree>) {
        match tree {
            Tree::And(both) => both.into_iter().for_each(|one| split(one, into)),
            other => into.push(other),
        }
    }
    let mut items = domain.as_array().map_or([].iter(), |items| items.iter());
    let mut all = Vec::new();
    while let Some(one) = tree(&mut items) {
        split(one, &mut all);
    }
    all
}

/// Whatever the domain finds is within the forced one.
pub(super) fn is_within(domain: &Value, forced: &Value) -> bool {
    let all = conjuncts(domain);
    conjuncts(forced).iter().all(|one| all.contains(one))
}

#[test]
fn a_domain_is_within_another_only_where_that_must_hold() {
    let (a, b, forced) = (json!(["a", "=", 1]), json!(["b", "=", 1]), json!(["|", ["c", "=", 1], ["c", "=", 2]]));
    let join = |parts: &[&[Value]]| Value::Array(parts.concat());
    let own = forced.as_array().unwrap();
    assert!(is_within(&join(&[&[json!("&")], own, &[json!("|"), a.clone(), b.clone()]]), &forced));
    assert!(is_within(&join(&[std::slice::from_ref(&a), own]), &forced));
    assert!(!is_within(&join(&[&[json!("|")], own, std::slice::from_ref(&a)]), &forced));
    assert!(!is_within(&join(&[&[json!("|"), a, b]]), &forced));
}
