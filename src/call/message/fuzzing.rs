//! What fuzz targets feed of bodies. What must hold: JSON is read exactly or refused, and the id that is read without the rest is
//! that of the whole.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by panicking")]

use serde_json::Value;

use super::{Envelope, json};

pub(crate) fn exact_json(bytes: &[u8]) {
    let lenient = serde_json::from_slice::<Value>(bytes);
    let Ok(value) = json::read(bytes) else { return };
    // What is read exactly is what everybody else reads, and nothing of it was lost.
    assert_eq!(lenient.expect("JSON"), value);
    assert_eq!(json::read(value.to_string().as_bytes()).expect("what was read once"), value);
    assert_eq!(Envelope::foreign(bytes).expect("JSON"), value);
}

pub(crate) fn envelope(bytes: &[u8]) {
    let Envelope { id, call } = Envelope::read(bytes);
    if let Ok(call) = &call {
        assert!(!call.model.is_empty());
        let whole = id.is_number() || id.is_string();
        let alone = Envelope::id_of(bytes).expect("an object");
        assert!(alone == id || !whole, "{alone} and {id}");
    }
    // Of a stranger's body the id alone is read: it is never anything that could be nested.
    if let Ok(id) = Envelope::id_of(bytes) {
        assert!(id.is_null() || id.is_number() || id.is_string(), "{id}");
    }
}
