//! The interface described for the people and programs that call it: an OpenAPI 3.1 document.
//!
//! What must stay true: the document is made of the tables that the code itself works with (`Route::ALL`, `plan::parameters`,
//! `errors::Code::ALL`, `wire::status`, the configured hooks), so that it cannot say anything else than the gateway does. What is
//! written here by hand are sentences and the JSON forms of parameters; a test finds each parameter that is read in the document.
//! It is JSON in serde_json's values: OpenAPI 3.1 has JSON Schema for its schemas, and those of models are known at run time only.

mod answers;
pub mod collections;
mod credentials;
mod example;
mod fields;
mod hooks;
pub mod model;
pub mod page;
mod parameters;
mod read;
mod reader;
mod routes;
mod stored;
#[cfg(test)]
mod tests;
pub mod trial;

use bytes::Bytes;
use futures_util::future;
use http::StatusCode;
use serde_json::{Value, json};

use self::model::Model;
pub use self::reader::Reader;
use crate::{
    call::{Asking, Error, Eyes, Service},
    config,
    fetch::CallFiles,
    plan,
    web::page::with_type,
    wire::Response,
};

/// The most models of one document: each takes Odoo calls.
pub const MOST_MODELS: usize = 10;

/// Beside a slash, where the routes are.
const VERSION: &str = "3.1.1";

/// What a document describes.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// Where the gateway is reached; none where the reader's own address is it.
    pub url: Option<&'a str>,
    /// The hooks that are described; their senders know them, others need not.
    pub hooks: &'a [config::Hook],
    /// The models whose fields are described.
    pub models: &'a [Model],
}

/// An OpenAPI 3.1 document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document(Value);

impl Document {
    /// The document of the gateway's routes.
    pub fn new(about: About<'_>) -> Self {
        let mut paths = routes::paths(about.models);
        paths.extend(stored::paths());
        paths.extend(hooks::paths(about.hooks));
        let mut schemas = routes::schemas(about.models);
        schemas.extend(answers::schemas());
        schemas.extend(stored::schemas());
        let mut document = json!({
            "openapi": VERSION,
            "info": {
                "title": "odoo-gateway",
                "version": env!("CARGO_PKG_VERSION"),
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
                "summary": "JSON in, the fewest Odoo calls out",
                "description": INFO,
            },
            "servers": [{"url": about.url.unwrap_or("/")}],
            "security": credentials::required(),
            "tags": [
                {"name": "records", "description": "Records of Odoo are created, updated, searched and deleted, and their methods called."},
                {"name": "calls", "description": "What became of a call that was accepted before."},
            ],
            "paths": paths,
            "webhooks": stored::webhooks(),
            "components": {
                "schemas": schemas,
                "responses": answers::responses(),
                "parameters": routes::headers(),
                "headers": answers::headers(),
                "securitySchemes": credentials::schemes(),
            },
        });
        if !about.hooks.is_empty()
            && let Some(tags) = document["tags"].as_array_mut()
        {
            tags.push(json!({"name": "hooks", "description": "Paths for senders with a payload of their own."}));
        }
        Self(document)
    }

    /// As it is answered. No cache keeps it: it may be for one caller alone.
    pub fn answer(&self) -> Response {
        with_type(StatusCode::OK, "application/json", Bytes::from(self.0.to_string()))
    }

    /// The document as JSON.
    pub fn as_json(&self) -> &Value {
        &self.0
    }
}

/// The models as one who looks may see them.
///
/// # Errors
/// Who looks proves nothing or may not call now, a model does not exist or is not for its eyes, or Odoo does not answer.
pub async fn models(service: &Service, asking: &Asking, eyes: Eyes<'_>, names: &[String]) -> Result<Vec<Model>, Error> {
    if names.len() > MOST_MODELS {
        let problem = format!("names {} models, and {MOST_MODELS} are described at a time", names.len());
        return Err(plan::Error::WrongKind { path: "model".to_owned(), problem }.into());
    }
    let looker = service.looker(asking, eyes).await?;
    let files = CallFiles::new(service.files.clone());
    let reader = Reader { config: &service.config, files: &files, caller: &looker.caller };
    Ok(reader.models(names).await?)
}

/// What of a model a page shows.
#[derive(Debug, Default)]
pub struct Looked {
    pub model: Option<Model>,
    /// The models that there are, with their names for people.
    pub names: Vec<(String, String)>,
    /// Why the model is not shown.
    pub problem: Option<String>,
}

/// A model for a page, with the names of the others.
///
/// # Errors
/// Who looks proves nothing or may not call now, or Odoo does not answer.
pub async fn look(service: &Service, asking: &Asking, eyes: Eyes<'_>, model: &str) -> Result<Looked, Error> {
    let looker = service.looker(asking, eyes).await?;
    let files = CallFiles::new(service.files.clone());
    let reader = Reader { config: &service.config, files: &files, caller: &looker.caller };
    let wanted = [model.to_owned()];
    let described = async { if model.is_empty() { Ok(Vec::new()) } else { reader.models(&wanted).await } };
    let (described, names) = future::join(described, reader.names()).await;
    Ok(match described {
        Ok(mut models) => Looked { model: models.pop(), names, problem: None },
        Err(error) => {
            let error = Error::from(error);
            if !error.is_decision() {
                return Err(error);
            }
            Looked { model: None, names, problem: Some(error.sentence()) }
        }
    })
}

/// The document as one who looks may see it. Without models, nobody need be known.
///
/// # Errors
/// As those of [`models`].
pub async fn answer(
    service: &Service,
    asking: &Asking,
    eyes: Eyes<'_>,
    names: &[String],
    about: About<'_>,
) -> Result<Document, Error> {
    let described = match names {
        [] => Vec::new(),
        names => models(service, asking, eyes, names).await?,
    };
    Ok(Document::new(About { models: &described, ..about }))
}

const INFO: &str = "\
The gateway takes calls for an Odoo and makes as few Odoo RPCs of each as it can. A call names a model and has its parameters in `vals`.

A call that Odoo or the gateway's plan has decided on is answered with HTTP 200, done or refused: `result.is_success` says which. \
A call that never came to a decision has a JSON-RPC `error` and mostly another status. `retry` says whether to send it again: `safe`, \
`unsafe` (look into Odoo first) or `no`.

A dry run (`\"dry_run\": true` in `vals`) answers what was looked up and which Odoo calls would follow, and writes nothing.";
