//! Outcomes of deliveries: nothing to do, several calls that are done, and one that has stopped the others.

use serde_json::{Map, Value, json};

use super::{Body, Outcome};
use crate::{
    errors::{Class, Code},
    key_texts::mask_keys,
    log::State,
};

impl Outcome {
    /// Of a call or delivery with nothing to do, for this reason.
    pub(in crate::call) fn ignored(why: &str, code: Option<Code>) -> Self {
        let why = mask_keys(why);
        let mut told = json!({"ignored": why});
        if let Some(code) = code {
            told["code"] = json!(code);
        }
        let result = serde_json::value::to_raw_value(&told).unwrap_or_default();
        let body = Body::Done { result, messages: format!("ignored: {why}") };
        let (state, class) = (State::Ignored, Class::Done);
        Self { state, class, error: None, atomicity: None, records: Map::new(), warnings: Vec::new(), body }
    }

    /// Of a delivery whose calls are all done, with what came of each.
    pub(in crate::call) fn several(results: Value, records: Map<String, Value>) -> Self {
        let number = results.as_array().map_or(0, Vec::len);
        let result = serde_json::value::to_raw_value(&results).unwrap_or_default();
        let body = Body::Done { result, messages: format!("{number} calls done") };
        let (state, class) = (State::Done, Class::Done);
        Self { state, class, error: None, atomicity: None, records, warnings: Vec::new(), body }
    }

    /// Of a delivery that this outcome of one of its calls has stopped: `number` is the call's place, from 1.
    pub(in crate::call) fn of_delivery(mut self, number: usize, all: usize) -> Self {
        let how_far = json!({"call": number, "of": all, "done": number.saturating_sub(1)});
        match &mut self.body {
            Body::Done { .. } => {}
            Body::InPart { error, .. } => error["delivery"] = how_far,
            Body::Refused(content) => content["error"]["delivery"] = how_far,
            Body::Failed(content) => content["data"]["delivery"] = how_far,
        }
        self
    }
}
