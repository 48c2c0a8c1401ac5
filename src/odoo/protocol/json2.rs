//! The JSON-2 protocol: `/json/2/<model>/<method>` with an API key alone (Odoo 19 and later).
//!
//! Arguments are sent by name, and the status distinguishes a refusal from a result. The database is sent in a header, without
//! which Odoo lists all of its databases for every request.

use http::{HeaderName, HeaderValue, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::odoo::{
    model::{
        effect::Effect,
        error::{Error, Why},
        fault::Fault,
        rpc::Rpc,
    },
    transport::{Request, RequestOptions, Response, Transport},
};

pub(in crate::odoo) const DATABASE: HeaderName = HeaderName::from_static("x-odoo-database");

pub(in crate::odoo) async fn call(
    transport: &Transport,
    database: &str,
    key: &SecretString,
    rpc: &Rpc,
    context: &Map<String, Value>,
    options: RequestOptions,
) -> Result<Value, Error> {
    let (model, method) = rpc.as_path()?;
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", key.expose_secret())).map_err(|_| Error::WrongKey)?;
    bearer.set_sensitive(true);
    let request = Request::json(format!("/json/2/{model}/{method}"), &rpc.named(context), rpc.effect)
        .with(header::AUTHORIZATION, bearer)
        .with(DATABASE, database_header(database)?);
    open(&transport.post(request, options).await?, database, rpc.effect)
}

pub(in crate::odoo) fn database_header(database: &str) -> Result<HeaderValue, Error> {
    HeaderValue::try_from(database).map_err(|_| Error::NoSuchDatabase(database.to_owned()))
}

pub(in crate::odoo) fn open(response: &Response, database: &str, effect: Effect) -> Result<Value, Error> {
    let garbled = |error: serde_json::Error| Error::NoAnswer { effect, why: Why::Garbled(error.to_string()) };
    if response.status.is_success() {
        return serde_json::from_slice(&response.body).map_err(garbled);
    }
    let fault = serde_json::from_slice::<Fault>(&response.body).ok().filter(|fault| !fault.name.is_empty());
    match (response.status, fault) {
        (StatusCode::UNAUTHORIZED, _) => Err(Error::WrongKey),
        (_, Some(fault)) => Err(Error::Fault(fault)),
        // Without a database to serve, Odoo answers a page instead of an object.
        (StatusCode::NOT_FOUND, None) => Err(Error::NoSuchDatabase(database.to_owned())),
        (status, None) => Err(Error::NoAnswer { effect, why: Why::Status(status.as_u16()) }),
    }
}
