//! Traces, by OTLP over HTTP: a span for each call, one for each of its stages and for each RPC to Odoo.
//!
//! Invariants: a span has names, times, states and codes, and no payload, credential or sentence. Without `[telemetry] otlp_endpoint`
//! nothing is made. A call never waits for the collector: spans go into a queue of [`QUEUE`], what does not fit is dropped, and a
//! thread of its own sends them. Spans are made when a call has ended, from what the log keeps of it anyway.

mod client;

use std::{
    fs, io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{Span as _, SpanContext, SpanKind, Status, TraceContextExt, TraceState, Tracer as _, TracerProvider as _},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, Span},
};

use self::client::Client;
use crate::config;

/// So many spans wait to be sent at most.
const QUEUE: usize = 4096;
/// So many are sent at once.
const BATCH: usize = 512;
/// How long a span waits for others.
const DELAY: Duration = Duration::from_secs(2);
/// How long the collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest name that a span is given.
const NAME: usize = 64;

/// Why nothing can be traced.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("[telemetry] otlp_headers_file: cannot read `{}`: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("[telemetry] otlp_headers_file `{}`, line {line}: write `name: value`", path.display())]
    NoHeader { path: PathBuf, line: usize },
    #[error("[telemetry]: {0}")]
    Exporter(String),
}

/// Makes traces, or none.
#[derive(Debug, Clone, Default)]
pub struct Telemetry(Option<Arc<Tracing>>);

#[derive(Debug)]
struct Tracing {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// A call that is traced, from its beginning to its end.
#[derive(Debug)]
pub struct CallSpan {
    tracing: Arc<Tracing>,
    span: Span,
    began: (Instant, SystemTime),
}

/// What has the call made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Caller,
    Queue,
    Operator,
}

/// A call that has ended.
#[derive(Debug)]
pub struct Ended<'c> {
    pub model: Option<&'c str>,
    /// `client`, or the kind of the caller's own credential.
    pub caller: Option<&'static str>,
    pub client: Option<&'c str>,
    pub state: &'static str,
    pub error: Option<&'static str>,
    /// The stages that were reached, each with the time at which it was over.
    pub stages: Vec<(&'static str, Instant)>,
    pub rpcs: Vec<Rpc>,
}

/// One RPC to Odoo.
#[derive(Debug)]
pub struct Rpc {
    pub model: String,
    pub method: String,
    /// Milliseconds since the call began.
    pub at: f64,
    pub took: f64,
    pub records: usize,
    pub error: Option<&'static str>,
}

impl Telemetry {
    /// Traces as the configuration says. It connects to nothing yet. Must be called within a runtime.
    ///
    /// # Errors
    /// The file of headers cannot be used.
    pub fn build(config: &config::Telemetry) -> Result<Self, Unusable> {
        let Some(endpoint) = &config.otlp_endpoint else { return Ok(Self(None)) };
        let unusable = |error: &dyn ToString| Unusable::Exporter(error.to_string());
        let client = Client::new(headers(config)?, TIMEOUT).map_err(|error| unusable(&error))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/')))
            .with_timeout(TIMEOUT)
            .build()
            .map_err(|error| unusable(&error))?;
        let batches = BatchConfigBuilder::default().with_max_queue_size(QUEUE).with_max_export_batch_size(BATCH);
        let batches = batches.with_scheduled_delay(DELAY).build();
        let resource = Resource::builder_empty().with_service_name(config.service_name.clone());
        let resource = resource.with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let ratio = Sampler::TraceIdRatioBased(config.sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            .with_sampler(Sampler::ParentBased(Box::new(ratio)))
            .with_resource(resource.build())
            .build();
        let tracer = provider.tracer("odoo-gateway");
        Ok(Self(Some(Arc::new(Tracing { provider, tracer }))))
    }

    /// Begins the span of a call; none where it is not traced. `parent` is the `traceparent` of its caller.
    pub fn begin(&self, route: &'static str, id: uuid::Uuid, cause: Cause, parent: Option<&str>) -> Option<CallSpan> {
        let tracing = self.0.as_ref()?;
        let began = (Instant::now(), SystemTime::now());
        let context = parent.and_then(read_parent).map(|parent| Context::new().with_remote_span_context(parent));
        let kind = if cause == Cause::Queue { SpanKind::Consumer } else { SpanKind::Server };
        let attributes = [
            KeyValue::new("odoo_gateway.route", route),
            KeyValue::new("odoo_gateway.call", id.to_string()),
            KeyValue::new("odoo_gateway.cause", cause.as_str()),
        ];
        let builder = tracing.tracer.span_builder(route).with_kind(kind).with_start_time(began.1);
        let builder = builder.with_attributes(attributes);
        let span = builder.start_with_context(&tracing.tracer, &context.unwrap_or_default());
        span.is_recording().then(|| CallSpan { tracing: tracing.clone(), span, began })
    }

    /// Sends the queued spans, for so long at most.
    pub async fn close(&self, within: Duration) {
        let Some(tracing) = self.0.clone() else { return };
        let closed = tokio::task::spawn_blocking(move || tracing.provider.shutdown_with_timeout(within)).await;
        if let Ok(Err(error)) = closed {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

impl Cause {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Queue => "queue",
            Self::Operator => "operator",
        }
    }
}

impl CallSpan {
    /// What is sent on to Odoo (W3C Trace Context, section 3.2): this span is the parent of what Odoo does.
    pub fn traceparent(&self) -> String {
        let context = self.span.span_context();
        format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8())
    }

    /// Ends the span, and makes those of the stages and RPCs.
    pub fn end(self, ended: &Ended<'_>) {
        let Self { tracing, mut span, began } = self;
        let until = Instant::now();
        let at = |instant: Instant| began.1 + instant.saturating_duration_since(began.0);
        let call = Context::new().with_remote_span_context(span.span_context().clone());
        let mut from = began.0;
        let mut stages = Vec::with_capacity(ended.stages.len());
        for (name, over) in &ended.stages {
            let builder = tracing.tracer.span_builder(*name).with_start_time(at(from));
            let mut stage = builder.start_with_context(&tracing.tracer, &call);
            let context = Context::new().with_remote_span_context(stage.span_context().clone());
            stage.end_with_timestamp(at(*over));
            stages.push((at(from), at(*over), context));
            from = *over;
        }
        for rpc in &ended.rpcs {
            let start = began.1 + milliseconds(rpc.at);
            let within = stages.iter().find(|(from, over, _)| *from <= start && start < *over);
            let parent = within.map_or(&call, |(_, _, context)| context);
            rpc.trace(&tracing.tracer, parent, start);
        }
        let texts = [("odoo.model", ended.model.map(name)), ("odoo_gateway.client", ended.client.map(name))];
        for (key, value) in texts {
            if let Some(value) = value {
                span.set_attribute(KeyValue::new(key, value));
            }
        }
        span.set_attribute(KeyValue::new("odoo_gateway.state", ended.state));
        if let Some(caller) = ended.caller {
            span.set_attribute(KeyValue::new("odoo_gateway.credential", caller));
        }
        if let Some(code) = ended.error {
            span.set_attribute(KeyValue::new("error.type", code));
            span.set_status(Status::error(code));
        }
        span.end_with_timestamp(at(until));
    }
}

impl Rpc {
    fn trace(&self, tracer: &SdkTracer, parent: &Context, start: SystemTime) {
        let (model, method) = (name(&self.model), name(&self.method));
        let attributes = [
            KeyValue::new("rpc.system", "odoo"),
            KeyValue::new("rpc.service", model.clone()),
            KeyValue::new("rpc.method", method.clone()),
            KeyValue::new("odoo_gateway.records", i64::try_from(self.records).unwrap_or(i64::MAX)),
        ];
        let builder = tracer.span_builder(format!("{model}/{method}")).with_kind(SpanKind::Client);
        let mut span = builder.with_start_time(start).with_attributes(attributes).start_with_context(tracer, parent);
        if let Some(code) = self.error {
            span.set_attribute(KeyValue::new("error.type", code));
            span.set_status(Status::error(code));
        }
        span.end_with_timestamp(start + milliseconds(self.took));
    }
}

/// A name of Odoo's or of the operator's. What has another form may be anything that a caller sent.
fn name(text: &str) -> String {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let is_one = !text.is_empty() && text.len() <= NAME && text.bytes().all(is_name);
    if is_one { text } else { "other" }.to_owned()
}

fn milliseconds(milliseconds: f64) -> Duration {
    Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default()
}

/// A `traceparent` that has the right form; none where an id is zero, which is invalid (W3C Trace Context, section 3.2.2).
pub(crate) fn read_parent(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = u8::from_str_radix(parts.next()?, 16).ok()?;
    let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
    Some(SpanContext::new(trace, span, flags, true, TraceState::default())).filter(SpanContext::is_valid)
}

fn headers(config: &config::Telemetry) -> Result<HeaderMap, Unusable> {
    let Some(path) = &config.otlp_headers_file else { return Ok(HeaderMap::new()) };
    let text = fs::read_to_string(path).map_err(|source| Unusable::Unreadable { path: path.clone(), source })?;
    let mut headers = HeaderMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let header = line.split_once(':').and_then(|(name, value)| {
            Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
        });
        let Some((name, mut value)) = header else {
            return Err(Unusable::NoHeader { path: path.clone(), line: number + 1 });
        };
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_taken_where_both_ids_are_valid() {
        let read = |text: &str| read_parent(text).map(|parent| (parent.span_id().to_string(), parent.is_sampled()));
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(read(good), Some(("00f067aa0ba902b7".to_owned(), true)));
        assert_eq!(read(&good.replace("-01", "-00")).map(|(_, sampled)| sampled), Some(false));
        assert_eq!(read("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"), None);
        assert_eq!(read("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), None);
    }

    #[test]
    fn a_text_that_is_no_name_is_in_no_span() {
        assert_eq!(
            [name("sale.order"), name("a b"), name(&"x".repeat(65)), name("")],
            ["sale.order", "other", "other", "other"]
        );
    }
}
