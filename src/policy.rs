//! What a caller may do, decided in one place: [`Policy::decide`].
//!
//! Planning reports every access of a call as a [`Touch`] before anything is sent to Odoo, and nothing else decides.
//! The records that a model's RPCs reach are restricted by a forced [`Domain`]. The folder imports neither payloads nor
//! Odoo.

mod context;
mod domain;
mod generic;
mod pattern;

use std::collections::BTreeMap;

pub use self::{
    domain::{Domain, Malformed},
    pattern::{Name, Pattern},
};
use crate::{errors::Code, route::Route};

/// Prefixes of the names of models that give a user more rights, run code, or hold secrets. A pattern that allows
/// everything does not allow them; one that begins with such a prefix does.
const PRIVILEGED: [&str; 5] = ["ir.", "res.users", "res.groups", "res.config", "base"];

/// The field with the name of a record: computed, and searched by the fields that Odoo's search by name reads (14-19).
pub const NAME: &str = "display_name";

/// What one caller may do: a `[[client]]`, or all callers with an Odoo credential of their own.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The caller, as a subject of sentences.
    pub holder: String,
    pub routes: Vec<Route>,
    pub allow: Vec<Pattern>,
    pub deny: Vec<Pattern>,
    /// Patterns of `model.field`.
    pub never_read: Vec<Name>,
    pub never_write: Vec<Name>,
    /// Patterns of `model.method`.
    pub methods: Vec<Name>,
    /// By model.
    pub domains: BTreeMap<String, Domain>,
    /// By model: the fields, or dotted paths, that Odoo's search by name reads. Only the operator can know them.
    pub name_search: BTreeMap<String, Vec<String>>,
    /// Flags of a context that may be sent though some fields must not be read. Only the operator can know what they do.
    pub context_flags: Vec<String>,
    pub most: Most,
    /// Whether the gateway fetches files for it that it names by their URL.
    pub files_by_url: bool,
}

/// The number of records that one call may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Most {
    /// Answered by a search.
    pub read: Option<u64>,
    /// Written by an update, or called on by a method.
    pub write: Option<u64>,
}

/// An access that a call is about to make.
#[derive(Debug, Clone, Copy)]
pub enum Touch<'t> {
    Route(Route),
    /// Any access to records of this model.
    Model(&'t str),
    /// Answering a field, searching or sorting by it.
    Read {
        model: &'t str,
        field: &'t str,
    },
    Write {
        model: &'t str,
        field: &'t str,
    },
    /// Searching records by their names, which reads other fields than the name.
    ByName(&'t str),
    /// Setting a default for a field, of any model.
    Default(&'t str),
    /// Setting a default for a field that the model of the call does not have.
    ForeignDefault(&'t str),
    /// Naming records in a context (`active_ids`), of which whatever Odoo runs may answer any field; of this model, where the
    /// context says it.
    Active(Option<&'t str>),
    /// Any other key of a context.
    Flag(&'t str),
    Method {
        model: &'t str,
        method: &'t str,
    },
    /// Linking, changing or creating records where the forced domain of their model could not be enforced.
    Unchecked(&'t str),
    /// Having a file fetched by its URL.
    FileByUrl,
    /// Answering this number of records.
    ReadMany {
        model: &'t str,
        records: u64,
    },
    /// Changing this number of records, or more.
    WriteMany {
        model: &'t str,
        records: u64,
    },
}

/// A denial: the rule that refused, and what it refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} may not {}: {}", words.holder, words.what, words.rule)]
pub struct Denied {
    kind: Kind,
    words: Box<Words>,
}

/// The kinds of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Routes,
    Models,
    NeverRead,
    NeverWrite,
    Methods,
    Domains,
    MaxRecords,
    FilesByUrl,
}

/// The rules on fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FieldRule {
    NeverRead,
    NeverWrite,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Words {
    holder: String,
    what: String,
    rule: String,
}

impl Denied {
    /// The stable code that callers may branch on.
    pub fn code(&self) -> Code {
        match self.kind {
            Kind::Routes => Code::RouteNotAllowed,
            Kind::Models => Code::ModelNotAllowed,
            Kind::NeverRead => Code::FieldNotReadable,
            Kind::NeverWrite => Code::FieldNotWritable,
            Kind::Methods => Code::MethodNotAllowed,
            Kind::Domains => Code::OutsideDomain,
            Kind::MaxRecords => Code::TooManyRecords,
            Kind::FilesByUrl => Code::UrlRefused,
        }
    }

    /// The key of the configuration, with the entry that decided.
    pub fn rule(&self) -> &str {
        &self.words.rule
    }
}

impl Policy {
    /// Decides on an access.
    ///
    /// # Errors
    /// A rule denies it.
    pub fn decide(&self, touch: Touch<'_>) -> Result<(), Denied> {
        match touch {
            Touch::Route(route) if self.routes.contains(&route) => Ok(()),
            Touch::Route(route) => {
                self.denied(Kind::Routes, format!("call `{}`", route.name()), "it is not in `routes`".to_owned())
            }
            Touch::Model(model) => self.decide_model(model),
            Touch::Read { model, field } => {
                self.decide_model(model)?;
                self.decide_field(FieldRule::NeverRead, model, field)
            }
            Touch::Write { model, field } => {
                self.decide_model(model)?;
                self.decide_field(FieldRule::NeverWrite, model, field)
            }
            Touch::ByName(model) => {
                self.decide(Touch::Read { model, field: NAME })?;
                self.decide_by_name(model)
            }
            Touch::Default(field) => match self.never_write.iter().find(|name| name.tail_matches(field)) {
                None => Ok(()),
                Some(name) => {
                    let what = format!("set a default for `{field}`");
                    self.denied(Kind::NeverWrite, what, format!("`never_write` has \"{name}\""))
                }
            },
            // It may be a link to any model, or another name of any field.
            Touch::ForeignDefault(field) if !self.is_open() => {
                let what = format!("set a default for `{field}`, which the model of the call does not have");
                self.denied(Kind::NeverWrite, what, "models, fields or records are narrowed".to_owned())
            }
            Touch::ForeignDefault(_) => Ok(()),
            Touch::Active(model) => self.decide_active(model),
            Touch::Flag(key) => self.decide_flag(key),
            Touch::Method { model, method } => {
                self.decide_model(model)?;
                self.decide_method(model, method)
            }
            Touch::Unchecked(model) => match self.domains.get(model) {
                None => Ok(()),
                Some(domain) => self.denied(
                    Kind::Domains,
                    format!("reach records of `{model}` where its domain cannot be kept to"),
                    format!("`domains` has {domain} for `{model}`"),
                ),
            },
            Touch::FileByUrl if self.files_by_url => Ok(()),
            Touch::FileByUrl => self.denied(
                Kind::FilesByUrl,
                "have files fetched by their URL".to_owned(),
                "`files_by_url` is false".to_owned(),
            ),
            Touch::ReadMany { model, records } => self.decide_many("read", self.most.read, "answered", model, records),
            Touch::WriteMany { model, records } => {
                self.decide_many("write", self.most.write, "changed", model, records)
            }
        }
    }

    /// The domain that records of the model are restricted to.
    pub fn domain(&self, model: &str) -> Option<&Domain> {
        self.domains.get(model)
    }

    /// The denial of a record of the model that was created, or would be written, outside its forced domain.
    pub fn outside(&self, model: &str) -> Denied {
        let what = format!("make or leave a record of `{model}` outside its domain");
        let rule = match self.domains.get(model) {
            Some(domain) => format!("`domains` has {domain} for `{model}`"),
            // It was searched for because of its lines, and not found.
            None => format!("`domains` has one for lines of `{model}`, and the record is not found"),
        };
        self.denial(Kind::Domains, what, rule)
    }

    /// Whether the policy allows all models, fields and records, so that accesses need not be determined.
    pub fn is_open(&self) -> bool {
        !self.narrows_models() && self.domains.is_empty() && !self.narrows_fields()
    }

    /// Whether some models are denied.
    pub fn narrows_models(&self) -> bool {
        let is_all = |pattern: &Pattern| pattern.as_str() == "*";
        let allows_all = self.allow.iter().any(is_all)
            && PRIVILEGED.iter().all(|power| self.allow.iter().any(|pattern| pattern.is_whole(power)));
        !(allows_all && self.deny.is_empty())
    }

    /// The fields that Odoo's search by name reads of the model, where the operator has configured them.
    pub fn name_search(&self, model: &str) -> Option<&[String]> {
        self.name_search.get(model).map(Vec::as_slice)
    }

    /// The denial of a search of the model by name, which reads, or may read, what `denied` refuses.
    pub fn by_name(&self, model: &str, denied: &Denied) -> Denied {
        let rule = match self.name_search(model) {
            Some(_) => format!("{}, and `name_search` has it for `{model}`", denied.rule()),
            None => format!(
                "{}, and a search by name may read it; list the fields that it reads in `name_search` if it does not",
                denied.rule()
            ),
        };
        self.denial(denied.kind, format!("search `{model}` by name"), rule)
    }

    /// Whether there are rules on fields.
    pub fn narrows_fields(&self) -> bool {
        !(self.never_read.is_empty() && self.never_write.is_empty())
    }

    /// Whether some fields must not be read; of this model, where it is given.
    pub fn hides_some(&self, model: Option<&str>) -> bool {
        self.never_read.iter().any(|name| model.is_none_or(|model| name.model_matches(model)))
    }

    /// Whether there is a rule on the field of the model, or of any model where none is given.
    pub fn rules_field(&self, model: Option<&str>, field: &str) -> bool {
        let mut names = self.never_read.iter().chain(&self.never_write);
        names.any(|name| model.map_or_else(|| name.tail_matches(field), |model| name.matches(model, field)))
    }

    fn decide_model(&self, model: &str) -> Result<(), Denied> {
        let what = || format!("touch the model `{model}`");
        if let Some(pattern) = self.deny.iter().find(|pattern| pattern.matches(model)) {
            return self.denied(Kind::Models, what(), format!("`models.deny` has \"{pattern}\""));
        }
        let has_power = PRIVILEGED.iter().any(|power| model.starts_with(power));
        let names = |pattern: &&Pattern| {
            pattern.matches(model) && (!has_power || PRIVILEGED.iter().any(|power| pattern.as_str().starts_with(power)))
        };
        match (self.allow.iter().find(names), has_power) {
            (Some(_), _) => Ok(()),
            (None, true) => {
                let rule = "it is one that gives power, and `models.allow` does not name it".to_owned();
                self.denied(Kind::Models, what(), rule)
            }
            (None, false) => self.denied(Kind::Models, what(), "it is not in `models.allow`".to_owned()),
        }
    }

    fn decide_field(&self, rule: FieldRule, model: &str, field: &str) -> Result<(), Denied> {
        let (kind, names, key, verb) = match rule {
            FieldRule::NeverRead => (Kind::NeverRead, &self.never_read, "never_read", "read"),
            FieldRule::NeverWrite => (Kind::NeverWrite, &self.never_write, "never_write", "write"),
        };
        match names.iter().find(|name| name.matches(model, field)) {
            None => Ok(()),
            Some(name) => self.denied(kind, format!("{verb} `{model}.{field}`"), format!("`{key}` has \"{name}\"")),
        }
    }

    /// A model with a named field that must not be read is not searched by name, unless the fields that the search
    /// reads are configured.
    fn decide_by_name(&self, model: &str) -> Result<(), Denied> {
        match self.never_read.iter().find(|name| name.is_of(model)) {
            Some(name) if self.name_search(model).is_none() => {
                let denied = self.denial(Kind::NeverRead, String::new(), format!("`never_read` has \"{name}\""));
                Err(self.by_name(model, &denied))
            }
            _ => Ok(()),
        }
    }

    fn decide_active(&self, model: Option<&str>) -> Result<(), Denied> {
        if self.is_open() {
            return Ok(());
        }
        let Some(model) = model else {
            let what = "name records in a context without their model (`active_model`)".to_owned();
            return self.denied(Kind::Models, what, "models, fields or records are narrowed".to_owned());
        };
        self.decide(Touch::Model(model))?;
        self.decide(Touch::Unchecked(model))?;
        match self.never_read.iter().find(|name| name.model_matches(model)) {
            None => Ok(()),
            Some(name) => {
                let what = format!("name records of `{model}` in a context, of which Odoo may answer any field");
                self.denied(Kind::NeverRead, what, format!("`never_read` has \"{name}\""))
            }
        }
    }

    fn decide_flag(&self, key: &str) -> Result<(), Denied> {
        match self.never_read.first() {
            Some(name) if !context::is_harmless(key) && !self.context_flags.iter().any(|known| known == key) => {
                let rule = format!(
                    "`never_read` has \"{name}\", and with it Odoo may answer a field within another one; list it in \
                     `context_flags` if it does not"
                );
                self.denied(Kind::NeverRead, format!("set `{key}` in a context"), rule)
            }
            _ => Ok(()),
        }
    }

    fn decide_method(&self, model: &str, method: &str) -> Result<(), Denied> {
        let what = || format!("call `{model}.{method}`");
        if !self.methods.iter().any(|name| name.matches(model, method)) {
            return self.denied(Kind::Methods, what(), "it is not in `methods`".to_owned());
        }
        if generic::METHODS.contains(&method) && (!self.is_open() || self.most.read.is_some()) {
            return self.denied(Kind::Methods, what(), generic::PAST_THE_RULES.to_owned());
        }
        Ok(())
    }

    fn decide_many(&self, key: &str, most: Option<u64>, how: &str, model: &str, records: u64) -> Result<(), Denied> {
        match most.filter(|most| records > *most) {
            None => Ok(()),
            Some(most) => self.denied(
                Kind::MaxRecords,
                format!("have more than {most} records of `{model}` {how} by one call"),
                format!("`max_records.{key}` is {most}"),
            ),
        }
    }

    fn denied(&self, kind: Kind, what: String, rule: String) -> Result<(), Denied> {
        Err(self.denial(kind, what, rule))
    }

    fn denial(&self, kind: Kind, what: String, rule: String) -> Denied {
        Denied { kind, words: Box::new(Words { holder: self.holder.clone(), what, rule }) }
    }
}
