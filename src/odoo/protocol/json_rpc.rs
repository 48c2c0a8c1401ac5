//! The JSON-RPC protocol: `/jsonrpc` with a user's id and a key or password in each call (Odoo 14 to 21).
//!
//! With the header `X-Odoo-Database`, Odoo 19 does not list all of its databases for every call. Earlier versions ignore it.

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::odoo::{
    model::{effect::Effect, error::Error, rpc::Rpc},
    protocol::{ServiceUser, envelope, json2},
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
    let args = (database, user.uid, user.secret.expose_secret(), model, method, args, kwargs);
    let params = Service { service: "object", method: "execute_kw", args };
    let request = Request::json("/jsonrpc", &envelope::wrap(&params), rpc.effect);
    let request = request.with(json2::DATABASE, json2::database_header(database)?);
    envelope::open(&transport.post(request, options).await?, database, rpc.effect)
}

/// The id of the user with this login, or `false` where the secret is wrong.
pub(in crate::odoo) async fn authenticate(
    transport: &Transport,
    database: &str,
    login: &str,
    secret: &SecretString,
    options: RequestOptions,
) -> Result<Value, Error> {
    common(transport, database, "authenticate", json!([database, login, secret.expose_secret(), {}]), options).await
}

/// Whether PostgreSQL has this database. Odoo 14-18 tell it without a login.
pub(in crate::odoo) async fn database_exists(
    transport: &Transport,
    database: &str,
    options: RequestOptions,
) -> Result<Value, Error> {
    service(transport, database, "db", "db_exist", json!([database]), options).await
}

/// Calls a method of the service `common`, which needs no login.
pub(in crate::odoo) async fn common(
    transport: &Transport,
    database: &str,
    method: &str,
    args: Value,
    options: RequestOptions,
) -> Result<Value, Error> {
    service(transport, database, "common", method, args, options).await
}

/// A call of a method of one of the services behind `/jsonrpc`.
#[derive(Serialize)]
struct Service<'s, A> {
    service: &'s str,
    method: &'s str,
    args: A,
}

async fn service(
    transport: &Transport,
    database: &str,
    service: &str,
    method: &str,
    args: Value,
    options: RequestOptions,
) -> Result<Value, Error> {
    let params = Service { service, method, args };
    let request = Request::json("/jsonrpc", &envelope::wrap(&params), Effect::Read);
    envelope::open(&transport.post(request, options).await?, database, Effect::Read)
}
