//! The XML-RPC protocol: `/xmlrpc/2` with a user's id and a key or password in each call (Odoo 14 to 21).
//!
//! It is for installations that let nothing else through. It carries less than the others: a refusal has a number for its kind,
//! and most kinds share one; any other exception is a traceback whose last line names it.

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::odoo::{
    model::{
        effect::Effect,
        error::{Error, Why},
        fault::Fault,
        rpc::Rpc,
    },
    protocol::{
        ServiceUser,
        xml::{self, Answer},
    },
    transport::{Request, RequestOptions, Transport},
};

pub(in crate::odoo) async fn call(
    transport: &Transport,
    database: &str,
    user: &ServiceUser,
    rpc: &Rpc,
    context: &Map<String, Value>,
    options: RequestOptions,
) -> Result<Value, Error> {
    let (model, method) = rpc.as_path()?;
    let (args, kwargs) = rpc.args_and_kwargs(context);
    let secret = user.secret.expose_secret();
    let params =
        [json!(database), json!(user.uid), json!(secret), json!(model), json!(method), json!(args), json!(kwargs)];
    let not_in_xml = |what| Error::NotInXml { rpc: format!("{model}.{method}"), what };
    let body = xml::call("execute_kw", &params).map_err(not_in_xml)?;
    post(transport, "/xmlrpc/2/object", body, rpc.effect, options).await
}

/// The id of the user with this login, or `false` where the secret is wrong.
pub(in crate::odoo) async fn authenticate(
    transport: &Transport,
    database: &str,
    login: &str,
    secret: &SecretString,
    options: RequestOptions,
) -> Result<Value, Error> {
    let params = [json!(database), json!(login), json!(secret.expose_secret()), json!({})];
    common(transport, "authenticate", &params, options).await
}

/// Calls a method of the service `common`, which needs no login.
pub(in crate::odoo) async fn common(
    transport: &Transport,
    method: &str,
    params: &[Value],
    options: RequestOptions,
) -> Result<Value, Error> {
    let not_in_xml = |what| Error::NotInXml { rpc: format!("common.{method}"), what };
    let body = xml::call(method, params).map_err(not_in_xml)?;
    post(transport, "/xmlrpc/2/common", body, Effect::Read, options).await
}

async fn post(
    transport: &Transport,
    path: &str,
    body: String,
    effect: Effect,
    options: RequestOptions,
) -> Result<Value, Error> {
    let request = Request {
        path: path.to_owned(),
        headers: Vec::new(),
        content_type: HeaderValue::from_static("text/xml"),
        body: body.into_bytes(),
        effect,
    };
    let response = transport.post(request, options).await?;
    match response.status.as_u16() {
        200..=299 => {}
        status @ 400..=499 => return Err(Error::TurnedAway { status, title: String::new() }),
        status => return Err(Error::NoAnswer { effect, why: Why::Status(status) }),
    }
    match xml::answer(&response.body) {
        Ok(Answer::Result(result)) => Ok(result),
        Ok(Answer::Fault { code, text }) => match refusal(code, text) {
            Refusal::Fault(fault) => Err(Error::Fault(fault)),
            Refusal::Nothing => Ok(Value::Null),
            Refusal::NoResult(detail) => Err(Error::NoAnswer { effect, why: Why::NotInXml(detail) }),
        },
        Err(why) => Err(Error::NoAnswer { effect, why: Why::Garbled(why) }),
    }
}

pub(in crate::odoo) enum Refusal {
    Fault(Fault),
    /// The method was executed, and returned None.
    Nothing,
    /// The method was executed, and returned what XML-RPC cannot carry.
    NoResult(String),
}

/// The meaning of a fault's number and text (14-19).
pub(in crate::odoo) fn refusal(code: i32, text: String) -> Refusal {
    let fault = |name: &str| {
        Refusal::Fault(Fault { name: format!("odoo.exceptions.{name}"), message: text.clone(), debug: String::new() })
    };
    match code {
        // Also ValidationError and MissingError, which have the same number.
        2 => fault("UserError"),
        3 => fault("AccessDenied"),
        4 => fault("AccessError"),
        _ => uncaught(text),
    }
}

/// Any other exception, given as its traceback.
fn uncaught(traceback: String) -> Refusal {
    let last = traceback.rfind("Traceback (most recent call last):").map_or("", |start| &traceback[start..]);
    let is_frame = |line: &&str| line.starts_with("  File ");
    let frames_end = last.lines().rev().find(is_frame).unwrap_or_default();
    // The name and message of the exception follow the frames, which are indented. The message may have several lines.
    let mut rest = last.lines().skip(1).skip_while(|line| line.starts_with(' '));
    let (name, first) = rest.next().map(|line| line.split_once(": ").unwrap_or((line, ""))).unwrap_or_default();
    let message = [first].into_iter().chain(rest).collect::<Vec<_>>().join("\n").trim().to_owned();
    // The method was executed and its transaction committed before its result was written as XML.
    if frames_end.contains("xmlrpc/client.py") && frames_end.contains("dump") {
        return if message.starts_with("cannot marshal None") { Refusal::Nothing } else { Refusal::NoResult(message) };
    }
    let name = if name.contains('.') { name.to_owned() } else { format!("builtins.{name}") };
    Refusal::Fault(Fault { name, message, debug: traceback })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a real Odoo 14 answers, shortened.
    const VALUE_ERROR: &str = "Traceback (most recent call last):\n  File \"/odoo/controllers/rpc.py\", line 69, in xmlrpc_2\n    response = self._xmlrpc(service)\n  File \"/odoo/models.py\", line 3800, in create\n    raise ValueError(\"Invalid field\")\nValueError: Invalid field 'nofield' on model 'res.partner'\n";
    const NONE: &str = "Traceback (most recent call last):\n  File \"/odoo/controllers/rpc.py\", line 50, in _xmlrpc\n    return dumps((result,), methodresponse=1, allow_none=False)\n  File \"/usr/lib/python3.9/xmlrpc/client.py\", line 534, in dump_nil\n    raise TypeError(\"cannot marshal None unless allow_none is enabled\")\nTypeError: cannot marshal None unless allow_none is enabled\n";

    fn show(refusal: Refusal) -> String {
        match refusal {
            Refusal::Fault(fault) => format!("{}: {}", fault.name, fault.message),
            Refusal::Nothing => "nothing".to_owned(),
            Refusal::NoResult(why) => format!("no result: {why}"),
        }
    }

    #[test]
    fn an_exception_is_read_from_the_last_traceback() {
        assert_eq!(
            show(uncaught(VALUE_ERROR.to_owned())),
            "builtins.ValueError: Invalid field 'nofield' on model 'res.partner'"
        );
        let chained = format!(
            "Traceback (most recent call last):\n  File \"a\"\nKeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\n{}",
            VALUE_ERROR.replace("ValueError: ", "psycopg2.errors.SerializationFailure: ").trim_end().to_owned()
                + "\nLINE 1: UPDATE\n"
        );
        assert_eq!(
            show(uncaught(chained)),
            "psycopg2.errors.SerializationFailure: Invalid field 'nofield' on model 'res.partner'\nLINE 1: UPDATE"
        );
        assert_eq!(show(uncaught("no traceback".to_owned())), "builtins.: ");
    }

    #[test]
    fn a_result_that_cannot_be_written_as_xml_means_that_the_call_was_done() {
        assert_eq!(show(uncaught(NONE.to_owned())), "nothing");
        let other = NONE.replace("cannot marshal None unless allow_none is enabled", "int exceeds XML-RPC limits");
        assert_eq!(show(uncaught(other)), "no result: int exceeds XML-RPC limits");
        // What Odoo could not read was not carried out.
        let unread = NONE.replace("in dump_nil", "in loads");
        assert_eq!(show(uncaught(unread)), "builtins.TypeError: cannot marshal None unless allow_none is enabled");
        // The same words from a method of its own are an error like any other.
        let own = NONE.replace("xmlrpc/client.py", "addons/connector/models.py");
        assert_eq!(show(uncaught(own)), "builtins.TypeError: cannot marshal None unless allow_none is enabled");
    }
}
