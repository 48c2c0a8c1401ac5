//! The JSON-RPC door: `/jsonrpc` with a user's number and a key or password in each call (Odoo 14 to 21).
//!
//! The header `X-Odoo-Database` saves Odoo 19 from listing all of its databases for every call; earlier ones ignore it.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{
    access::User,
    envelope,
    error::Error,
    json2,
    rpc::{Effect, Rpc},
    transport::{Request, Terms, Transport},
};

pub(super) async fn call(
    transport: &Transport,
    database: &str,
    user: &User,
    rpc: &Rpc,
    context: &Map<String, Value>,
    terms: Terms,
) -> Result<Value, Error> {
    let (model, method) = rpc.as_path()?;
    let (args, kwargs) = rpc.args_and_kwargs(context);
    let args = json!([database, user.uid, user.secret.expose_secret(), model, method, args, kwargs]);
    let params = json!({"service": "object", "method": "execute_kw", "args": args});
    let request = Request::json("/jsonrpc", &envelope::wrap(&params), rpc.effect);
    let request = request.with(json2::DATABASE, json2::database_header(database)?);
    let response = transport.post(request, terms).await?;
    if response.status == http::StatusCode::NOT_FOUND {
        // Odoo 19 answers a page for a database that the header names and that it does not serve.
        return Err(Error::NoSuchDatabase(database.to_owned()));
    }
    envelope::open(&response, rpc.effect)
}

/// The number of the user with this login, if the secret is right: `false` otherwise.
pub(super) async fn authenticate(
    transport: &Transport,
    database: &str,
    login: &str,
    secret: &SecretString,
    terms: Terms,
) -> Result<Value, Error> {
    common(transport, "authenticate", json!([database, login, secret.expose_secret(), {}]), terms).await
}

/// A method of the service `common`, which needs no login.
pub(super) async fn common(transport: &Transport, method: &str, args: Value, terms: Terms) -> Result<Value, Error> {
    let params = json!({"service": "common", "method": method, "args": args});
    let request = Request::json("/jsonrpc", &envelope::wrap(&params), Effect::Read);
    envelope::open(&transport.post(request, terms).await?, Effect::Read)
}
