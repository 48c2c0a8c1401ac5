//! A statement that is put together from parts, with its values.
//!
//! sqlx's own `QueryBuilder` marks the values of an `Any` connection with `?`, which PostgreSQL does not know (sqlx 0.9); both
//! databases know `$1`.

use sqlx::{Any, AssertSqlSafe, any::AnyArguments, query};

/// A statement so far.
pub(super) struct Query {
    text: String,
    values: Vec<Value>,
}

enum Value {
    Text(String),
    Number(i64),
}

impl Query {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    /// Adds a part of the statement; what comes from outside is bound instead.
    pub(super) fn push(&mut self, part: &str) -> &mut Self {
        self.text.push_str(part);
        self
    }

    pub(super) fn bind_text(&mut self, text: impl Into<String>) -> &mut Self {
        self.bind(Value::Text(text.into()))
    }

    pub(super) fn bind_number(&mut self, number: i64) -> &mut Self {
        self.bind(Value::Number(number))
    }

    fn bind(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        self.text.push_str(&format!("${}", self.values.len()));
        self
    }

    pub(super) fn build(self) -> query::Query<'static, Any, AnyArguments> {
        self.values.into_iter().fold(query(AssertSqlSafe(self.text)), |bound, value| match value {
            Value::Text(text) => bound.bind(text),
            Value::Number(number) => bound.bind(number),
        })
    }
}
