//! Values whose form depends on what Odoo answers about more than a lookup: analytic distributions by code, properties
//! by label, files by URL, texts by language.
//!
//! Reading leaves them open, with all that is needed to close them, and `null` in their place. `plan/complete` asks Odoo
//! and closes them before the write is compiled.

use reqwest::Url;
use serde_json::Value;

use super::{Reader, analytic::Distribution, content, properties::PropertyValues, translations::Texts};
use crate::{
    odoo::{Field, Kind},
    plan::{Error, analytic, schema_view::ModelView},
};

/// A value that is still open: the field of its draft, and its place.
#[derive(Debug, PartialEq)]
pub(in crate::plan) struct Open {
    pub(in crate::plan) field: String,
    pub(in crate::plan) path: String,
    pub(in crate::plan) kind: OpenKind,
}

#[derive(Debug, PartialEq)]
pub(in crate::plan) enum OpenKind {
    Distribution(Distribution),
    Properties(PropertyValues),
    /// The content of a binary field.
    Content(Url),
    /// The texts of a translated field.
    Texts(Texts),
}

impl Reader<'_> {
    /// Reads a value that has to be closed later; `None` where it is none of those.
    ///
    /// # Errors
    /// The value is of the wrong kind, or the policy denies what it names.
    pub(super) fn open(
        &mut self,
        view: ModelView<'_>,
        name: &str,
        field: Option<&Field>,
        value: &Value,
        path: &str,
        company: Option<i64>,
    ) -> Result<Option<OpenKind>, Error> {
        let Some(field) = field else { return Ok(None) };
        if name == analytic::FIELD && field.kind.relation().is_none() {
            return Ok(self.distribution(value, path, company)?.map(OpenKind::Distribution));
        }
        if let Some(texts) = Texts::read(field, value, path)? {
            return Ok(Some(OpenKind::Texts(texts)));
        }
        if field.kind == Kind::Binary {
            return Ok(content::remote(value, path)?.map(OpenKind::Content));
        }
        Ok(self.property_values(view, name, field, value, path)?.map(OpenKind::Properties))
    }
}
