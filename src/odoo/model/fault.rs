//! Exceptions that Odoo raised, and what their names mean.
//!
//! Exceptions are distinguished by their name, never by text or number: messages are translated, and the number changed between 18
//! and 19. Where the name is not enough, a sentence that is never translated decides, or the source line that raised the
//! exception; each such place gives the reason. No other file decides by a text of Odoo, except `protocol/xml_rpc.rs`, which turns
//! tracebacks into names.

use std::borrow::Cow;

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

/// What a fault means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::odoo) enum FaultKind {
    PrivateMethod,
    AccessError,
    AccessDenied,
    MissingRecord,
    ValidationError,
    UserError,
    UnknownMethod,
    UnknownField,
    Conflict,
    Other,
}

impl Fault {
    /// Odoo's fault for a method that does not exist.
    pub(in crate::odoo) fn unknown_method(model: &str, method: &str) -> Self {
        Self {
            name: "werkzeug.exceptions.NotFound".to_owned(),
            message: format!("The method '{model}.{method}' does not exist"),
            debug: String::new(),
        }
    }

    /// What a caller is told. Odoo's own exceptions carry a sentence for people. The message of any other one may be a bare key
    /// (`60`) or a piece of SQL, so it is told with the exception's name, and of PostgreSQL's errors the first line alone.
    pub(in crate::odoo) fn sentence(&self) -> Cow<'_, str> {
        let (module, class) = self.name.rsplit_once('.').unwrap_or(("", &self.name));
        match module {
            "builtins" if self.kind() == FaultKind::Other => {
                format!("Odoo failed with {class}: {}; the log has its traceback", self.message.trim()).into()
            }
            _ if module.starts_with("psycopg2") && self.kind() == FaultKind::Other => {
                let first = self.message.lines().next().unwrap_or_default().trim();
                format!("the database refused it with {class}: {first}; the log has its traceback").into()
            }
            // `raise UserError('')` of a module.
            _ if self.message.trim().is_empty() => format!(
                "Odoo refused it with {}, without a message",
                if class.is_empty() { "an exception" } else { class }
            )
            .into(),
            _ => Cow::Borrowed(&self.message),
        }
    }

    pub(in crate::odoo) fn kind(&self) -> FaultKind {
        match self.name.as_str() {
            // Odoo 18 and later have methods that are private by decoration, whatever their name.
            "odoo.exceptions.AccessError" if self.message.starts_with("Private methods") => FaultKind::PrivateMethod,
            "odoo.exceptions.AccessError" => FaultKind::AccessError,
            "odoo.exceptions.AccessDenied" => FaultKind::AccessDenied,
            "odoo.exceptions.MissingError" => FaultKind::MissingRecord,
            "odoo.exceptions.ValidationError" => FaultKind::ValidationError,
            "odoo.exceptions.UserError" | "odoo.exceptions.RedirectWarning" => FaultKind::UserError,
            // An unknown model has been told from an unknown method before; see `is_unknown_model`.
            "werkzeug.exceptions.NotFound" => FaultKind::UnknownMethod,
            "builtins.AttributeError" if self.lacks_method() => FaultKind::UnknownMethod,
            _ if self.is_unknown_field() => FaultKind::UnknownField,
            _ if self.is_conflict() => FaultKind::Conflict,
            _ => FaultKind::Other,
        }
    }

    /// The stable code for callers.
    pub fn code(&self) -> Code {
        match self.kind() {
            FaultKind::PrivateMethod => Code::PrivateMethod,
            FaultKind::AccessError => Code::AccessError,
            FaultKind::AccessDenied => Code::AccessDenied,
            FaultKind::MissingRecord => Code::MissingRecord,
            FaultKind::ValidationError => Code::ValidationError,
            FaultKind::UserError => Code::UserError,
            FaultKind::UnknownMethod => Code::UnknownMethod,
            FaultKind::UnknownField => Code::UnknownField,
            FaultKind::Conflict => Code::Conflict,
            FaultKind::Other => Code::OdooError,
        }
    }

    /// A record that the call was made on does not exist.
    pub fn is_missing_record(&self) -> bool {
        self.name == "odoo.exceptions.MissingError"
    }

    /// The user lacks the right to the model, a field or a record.
    pub fn is_access_error(&self) -> bool {
        self.kind() == FaultKind::AccessError
    }

    /// An exception of Python itself: a method was given what it does not expect, and no model refused anything for people.
    pub(in crate::odoo) fn is_of_python(&self) -> bool {
        self.name.starts_with("builtins.")
    }

    /// Of a call that asks for what an external id names: there is no such id. Odoo 14-19 raise a ValueError there alone.
    pub(in crate::odoo) fn is_unknown_external_id(&self) -> bool {
        self.name == "builtins.ValueError"
    }

    pub(super) fn retry(&self) -> Retry {
        if self.is_conflict() { Retry::Safe } else { Retry::No }
    }

    /// A conflict between transactions. Odoo itself repeats the whole method after these (14-19), so the gateway may repeat it too.
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

    /// Odoo lost its connection to PostgreSQL. If that was during a commit, the commit may have succeeded.
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

    /// A conflict between transactions, or a lack of database connections. Odoo has repeated the method itself before it reports it.
    pub(in crate::odoo) fn is_conflict(&self) -> bool {
        self.is_repeated_by_odoo() || self.is_out_of_connections() || self.name == "odoo.exceptions.LockError"
    }

    /// Odoo had no database connection left.
    pub(in crate::odoo) fn is_out_of_connections(&self) -> bool {
        self.name == "psycopg2.pool.PoolError"
    }

    /// Whether a concurrent change may have caused it: a record that was deleted, or one with the same unique value that was
    /// created. Odoo 14-19 report most constraint violations as a ValidationError, which the checks of a model also raise; code
    /// that passes on PostgreSQL's own errors names them as PostgreSQL does.
    pub fn may_come_of_a_change(&self) -> bool {
        match self.name.as_str() {
            "odoo.exceptions.MissingError"
            | "odoo.exceptions.ValidationError"
            | "psycopg2.IntegrityError"
            | "psycopg2.errors.UniqueViolation"
            | "psycopg2.errors.ForeignKeyViolation"
            | "psycopg2.errors.ExclusionViolation" => true,
            // XML-RPC has the same number for all three, and no traceback.
            "odoo.exceptions.UserError" => self.debug.is_empty(),
            _ => false,
        }
    }

    /// Odoo knows no such field: a cached schema may be out of date. The sentence is never translated.
    pub fn is_unknown_field(&self) -> bool {
        self.name == "builtins.ValueError" && self.message.starts_with("Invalid field")
    }

    /// Whether cached schemas may be out of date: a field does not exist, or the user has lost the right to it.
    pub fn doubts_schema(&self) -> bool {
        self.is_unknown_field() || self.name == "odoo.exceptions.AccessError"
    }

    /// `call_kw` expected record ids as the first argument and found none: the method was not run. Odoo 14-19 raise this at the
    /// same line. The line is compared, since a method may raise an IndexError of its own.
    pub(in crate::odoo) fn wants_ids(&self) -> bool {
        self.name == "builtins.IndexError" && self.raised_at() == Some("ids, args = args[0], args[1:]")
    }

    /// The model has no such method. The line is compared, since the code of a method may raise an AttributeError of its own:
    /// `call_kw` looks the method up in the class (14-17), `get_public_method` raises by itself (18 and 19).
    fn lacks_method(&self) -> bool {
        const LOOKED_UP: [&str; 2] = ["method = getattr(type(model), name", "raise AttributeError(f\"The method "];
        // Without a traceback, the sentence of both is left, which is Python's or never translated.
        const SAID: [&str; 2] = ["type object '", "The method '"];
        match self.raised_at() {
            Some(line) => LOOKED_UP.iter().any(|start| line.starts_with(start)),
            None => SAID.iter().any(|start| self.message.starts_with(start)),
        }
    }

    /// The source line at which the exception was raised.
    fn raised_at(&self) -> Option<&str> {
        // Odoo 14 and 15 raise the exception of a JSON controller a second time, with the first traceback as its cause.
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

    /// JSON-2 binds arguments by the names in the method's last override (Odoo 19), and that override names an argument otherwise:
    /// the method was not run.
    pub(in crate::odoo) fn refuses_names(&self) -> bool {
        // A method that raises the same exception does so at another line.
        self.name == "werkzeug.exceptions.UnprocessableEntity"
            && self.raised_at() == Some("raise UnprocessableEntity(exc.args[0])")
            && (self.message.contains("missing a required argument")
                || self.message.contains("got an unexpected keyword argument"))
    }

    /// Odoo has no such model. No protocol says so in a machine-readable way: `call_kw` answers a bare 404 (18, 19) or a KeyError
    /// with the model's name (14-17), JSON-2 a sentence about the model, JSON-RPC and XML-RPC a UserError that is raised before the
    /// user's language is known.
    pub(in crate::odoo) fn is_unknown_model(&self, model: &str) -> bool {
        match self.name.as_str() {
            "werkzeug.exceptions.NotFound" => !self.message.starts_with("The method"),
            "builtins.KeyError" => self.message.trim_matches('\'') == model,
            "odoo.exceptions.UserError" => self.message == format!("Object {model} doesn't exist"),
            _ => false,
        }
    }

    /// PostgreSQL has no such database. The sentence contains the name in every language.
    pub(in crate::odoo) fn is_missing_database(&self, database: &str) -> bool {
        self.name == "psycopg2.OperationalError" && self.message.contains(&format!("\"{database}\""))
    }

    /// The login and secret that came with the call were not accepted, or the method itself denies access.
    pub(in crate::odoo) fn is_access_denied(&self) -> bool {
        self.kind() == FaultKind::AccessDenied
    }

    /// Of a login that was denied: the login or secret is wrong. During Odoo's login cooldown the message is another one. This
    /// sentence is the exception's default and is never translated (14-19).
    pub(in crate::odoo) fn is_wrong_login(&self) -> bool {
        self.is_access_denied() && self.message == "Access Denied"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_method_is_no_matter_of_access_rights() {
        let kind = |message: &str| {
            let name = "odoo.exceptions.AccessError".to_owned();
            Fault { name, message: message.to_owned(), debug: String::new() }.kind()
        };
        assert_eq!(
            kind("Private methods (such as 'res.partner._write') cannot be called remotely."),
            FaultKind::PrivateMethod
        );
        assert_eq!(kind("You are not allowed to access 'Contact'"), FaultKind::AccessError);
    }

    #[test]
    fn a_bare_key_and_a_piece_of_sql_are_told_in_a_sentence() {
        let sentence = |name: &str, message: &str| {
            let fault = Fault { name: name.to_owned(), message: message.to_owned(), debug: String::new() };
            fault.sentence().into_owned()
        };
        assert_eq!(sentence("builtins.KeyError", "60"), "Odoo failed with KeyError: 60; the log has its traceback");
        let sql =
            "invalid input syntax for type integer: \"base.be\"\nLINE 1: ...WHERE \"res_country\".\"id\" = 'base.be'";
        assert_eq!(
            sentence("psycopg2.errors.InvalidTextRepresentation", sql),
            "the database refused it with InvalidTextRepresentation: invalid input syntax for type integer: \"base.be\"; \
             the log has its traceback"
        );
        assert_eq!(sentence("odoo.exceptions.UserError", "No."), "No.");
        assert_eq!(sentence("odoo.exceptions.UserError", " "), "Odoo refused it with UserError, without a message");
        assert_eq!(sentence("", ""), "Odoo refused it with an exception, without a message");
    }

    fn attribute_error(debug: &str) -> Fault {
        let message = "'list' object has no attribute 'items'".to_owned();
        Fault { name: "builtins.AttributeError".to_owned(), message, debug: debug.to_owned() }
    }

    /// The ends of tracebacks of a real Odoo 19, and of a real Odoo 14.
    #[test]
    fn a_method_is_unknown_where_it_was_looked_up_and_not_where_its_own_code_fails() {
        let odoo_19 = "Traceback (most recent call last):\n  File \"/odoo/service/model.py\", line 59, in get_public_method\n    raise AttributeError(f\"The method '{model._name}.{name}' does not exist\")  # noqa: TRY004\nAttributeError: The method 'res.partner.x' does not exist\n";
        let odoo_14 = "Traceback (most recent call last):\n  File \"/odoo/api.py\", line 389, in call_kw\n    method = getattr(type(model), name)\nAttributeError: type object 'res.partner' has no attribute 'x'\n";
        let own = "Traceback (most recent call last):\n  File \"/odoo/addons/analytic/models/analytic_mixin.py\", line 7, in write\n    for key, value in distribution.items():\n                      ^^^^^^^^^^^^^^^^^^\nAttributeError: 'list' object has no attribute 'items'\n";
        assert_eq!(attribute_error(odoo_19).code(), Code::UnknownMethod);
        assert_eq!(attribute_error(odoo_14).code(), Code::UnknownMethod);
        assert_eq!(attribute_error(own).code(), Code::OdooError);
        assert_eq!(Fault::unknown_method("res.partner", "x/y").code(), Code::UnknownMethod);
    }

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
