//! The schema of a model as one user sees it: its fields, their types, and their relations.
//!
//! It is read with `fields_get`, which every user may call for every model and which omits the fields that the user may not see.
//! Only the attributes that are used are requested: the whole description of a model takes Odoo up to 0.7 s.

mod described;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::Value;

pub(in crate::odoo) use self::described::ATTRIBUTES;
use self::described::{Described, bonds};

/// The fields of one model, as one user sees them.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    pub model: String,
    fields: HashMap<String, Field>,
}

/// A field, as far as planning needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    pub kind: Kind,
    /// The value that `read` gives is the value that `search` compares: true for stored fields and plain copies of them.
    pub is_column: bool,
    pub is_searchable: bool,
    /// It has a column or table of its own.
    pub is_stored: bool,
    /// What Odoo does with a value that is sent for it.
    pub kept: Kept,
    /// The path to the field that this one is related to, if it is a related field.
    pub related: Option<String>,
    /// Of a one2many: the many2one of the related model that leads back, where there is one.
    pub inverse: Option<String>,
    pub bond: Bond,
    /// It has a text for each language.
    pub is_translated: bool,
    /// The maximum number of characters: Odoo cuts off what is longer (14-19, `Char`).
    pub size: Option<usize>,
    /// Of a properties field: which part it holds.
    pub properties: Option<Properties>,
}

/// Fields of a record that users define in another record (Odoo 16 and later).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Properties {
    /// The values; with the location of the definitions, where `fields_get` names it.
    Values(Option<DefinitionField>),
    /// The definitions.
    Definitions,
}

/// The location of definitions: a field of the record that a many2one of the same record leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DefinitionField {
    pub link: String,
    pub field: String,
}

/// How closely a many2one binds the record that it leads to. `fields_get` does not tell, but the other fields show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Bond {
    #[default]
    Loose,
    /// Fields of this model are written into that record: they are related fields that are not readonly. This is true of 26 of
    /// 2001 many2ones on Odoo 19 with sale, purchase, stock and crm, of 43 of 1838 on 14, and always of those of `_inherits`.
    Written,
    /// That record is a part of this one (Odoo's `_inherits`), and Odoo may delete it with this one. It is recognised by a required
    /// many2one with a related field of the same name that is writable, not stored, and sortable, as inherited fields are. This
    /// finds all of them (compared with `_inherits` of 531 models on 19 and of 407 on 14), and 12 other links on 19, none on 14.
    Part,
}

/// What Odoo does with a value that is sent for a field (`BaseModel.create` and `write`, 14-19).
///
/// A field that is computed without an inverse is readonly unless its definition says otherwise. One with an inverse that is
/// readonly all the same cannot be distinguished from it: the stored `account.move.amount_total` is the only one of some 7,600
/// fields in Odoo 19, and one of three in 14. A field that can be edited in a form and is not stored is not recognised either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kept {
    Yes,
    /// Stored and computed: a new record gets the computed value; in an existing record the sent value stays until the next
    /// computation.
    UntilComputed,
    /// Odoo ignores it without an error.
    No,
}

/// The type of a field, by what can be done with its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    Many2one(String),
    One2many(String),
    Many2many(String),
    /// A relation to a record of any model, which the value names: `model,id`.
    Reference,
    Boolean,
    /// `integer`, and `many2one_reference`: the id of a record whose model another field names.
    Integer,
    /// `float` and `monetary`.
    Float,
    /// `char` and `text`.
    Text,
    Html,
    Date,
    Datetime,
    /// One of these choices.
    Selection(Choices),
    Binary,
    /// json, properties and whatever later versions add: any JSON value.
    Free,
}

/// The choices of a selection, in Odoo's order; `None` where `fields_get` does not tell them.
pub type Choices = Option<Arc<[Choice]>>;

/// One choice of a selection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Choice {
    pub value: String,
    /// Its name in the user's language.
    pub label: String,
}

impl Schema {
    /// From the answer of `fields_get`. A field that cannot be understood is of kind `Free`, never an error: Odoo adds types.
    pub fn new(model: &str, described: HashMap<String, Value>) -> Self {
        let read = |(name, value)| Some((name, serde_json::from_value(value).ok()?));
        let described: HashMap<String, Described> = described.into_iter().filter_map(read).collect();
        let bonds = bonds(&described);
        let field = |(name, described): (String, Described)| {
            let bond = bonds.get(&name).copied().unwrap_or_default();
            let field = Field::new(&name, described, bond);
            (name, field)
        };
        let fields = described.into_iter().map(field).collect();
        Self { model: model.to_owned(), fields }
    }

    /// How much memory the schema takes, as an estimate.
    pub(in crate::odoo) fn size_in_memory(&self) -> usize {
        let field = |(name, field): (&String, &Field)| size_of::<(String, Field)>() + name.len() + field.heap_size();
        size_of::<Self>() + self.model.len() + self.fields.iter().map(field).sum::<usize>()
    }

    /// A number that is the same for equal schemas, and another for almost all others.
    pub(in crate::odoo) fn hash_by(&self, hasher: &RandomState) -> u64 {
        let fields = self.fields.iter().map(|field| hasher.hash_one(field));
        // The order of the fields is any.
        fields.fold(hasher.hash_one(&self.model), u64::wrapping_add)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(name)
    }

    /// The path to the field that this one is a copy of.
    pub fn copied(&self, name: &str) -> Option<&str> {
        self.field(name)?.related.as_deref()
    }

    /// The records of this model may belong to a company each.
    pub fn has_company(&self) -> bool {
        self.field("company_id")
            .is_some_and(|field| field.is_searchable && field.kind.relation() == Some("res.company"))
    }
}

impl Kind {
    /// The model that a relational field leads to.
    pub fn relation(&self) -> Option<&str> {
        match self {
            Self::Many2one(model) | Self::One2many(model) | Self::Many2many(model) => Some(model),
            _ => None,
        }
    }
}

impl Field {
    /// The memory that its texts take.
    fn heap_size(&self) -> usize {
        let properties = match &self.properties {
            Some(Properties::Values(Some(place))) => place.link.len() + place.field.len(),
            Some(Properties::Values(None) | Properties::Definitions) | None => 0,
        };
        let related = self.related.as_ref().map_or(0, String::len);
        let inverse = self.inverse.as_ref().map_or(0, String::len);
        let choices = match &self.kind {
            Kind::Selection(Some(choices)) => {
                let choice = |choice: &Choice| size_of::<Choice>() + choice.value.len() + choice.label.len();
                choices.iter().map(choice).sum()
            }
            _ => 0,
        };
        self.kind.relation().map_or(0, str::len) + related + inverse + properties + choices
    }

    fn new(name: &str, described: Described, bond: Bond) -> Self {
        let kept = described.kept(name);
        let related = described.path();
        let properties = described.properties();
        let choices = described.choices();
        let kind = match (described.kind.as_str(), described.relation) {
            ("many2one", Some(model)) => Kind::Many2one(model),
            ("one2many", Some(model)) => Kind::One2many(model),
            ("many2many", Some(model)) => Kind::Many2many(model),
            ("reference", _) => Kind::Reference,
            ("integer" | "many2one_reference", _) => Kind::Integer,
            ("boolean", _) => Kind::Boolean,
            ("float" | "monetary", _) => Kind::Float,
            ("char" | "text", _) => Kind::Text,
            ("html", _) => Kind::Html,
            ("date", _) => Kind::Date,
            ("datetime", _) => Kind::Datetime,
            ("selection", _) => Kind::Selection(choices),
            ("binary" | "image", _) => Kind::Binary,
            _ => Kind::Free,
        };
        let is_column = described.store || related.is_some();
        let inverse = described.relation_field.as_str().map(str::to_owned);
        let (is_stored, is_searchable) = (described.store, described.searchable);
        let is_translated = !matches!(described.translate, Value::Null | Value::Bool(false));
        let size = described.size.as_u64().and_then(|size| usize::try_from(size).ok());
        Self {
            kind,
            is_column,
            is_searchable,
            is_stored,
            kept,
            related,
            inverse,
            bond,
            is_translated,
            size: size.filter(|size| *size > 0),
            properties,
        }
    }
}

#[cfg(test)]
mod tests;
