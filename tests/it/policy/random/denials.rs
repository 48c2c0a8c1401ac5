//! A random policy, and what it denies: names of models, fields and methods.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::policy::{
    callers::{Ask, Outcome, list, models},
    domains::{escapes, forced},
    seen::{Rpc, Side},
    world::{self, POWER},
};

/// What the gateway calls to do what it is asked for, besides methods that it is told to call.
const OWN: [&str; 9] =
    ["fields_get", "search_read", "web_search_read", "read", "onchange", "create", "write", "web_save", "unlink"];

pub(super) struct Denials {
    /// The lines of its `[[client]]`.
    pub(super) policy: String,
    models: BTreeSet<&'static str>,
    /// The names of fields, copies among them.
    read: BTreeSet<&'static str>,
    written: BTreeSet<&'static str>,
    methods: Vec<&'static str>,
    domains: BTreeMap<&'static str, Value>,
    /// What is said of searches by name.
    names: BTreeMap<&'static str, Vec<&'static str>>,
}

impl Denials {
    pub(super) fn random(random: &mut fastrand::Rng, version: u16) -> Self {
        let mut denied: BTreeSet<&str> = BTreeSet::new();
        for model in
            ["zq.secret", "zq.tag", "zq.leaf", "zq.sub", "zq.line", "zq.partner", "res.company", "ir.attachment"]
        {
            if random.u8(..) < 25 {
                denied.insert(model);
            }
        }
        let is_power = |model: &str| POWER.iter().any(|power| model.starts_with(power.trim_end_matches('*')));
        let names = || world::models().keys().copied();
        let models = match random.u8(..3) {
            // Models of power are not named.
            0 => {
                let line = models("[\"*\"]", &list(&denied));
                denied.extend(names().filter(|model| is_power(model)));
                line
            }
            1 => models(&list(names().filter(|model| !denied.contains(model))), "[]"),
            _ => models(&list(POWER.into_iter().chain(["*"])), &list(&denied)),
        };
        let mut policy = models + "max_records = { write = 1000 }\n";
        let mut fields = |key: &str, is_deniable: fn(&world::Field) -> bool| {
            let all =
                world::models().iter().flat_map(|(model, fields)| fields.iter().map(move |field| (*model, field)));
            let is_there = |field: &world::Field| version >= 16 || !field.kind.starts_with("properties");
            let is_own = |field: &world::Field| field.name.as_bytes()[1] == b'_' && is_there(field);
            let all: Vec<_> = all.filter(|(_, field)| is_own(field) && is_deniable(field)).collect();
            let some: Vec<_> = (0..random.usize(..4)).map(|_| all[random.usize(..all.len())]).collect();
            let name = |(model, field): &(&str, &world::Field)| match random.bool() {
                true => format!("{model}.{}", field.name),
                false => format!("*.{}", field.name),
            };
            policy += &format!("{key} = {}\n", list(some.iter().map(name)));
            let is_such = if key == "never_read" { is_copy } else { is_related };
            let denied = |name: &&str| some.iter().any(|(_, field)| is_such(name, field.name));
            names().flat_map(world::own_fields).filter(denied).collect::<BTreeSet<_>>()
        };
        // Lines, and the way back from them, are read to write them; and forced domains are the operator's.
        let read = fields("never_read", |field| {
            let leads_back = world::models().values().flatten().any(|other| other.inverse == Some(field.name));
            field.kind != "one2many" && !leads_back && !field.name.ends_with("_team")
        });
        let written = fields("never_write", |_| true);
        let methods = [&[][..], &["zq.order.action_go"], &["*"]][random.usize(..3)].to_vec();
        policy += &format!("methods = {}\n", list(&methods));
        let narrowed = ["zq.order", "zq.partner", "zq.tag", "zq.line", "zq.secret"];
        let domains: BTreeMap<_, _> =
            narrowed.into_iter().filter(|_| random.u8(..) < 25).map(|model| (model, forced(model))).collect();
        let entries: Vec<String> = domains.iter().map(|(model, domain)| format!("\"{model}\" = {domain}")).collect();
        policy += &format!("domains = {{ {} }}\n", entries.join(", "));
        let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for model in ["zq.order", "zq.partner", "zq.tag", "zq.secret", "res.users"] {
            let fields: Vec<&str> = world::own_fields(model).filter(|_| random.u8(..) < 40).collect();
            if random.u8(..) < 80 && !fields.is_empty() {
                names.insert(model, fields);
            }
        }
        let entries: Vec<String> =
            names.iter().map(|(model, fields)| format!("\"{model}\" = {}", list(fields))).collect();
        policy += &format!("name_search = {{ {} }}\n", entries.join(", "));
        Self { policy, models: denied, read, written, methods, domains, names }
    }

    /// A search of the model by name reads a field that must not be read, as far as is said.
    fn hides_from_names(&self, model: &str) -> bool {
        match self.names.get(model) {
            Some(fields) => fields.iter().any(|field| self.read.contains(field)),
            None => world::own_fields(model).any(|field| self.read.contains(field)),
        }
    }

    /// Something in an answer that must not be there: the name of a record to which a property leads.
    pub(super) fn found_in_answer(&self, answer: &Value) -> Option<String> {
        match answer {
            Value::Array(items) => items.iter().find_map(|item| self.found_in_answer(item)),
            Value::Object(values) => {
                let comodel = values.get("comodel").and_then(Value::as_str).filter(|model| self.models.contains(model));
                let is_led_to = |key: &&str| values.get(*key).and_then(|value| value[1].as_str()).is_some();
                match comodel.filter(|_| ["value", "default"].iter().any(is_led_to)) {
                    Some(comodel) => Some(format!("the name of a {comodel} is answered")),
                    None => values.values().find_map(|value| self.found_in_answer(value)),
                }
            }
            _ => None,
        }
    }

    /// Something in a request that must not be there.
    pub(super) fn found_in(&self, rpc: &Rpc, ask: &Ask, outcome: &Outcome) -> Option<String> {
        let model =
            self.models.iter().find(|model| world::own_fields(model).chain([**model]).any(|name| rpc.has(name)));
        let read = self.read.iter().find(|name| rpc.has_word(Side::Read, name));
        let written = self.written.iter().find(|name| rpc.has_word(Side::Written, name));
        let part = rpc.links().into_iter().find(|(_, relation)| self.models.contains(relation));
        let named = rpc.searched_by_name().into_iter().find(|model| self.hides_from_names(model));
        let defined = rpc.defines_properties()
            && (self.models.contains("zq.partner")
                || self.written.contains("p_defs")
                || self.domains.contains_key("zq.partner"));
        let method = rpc.method.as_str();
        let is_asked = ask.route == "call_function" && method != "fields_get" && method != "search_read";
        let is_named = self.methods.iter().any(|name| *name == "*" || *name == format!("{}.{method}", rpc.model));
        let is_narrow =
            !(self.read.is_empty() && self.written.is_empty() && self.models.is_empty() && self.domains.is_empty());
        let escaped = self.domains.iter().find(|(model, domain)| {
            escapes(model, domain, ask, outcome).into_iter().any(|escape| std::ptr::eq(escape, rpc))
        });
        None.or(model.map(|model| format!("of the model {model}: {}", rpc.text())))
            .or(read.map(|name| format!("{name} is read: {}", rpc.text())))
            .or(written.map(|name| format!("{name} is written: {}", rpc.text())))
            .or(part.map(|(link, model)| format!("a {model} is chosen by {link}: {}", rpc.text())))
            .or(named.map(|model| format!("{model} is searched by name: {}", rpc.text())))
            .or(defined.then(|| format!("properties are defined: {}", rpc.text())))
            .or((is_asked && !is_named).then(|| format!("{method} is not named")))
            .or((is_asked && is_narrow && OWN.contains(&method)).then(|| format!("{method} knows no rules")))
            .or((!is_asked && !OWN.contains(&method)).then(|| format!("{method} was not asked for")))
            .or(escaped.map(|(model, _)| format!("{model} past its domain: {}", rpc.text())))
    }
}

/// Whether a field is this one, or a copy of it, or of a copy.
fn is_copy(name: &str, of: &str) -> bool {
    is_related(name, of) || defines(name) == Some(of)
}

/// The field that the definitions of properties stand in, which are answered with these.
fn defines(name: &str) -> Option<&'static str> {
    world::models().values().flatten().find(|field| field.name == name)?.defined.map(|(_, field)| field)
}

fn is_related(name: &str, of: &str) -> bool {
    let field = world::models().values().flatten().find(|field| field.name == name);
    let copied = field.and_then(|field| field.related).map(|path| path.rsplit('.').next().unwrap());
    name == of || copied.is_some_and(|copied| is_related(copied, of))
}

#[test]
fn a_copy_of_a_copy_is_one_of_the_first() {
    assert!(is_copy("o_copy_of_copy", "p_code") && is_copy("o_far_copy", "s_code") && !is_copy("o_copy", "p_name"));
    assert_eq!(forced("zq.tag"), json!(["|", ["t_team", "=", 3], ["t_team", "=", 4]]));
}
