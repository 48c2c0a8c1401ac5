//! Random calls of the five routes, of everything that a payload may hold, nested at random.

use serde_json::{Map, Value, json};

use crate::policy::{
    callers::Ask,
    world::{self, Field, LINK, LINK_LABEL, NOTE, NOTE_LABEL},
};

pub(super) struct Maker {
    pub(super) random: fastrand::Rng,
    /// Of the Odoo that is called: there are no properties before 16.
    pub(super) version: u16,
}

/// Models that calls are about.
const MODELS: [&str; 8] =
    ["zq.order", "zq.order", "zq.order", "zq.partner", "zq.line", "zq.tag", "ir.attachment", "res.users"];

const METHODS: [&str; 7] = ["action_go", "action_go", "action_stop", "write", "read", "copy", "name_search"];

/// Models that a file says it belongs to.
const OWNERS: [&str; 3] = ["zq.order", "zq.secret", "zq.tag"];

/// Python takes all of these for 0 or 1; `true` is no command here.
const CODES: [&str; 9] = ["0", "0", "1", "1", "false", "false", "0.0", "1.0", "true"];

impl Maker {
    pub(super) fn ask(&mut self) -> Ask {
        let model = self.one(&MODELS);
        let route = self.one(&["create_data", "update_data", "create_update_data", "search_data", "call_function"]);
        let vals = match route {
            "search_data" => json!({"payload": self.search(model)}),
            "call_function" => self.function(model),
            _ => self.write(model, route),
        };
        Ask::new(route, model, vals)
    }

    fn one<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.random.usize(..all.len())]
    }

    /// Once in so many times.
    fn once_in(&mut self, times: u8) -> bool {
        self.random.u8(..times) == 0
    }

    fn text(&mut self) -> Value {
        json!(self.one(&["a", "a", "b", "c", "missing", "several"]))
    }

    fn id(&mut self) -> i64 {
        self.one(&[21, 31, 71, 101, 9_001])
    }

    fn field(&mut self, model: &str) -> &'static Field {
        let is_there = |field: &&Field| self.version >= 16 || !field.kind.starts_with("properties");
        let fields: Vec<&'static Field> = world::fields(model).iter().filter(is_there).collect();
        fields[self.random.usize(..fields.len())]
    }

    fn related(&mut self, model: &str) -> Option<(&'static Field, &'static str)> {
        let leading = world::fields(model).iter().filter_map(|field| Some((field, field.relation?)));
        let leading: Vec<_> = leading.collect();
        (!leading.is_empty()).then(|| self.one(&leading))
    }

    /// A field, perhaps behind others, and the model that it leads to.
    fn path(&mut self, model: &str) -> (String, Option<&'static str>) {
        let mut model = model;
        let mut path = String::new();
        while let Some((field, relation)) = self.related(model).filter(|_| path.len() < 30) {
            if !self.once_in(3) {
                break;
            }
            path += field.name;
            path.push('.');
            model = relation;
        }
        if self.once_in(10) {
            return (path + "display_name", None);
        }
        let field = self.field(model);
        (path + field.name, field.relation)
    }

    fn write(&mut self, model: &'static str, route: &str) -> Value {
        let mut vals = json!({"payload": self.values(model, 3)});
        if route != "create_data" {
            vals["search_key"] = self.key(model);
        }
        if self.once_in(3) {
            vals["result_field"] = self.picks(model, 3);
        }
        if self.once_in(2) {
            vals["auto_create"] = self.auto_create(model);
        }
        if self.once_in(12) {
            vals["dry_run"] = json!(true);
        }
        vals
    }

    /// For any relations of the model, or of those behind it.
    fn auto_create(&mut self, model: &str) -> Value {
        let mut entries = Map::new();
        for (field, relation) in
            [self.related(model), self.related("zq.line"), self.related("zq.partner")].into_iter().flatten()
        {
            let mut values = self.values(relation, 2);
            // What is looked for, as a rule.
            let code = world::own_fields(relation).find(|name| name.ends_with("_code"));
            if let Some(code) = code.filter(|_| !self.once_in(4)) {
                values[code] = json!("missing");
            }
            entries.insert(field.name.to_owned(), if self.once_in(2) { values } else { json!([values]) });
        }
        Value::Object(entries)
    }

    fn values(&mut self, model: &'static str, depth: u8) -> Value {
        self.record(model, depth, false)
    }

    fn record(&mut self, model: &'static str, depth: u8, within_commands: bool) -> Value {
        let mut values = Map::new();
        for _ in 0..=self.random.u8(..2) {
            let field = self.field(model);
            if let Some(value) = self.value(field, depth, within_commands) {
                values.insert(field.name.to_owned(), value);
            }
        }
        if self.once_in(12) && !within_commands {
            values.insert("attachment_ids".to_owned(), json!([{"name": "a", "datas": "QQ=="}]));
        }
        Value::Object(values)
    }

    fn value(&mut self, field: &Field, depth: u8, within_commands: bool) -> Option<Value> {
        let relation = field.relation.unwrap_or_default();
        Some(match field.kind {
            "many2many" | "one2many" if within_commands && self.once_in(2) => match depth {
                0 => json!([self.id()]),
                _ => self.commands(relation, depth),
            },
            "many2one" => match self.random.u8(..5) {
                0 => json!(self.id()),
                1 => json!({"id": self.id()}),
                _ => self.lookup(relation),
            },
            "many2many" => match self.random.u8(..5) {
                0 => json!([self.id(), self.id()]),
                1 => self.commands(relation, depth),
                _ => {
                    let records: Vec<Value> = (0..=self.random.u8(..2)).map(|_| self.lookup(relation)).collect();
                    json!({"mode": self.one(&["add", "replace", "remove"]), "records": records})
                }
            },
            "one2many" if depth > 0 => match self.random.u8(..4) {
                0 => self.commands(relation, depth),
                1 => self.lines(relation, depth - 1),
                _ => (0..=self.random.u8(..2)).map(|_| self.values(relation, depth - 1)).collect(),
            },
            "one2many" => return None,
            "reference" => json!(format!("{},{}", self.one(&["zq.secret", "zq.tag", "zq.partner"]), self.id())),
            "integer" | "many2one_reference" => json!(self.one(&[3, 4])),
            "date" => json!("2026-01-31"),
            "json" => json!({"a": [1]}),
            "properties" | "properties_definition" => self.properties(field.kind),
            "binary" => json!("QQ=="),
            _ if field.name == "res_model" => json!(self.one(&OWNERS)),
            _ if self.once_in(30) => json!("outside"),
            _ => self.text(),
        })
    }

    fn properties(&mut self, kind: &str) -> Value {
        let comodel = self.one(&["zq.tag", "zq.tag", "zq.secret", "res.users"]);
        let mut property = json!({"name": LINK, "type": "many2one", "comodel": comodel});
        let (key, id) = (if kind == "properties" { "value" } else { "default" }, self.id());
        property[key] = json!(id);
        if kind == "properties" {
            match self.random.u8(..6) {
                0 => return json!({LINK: id, NOTE: "x"}),
                1 => return json!({LINK_LABEL: id, NOTE: "x"}),
                2 => return json!([{"string": NOTE_LABEL, "value": "x"}, {"name": LINK, "value": id}]),
                3 => property[self.one(&["definition_changed", "definition_deleted"])] = json!(true),
                _ => {}
            }
        }
        let is_text = self.once_in(3);
        if self.once_in(4) && !is_text {
            let domain = self.domain(comodel, 1);
            property["domain"] = json!(python(&domain));
        }
        let all = json!([{"name": NOTE, "type": "char", key: "x"}, property]);
        if is_text { json!(all.to_string()) } else { all }
    }

    /// Lines of a mode, some of them by their ids.
    fn lines(&mut self, model: &'static str, depth: u8) -> Value {
        let mode = self.one(&["replace", "merge", "merge", "add", "remove"]);
        let name = |end| world::own_fields(model).find(|name| name.ends_with(end));
        let key = self.one(&[name("_code"), name("_name")]).unwrap_or("id");
        let mut line = || {
            let mut line = self.values(model, depth);
            match mode {
                "remove" if self.once_in(2) => return json!(101),
                "add" => {}
                "merge" => line[key] = self.text(),
                _ if self.once_in(2) => line["id"] = json!(101),
                _ => {}
            }
            line
        };
        let records = json!([line(), line()]);
        match mode {
            "merge" => json!({"mode": mode, "key": key, "records": records}),
            _ => json!({"mode": mode, "records": records}),
        }
    }

    fn lookup(&mut self, model: &str) -> Value {
        let code = world::own_fields(model).find(|name| name.ends_with("_code"));
        let (path, _) = match code.filter(|_| !self.once_in(3)) {
            Some(code) => (code.to_owned(), None),
            None => self.path(model),
        };
        let value = self.text();
        json!({ path: value })
    }

    fn commands(&mut self, model: &'static str, depth: u8) -> Value {
        let mut command = || match self.random.u8(..6) {
            0 => json!([4, self.id()]),
            1 => json!([6, 0, [self.id()]]),
            2 => json!([self.one(&[2, 3, 5]), self.id()]),
            _ => {
                let code: Value = serde_json::from_str(self.one(&CODES)).unwrap();
                json!([code, self.id(), self.record(model, depth.saturating_sub(1), true)])
            }
        };
        json!([command(), command()])
    }

    fn key(&mut self, model: &str) -> Value {
        if self.once_in(2) {
            return json!({"id": 71});
        }
        let (path, _) = self.path(model);
        let value = self.text();
        json!({ path: if self.once_in(3) { json!([value, "a"]) } else { value } })
    }

    fn search(&mut self, model: &'static str) -> Value {
        let mut search = json!({"search_field": self.picks(model, 3)});
        if self.once_in(2) {
            let domain = self.domain(model, 2);
            search["search_domain"] = if self.once_in(3) { json!(python(&domain)) } else { domain };
        }
        if self.once_in(3) {
            let mut term = || {
                let path = self.path(model).0;
                let path = if self.once_in(3) { format!("\"{path}\"") } else { path };
                path + self.one(&["", " desc", " ASC"])
            };
            search["order"] = json!(format!("{}, {}", term(), term()));
        }
        search
    }

    fn picks(&mut self, model: &'static str, depth: u8) -> Value {
        (0..self.random.u8(..3)).map(|_| json!(self.pick(model, depth))).collect()
    }

    fn pick(&mut self, model: &str, depth: u8) -> String {
        let field = self.field(model);
        match (field.kind, field.relation.filter(|_| depth > 0)) {
            ("reference", _) if self.once_in(2) => {
                let within = self.field(if field.name == "o_ref" { "zq.secret" } else { "zq.tag" });
                format!("{}{{{}}}", field.name, within.name)
            }
            (_, Some(relation)) if !self.once_in(3) => {
                let within: Vec<String> = (0..=self.random.u8(..2)).map(|_| self.pick(relation, depth - 1)).collect();
                format!("{}{{{}}}", field.name, within.join(", "))
            }
            _ => field.name.to_owned(),
        }
    }

    fn domain(&mut self, model: &str, depth: u8) -> Value {
        let condition = self.condition(model, depth);
        match self.random.u8(..5) {
            0 => json!(["|", condition, self.condition(model, depth)]),
            1 => json!(["!", condition]),
            2 => json!([self.condition(model, depth), "|", ["id", ">", 0], condition]),
            _ => json!([condition]),
        }
    }

    fn condition(&mut self, model: &str, depth: u8) -> Value {
        match self.path(model) {
            (path, Some(relation)) => match self.random.u8(..4) {
                0 if depth > 0 => json!([path, self.one(&["any", "not any"]), self.domain(relation, depth - 1)]),
                1 => json!([path, self.one(&["ilike", "=", "child_of"]), self.text()]),
                2 => json!([path, "in", [self.id(), self.id()]]),
                _ => json!([path, "=", self.id()]),
            },
            (path, None) => json!([path, self.one(&["=", "!=", "ilike"]), self.text()]),
        }
    }

    fn function(&mut self, model: &'static str) -> Value {
        let mut vals = json!({"payload": {"method": self.one(&METHODS)}});
        if self.once_in(2) {
            vals["payload"]["on_model"] = json!(true);
        } else {
            vals["search_key"] = self.key(model);
        }
        if self.once_in(3) {
            let of = self.one(&MODELS);
            let field = self.field(of).name;
            let value = match field {
                "res_model" => json!(self.one(&OWNERS)),
                _ if field.ends_with("_id") && self.once_in(2) => json!(self.id()),
                _ => json!("x"),
            };
            vals["payload"]["context"] = json!({ format!("default_{field}"): value });
        }
        vals
    }
}

/// The domain as Python writes it.
fn python(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}
