//! A call in the log: it is announced, planned and finished.

use std::{borrow::Cow, sync::Arc, time::Instant};

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    content::Part,
    open_calls::OpenCall,
    record::{
        self, Arrived, Finished, FinishedLine, PlannedLine, ProgressLine, Received, ReceivedLine, Vals, Who,
        milliseconds,
    },
    secrets::Secrets,
    told,
    writer::{Acknowledgement, Purpose},
};
use crate::{
    config::Kept,
    log::{
        Error, Log,
        format::{event::Event, line::Body},
    },
    odoo::Schema,
};

/// Model names are truncated to this many characters, since a caller may send any text.
const MODEL: usize = 256;
/// As many characters of what a sender calls its delivery are kept.
const DELIVERY_ID: usize = 256;

/// A call that is in the log and has not ended.
#[derive(Debug)]
pub struct Entry {
    log: Log,
    arrived: Arrived,
    started: Instant,
    kept: Kept,
    /// Values that were redacted in the payload, which the answer must not repeat.
    secrets: Secrets,
    announced: Announced,
    model: String,
    who: Who,
    repeat_of: Option<Uuid>,
    delivery_id: Option<String>,
    _open: OpenCall,
}

/// The line that announces a call.
#[derive(Debug)]
enum Announced {
    HandedOver(Acknowledgement),
    /// Durable, under this number; or refused by the log.
    Known(Result<u64, Error>),
}

impl Log {
    /// Announces a call. Its line is queued when this returns; [`Entry::announced`] waits until it is durable.
    ///
    /// # Errors
    /// The log cannot take the call, which then must not be worked on.
    pub async fn receive(&self, arrived: Arrived, received: Received<'_>, started: Instant) -> Result<Entry, Error> {
        let Received { model, vals, sent, who } = received;
        let kept = self.kept(arrived.route);
        let model = short(model, MODEL);
        let mut secrets = Secrets::default();
        secrets.note_name(arrived.route.name());
        secrets.note_name(&model);
        let (vals, sent) = if kept == Kept::Nothing {
            (None, None)
        } else {
            let sent = match sent {
                None => None,
                Some(sent) => {
                    let [sent] = self.prepare([Part::sent(sent)], &mut secrets, Purpose::Announce).await?;
                    if vals.is_empty() {
                        // The template failed, and its error may quote what was sent.
                        secrets.note_sender();
                    } else {
                        // Redacted values matter to a replay only where they are in `vals`, too.
                        secrets.paths.clear();
                    }
                    Some(sent)
                }
            };
            let vals = match vals {
                Cow::Borrowed(vals) if self.inner.content.may_hold(vals) => Vals::Lent(vals),
                vals => {
                    let vals = Part::vals(&model, Value::Object(vals.into_owned()));
                    let [vals] = self.prepare([vals], &mut secrets, Purpose::Announce).await?;
                    Vals::Own(vals)
                }
            };
            (Some(vals), sent)
        };
        let ts = Timestamp::now();
        let line =
            ReceivedLine { ts, arrived: &arrived, model: &model, who: &who, redacted: &secrets.paths, vals, sent };
        let body = Body::new(Event::CallReceived, &line);
        // Before the line is visible, so that retention does not take the call for one that was left behind.
        let open = self.inner.open.open(arrived.id);
        let announced = Announced::HandedOver(self.writer().submit(body, Purpose::Announce).await?);
        let model = model.into_owned();
        Ok(Entry {
            log: self.clone(),
            arrived,
            started,
            kept,
            secrets,
            announced,
            model,
            who,
            repeat_of: None,
            delivery_id: None,
            _open: open,
        })
    }

    /// Records a call that was refused before it was received.
    ///
    /// # Errors
    /// The log has failed or has been closed.
    pub async fn refuse(
        &self,
        arrived: &Arrived,
        who: &Who,
        started: Instant,
        finished: Finished,
    ) -> Result<(), Error> {
        let kept = self.kept(arrived.route);
        let end = End { arrived, received: None, model: None, who, started, kept, repeat_of: None, delivery_id: None };
        let line = self.ended(end, finished, &mut Secrets::default()).await?;
        self.record(Body::new(Event::CallRefused, &line)).await
    }

    /// The line of a call's end, redacted, and without what the configuration excludes.
    async fn ended<'e>(
        &self,
        end: End<'e>,
        finished: Finished,
        secrets: &mut Secrets,
    ) -> Result<FinishedLine<'e>, Error> {
        let records = record::written_records(&finished.odoo);
        let result = if end.kept == Kept::Summary { without_rows(finished.result) } else { finished.result };
        let parts = if end.kept == Kept::Nothing {
            [Part::omitted(), Part::omitted(), Part::omitted(), Part::omitted()]
        } else {
            [
                Part::sentence(Some(finished.message)),
                Part::answer(end.model.unwrap_or_default(), result),
                Part::calls(finished.odoo),
                Part::sentence(finished.detail),
            ]
        };
        let values = self.prepare(parts, secrets, Purpose::Record).await?;
        let [message, result, odoo, detail] = values.map(|value| Some(value).filter(|value| !value.is_null()));
        let line = FinishedLine {
            ts: Timestamp::now(),
            arrived: end.arrived,
            received: end.received,
            model: end.model,
            who: end.who,
            state: if end.arrived.dry_run { finished.state.of_dry_run() } else { finished.state },
            error: finished.error,
            message,
            warnings: finished.warnings,
            delivery_id: end.delivery_id,
            repeat_of: end.repeat_of,
            duration_ms: milliseconds(end.started.elapsed()),
            records,
            result,
            odoo,
            detail,
        };
        told::tell(&line);
        Ok(line)
    }
}

struct End<'e> {
    arrived: &'e Arrived,
    received: Option<u64>,
    model: Option<&'e str>,
    who: &'e Who,
    started: Instant,
    kept: Kept,
    repeat_of: Option<Uuid>,
    delivery_id: Option<&'e str>,
}

impl Entry {
    /// Notes that the call was answered with the outcome of another one, which had the same key.
    pub fn repeats(&mut self, first: Option<Uuid>) {
        self.repeat_of = first;
    }

    /// Notes that it takes over a stored call that attempts before it have begun, as the attempt with this number. The last line
    /// has it.
    pub fn takes_over(&mut self, stored: Uuid, attempt: u32) {
        (self.arrived.attempt_of, self.arrived.attempt) = (Some(stored), Some(attempt));
    }

    /// Whether it is planned only.
    pub fn is_dry_run(&self) -> bool {
        self.arrived.dry_run
    }

    /// Notes what its sender calls the delivery. The last line includes it, cut after 256 characters.
    pub fn delivery_id(&mut self, id: &str) {
        self.delivery_id = Some(short(id, DELIVERY_ID).into_owned());
    }

    /// Sets the Odoo user of the call, where it was unknown when the call was received. Later lines include it.
    pub fn runs_as(&mut self, caller: record::Caller) {
        self.who.caller = Some(caller);
    }

    /// Returns once the call is durable. Nothing of it is written to Odoo before.
    ///
    /// # Errors
    /// The log could not take the call, which then must not be worked on.
    pub async fn announced(&mut self) -> Result<(), Error> {
        self.seq().await.map(|_| ())
    }

    /// Registers the secret of the call's Odoo credential, which is masked in sentences.
    pub fn note_credential(&mut self, secret: SecretString) {
        self.secrets.note_credential(secret);
    }

    /// Whether texts were redacted that a sentence could repeat.
    pub fn has_hidden(&self) -> bool {
        self.secrets.has_texts()
    }

    /// Registers the models of the call: a text that was redacted under one of their fields is masked in sentences.
    pub fn note_fields(&mut self, schemas: Vec<Arc<Schema>>) {
        self.secrets.note_fields(schemas);
    }

    async fn seq(&mut self) -> Result<u64, Error> {
        let known = match &mut self.announced {
            Announced::Known(known) => return known.clone(),
            Announced::HandedOver(written) => written.wait().await,
        };
        self.announced = Announced::Known(known.clone());
        known
    }

    /// Records what is about to be done in Odoo. The line is queued before anything is done and is not waited for: it shows
    /// an operator how far a call may have come, and guarantees nothing.
    ///
    /// # Errors
    /// The log has failed or has been closed.
    pub async fn plan(&mut self, plan: Value) -> Result<(), Error> {
        if self.kept == Kept::Nothing {
            return Ok(());
        }
        let [plan] = self.log.prepare([Part::plan(plan)], &mut self.secrets, Purpose::Record).await?;
        let line = PlannedLine { ts: Timestamp::now(), id: self.arrived.id, caller: self.who.caller.as_ref(), plan };
        self.log.writer().submit(Body::new(Event::CallPlanned, &line), Purpose::Record).await.map(|_| ())
    }

    /// Records that so many of a list of records have been written and so many have not. The line is queued, and not waited for.
    ///
    /// # Errors
    /// The log has failed or has been closed.
    pub async fn progress(&self, written: usize, failed: usize, of: usize) -> Result<(), Error> {
        let failures = if failed > 0 { format!(", {} failed", grouped(failed)) } else { String::new() };
        let line = ProgressLine {
            ts: Timestamp::now(),
            arrived: &self.arrived,
            model: &self.model,
            who: &self.who,
            message: format!("{} of {} records written{failures}", grouped(written), grouped(of)),
            written,
            failed,
            of,
        };
        self.log.writer().submit(Body::new(Event::CallProgress, &line), Purpose::Record).await.map(|_| ())
    }

    /// Records the end of the call; returns once it is durable.
    ///
    /// # Errors
    /// The log has failed or has been closed.
    pub async fn finish(mut self, finished: Finished) -> Result<(), Error> {
        let received = self.seq().await.ok();
        let end = End {
            arrived: &self.arrived,
            received,
            model: Some(&self.model),
            who: &self.who,
            started: self.started,
            kept: self.kept,
            repeat_of: self.repeat_of,
            delivery_id: self.delivery_id.as_deref(),
        };
        let line = self.log.ended(end, finished, &mut self.secrets).await?;
        let event = if received.is_some() { Event::CallFinished } else { Event::CallRefused };
        self.log.record(Body::new(event, &line)).await
    }
}

/// A number with commas between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

/// The answer to a search, with the number of rows instead of the rows.
fn without_rows(mut result: Value) -> Value {
    if let Some(rows) = result.get("result").and_then(Value::as_array).map(Vec::len)
        && let Some(entries) = result.as_object_mut()
    {
        entries.remove("result");
        entries.insert("rows".to_owned(), json!(rows));
    }
    result
}

/// A text of a caller's, cut after so many characters.
fn short(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, net::Ipv4Addr, path::Path};

    use serde_json::Map;
    use uuid::Uuid;

    use super::*;
    use crate::{config::Config, log::format::event::State, route::Route};

    fn log(folder: &Path, more: &str) -> Log {
        let file = folder.join("gateway.toml");
        let upstream = "[upstream]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"none\"";
        fs::write(&file, format!("{upstream}\n[log]\ndirectory = \"log\"\n{more}")).unwrap();
        Log::open(&Config::load(&file).unwrap().log).unwrap()
    }

    fn arrived() -> Arrived {
        let address = Ipv4Addr::LOCALHOST.into();
        Arrived {
            id: Uuid::now_v7(),
            route: Route::CreateData,
            hook: None,
            address,
            size: 2,
            replay_of: None,
            dry_run: false,
            by: None,
            attempt_of: None,
            attempt: None,
            step: None,
        }
    }

    #[tokio::test]
    async fn what_was_hidden_is_not_in_the_debug_output_of_an_entry() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), "min_free = \"1 B\"");
        let vals = json!({"payload": {"password": "s3cret-payload"}}).as_object().cloned().unwrap();
        let received = Received { model: "res.users", vals: Cow::Owned(vals), sent: None, who: Who::default() };
        let mut entry = log.receive(arrived(), received, Instant::now()).await.unwrap();
        entry.note_credential("s3cret-credential".into());
        assert!(entry.has_hidden());
        let shown = format!("{entry:?} {:?}", entry.secrets);
        assert!(shown.contains("res.users") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1_000, 12_345_678].map(grouped), ["0", "999", "1,000", "12,345,678"]);
    }

    #[tokio::test]
    async fn a_call_that_the_log_cannot_take_is_told_when_it_is_waited_for_and_ends_as_refused() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), "min_free = \"1 EiB\"");
        let received = Received { model: "res.partner", vals: Cow::Owned(Map::new()), sent: None, who: Who::default() };
        let mut entry = log.receive(arrived(), received, Instant::now()).await.unwrap();
        for _ in 0..2 {
            assert!(matches!(entry.announced().await, Err(Error::Full { .. })));
        }
        let message = "no room".to_owned();
        let (result, odoo) = (Value::Null, Vec::new());
        let finished = Finished {
            state: State::Failed,
            result,
            error: Some("log_full"),
            message,
            warnings: 0,
            detail: None,
            odoo,
        };
        entry.finish(finished).await.unwrap();
        let lines = fs::read_to_string(folder.path().join("log/00000000000000000001.jsonl")).unwrap();
        assert!(lines.contains("call.refused") && !lines.contains("call.received"), "{lines}");
    }
}
