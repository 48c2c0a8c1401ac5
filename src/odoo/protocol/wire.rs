//! RPCs as JSON, serialised from references: nothing is copied first, least of all the content of files.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::{Map, Value};

use crate::odoo::model::rpc::Rpc;

/// As `call_kw` takes it: `{"model", "method", "args", "kwargs"}`; `kwargs` must be there even when empty.
#[derive(Serialize)]
pub(in crate::odoo) struct CallKw<'r> {
    model: &'r str,
    method: &'r str,
    args: Args<'r>,
    kwargs: Kwargs<'r>,
}

/// The arguments by position, after the record ids.
pub(in crate::odoo) struct Args<'r>(&'r Rpc);

/// The arguments by name, including the context.
pub(in crate::odoo) struct Kwargs<'r> {
    rpc: &'r Rpc,
    user: &'r Map<String, Value>,
}

/// As JSON-2 takes it: one object of named arguments, including `ids` and `context`.
pub(in crate::odoo) struct Named<'r> {
    rpc: &'r Rpc,
    user: &'r Map<String, Value>,
}

/// The context of an RPC. It replaces the user's own context in Odoo, so that language and time zone have to be sent too.
struct Context<'r> {
    rpc: &'r Rpc,
    user: &'r Map<String, Value>,
}

impl Rpc {
    /// `user` is the context of the user, which is sent with every RPC.
    pub(in crate::odoo) fn call_kw<'r>(&'r self, user: &'r Map<String, Value>) -> CallKw<'r> {
        let (args, kwargs) = self.args_and_kwargs(user);
        CallKw { model: &self.model, method: &self.method, args, kwargs }
    }

    pub(in crate::odoo) fn args_and_kwargs<'r>(&'r self, user: &'r Map<String, Value>) -> (Args<'r>, Kwargs<'r>) {
        (Args(self), Kwargs { rpc: self, user })
    }

    pub(in crate::odoo) fn named<'r>(&'r self, user: &'r Map<String, Value>) -> Named<'r> {
        Named { rpc: self, user }
    }
}

impl Serialize for Args<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Rpc { ids, args, .. } = self.0;
        let mut list = serializer.serialize_seq(Some(usize::from(ids.is_some()) + args.len()))?;
        if let Some(ids) = ids {
            list.serialize_element(ids)?;
        }
        args.iter().try_for_each(|(_, value)| list.serialize_element(value))?;
        list.end()
    }
}

impl Serialize for Kwargs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { rpc, user } = self;
        let mut map = serializer.serialize_map(None)?;
        rpc.kwargs
            .iter()
            .filter(|(name, _)| *name != "context")
            .try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.serialize_entry("context", &Context { rpc, user })?;
        map.end()
    }
}

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { rpc, user } = self;
        let by_position = |name: &str| rpc.args.iter().any(|(known, _)| *known == name);
        let is_own = |name: &str| matches!(name, "ids" | "context") || by_position(name);
        let mut map = serializer.serialize_map(None)?;
        rpc.kwargs
            .iter()
            .filter(|(name, _)| !is_own(name))
            .try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        rpc.args.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        if let Some(ids) = &rpc.ids {
            map.serialize_entry("ids", ids)?;
        }
        map.serialize_entry("context", &Context { rpc, user })?;
        map.end()
    }
}

impl Serialize for Context<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own = &self.rpc.context;
        let mut map = serializer.serialize_map(None)?;
        let of_user = self.user.iter().filter(|(key, _)| !own.contains_key(*key));
        of_user.chain(own).try_for_each(|(key, value)| map.serialize_entry(key, value))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_call_is_written_by_position_and_by_name_with_the_users_context_below_its_own() {
        let user = object(json!({"lang": "nl_BE", "tz": "UTC"}));
        let mut rpc = Rpc::read("res.partner", vec![7], json!(["name"])).with_context("lang", "fr_FR");
        rpc.kwargs = object(json!({"load": "", "context": {"lang": "x"}, "fields": "not these"}));
        let context = json!({"tz": "UTC", "lang": "fr_FR"});
        let by_position = json!({"model": "res.partner", "method": "read", "args": [[7], ["name"]],
            "kwargs": {"load": "", "fields": "not these", "context": context}});
        assert_eq!(serde_json::to_value(rpc.call_kw(&user)).unwrap(), by_position);
        let named = json!({"load": "", "fields": ["name"], "ids": [7], "context": context});
        assert_eq!(serde_json::to_value(rpc.named(&user)).unwrap(), named);
        // Never a name twice, which Odoo would take one of.
        let text = serde_json::to_string(&rpc.named(&user)).unwrap();
        assert_eq!((text.matches("\"context\"").count(), text.matches("\"fields\"").count()), (1, 1), "{text}");
    }
}
