//! Traces: what a collector of OpenTelemetry gets of a call, and that one that is away holds up nothing.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value as Any},
    trace::v1::{Span, status::StatusCode},
};
use prost::Message;
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::odoo,
    poll,
};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A collector: what it was sent.
#[derive(Debug, Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    paths: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    resource: Arc<Mutex<Vec<KeyValue>>>,
}

impl Collector {
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self::default();
        let shared = collector.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = shared.clone();
                let service = service_fn(move |request| {
                    let shared = shared.clone();
                    async move { shared.take(request).await }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        (collector, url)
    }

    async fn take(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        self.paths.lock().unwrap().push((request.uri().path().to_owned(), request.headers().clone()));
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let message = ExportTraceServiceRequest::decode(body).unwrap();
        for resource in message.resource_spans {
            *self.resource.lock().unwrap() = resource.resource.unwrap_or_default().attributes;
            self.spans.lock().unwrap().extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
        Ok(Response::new(Full::default()))
    }

    /// The spans of a trace, by name, once the one of the call is there.
    async fn of_trace(&self, trace: &str) -> HashMap<String, Span> {
        let spans = || -> HashMap<String, Span> {
            let all = self.spans.lock().unwrap();
            let of = all.iter().filter(|span| hex(&span.trace_id) == trace);
            of.map(|span| (span.name.clone(), span.clone())).collect()
        };
        poll(|| spans().values().any(|span| !attribute(span, "odoo_gateway.call").is_empty())).await;
        spans()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, key: &str) -> String {
    text(&span.attributes, key)
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    let value = attributes.iter().find(|attribute| attribute.key == key).and_then(|attribute| attribute.value.clone());
    match value.and_then(|value| value.value) {
        Some(Any::StringValue(text)) => text,
        Some(Any::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_the_spans_of_a_call_and_no_content() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (collector, url) = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let more =
        format!("[telemetry]\notlp_endpoint = \"{url}\"\notlp_headers_file = \"headers\"\nservice_name = \"shop\"");
    let config = crate::support::gateway::configuration(&proxy.url, &odoo.database, &more);
    std::fs::write(folder.path().join("gateway.toml"), config).unwrap();
    std::fs::write(folder.path().join("headers"), "x-tenant: erp\n").unwrap();
    let gateway = Gateway::again(folder).unwrap();
    let client = Client::with_login(&gateway, &odoo.login, &odoo.password).and("traceparent", PARENT);
    let secret = Uuid::new_v4().simple().to_string();
    let vals = json!({"payload": {"name": secret, "country_id": {"code": "DE"}}});
    let made = client.call("create_data", "res.partner", vals).await;
    assert_eq!(made["is_success"], true, "{made}");

    let spans = collector.of_trace("4bf92f3577b34da6a3ce929d0e0e4736").await;
    let call = &spans["create_data"];
    assert_eq!(hex(&call.parent_span_id), "00f067aa0ba902b7");
    let told = ["odoo.model", "odoo_gateway.state", "odoo_gateway.cause", "odoo_gateway.route"];
    assert_eq!(told.map(|key| attribute(call, key)), ["res.partner", "done", "caller", "create_data"]);
    let stages = ["authenticate", "plan", "execute"].map(|stage| &spans[stage]);
    assert!(stages.iter().all(|stage| stage.parent_span_id == call.span_id), "{spans:#?}");
    assert!(stages.windows(2).all(|two| two[0].end_time_unix_nano == two[1].start_time_unix_nano));
    assert!(stages.iter().all(|stage| stage.start_time_unix_nano >= call.start_time_unix_nano));
    assert!(stages.iter().all(|stage| stage.end_time_unix_nano <= call.end_time_unix_nano));
    let create = &spans["res.partner/create"];
    assert_eq!((&create.parent_span_id, attribute(create, "rpc.system")), (&stages[2].span_id, "odoo".to_owned()));
    assert_eq!(attribute(create, "odoo_gateway.records"), "1");
    assert!(spans.keys().any(|name| name.starts_with("res.country/")), "{:?}", spans.keys());
    let everything = format!("{spans:?}");
    assert!(![&secret, &odoo.password, &odoo.key].iter().any(|secret| everything.contains(*secret)));
    let (path, headers) = collector.paths.lock().unwrap()[0].clone();
    assert_eq!((path.as_str(), &headers["x-tenant"]), ("/v1/traces", &"erp".parse().unwrap()));
    assert_eq!(text(&collector.resource.lock().unwrap(), "service.name"), "shop");

    // A caller that has decided against a trace has none; a call that fails says so. The stop sends the queued spans.
    let unsampled = PARENT.replace("-01", "-00").replace("4bf9", "aaaa");
    let other = Client::with_login(&gateway, &odoo.login, &odoo.password);
    other
        .clone()
        .and("traceparent", &unsampled)
        .call("search_data", "res.country", json!({"payload": {"limit": 1}}))
        .await;
    other.call("search_data", "no.such.model", json!({"payload": {}})).await;
    gateway.stop();
    let spans = collector.spans.lock().unwrap().clone();
    assert!(!spans.iter().any(|span| hex(&span.trace_id).starts_with("aaaa")));
    let failed = spans.iter().find(|span| span.name == "search_data").unwrap();
    assert_eq!(failed.status.as_ref().unwrap().code, StatusCode::Error as i32);
    assert_eq!(attribute(failed, "error.type"), "unknown_model");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_hangs_holds_up_nothing() {
    let odoo = odoo().await;
    // It takes connections and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let more = format!("[telemetry]\notlp_endpoint = \"http://{}\"", listener.local_addr().unwrap());
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, &more);
    proxy.run(|_, _| Fault::Pass);
    let client = Client::with_key(&gateway).await;
    for _ in 0..3 {
        let found = client.call("search_data", "res.country", json!({"payload": {"limit": 1}})).await;
        assert_eq!(found["is_success"], true);
    }
    let began = Instant::now();
    gateway.stop();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}
