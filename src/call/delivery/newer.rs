//! `only_if_newer`: an event that is older than one of its key that was done is ignored.
//!
//! What must stay true: an event is noted as done only after its calls were made, so that a refused one never hides an older one.
//! Deliveries with the same key go one after another, so that no two of them are held against the same version.

use serde_json::Value;

use super::Delivery;
use crate::{
    call::{Error, Service},
    hook::{self, Hook, Input},
    plan::WrittenTime,
};

/// The version of an event: a number, or the seconds since 1970 of a time; none where the hook does not order its events, and of
/// an event that it gives null for, such as a ping.
///
/// # Errors
/// The expression fails, or gives something else.
pub(super) async fn version(hook: &Hook, input: &Input) -> Result<Option<f64>, hook::Error> {
    let Some(value) = hook.version(input).await?.filter(|value| !value.is_null()) else { return Ok(None) };
    match number(&value) {
        Some(number) => Ok(Some(number)),
        None => Err(hook::Error::Expression {
            key: "only_if_newer",
            why: format!("it gives {}, neither a number nor a time such as 2026-11-30T08:00:00Z", shown(&value)),
        }),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", text.chars().take(40).collect::<String>()),
        other => crate::plan::kind_of(other).to_owned(),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let text = text.trim();
            if let Ok(number) = text.parse::<f64>() {
                return Some(number).filter(|number| number.is_finite());
            }
            let time = WrittenTime::read(text)?.moment()?;
            // Exact to the microsecond for the next centuries.
            Some(time.as_microsecond() as f64 / 1e6)
        }
        _ => None,
    }
}

impl Delivery {
    /// Why the event is to be ignored: a newer one of its lane was done.
    ///
    /// # Errors
    /// The store does not answer.
    pub(in crate::call) async fn is_outdated(
        &self,
        service: &Service,
        lane: Option<&str>,
    ) -> Result<Option<String>, Error> {
        let (Some(version), Some(lane)) = (self.version, lane) else { return Ok(None) };
        let newest = service.store.newest(self.hook.name(), lane).await?;
        let newest = newest.filter(|newest| version < *newest);
        Ok(newest
            .map(|newest| format!("an event of a newer version was done before: {newest} is newer than {version}")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_are_numbers_and_times() {
        let at = |value: Value| number(&value);
        assert_eq!(at(json!(7)), Some(7.0));
        assert_eq!(at(json!("7.5")), Some(7.5));
        let (utc, east) = (at(json!("2026-03-04T10:00:00Z")).unwrap(), at(json!("2026-03-04T12:00:00+02:00")).unwrap());
        assert_eq!((utc, at(json!("2026-03-04 10:00:00")).unwrap()), (east, east));
        assert!(at(json!("2026-03-04T10:00:00.000001Z")).unwrap() > utc);
        for none in [json!("soon"), json!("NaN"), json!("inf"), json!([1]), json!(true)] {
            assert_eq!(at(none.clone()), None, "{none}");
        }
    }
}
