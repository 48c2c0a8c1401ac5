//! Analytic distributions: `{"CODE": 100}`, with an account's id, code or name as the key, or several with commas
//! between them.

use serde_json::{Map, Value};

use super::Reader;
use crate::{
    plan::{
        Error, Nearby, NoMatch, analytic,
        error::Mistakes,
        policy_check::denied,
        wording::{kind_of, wrong as not_due},
    },
    policy::Touch,
};

/// The key under which the web client says which plans it changes (17 and later).
const UPDATE: &str = "__update__";

/// A distribution that names accounts by code or name, as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plan) struct Distribution {
    pub(in crate::plan) shares: Map<String, Value>,
    /// The company whose accounts are meant, where there are several of a code.
    pub(in crate::plan) company: Option<i64>,
}

impl Distribution {
    /// What accounts may be named by: each key as a whole, and its parts between commas.
    pub(in crate::plan) fn names(&self) -> impl Iterator<Item = &str> {
        let keys = self.shares.keys().map(String::as_str).filter(|key| !is_of_ids(key) && *key != UPDATE);
        keys.flat_map(|key| std::iter::once(key.trim()).chain(parts(key)))
    }

    /// The distribution by ids. `id` gives the account of a name; `None` where a key as a whole names none.
    ///
    /// # Errors
    /// Those of `id`, for a part of a key; or two keys name the same accounts.
    pub(in crate::plan) fn by_ids(
        &self,
        path: &str,
        id: impl Fn(&str, Option<i64>) -> Result<Option<i64>, Error>,
    ) -> Result<Map<String, Value>, Error> {
        let mut distribution = Map::new();
        for (key, share) in &self.shares {
            let at = || format!("{path}.{key}");
            let by_ids = if is_of_ids(key) || key == UPDATE {
                key.clone()
            } else if let Some(id) = id(key.trim(), self.company)? {
                id.to_string()
            } else {
                let account = |part: &str| {
                    let not_found = || {
                        let (field, value) = (analytic::FIELD.to_owned(), part.to_owned());
                        let (model, nearby) = (analytic::MODEL.to_owned(), Nearby::default());
                        let key = Map::from_iter([(analytic::KEYS[0].to_owned(), Value::from(part))]);
                        Error::NoMatch(Box::new(NoMatch { path: at(), field, value, model, key, nearby }))
                    };
                    if is_id(part) {
                        Ok(part.to_owned())
                    } else {
                        id(part, self.company)?.map(|id| id.to_string()).ok_or_else(not_found)
                    }
                };
                parts(key).map(account).collect::<Result<Vec<_>, _>>()?.join(",")
            };
            if distribution.insert(by_ids, share.clone()).is_some() {
                let problem = "names the same account as another key".to_owned();
                return Err(Error::WrongKind { path: at(), problem });
            }
        }
        Ok(distribution)
    }
}

impl Reader<'_> {
    /// Reads a distribution; `None` where it is empty, which Odoo takes as it is.
    ///
    /// # Errors
    /// It is no object of numbers, or the policy does not let the caller find accounts.
    pub(super) fn distribution(
        &mut self,
        value: &Value,
        path: &str,
        company: Option<i64>,
    ) -> Result<Option<Distribution>, Error> {
        let shares = match value {
            Value::Null | Value::Bool(false) => return Ok(None),
            Value::Object(shares) => shares,
            other => return Err(not_due(path, "an object of percentages by account, such as {\"CODE\": 100}", other)),
        };
        let mut wrong = Mistakes::default();
        for (key, share) in shares.iter().filter(|(key, _)| *key != UPDATE) {
            if !share.is_number() {
                let problem = format!("must be a percentage, a number such as 100, not {}", kind_of(share));
                wrong.note(Error::WrongKind { path: format!("{path}.{key}"), problem });
            }
            if parts(key).any(str::is_empty) {
                let problem = "must name an account by its id, code or name".to_owned();
                wrong.note(Error::WrongKind { path: format!("{path}.{key}"), problem });
            }
        }
        wrong.and(Ok(()))?;
        let distribution = Distribution { shares: shares.clone(), company };
        let decide = |touch| self.schemas.policy().decide(touch).map_err(denied(path));
        decide(Touch::Model(analytic::MODEL))?;
        if shares.keys().any(|key| parts(key).any(is_id)) {
            decide(Touch::Unchecked(analytic::MODEL))?;
        }
        if distribution.names().next().is_some() {
            for field in analytic::KEYS {
                decide(Touch::Read { model: analytic::MODEL, field })?;
            }
        }
        Ok(Some(distribution))
    }
}

fn parts(key: &str) -> impl Iterator<Item = &str> {
    key.split(',').map(str::trim)
}

/// Whether a key is what Odoo takes: ids alone.
fn is_of_ids(key: &str) -> bool {
    key.split(',').all(is_id)
}

fn is_id(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn distribution(shares: Value) -> Distribution {
        Distribution { shares: shares.as_object().unwrap().clone(), company: None }
    }

    fn by_ids(shares: Value) -> Result<Value, String> {
        let id = |name: &str, _| {
            Ok(match name {
                "A" => Some(7),
                "B" => Some(8),
                "Paper, ink" => Some(9),
                _ => None,
            })
        };
        distribution(shares).by_ids("payload.d", id).map(Value::Object).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_become_ids_and_ids_stay() {
        assert_eq!(by_ids(json!({"A": 60, "12": 40})).unwrap(), json!({"7": 60, "12": 40}));
        assert_eq!(by_ids(json!({"A, B": 50, "3,B": 50})).unwrap(), json!({"7,8": 50, "3,8": 50}));
        assert_eq!(by_ids(json!({"Paper, ink": 100})).unwrap(), json!({"9": 100}));
        assert_eq!(by_ids(json!({"A": 100, "__update__": ["x"]})).unwrap(), json!({"7": 100, "__update__": ["x"]}));
    }

    #[test]
    fn an_unknown_account_and_a_second_key_for_one_are_refused() {
        assert_eq!(by_ids(json!({"A,C": 100})).unwrap_err(), "'analytic_distribution': 'C' found no match.");
        assert_eq!(
            by_ids(json!({"A": 50, "7": 50})).unwrap_err(),
            "`payload.d.7` names the same account as another key"
        );
    }

    #[test]
    fn what_is_asked_for_is_each_key_and_each_part() {
        let asked = distribution(json!({"A,B": 1, "12": 2, "__update__": []}));
        assert_eq!(asked.names().collect::<Vec<_>>(), ["A,B", "A", "B"]);
    }
}
