//! An exception that Odoo raised, and what its name means.
//!
//! Exceptions are told apart by their name, never by text or number: messages are translated, and the number changed
//! between 18 and 19. Where the name does not say enough, a sentence that is never translated or the line of the source at
//! which it was raised does; each such place says why.

use serde::Deserialize;

use crate::errors::{Code, Retry};

/// An exception that Odoo raised.
#[derive(Debug, Clone, Deserialize)]
pub struct Fault {
    /// The Python class with its module, such as `odoo.exceptions.ValidationError`.
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub message: String,
    /// Odoo's traceback: for the log, never for a caller.
    #[serde(default)]
    pub debug: String,
}

impl Fault {
    /// What Odoo says of a method that is not there.
    pub(in crate::odoo) fn unknown_method(model: &str, method: &str) -> Self {
        Self {
            name: "builtins.AttributeError".to_owned(),
            message: format!("The method '{model}.{method}' does not exist"),
            debug: String::new(),
        }
    }

    pub fn code(&self) -> Code {
        match self.name.as_str() {
            // Odoo 18 and later have methods that are private by decoration, whatever their name.
            "odoo.exceptions.AccessError" if self.message.starts_with("Private methods") => Code::PrivateMethod,
            "odoo.exceptions.AccessError" => Code::AccessError,
            "odoo.exceptions.AccessDenied" => Code::AccessDenied,
            "odoo.exceptions.MissingError" => Code::MissingRecord,
            "odoo.exceptions.ValidationError" => Code::ValidationError,
            "odoo.exceptions.UserError" | "odoo.exceptions.RedirectWarning" => Code::UserError,
            // An unknown model has been told from an unknown method before; see `is_unknown_model`.
            "builtins.AttributeError" | "werkzeug.exceptions.NotFound" => Code::UnknownMethod,
            _ if self.is_unknown_field() => Code::UnknownField,
            _ if self.is_conflict() => Code::Conflict,
            _ => Code::OdooError,
        }
    }

    /// A record that the call was made on does not exist.
    pub fn is_missing_record(&self) -> bool {
        self.name == "odoo.exceptions.MissingError"
    }

    pub(super) fn retry(&self) -> Retry {
        if self.is_conflict() { Retry::Safe } else { Retry::No }
    }

    /// Two transactions met. Odoo itself runs the whole method again for these (14-19), so it may be run again from here.
    pub(in crate::odoo) fn is_repeated_by_odoo(&self) -> bool {
        matches!(
            self.name.as_str(),
            "psycopg2.errors.SerializationFailure"
                | "psycopg2.errors.DeadlockDetected"
                | "psycopg2.errors.LockNotAvailable"
                | "psycopg2.extensions.TransactionRollbackError"
                | "odoo.exceptions.ConcurrencyError"
        )
    }

    /// Odoo's connection to PostgreSQL broke. Where that was in the middle of a commit, the commit may stand.
    pub(in crate::odoo) fn is_database_lost(&self) -> bool {
        matches!(
            self.name.as_str(),
            "psycopg2.OperationalError"
                | "psycopg2.InterfaceError"
                | "psycopg2.errors.AdminShutdown"
                | "psycopg2.errors.CrashShutdown"
                | "psycopg2.errors.ConnectionException"
                | "psycopg2.errors.ConnectionFailure"
        )
    }

    /// Two transactions met, or Odoo had no database connection left. Odoo has tried again itself before it says so.
    pub(in crate::odoo) fn is_conflict(&self) -> bool {
        self.is_repeated_by_odoo() || self.is_out_of_connections() || self.name == "odoo.exceptions.LockError"
    }

    /// Odoo had no database connection left.
    pub(in crate::odoo) fn is_out_of_connections(&self) -> bool {
        self.name == "psycopg2.pool.PoolError"
    }

    /// What others have changed meanwhile may explain it: a record that was deleted, or one of the same unique value that was
    /// created. Odoo 14-19 put most violations of a constraint as a ValidationError, which a model's own checks raise too;
    /// code that lets PostgreSQL's own through names them as PostgreSQL does.
    pub fn may_come_of_a_change(&self) -> bool {
        match self.name.as_str() {
            "odoo.exceptions.MissingError"
            | "odoo.exceptions.ValidationError"
            | "psycopg2.IntegrityError"
            | "psycopg2.errors.UniqueViolation"
            | "psycopg2.errors.ForeignKeyViolation"
            | "psycopg2.errors.ExclusionViolation" => true,
            // XML-RPC gives all three the same number, and no traceback.
            "odoo.exceptions.UserError" => self.debug.is_empty(),
            _ => false,
        }
    }

    /// Odoo knows no such field: what is remembered of the model may be out of date. The sentence is never translated.
    pub fn is_unknown_field(&self) -> bool {
        self.name == "builtins.ValueError" && self.message.starts_with("Invalid field")
    }

    /// What is remembered of the models may be out of date: a field is not there, or the user's rights do not reach it any more.
    pub fn doubts_schema(&self) -> bool {
        self.is_unknown_field() || self.name == "odoo.exceptions.AccessError"
    }

    /// `call_kw` wanted record ids as the first argument and found none: the method was not run. Odoo 14-19 raise this at
    /// the same line, and the line is looked at since a method may raise an IndexError of its own.
    pub(in crate::odoo) fn wants_ids(&self) -> bool {
        self.name == "builtins.IndexError" && self.raised_at() == Some("ids, args = args[0], args[1:]")
    }

    /// The source line at which the exception was raised.
    fn raised_at(&self) -> Option<&str> {
        // Odoo 14 and 15 raise what a JSON controller raised once more, and give the first traceback as the cause of that.
        const AGAIN: &str = "raise exception.with_traceback(None) from new_cause";
        let is_source = |line: &&str| !line.trim_matches([' ', '^', '~']).is_empty();
        let tracebacks = self.debug.rsplit("The above exception was the direct cause of the following exception:");
        let mut lines = tracebacks.filter_map(|traceback| traceback.trim_end().rsplit('\n').skip(1).find(is_source));
        lines.find(|line| line.trim() != AGAIN).map(str::trim)
    }

    /// JSON-2 was given ids for a model method: the method was not run.
    pub(in crate::odoo) fn refuses_ids(&self, model: &str, method: &str) -> bool {
        self.name == "werkzeug.exceptions.UnprocessableEntity"
            && self.message.contains(&format!("cannot call {model}.{method} with ids"))
    }

    /// JSON-2 binds arguments by the names that the method's last override gives them (Odoo 19), and this one has another
    /// name for an argument: the method was not run.
    pub(in crate::odoo) fn refuses_names(&self) -> bool {
        // A method that raises the same by itself does so at another line.
        self.name == "werkzeug.exceptions.UnprocessableEntity"
            && self.raised_at() == Some("raise UnprocessableEntity(exc.args[0])")
            && (self.message.contains("missing a required argument")
                || self.message.contains("got an unexpected keyword argument"))
    }

    /// No protocol names the model in a machine-readable way: `call_kw` answers a bare 404 (18, 19) or a KeyError of the model's
    /// name (14-17), JSON-2 a sentence about the model, JSON-RPC and XML-RPC a UserError that is raised before there is a
    /// language to translate it into.
    pub(in crate::odoo) fn is_unknown_model(&self, model: &str) -> bool {
        match self.name.as_str() {
            "werkzeug.exceptions.NotFound" => !self.message.starts_with("The method"),
            "builtins.KeyError" => self.message.trim_matches('\'') == model,
            "odoo.exceptions.UserError" => self.message == format!("Object {model} doesn't exist"),
            _ => false,
        }
    }

    /// PostgreSQL has no such database. Its name stands in the sentence in whatever language that is.
    pub(in crate::odoo) fn is_missing_database(&self, database: &str) -> bool {
        self.name == "psycopg2.OperationalError" && self.message.contains(&format!("\"{database}\""))
    }

    /// The login and secret that came with the call were not accepted, or the method itself denies something.
    pub(in crate::odoo) fn is_access_denied(&self) -> bool {
        self.name == "odoo.exceptions.AccessDenied"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index_error(debug: &str) -> Fault {
        Fault { name: "builtins.IndexError".to_owned(), message: String::new(), debug: debug.to_owned() }
    }

    /// The ends of tracebacks of a real Odoo 19, and of a real Odoo 14.
    #[test]
    fn a_call_without_the_ids_it_needs_is_known_by_the_line_that_missed_them() {
        let odoo_19 = "Traceback (most recent call last):\n  File \"/odoo/service/model.py\", line 82, in call_kw\n    ids, args = args[0], args[1:]\n                ~~~~^^^\nIndexError: list index out of range\n";
        let odoo_14 = "Traceback (most recent call last):\n  File \"/odoo/api.py\", line 379, in _call_kw_multi\n    ids, args = args[0], args[1:]\nException\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File \"/odoo/http.py\", line 315, in _handle_exception\n    raise exception.with_traceback(None) from new_cause\nIndexError: tuple index out of range\n";
        assert!(index_error(odoo_19).wants_ids() && index_error(odoo_14).wants_ids());
        for own in [odoo_19, odoo_14].map(|text| text.replace("ids, args = args[0], args[1:]", "first = rows[0]")) {
            assert!(!index_error(&own).wants_ids(), "{own}");
        }
        assert!(!index_error("").wants_ids());
    }
}
