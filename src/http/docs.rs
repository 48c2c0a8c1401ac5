//! `/docs` on the public listener, where `[docs] public = true`: the description of the interface.
//!
//! What is general is shown to anybody; what a model has, to its caller alone. A call that the page's form sends is a call like any
//! other, with the credential in the form and within the same limits.

use std::{net::IpAddr, sync::Arc};

use http::{Method, StatusCode, header};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{Share, Site, calls::made, passed::Passage, respond, stored_calls::refused};
use crate::{
    call::{Asking, By, Error, Eyes},
    openapi::{
        self, About, Looked,
        page::{self, Shown},
        trial::{self, Trial, Tried},
    },
    web::{Form, Frame, Problem, assets},
    wire::{
        Response, collect,
        status::{hook_status, status_of_stored},
    },
};

/// The page for people.
const PAGE: &str = "/docs";
/// The document for programs.
const DOCUMENT: &str = "/docs/openapi.json";
/// Where the form of the page goes.
const TRY: &str = "/docs/try";

/// Whether a request is for the description.
pub(super) fn is_for(site: &Site, request: &http::Request<Incoming>) -> bool {
    let path = request.uri().path();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_post = *request.method() == Method::POST;
    let is_there = match path {
        PAGE | DOCUMENT => is_read,
        TRY => is_post,
        path => is_read && path.starts_with(assets::FOLDER) && assets::answer(path).is_some(),
    };
    site.calls.config.docs.public && is_there
}

/// The answer to a request for the description.
pub(super) async fn answer(
    site: &Arc<Site>,
    address: IpAddr,
    request: http::Request<Incoming>,
    share: &Share,
) -> Response {
    let began = Instant::now();
    let response = match request.uri().path() {
        DOCUMENT => document(site, address, &request).await,
        PAGE => shown(site, address, &request).await,
        TRY => tried(site, address, request, share).await,
        path => match assets::answer(path) {
            Some(asset) => asset,
            None => Problem::new(StatusCode::NOT_FOUND, "Not found", "There is no such file.").page(frame()),
        },
    };
    site.calls.metrics.passed(response.status().as_u16(), None, began.elapsed());
    response
}

async fn document(site: &Arc<Site>, address: IpAddr, request: &http::Request<Incoming>) -> Response {
    let names: Vec<String> = Form::of_query(request.uri()).all("model").map(str::to_owned).collect();
    let asking = asking(address, request);
    match openapi::answer(&site.calls, &asking, Eyes::Own, &names, About::default()).await {
        Ok(document) => document.answer(),
        Err(error) => refused(site, &asking, (&error, status_of(&error)), Passage::new(site, address, request)).await,
    }
}

/// The status for one who is not shown what was asked for. A model that there is not is no matter of the credential.
fn status_of(error: &Error) -> StatusCode {
    match error.is_decision() {
        true => hook_status(error.class(), Some(error.retry())),
        false => status_of_stored(error.class(), error.retry()),
    }
}

fn asking(address: IpAddr, request: &http::Request<Incoming>) -> Asking {
    Asking { headers: request.headers().clone(), address, began: Instant::now() }
}

fn frame() -> Frame {
    Frame::titled("API")
}

/// The page; with a model for who shows a credential. A browser asks for one when it is told so.
async fn shown(site: &Arc<Site>, address: IpAddr, request: &http::Request<Incoming>) -> Response {
    let query = Form::of_query(request.uri());
    let model = query.text("model");
    let asking = asking(address, request);
    let looked = match model {
        "" => Ok(Looked::default()),
        model => openapi::look(&site.calls, &asking, Eyes::Own, model).await,
    };
    match looked {
        Ok(looked) => page::page(&of(&query, &looked, None)),
        Err(error) => {
            // The refusal is counted and recorded as that of the document; the page says it for people.
            let response =
                refused(site, &asking, (&error, status_of(&error)), Passage::new(site, address, request)).await;
            let looked = Looked { problem: Some(error.sentence()), ..Looked::default() };
            let mut page = page::page_with(status_of(&error), &of(&query, &looked, None));
            if let Some(challenge) = response.headers().get(header::WWW_AUTHENTICATE) {
                page.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.clone());
            }
            page
        }
    }
}

fn of<'s>(query: &'s Form, looked: &'s Looked, tried: Option<&'s Tried>) -> Shown<'s> {
    Shown {
        frame: frame(),
        reader: page::Reader::Caller,
        query,
        model: looked.model.as_ref(),
        models: &looked.names,
        problem: looked.problem.clone(),
        tried,
    }
}

/// A call that the form asks for, with the credential in the form alone.
async fn tried(site: &Arc<Site>, address: IpAddr, request: http::Request<Incoming>, share: &Share) -> Response {
    let body = match collect(request.into_body(), &site.calls.config.limits, &site.calls.memory).await {
        Ok(body) => body,
        Err(error) => {
            let status = respond::status(Error::from(error.clone()).class());
            return Problem::new(status, "Not done", error.to_string()).page(frame());
        }
    };
    let form = Form::of_body(&body);
    let tried = match Trial::read(&form) {
        Err(tried) => *tried,
        Ok(trial) => match trial::presented(&form) {
            Err(why) => trial.refused(why),
            Ok(_) if trial.is_real() && !form.is_ticked("sure") => {
                trial.refused("Confirm that this is not a dry run: it may change Odoo.")
            }
            Ok(presented) => {
                let incoming = trial.incoming(presented, By::Caller, address);
                let answered = made(&site.calls, incoming, share.clone()).await;
                trial.tried(&answered)
            }
        },
    };
    page::page(&of(&Form::default(), &Looked::default(), Some(&tried)))
}
