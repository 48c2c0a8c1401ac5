//! `payload.then` of `call_function`: the answer to a wizard that a method asks back with.
//!
//! Odoo's web client opens the wizard, a new record of its model in the context of the action, and calls one of its methods. An
//! entry of `then` does the same: it names the method, and where its values differ from the defaults, those. Which model it is,
//! Odoo says; so the policy decides on the wizard when the action is there, before anything of it is sent.

use serde_json::{Map, Value, json};

use crate::{
    literal,
    odoo::{Caller, Rpc},
    plan::{Error, name_limits, policy_check::denied, schema_view::with_schemas, wording::wrong},
    policy::Touch,
};

/// More wizards than any method of Odoo's asks back with, one after another.
pub const MOST: usize = 5;
/// What an entry may have.
pub const PARAMETERS: [&str; 3] = ["method", "values", "parameter"];

/// One entry: what is done with a wizard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Then {
    /// Where in `vals` it stands.
    path: String,
    pub method: String,
    values: Map<String, Value>,
    parameter: Map<String, Value>,
}

/// A wizard that Odoo asks back with: its model, the record where it exists already, and the context that it works in.
#[derive(Debug, Clone, PartialEq)]
pub struct Wizard {
    model: String,
    id: Option<i64>,
    context: Map<String, Value>,
}

impl Wizard {
    /// The wizard of an action; `None` where it is another kind of answer. `called` is the RPC that Odoo answered: the web client
    /// names its records in the context, too.
    pub fn of(action: &Value, called: &Rpc) -> Option<Self> {
        if action["type"] != "ir.actions.act_window" || action["target"] != "new" {
            return None;
        }
        let model = action["res_model"].as_str()?.to_owned();
        let mut context = called.context.clone();
        context.retain(|key, _| !key.starts_with("default_"));
        context.insert("active_model".to_owned(), json!(called.model));
        if let Some(ids) = called.ids.as_ref().filter(|ids| !ids.is_empty()) {
            context.insert("active_id".to_owned(), json!(ids[0]));
            context.insert("active_ids".to_owned(), json!(ids));
        }
        match &action["context"] {
            Value::Object(own) => context.extend(own.clone()),
            // A stored action has its context as a Python literal.
            Value::String(text) => {
                if let Ok(Value::Object(own)) = literal::parse(text) {
                    context.extend(own);
                }
            }
            _ => {}
        }
        Some(Self { model, id: action["res_id"].as_i64().filter(|id| *id > 0), context })
    }
}

impl Then {
    /// Reads the entries: an object, or a list of objects for wizards that come one after another.
    ///
    /// # Errors
    /// An entry is not of its form.
    pub(super) fn read(value: Option<&Value>) -> Result<Vec<Self>, Error> {
        const PATH: &str = "payload.then";
        let entries = match value {
            None | Some(Value::Null | Value::Bool(false)) => return Ok(Vec::new()),
            Some(entry @ Value::Object(_)) => return Ok(vec![Self::read_one(entry, PATH.to_owned())?]),
            Some(Value::Array(entries)) => entries,
            Some(other) => return Err(wrong(PATH, "an object with `method`, or a list of such", other)),
        };
        if entries.len() > MOST {
            let problem = format!("has more than {MOST} entries");
            return Err(Error::WrongKind { path: PATH.to_owned(), problem });
        }
        let numbered = entries.iter().enumerate();
        numbered.map(|(number, entry)| Self::read_one(entry, format!("{PATH}[{number}]"))).collect()
    }

    fn read_one(entry: &Value, path: String) -> Result<Self, Error> {
        let Value::Object(entry) = entry else { return Err(wrong(path, "an object with `method`", entry)) };
        if let Some(strange) = entry.keys().find(|key| !PARAMETERS.contains(&key.as_str())) {
            let problem = format!("is not known there; there are {}", PARAMETERS.join(", "));
            return Err(Error::WrongKind { path: format!("{path}.{strange}"), problem });
        }
        let object = |name: &str| match entry.get(name) {
            None | Some(Value::Null | Value::Bool(false)) => Ok(Map::new()),
            Some(Value::Object(object)) => {
                name_limits::check_keys(object, &format!("{path}.{name}"))?;
                Ok(object.clone())
            }
            Some(other) => Err(wrong(format!("{path}.{name}"), "an object", other)),
        };
        let (values, parameter) = (object("values")?, object("parameter")?);
        let at = format!("{path}.method");
        let method = match entry.get("method") {
            Some(Value::String(method)) if !method.is_empty() => method.clone(),
            other => return Err(wrong(at, "the name of a method of the wizard", other.unwrap_or(&Value::Null))),
        };
        name_limits::check(&method, &at)?;
        if method.starts_with('_') {
            return Err(Error::WrongKind {
                path: at,
                problem: "names a private method, which nobody may call".to_owned(),
            });
        }
        if let Some(name) = parameter.keys().find(|name| matches!(name.as_str(), "context" | "ids")) {
            let problem = "cannot be passed from outside".to_owned();
            return Err(Error::WrongKind { path: format!("{path}.parameter.{name}"), problem });
        }
        Ok(Self { path, method, values, parameter })
    }

    /// Decides on the wizard and all that its values touch.
    async fn decide(&self, caller: &Caller, model: &str) -> Result<(), Error> {
        let policy = caller.policy();
        let at = format!("{}.method", self.path);
        policy.decide(Touch::Model(model)).map_err(denied(&at))?;
        policy.decide(Touch::Method { model, method: &self.method }).map_err(denied(&at))?;
        if policy.is_open() {
            return Ok(());
        }
        let record = json!([[0, 0, self.values]]);
        with_schemas(caller, |schemas| schemas.commands(model, &record, &format!("{}.values", self.path))).await
    }

    /// Opens the wizard, and gives the RPC of its method.
    ///
    /// # Errors
    /// The policy denies the wizard, or Odoo refuses its values.
    pub(crate) async fn open(&self, caller: &Caller, wizard: Wizard) -> Result<Rpc, Error> {
        let Wizard { model, id, context } = wizard;
        self.decide(caller, &model).await?;
        let id = match id {
            Some(id) => {
                if !self.values.is_empty() {
                    let rpc = Rpc { context: context.clone(), ..Rpc::write(&model, vec![id], self.values.clone()) };
                    caller.call(&rpc).await?;
                }
                id
            }
            None => {
                let values = vec![Value::Object(self.values.clone())];
                let rpc = Rpc { context: context.clone(), ..Rpc::create(&model, values) };
                let created = caller.call(&rpc).await?;
                let Some(id) = created[0].as_i64() else {
                    let problem = format!("could not be used: Odoo made no `{model}`");
                    return Err(Error::WrongKind { path: self.path.clone(), problem });
                };
                id
            }
        };
        Ok(Rpc { context, ..Rpc::method(&model, &self.method, Some(vec![id]), self.parameter.clone()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wizard_works_in_the_context_of_its_action_and_knows_the_records_before_it() {
        let called = Rpc::method("stock.picking", "button_validate", Some(vec![7]), Map::new());
        let called = called.with_context("default_name", "x").with_context("lang", "fr_FR");
        let action =
            json!({"type": "ir.actions.act_window", "target": "new", "res_model": "w", "context": {"default_a": 1}});
        let wizard = Wizard::of(&action, &called).unwrap();
        let context = json!({"lang": "fr_FR", "active_model": "stock.picking", "active_id": 7, "active_ids": [7], "default_a": 1});
        assert_eq!((wizard.id, Value::Object(wizard.context)), (None, context));
        let stored = json!({"type": "ir.actions.act_window", "target": "new", "res_model": "w", "res_id": 3, "context": "{'b': 1}"});
        let wizard = Wizard::of(&stored, &called).unwrap();
        assert_eq!((wizard.id, &wizard.context["b"]), (Some(3), &json!(1)));
        let view = json!({"type": "ir.actions.act_window", "target": "current", "res_model": "w"});
        assert_eq!(Wizard::of(&view, &called), None);
        assert_eq!(Wizard::of(&json!(true), &called), None);
    }

    #[test]
    fn entries_are_objects_with_a_public_method() {
        let refusal = |value: Value| Then::read(Some(&value)).unwrap_err().to_string();
        assert_eq!(Then::read(Some(&json!([{"method": "process"}]))).unwrap().len(), 1);
        assert!(refusal(json!("process")).contains("an object with `method`"));
        assert!(refusal(json!({"methd": "process"})).contains("payload.then.methd"));
        assert!(refusal(json!([{"method": "_process"}])).contains("payload.then[0].method"));
        assert!(
            refusal(json!([{"method": "a"}, {"method": "a", "parameter": {"ids": [1]}}]))
                .contains("then[1].parameter.ids")
        );
        assert!(refusal(Value::Array(vec![json!({"method": "a"}); 6])).contains("more than 5"));
    }
}
