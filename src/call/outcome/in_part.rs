//! The answers of several records, some of which were not written.

use serde_json::{Map, Value, json};

use super::{Refusal, Warning};
use crate::{
    call::Error,
    errors::{Code, Retry},
    execute::{Content, Done, Error as ExecuteError},
    key_texts::mask_keys,
    log::State,
};

/// The answer of one record, in the form of the answer to a request with that record alone.
pub(super) fn each(result: Result<Done, ExecuteError>) -> Value {
    let done = match result {
        Ok(done) => done,
        Err(error) => return Error::from(error).as_result(),
    };
    let Done { result, message, warnings, .. } = done;
    let result = match result {
        Content::One(result) => result,
        Content::Each(results) => results.into_iter().map(each).collect(),
    };
    let mut content = Map::from_iter([
        ("is_success".to_owned(), Value::Bool(true)),
        ("result".to_owned(), result),
        ("messages".to_owned(), Value::from(mask_keys(&message).into_owned())),
    ]);
    if !warnings.is_empty() {
        let warnings = warnings.into_iter().map(|warning| Warning::from(warning).to_json());
        content.insert("warnings".to_owned(), warnings.collect());
    }
    Value::Object(content)
}

/// The records that were not written, or may not have been.
pub(super) struct Failures {
    /// Their places in the request.
    failed: Vec<usize>,
    of: usize,
    /// What sending them again does, at worst.
    retry: Retry,
}

impl Failures {
    /// `None` where all records were written.
    pub(super) fn of(results: &[Result<Done, ExecuteError>]) -> Option<Self> {
        let mut failures = Self { failed: Vec::new(), of: results.len(), retry: Retry::Safe };
        for (place, result) in results.iter().enumerate() {
            let Err(error) = result else { continue };
            failures.failed.push(place);
            failures.retry = match (failures.retry, Error::from(error.clone()).retry()) {
                (Retry::Unsafe, _) | (_, Retry::Unsafe) => Retry::Unsafe,
                (Retry::No, _) | (_, Retry::No) => Retry::No,
                (Retry::Safe, Retry::Safe) => Retry::Safe,
            };
        }
        (!failures.failed.is_empty()).then_some(failures)
    }

    /// Whether the whole request may be sent again: what was written would be written twice.
    pub(super) fn refusal(&self) -> Refusal {
        let is_some_written = self.failed.len() < self.of;
        let retry = if is_some_written { Retry::Unsafe } else { self.retry };
        Refusal { code: Code::RecordsRefused, retry, after: None }
    }

    /// The state of the whole request: something of it is in Odoo, or nothing.
    pub(super) fn state(&self) -> State {
        if self.refusal().retry == Retry::Unsafe { State::InDoubt } else { State::Failed }
    }

    pub(super) fn to_json(&self) -> Value {
        let Refusal { code, retry, .. } = self.refusal();
        json!({"code": code, "retry": retry.as_str(), "records": self.failed})
    }
}
