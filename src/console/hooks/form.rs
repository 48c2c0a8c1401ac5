//! The form that tries a template: what is in it, and what comes of it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{
    super::visit::Visit,
    made::Outcome,
    received::{Delivery, sent},
};
use crate::{
    config::Hook,
    hook::{Hidden, RequestLine, Sent, SentBody},
    operations::tried::{Planner, Trial, tried as run},
    web::{Form, Problem, show},
};

/// What the form has in it.
pub(super) struct Attempt {
    pub(super) template: String,
    pub(super) body: String,
    /// `Name: value`, one a line.
    pub(super) headers: String,
    pub(super) query: String,
    pub(super) method: String,
    /// The body is JSON already, and not as the sender sends it.
    pub(super) is_read: bool,
    pub(super) plans: bool,
    /// The delivery that it was filled from.
    pub(super) of: Option<String>,
    /// Values of it are hidden in the log.
    pub(super) has_hidden: bool,
}

impl Attempt {
    /// The form before anything was sent: the hook's template, and the delivery that is named in the address, or else the last
    /// one.
    pub(super) async fn first(visit: &Visit<'_>, template: &str, received: &[Delivery]) -> Result<Self, Problem> {
        let empty = Self {
            template: template.to_owned(),
            body: "{}".to_owned(),
            headers: String::new(),
            query: String::new(),
            method: Method::POST.to_string(),
            is_read: true,
            plans: false,
            of: None,
            has_hidden: false,
        };
        let Some(hook) =
            visit.path.get(1).and_then(|name| visit.config().hooks.iter().find(|hook| hook.name() == name))
        else {
            return Ok(empty);
        };
        let wanted = visit.query.given("delivery").or(received.first().map(|delivery| &*delivery.id));
        let Some(id) = wanted else { return Ok(empty) };
        let Some(json) = sent(visit, hook, id).await? else { return Ok(empty) };
        let sent = Sent::of_json(&json);
        let (body, is_read) = match &sent.body {
            SentBody::Json(_) => (show::json(&json["body"]), true),
            SentBody::Unreadable { text, .. } => (text.clone(), false),
        };
        let headers = sent.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        Ok(Self {
            body,
            headers,
            query: query_of(&sent),
            method: sent.method,
            is_read,
            of: Some(id.to_owned()),
            has_hidden: json.to_string().contains("\"***\""),
            ..empty
        })
    }

    fn of_form(form: &Form) -> Self {
        let raw = |name: &str| form.raw(name).unwrap_or_default().replace("\r\n", "\n");
        Self {
            template: raw("template"),
            body: raw("body"),
            headers: raw("headers"),
            query: form.text("query").trim_start_matches('?').to_owned(),
            method: form.given("method").unwrap_or("POST").to_owned(),
            is_read: form.text("form") != "raw",
            plans: form.is_ticked("plan"),
            of: form.given("delivery").map(str::to_owned),
            has_hidden: false,
        }
    }

    /// What the template sees of it.
    fn sent(&self, visit: &Visit<'_>, hook: &Hook) -> Result<Sent, String> {
        let headers = self.headers.lines().filter(|line| !line.trim().is_empty()).map(|line| {
            let pair = line.split_once(':').and_then(|(name, value)| {
                Some((name.trim().parse::<HeaderName>().ok()?, value.trim().parse::<HeaderValue>().ok()?))
            });
            pair.ok_or_else(|| format!("Headers: `{line}` is not of the form Name: value"))
        });
        let headers = headers.collect::<Result<HeaderMap, String>>()?;
        let method = self.method.parse().map_err(|_| format!("Method: `{}` is no method", self.method))?;
        let target = match &*self.query {
            "" => format!("/hooks/{}", hook.name()),
            query => format!("/hooks/{}?{query}", hook.name()),
        };
        let line = RequestLine { method, ..RequestLine::post(&target) };
        let bytes = Bytes::from(self.body.clone());
        let body = if self.is_read {
            serde_json::from_slice::<IgnoredAny>(&bytes).map_err(|error| format!("Body: it is not JSON: {error}"))?;
            SentBody::Json(bytes)
        } else {
            let calls = &visit.site.calls;
            let known = calls.hooks.named(hook.name()).ok_or("the hook is gone")?;
            known.read(&headers, &bytes, &calls.config.limits).map_err(|error| error.to_string())?
        };
        Ok(Sent::new(hook.path.written(), &line, &headers, Hidden::default(), body))
    }
}

/// Runs the template of the form on its body.
///
/// # Errors
/// The hook is gone from the configuration.
pub(super) async fn tried(visit: &Visit<'_>, hook: &Hook) -> Result<(Attempt, Outcome), Problem> {
    let attempt = Attempt::of_form(&visit.form);
    let sent = match attempt.sent(visit, hook) {
        Ok(sent) => sent,
        Err(words) => return Ok((attempt, Outcome::Unready(words))),
    };
    let calls = &visit.site.calls;
    let gone = || Problem::new(StatusCode::CONFLICT, "Not done", "The configuration has changed. Load the page again.");
    let known = calls.hooks.named(hook.name()).ok_or_else(gone)?;
    let client = calls.clients.by_name(&hook.client).ok_or_else(gone)?;
    let planner = Planner { client, odoo: calls.odoo.clone(), files: calls.files.clone() };
    let trial = Trial { config: &calls.config, hook: known, template: Some(&attempt.template) };
    let tried = run(trial, &sent, attempt.plans.then_some(&planner)).await;
    let outcome = Outcome::of(&calls.log, tried);
    Ok((attempt, outcome))
}

/// The query of a delivery, as it stands in an address.
fn query_of(sent: &Sent) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &sent.query {
        match value {
            Value::Array(values) => values.iter().for_each(|value| {
                query.append_pair(name, &text(value));
            }),
            value => {
                query.append_pair(name, &text(value));
            }
        }
    }
    query.finish()
}
