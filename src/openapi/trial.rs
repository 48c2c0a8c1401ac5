//! The form of the page that sends a call: first as a dry run, which shows the plan, and then, as a second step, for real.
//!
//! The credential is the one in the form alone, never one that a browser sends by itself: a page of another site could have a
//! browser send the form. It is not repeated in the page.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    call::{
        Answered, By, Incoming, Presented,
        auth::{API_KEY, LOGIN},
    },
    hook::RequestLine,
    odoo::RotatedCookie,
    route::Route,
    web::{Form, show},
};

/// The longest `vals` that the form takes, in bytes.
const MOST: usize = 1 << 20;

/// A call that the form asks for.
#[derive(Debug)]
pub struct Trial {
    route: Route,
    model: String,
    /// As it was written.
    text: String,
    vals: Map<String, Value>,
    is_real: bool,
}

/// What came of it, for the page.
#[derive(Debug)]
pub struct Tried {
    pub route: Route,
    pub model: String,
    /// As it was written.
    pub vals: String,
    pub is_real: bool,
    /// Whether the call was carried out, or would be.
    pub is_success: bool,
    pub message: String,
    /// The id of the call in the log, where one was made.
    pub call: Option<Uuid>,
    /// The place of the mistake.
    pub path: String,
    pub code: String,
    pub warnings: Vec<String>,
    /// What would be done, a sentence each.
    pub steps: Vec<String>,
    /// The answer as JSON.
    pub answer: String,
}

impl Trial {
    /// Reads the form.
    ///
    /// # Errors
    /// What is wrong, for the page.
    pub fn read(form: &Form) -> Result<Self, Box<Tried>> {
        let text = form.raw("vals").unwrap_or_default().trim().to_owned();
        let route = Route::named(form.text("route")).unwrap_or(Route::CreateData);
        let model = form.text("model").to_owned();
        let refused = |message: String| Box::new(Tried::refused(route, &model, &text, message));
        if model.is_empty() {
            return Err(refused("Name a model, such as res.partner.".to_owned()));
        }
        if text.len() > MOST {
            return Err(refused("The parameters are longer than 1 MiB. Send the call by a program.".to_owned()));
        }
        match serde_json::from_str(&text) {
            Ok(Value::Object(vals)) => {
                let is_real = form.text("step") == "real";
                Ok(Self { route, model, text, vals, is_real })
            }
            Ok(_) => Err(refused("The parameters must be a JSON object: {\"payload\": {…}}.".to_owned())),
            Err(error) => Err(refused(format!("The parameters are no JSON: {error}."))),
        }
    }

    /// Whether something may be written.
    pub fn is_real(&self) -> bool {
        self.is_real
    }

    /// The call is not made, for this reason.
    pub fn refused(self, why: &str) -> Tried {
        Tried::refused(self.route, &self.model, &self.text, why.to_owned())
    }

    /// The call, with this proof of who makes it.
    pub fn incoming(&self, presented: Presented, by: By, address: std::net::IpAddr) -> Incoming {
        let mut vals = self.vals.clone();
        if self.is_real {
            vals.remove("dry_run");
        } else {
            vals.insert("dry_run".to_owned(), json!(true));
        }
        Incoming {
            id: Uuid::now_v7(),
            route: self.route,
            hook: None,
            presented,
            by,
            address,
            traceparent: None,
            body: Ok(Bytes::from(json!({"model": self.model, "vals": vals}).to_string())),
            began: Instant::now(),
            rotated: RotatedCookie::default(),
        }
    }

    /// What came of the call.
    pub fn tried(self, answered: &Answered) -> Tried {
        let outcome = serde_json::to_value(answered).unwrap_or_default();
        let (member, facts) = match outcome.get("result") {
            Some(result) => (result, &result["error"]),
            None => (&outcome["error"], &outcome["error"]["data"]),
        };
        let is_success = member["is_success"] == true;
        let message = member["messages"].as_str().or(member["message"].as_str()).unwrap_or_default().to_owned();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let warnings = member["warnings"].as_array().or(facts["warnings"].as_array());
        let warnings = warnings.into_iter().flatten().map(|warning| text(&warning["message"])).collect();
        let steps = if self.is_real { Vec::new() } else { steps(&member["result"]) };
        Tried {
            route: self.route,
            model: self.model,
            vals: self.text,
            is_real: self.is_real,
            is_success,
            message,
            call: Some(answered.call_id),
            path: text(&facts["path"]),
            code: text(&facts["code"]),
            warnings,
            steps,
            answer: show::json(&outcome),
        }
    }
}

impl Tried {
    fn refused(route: Route, model: &str, vals: &str, message: String) -> Self {
        Self {
            route,
            model: model.to_owned(),
            vals: vals.to_owned(),
            is_real: false,
            is_success: false,
            message,
            call: None,
            path: String::new(),
            code: String::new(),
            warnings: Vec::new(),
            steps: Vec::new(),
            answer: String::new(),
        }
    }
}

/// The credential in the form: a key alone, or with the login that it belongs to.
///
/// # Errors
/// There is none, or it cannot stand in a header.
pub fn presented(form: &Form) -> Result<Presented, &'static str> {
    let Some(key) = form.given("key") else { return Err("Give a key: the call is made with its rights.") };
    let cannot = "The key or the login has characters that no header can have.";
    let mut headers = HeaderMap::new();
    let mut value = HeaderValue::from_str(key).map_err(|_| cannot)?;
    value.set_sensitive(true);
    headers.insert(API_KEY, value);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(login) = form.given("login") {
        headers.insert(LOGIN, HeaderValue::from_bytes(login.as_bytes()).map_err(|_| cannot)?);
    }
    Ok(Presented::Headers { line: RequestLine::post(""), headers, client: None })
}

/// The steps of a plan in words.
fn steps(plan: &Value) -> Vec<String> {
    let lookups = plan["lookups"].as_array().into_iter().flatten().map(|lookup| {
        let ids = lookup["ids"].as_array().map_or(&[][..], Vec::as_slice);
        let found = match ids {
            [] => "finds no record".to_owned(),
            [id] => format!("finds record {id}"),
            ids => format!("finds {} records", ids.len()),
        };
        let (model, field) = (plain(&lookup["model"]), plain(&lookup["field"]));
        format!("Looked up: {model} by {field} = {} {found}.", lookup["value"])
    });
    let calls = plan["calls"].as_array().into_iter().flatten().enumerate().map(|(number, call)| {
        let (model, method) = (plain(&call["model"]), plain(&call["method"]));
        let records = |count: Option<usize>| match count {
            Some(1) => "1 record".to_owned(),
            Some(count) => format!("{count} records"),
            None => "records".to_owned(),
        };
        let ids = call["ids"].as_array().map(Vec::len);
        let made = call["args"]["vals_list"].as_array().map(Vec::len);
        let does = match method.as_str() {
            "create" => format!("creates {} of {model}", records(made.or(Some(1)))),
            "web_save" if ids.unwrap_or(0) == 0 => format!("creates 1 record of {model} and reads it"),
            "write" | "web_save" | "web_save_multi" => format!("updates {} of {model}", records(ids)),
            "unlink" => format!("deletes {} of {model}", records(ids)),
            "search_read" | "web_search_read" => format!("reads records of {model}"),
            "search_count" => format!("counts records of {model}"),
            "read_group" | "formatted_read_group" => format!("groups records of {model}"),
            _ => match ids {
                Some(ids) => format!("calls {method} on {} of {model}", records(Some(ids))),
                None => format!("calls {method} of {model}"),
            },
        };
        let note = call["note"].as_str().or(call["undo"].as_str()).map(|note| format!(" ({note})")).unwrap_or_default();
        format!("Odoo call {}: {does}{note}.", number + 1)
    });
    lookups.chain(calls).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        Form::parse(text.as_bytes())
    }

    #[test]
    fn a_form_begins_as_a_dry_run_whatever_its_parameters_say() {
        let vals = "vals=%7B%22payload%22%3A%7B%7D%2C%22dry_run%22%3Afalse%7D";
        let body = |text: &str| {
            let trial = Trial::read(&form(text)).unwrap();
            let presented = Presented::Client("c".to_owned());
            let incoming = trial.incoming(presented, By::Caller, std::net::Ipv4Addr::LOCALHOST.into());
            serde_json::from_slice::<Value>(&incoming.body.unwrap()).unwrap()
        };
        assert_eq!(body(&format!("model=m&route=update_data&{vals}"))["vals"]["dry_run"], true);
        assert_eq!(body(&format!("model=m&step=dry&{vals}"))["vals"]["dry_run"], true);
        assert_eq!(body(&format!("model=m&step=real&{vals}"))["vals"]["dry_run"], Value::Null);
        let refusal = |text: &str| Trial::read(&form(text)).unwrap_err().message;
        assert!(refusal("model=m&vals=%7Bx").contains("no JSON"));
        assert!(refusal("model=m&vals=%5B%5D").contains("JSON object"));
        assert!(refusal(vals).contains("Name a model"));
    }

    #[test]
    fn a_plan_is_told_in_words() {
        let plan = json!({
            "lookups": [{"model": "res.country", "field": "code", "value": "BE", "ids": [20]}],
            "calls": [
                {"model": "res.partner.category", "method": "create", "args": {"vals_list": [{}]}, "undo": "deleted again"},
                {"model": "res.partner", "method": "write", "ids": [1, 2]},
                {"model": "sale.order", "method": "action_confirm", "ids": [7]},
            ],
        });
        assert_eq!(
            steps(&plan),
            [
                "Looked up: res.country by code = \"BE\" finds record 20.",
                "Odoo call 1: creates 1 record of res.partner.category (deleted again).",
                "Odoo call 2: updates 2 records of res.partner.",
                "Odoo call 3: calls action_confirm on 1 record of sale.order.",
            ]
        );
    }

    #[test]
    fn a_call_without_a_key_is_not_made() {
        assert!(presented(&form("key=&login=joe")).is_err());
        let Presented::Headers { headers, .. } = presented(&form("key=k1&login=joe")).unwrap() else { unreachable!() };
        assert_eq!((headers[API_KEY].as_bytes(), headers[LOGIN].as_bytes()), (&b"k1"[..], &b"joe"[..]));
    }
}
