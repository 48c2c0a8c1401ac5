//! Forms and queries: names with values, as `application/x-www-form-urlencoded` has them (WHATWG URL, section 5).

use bytes::Bytes;

/// The fields of a form or a query, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// The fields of a query or a body. What is no UTF-8 has replacement characters.
    pub fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    pub fn of_query(uri: &http::Uri) -> Self {
        Self::parse(uri.query().unwrap_or_default().as_bytes())
    }

    pub fn of_body(body: &Bytes) -> Self {
        Self::parse(body)
    }

    /// The first value of a field, without blanks around it; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }

    /// The same; none where it is empty.
    pub fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// The first value of a field, as it came.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a field.
    pub fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// Whether a box is ticked.
    pub fn is_ticked(&self, name: &str) -> bool {
        matches!(self.text(name), "on" | "1" | "true" | "yes")
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Sets a field; an empty value takes it out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.retain(|(known, _)| known != name);
        let value = value.into();
        if !value.is_empty() {
            self.0.push((name.to_owned(), value));
        }
        self
    }

    /// As a query, without `?`. Empty fields are left out.
    pub fn to_query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs().filter(|(_, value)| !value.is_empty()));
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_and_written_as_browsers_do() {
        let form = Form::parse(b"state=failed&text=a+b%26c&text=&on=on&text=d");
        assert_eq!((form.text("state"), form.text("text"), form.given("none")), ("failed", "a b&c", None));
        assert_eq!(form.all("text").collect::<Vec<_>>(), ["a b&c", "", "d"]);
        assert!(form.is_ticked("on") && !form.is_ticked("state"));
        assert_eq!(form.clone().with("text", "x y").with("on", "").to_query(), "state=failed&text=x+y");
        assert_eq!(Form::parse(form.to_query().as_bytes()).text("text"), "a b&c");
    }
}
