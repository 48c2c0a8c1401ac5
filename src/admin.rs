//! The admin listener: is the process alive, and is it ready for calls?

use std::{convert::Infallible, sync::Arc};

use http::{Method, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use crate::{
    app::App,
    http::{Response, respond},
};

/// Answers `/health` (this process) and `/ready` (the log takes lines, Odoo answers).
pub async fn serve(app: Arc<App>, request: http::Request<Incoming>) -> Result<Response, Infallible> {
    Ok(match (request.method(), request.uri().path()) {
        (&Method::GET, "/health") => respond::json_response(StatusCode::OK, &json!({"status": "pass"})),
        (&Method::GET, "/ready") => ready(&app).await,
        _ => respond::json_response(
            StatusCode::NOT_FOUND,
            &json!({"error": {"code": "not_found", "message": "there are GET /health and GET /ready"}}),
        ),
    })
}

async fn ready(app: &App) -> Response {
    let log = app.log.check();
    let odoo = app.odoo.readiness().await;
    let is_ready = log.is_ok() && odoo.is_ok();
    let body = json!({
        "ready": is_ready,
        "log": log.map_or_else(|error| error.to_string(), |()| "writable".to_owned()),
        "odoo": odoo.map_or_else(|error| json!(error.for_operator()), |release| json!(release)),
    });
    respond::json_response(if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}
