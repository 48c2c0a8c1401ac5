//! Odoo's own commands in a payload, such as `[[0, 0, {…}], [4, 7]]`.
//!
//! They go to Odoo unchanged, except for the name of a file's content. Values that Odoo would drop are warned of.

use serde_json::Value;

use super::{Reader, content};
use crate::{
    odoo::Kept,
    plan::{Error, policy_check::denied},
};

/// The position of a command's values.
const VALUES: usize = 2;

pub(super) fn are_commands(value: &Value) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_array))
}

/// Whether one of the commands writes into an existing record.
pub(super) fn change_records(commands: &Value) -> bool {
    commands
        .as_array()
        .is_some_and(|commands| commands.iter().any(|command| command[VALUES].is_object() && !makes_record(command)))
}

/// Whether a command creates a record. Python takes false for 0.
fn makes_record(command: &Value) -> bool {
    command[0].as_f64() == Some(0.0) || command[0] == Value::Bool(false)
}

impl Reader<'_> {
    /// Converts commands on records of `model` to what goes to Odoo, and warns of values that Odoo would drop. Unknown
    /// fields are left to Odoo, which refuses them.
    ///
    /// # Errors
    /// The policy denies a model, a file's content is given twice, or the call is strict and a value would not be kept.
    pub(super) fn read_commands(&mut self, model: &str, mut commands: Value, path: &str) -> Result<Value, Error> {
        for (index, command) in commands.as_array_mut().into_iter().flatten().enumerate() {
            let makes_record = makes_record(command);
            let Some(values) = command.get_mut(VALUES).and_then(Value::as_object_mut) else { continue };
            let Some(view) = self.schemas.model(model).map_err(denied(path))? else { break };
            let path = format!("{path}[{index}][{VALUES}]");
            content::renamed(view, values, &path)?;
            for (name, value) in values {
                let path = format!("{path}.{name}");
                match view.kept(name) {
                    Kept::No if change_records(value) => {}
                    Kept::No => self.warnings.note_unwritten(model, name, &path)?,
                    Kept::UntilComputed if makes_record => self.warnings.note_unwritten(model, name, &path)?,
                    Kept::Yes | Kept::UntilComputed => {}
                }
                if let Some(relation) = view.relation(name).filter(|_| are_commands(value)) {
                    *value = self.read_commands(relation, value.take(), &path)?;
                }
            }
        }
        Ok(commands)
    }
}
