//! What the answer of a method means beyond its value: Odoo asks for more, or has refused rows.

use serde_json::Value;

use crate::plan::{self, Meant, Warning, WarningCode};

/// The type of an action that only closes a window: the answer of a wizard that is done.
const CLOSES: &str = "ir.actions.act_window_close";

/// The warning that a method answered an action. Odoo's web client would open it: a wizard that asks for more, and before it is
/// answered the method has often done nothing (`button_validate` of a part of a transfer, 14-19); or a view of the records that
/// the method made.
pub(super) fn asks_back(method: &str, result: &Value) -> Option<Warning> {
    let kind = result["type"].as_str().filter(|kind| kind.starts_with("ir.actions.") && *kind != CLOSES)?;
    let message = match (result["res_model"].as_str(), result["target"].as_str()) {
        (Some(wizard), Some("new")) => format!(
            "`{method}` answered the wizard `{wizard}`, which asks for more; it may have done nothing yet. `payload.then` answers it"
        ),
        (Some(model), _) => format!("`{method}` answered an action on `{model}`, which a person would see next"),
        (None, _) => format!("`{method}` answered an action of type `{kind}`, which a person would see next"),
    };
    let (path, meant) = ("payload.method".to_owned(), Meant::default());
    Some(Warning { code: WarningCode::OdooAsksBack, path, message, meant })
}

/// Refuses the answer of `load` where it loaded nothing: Odoo has rolled back all rows by itself, and answers their messages
/// beside `ids: false` as the result of a success (14-19).
///
/// # Errors
/// No row was loaded.
pub(super) fn refuse_unloaded(method: &str, result: &Value) -> Result<(), plan::Error> {
    if method != "load" || result.get("ids") != Some(&Value::Bool(false)) {
        return Ok(());
    }
    Err(plan::Error::NotLoaded { messages: result["messages"].as_array().cloned().unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wizard_asks_back_and_one_that_closes_does_not() {
        let wizard =
            json!({"type": "ir.actions.act_window", "res_model": "stock.backorder.confirmation", "target": "new"});
        let warning = asks_back("button_validate", &wizard).unwrap();
        assert!(warning.message.contains("stock.backorder.confirmation"), "{warning:?}");
        assert!(asks_back("m", &json!({"type": "ir.actions.report"})).is_some());
        for done in [json!({"type": "ir.actions.act_window_close"}), json!(true), json!({"type": "x"}), json!([1])] {
            assert_eq!(asks_back("m", &done), None, "{done}");
        }
    }

    #[test]
    fn rows_that_load_refused_are_named_in_the_refusal() {
        let messages = json!([{"type": "error", "record": 1, "message": "no such country"}]);
        let refused = refuse_unloaded("load", &json!({"ids": false, "messages": messages})).unwrap_err();
        assert_eq!(refused.to_string(), "Odoo loaded no row: row 2: no such country");
        assert!(refuse_unloaded("load", &json!({"ids": [1], "messages": []})).is_ok());
        assert!(refuse_unloaded("read", &json!({"ids": false})).is_ok());
    }
}
