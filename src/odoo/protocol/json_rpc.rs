//! The JSON-RPC protocol: `/jsonrpc` with a user's number and a key or password in each call (Odoo 14 to 21).
//!
//! The header `X-Odoo-Database` saves Odoo 19 from listing all of its databases for every call; earlier ones ignore it.

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::odoo::{
    model::{
        error::Error,
        rpc::{Effect, Rpc},
    },
    protocol::ServiceUser,
    protocol::{envelope, json2},
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

/// The number of the user with this login, if the secret is right: `false` otherwise.
pub(in crate::odoo) async fn authenticate(
    transport: &Transport,
    database: &str,
    login: &str,
    secret: &SecretString,
    options: RequestOptions,
) -> Result<Value, Error> {
    common(transport, database, "authenticate", json!([database, login, secret.expose_secret(), {}]), options).await
}

/// Whether PostgreSQL has this database, which Odoo 14-18 tell without a login.
pub(in crate::odoo) async fn database_exists(
    transport: &Transport,
    database: &str,
    options: RequestOptions,
) -> Result<Value, Error> {
    service(transport, database, "db", "db_exist", json!([database]), options).await
}

/// A method of the service `common`, which needs no login.
pub(in crate::odoo) async fn common(
    transport: &Transport,
    database: &str,
    method: &str,
    args: Value,
    options: RequestOptions,
) -> Result<Value, Error> {
    service(transport, database, "common", method, args, options).await
}

/// A method of one of the services that share this protocol.
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
