//! From a payload to a draft: every field's value as Odoo will take it, except for the lookups, which stay open.
//!
//! Reading is pure: it takes schemas and gives a draft and its questions. A value that cannot be used is noted here as a mistake,
//! with its path, before Odoo is asked anything, and reading goes on: a caller learns of all of them at once. A draft with mistakes is
//! looked through for more of them, and never written. `draft` has the result's types; `relations`, `lines`, `commands`, `files`,
//! `content`, `delegation` and `base64` read the kinds of values.

mod analytic;
mod commands;
mod content;
mod delegation;
mod draft;
mod files;
mod form;
mod lines;
mod open;
mod properties;
mod relations;
mod translations;

use serde_json::{Map, Value, json};

use self::relations::Relation;
pub(super) use self::{
    analytic::Distribution,
    content::{Content, Remote},
    draft::{Command, Comparison, Draft, Line, Lines, LinesMode, Linked, Mode, Slot},
    files::File,
    open::{Open, OpenKind},
    properties::{DefinitionPlace, GivenValue, PropertyValues, is_generated},
    translations::{Languages, Texts},
};
use super::{
    Error, WarningCode, Warnings, attachment,
    error::{Misplaced, Mistakes},
    hints::{Meant, meant},
    lookup::{Filter, Questions},
    name_limits,
    policy_check::denied,
    schema_view::{ModelView, SchemaView, names_a_record},
    value::{self, Use},
    wording::wrong,
};
use crate::{
    odoo::{Bond, Field, Kept, Kind},
    policy::Touch,
};

const DRY_RUN: &str = "dry_run";
/// Parameters of `vals`, which are sometimes put into the payload.
const PARAMETERS: [&str; 7] = ["auto_create", "batch", "context", DRY_RUN, "result_field", "search_key", "strict"];

/// Reads the payloads of one call.
pub(super) struct Reader<'a> {
    pub(super) schemas: &'a SchemaView<'a>,
    pub(super) filter: Filter<'a>,
    pub(super) questions: Questions,
    pub(super) warnings: &'a mut Warnings,
    /// What is wrong with what was read: the drafts lack it.
    pub(super) mistakes: &'a mut Mistakes,
}

/// A record that is being read: its model, its place, and the company that its lookups search in.
#[derive(Clone, Copy)]
struct Within<'p> {
    view: ModelView<'p>,
    payload: &'p Map<String, Value>,
    company: Option<i64>,
}

impl Reader<'_> {
    /// Reads one record of `model` that stands at `path`; `company` is the one that its lookups search in.
    ///
    /// A value of the wrong kind, a field that the policy denies and, in a strict call, a value that would not be kept are noted as
    /// mistakes and left out of the draft.
    pub(super) fn read(
        &mut self,
        model: &str,
        payload: &Map<String, Value>,
        path: &str,
        company: Option<i64>,
    ) -> Draft {
        let mut draft = Draft::default();
        let schemas = self.schemas;
        let Some(Some(view)) = self.mistakes.take(schemas.model(model).map_err(denied(path))) else { return draft };
        let checked = name_limits::check_keys(payload, path).and_then(|()| schemas.attached(view, payload, path));
        if self.mistakes.take(checked).is_none() {
            return draft;
        }
        let company = payload.get("company_id").and_then(Value::as_i64).or(company);
        let within = Within { view, payload, company };
        for (name, value) in payload {
            let read = self.field(within, name, value, format!("{path}.{name}"), &mut draft);
            self.mistakes.take(read);
        }
        draft
    }

    /// Reads the value of one field into the draft.
    fn field(
        &mut self,
        within: Within<'_>,
        name: &str,
        value: &Value,
        path: String,
        draft: &mut Draft,
    ) -> Result<(), Error> {
        let Within { view, payload, company } = within;
        let own = view.stored_name(name);
        if own != name && payload.contains_key(own) {
            return Err(content::given_twice(&path));
        }
        let name = own;
        let field = view.write(name).map_err(denied(&path))?;
        if name == attachment::FIELD && files::are_standalone(field, value) {
            draft.files = self.files(value, &path)?;
            return Ok(());
        }
        let slot = match self.open(view, name, field, value, &path, company)? {
            Some(kind) => {
                draft.open.push(Open { field: name.to_owned(), path: path.clone(), kind });
                Some(Slot::Plain(Value::Null))
            }
            None => self.slot(view, name, field, value, path.clone(), company)?,
        };
        // A text by language is open.
        if field.is_some_and(|field| field.is_translated) && value.as_str().is_some_and(|text| !text.is_empty()) {
            draft.plain_text.get_or_insert_with(|| path.clone());
        }
        if let Some(slot) = slot {
            if field.is_some_and(|field| field.bond == Bond::Part) && names_a_record(value) {
                draft.parts.push(name.to_owned());
            }
            self.note_kept(view, name, &slot, path, draft);
            draft.fields.push((name.to_owned(), slot));
        }
        Ok(())
    }

    /// Warns; in a strict call, that is a mistake.
    fn warn(&mut self, code: WarningCode, path: String, message: String) {
        self.mistakes.take(self.warnings.note(code, path, message));
    }

    /// Warns of a value that Odoo would drop silently. It is sent nevertheless, since a model's own `create` or `write`
    /// may look at it.
    fn note_kept(&mut self, view: ModelView<'_>, name: &str, slot: &Slot, path: String, draft: &mut Draft) {
        match view.kept(name) {
            Kept::Yes => {}
            Kept::UntilComputed => draft.computed.push((name.to_owned(), path)),
            // Odoo changes records through such a field, though it links none.
            Kept::No if matches!(slot, Slot::Commands { commands, .. } if commands::change_records(commands)) => {}
            Kept::No => drop(self.mistakes.take(self.warnings.note_unwritten(view.name(), name, &path))),
        }
    }

    /// Reads files that become records of their own.
    ///
    /// # Errors
    /// A file is not of its form, or the policy denies it.
    pub(super) fn files(&mut self, value: &Value, path: &str) -> Result<Vec<File>, Error> {
        // Files are created before the record that they belong to, so nothing shows what they will belong to.
        self.schemas.policy().decide(Touch::Unchecked(attachment::MODEL)).map_err(denied(path))?;
        let Some(attachments) = self.schemas.model(attachment::MODEL).map_err(denied(path))? else {
            return Ok(Vec::new());
        };
        let content = attachments.stored_name(attachment::DATAS);
        for field in ["name", content, "res_model", "res_id"] {
            attachments.write(field).map_err(denied(path))?;
        }
        files::read(value, path, content, self.warnings)
    }

    fn slot(
        &mut self,
        view: ModelView<'_>,
        name: &str,
        field: Option<&Field>,
        value: &Value,
        path: String,
        company: Option<i64>,
    ) -> Result<Option<Slot>, Error> {
        let Some(field) = field else {
            let is_parameter = path.strip_prefix("payload.").is_some_and(|name| PARAMETERS.contains(&name));
            if name == DRY_RUN && is_parameter {
                // What was to be shown only must not be written.
                return Err(Error::Misplaced(vec![Misplaced { path, home: "vals" }]));
            }
            let (hint, meant) =
                if is_parameter { (": it belongs in `vals`", Meant::default()) } else { ("", meant(view, name)) };
            let message = format!("the model `{}` has no field `{name}`; `{path}` was left out{hint}", view.name());
            self.mistakes.take(self.warnings.note_meant(WarningCode::UnknownField, path, message, meant));
            return Ok(None);
        };
        let inverse = field.inverse.as_deref();
        let to = |model| Relation { field: name, model, inverse, path: &path, company };
        let leads_to_files = name == attachment::FIELD && field.kind.relation() == Some(attachment::MODEL);
        let slot = match (&field.kind, value) {
            // Files are added to the existing ones, and never replace them.
            (Kind::One2many(_), value) if leads_to_files && !form::are_commands(value) => {
                Slot::Files { files: self.files(value, &path)?, is_many2many: false }
            }
            (Kind::Many2many(_), value) if leads_to_files && form::are_files(value) => {
                Slot::Files { files: self.files(value, &path)?, is_many2many: true }
            }
            // Lines are not removed by a value that may mean "unknown" to the sender.
            (Kind::One2many(_), Value::Null | Value::Bool(false)) => {
                return Err(wrong(path, "a list of lines; an empty one removes those that are there", value));
            }
            // Odoo's own empty value is false. For a relation to many records it is an empty list of links.
            (Kind::Many2many(model), Value::Null | Value::Bool(false)) => {
                self.schemas.policy().decide(Touch::Model(model)).map_err(denied(&path))?;
                Slot::Plain(json!([[6, 0, []]]))
            }
            (Kind::Many2one(_), Value::Null) => Slot::Plain(Value::Bool(false)),
            (Kind::Many2one(model), value) => self.many2one(view, to(model), value)?,
            (Kind::Many2many(model), value) => self.many2many(to(model), value)?,
            (Kind::One2many(model), value) => self.one2many(to(model), value)?,
            (Kind::Binary, value) => Slot::Plain(content::sent(view, name, value, &path)?),
            (kind, value) => {
                match (kind, value) {
                    (Kind::Reference, Value::String(named)) => self.schemas.reference(named, &path)?,
                    (Kind::Free, value) => self.schemas.properties(view, name, value, &path)?,
                    (_, Value::Array(_) | Value::Object(_)) => return Err(wrong(path, "a single value", value)),
                    _ => {}
                }
                Slot::Plain(value::converted(field, value, Use::Write, &path)?.into_owned())
            }
        };
        Ok(Some(slot))
    }
}
