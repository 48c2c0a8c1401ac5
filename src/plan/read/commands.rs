//! Odoo's own commands in a payload, such as `[[0, 0, {…}], [4, 7]]`.
//!
//! Each is checked: Odoo 14-19 does nothing, and answers success, where a command is none (`["unlink", 3]`, `["3", 4]`, `[9, 1]`). The
//! values within them are read like those of any record, so they may hold lookups and are converted by type. docs/payloads.md lists
//! the commands.

use serde_json::{Map, Value, json};

use super::{
    Reader,
    delegation::commands_delegate,
    draft::{Command, Draft, Slot},
    relations::Relation,
};
use crate::plan::{
    Error, kind_of,
    value::{self, whole_number},
    wording::wrong,
};

/// Whether one of the commands writes into an existing record.
pub(super) fn change_records(commands: &[Command]) -> bool {
    commands.iter().any(|command| matches!(command, Command::Update(..)))
}

impl Reader<'_> {
    /// Reads the commands of a relation, after the policy's checks.
    ///
    /// # Errors
    /// One of them is no command of Odoo, the policy denies what it touches, or a value within it is refused.
    pub(super) fn commands(&mut self, to: Relation<'_>, value: &Value) -> Result<Slot, Error> {
        self.schemas.commands(to.model, value, to.path)?;
        let delegates = commands_delegate(self.schemas, to.model, value);
        let mut commands = Vec::new();
        for (index, command) in value.as_array().into_iter().flatten().enumerate() {
            let path = format!("{}[{index}]", to.path);
            let command = self.command(to, command.as_array().map_or(&[], Vec::as_slice), &path);
            commands.extend(self.mistakes.take(command));
        }
        let (model, inverse) = (to.model.to_owned(), to.inverse.map(str::to_owned));
        Ok(Slot::Commands { model, inverse, commands, join: delegates })
    }

    fn command(&mut self, to: Relation<'_>, parts: &[Value], path: &str) -> Result<Command, Error> {
        let first = parts.first().unwrap_or(&Value::Null);
        // Python takes false for 0.
        let number = if *first == Value::Bool(false) { Some(0) } else { whole_number(first) };
        match number {
            Some(0) => Ok(Command::Create(self.values(to, parts, path)?)),
            Some(1) => {
                let id = self.named(to, parts, path)?;
                let mut draft = self.values(to, parts, path)?;
                if draft.has_lines() {
                    let problem = "edits lines within a record that a command names; send the records as a list, each with its `id`";
                    return Err(Error::WrongKind { path: path.to_owned(), problem: problem.to_owned() });
                }
                // In an existing record, a value stays until Odoo computes it anew.
                draft.computed.clear();
                Ok(Command::Update(id, draft))
            }
            Some(number @ 2..=4) => Ok(Command::Plain(json!([number, self.named(to, parts, path)?, 0]))),
            Some(5) => Ok(Command::Plain(json!([5, 0, 0]))),
            Some(6) => {
                let at = format!("{path}[{VALUES}]");
                let ids = parts
                    .get(VALUES)
                    .and_then(Value::as_array)
                    .ok_or_else(|| wrong(&at, "a list of ids", parts.get(VALUES).unwrap_or(&Value::Null)))?;
                let mut links = Vec::with_capacity(ids.len());
                for (index, id) in ids.iter().enumerate() {
                    links.push(self.record_id(to, id, format!("{at}[{index}]"))?);
                }
                Ok(Command::Plain(json!([6, 0, links])))
            }
            _ => {
                let shown =
                    if first.is_string() || first.is_number() { first.to_string() } else { kind_of(first).to_owned() };
                let problem = format!(
                    "begins with {shown}, which is no command of Odoo: [0, 0, {{…}}] creates, [1, id, {{…}}] edits, [2, id] deletes, \
                     [3, id] unlinks, [4, id] links, [5] unlinks all, [6, 0, [ids]] replaces"
                );
                Err(Error::WrongKind { path: path.to_owned(), problem })
            }
        }
    }

    /// The id of the record that a command names.
    fn named(&mut self, to: Relation<'_>, parts: &[Value], path: &str) -> Result<i64, Error> {
        self.record_id(to, parts.get(1).unwrap_or(&Value::Null), format!("{path}[1]"))
    }

    fn record_id(&mut self, to: Relation<'_>, id: &Value, path: String) -> Result<i64, Error> {
        let id = value::id(id).ok_or_else(|| wrong(&path, "the id of a record", id))?;
        self.questions.name_id(to.model, id, &path);
        Ok(id)
    }

    /// The values of a command.
    fn values(&mut self, to: Relation<'_>, parts: &[Value], path: &str) -> Result<Draft, Error> {
        let path = format!("{path}[{VALUES}]");
        let none = Map::new();
        let values = match parts.get(VALUES) {
            Some(Value::Object(values)) => values,
            // A record of defaults alone.
            None | Some(Value::Null | Value::Bool(false)) if parts.len() > 1 => &none,
            other => return Err(wrong(path, "the values of a record", other.unwrap_or(&Value::Null))),
        };
        let draft = self.read(to.model, values, &path, to.company);
        if draft.has_standalone_files() {
            let problem =
                "has files, which Odoo's own commands cannot hold here; send the records as a list of objects"
                    .to_owned();
            return Err(Error::WrongKind { path, problem });
        }
        Ok(draft)
    }
}

/// The position of a command's values.
const VALUES: usize = 2;
