//! A log of many calls over a week, written as docs/log-format.md describes it.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use odoo_gateway::console_bench::{Log, LogConfig};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const SEGMENT: usize = 4 << 20;
const WEEK: i64 = 7 * 24 * 3600 * 1_000_000;
const MODELS: [&str; 12] = [
    "res.partner",
    "sale.order",
    "product.product",
    "stock.picking",
    "account.move",
    "crm.lead",
    "purchase.order",
    "project.task",
    "helpdesk.ticket",
    "hr.employee",
    "mrp.production",
    "res.users",
];
const ROUTES: [&str; 6] =
    ["create_data", "create_update_data", "update_data", "search_data", "call_function", "delete_data"];
const CLIENTS: [&str; 8] = ["webshop", "crm", "pos", "warehouse", "edi", "marketing", "billing", "support"];
const CODES: [&str; 10] = [
    "no_match",
    "ambiguous_match",
    "missing_parameter",
    "validation_error",
    "access_error",
    "model_not_allowed",
    "odoo_unreachable",
    "invalid_value",
    "odoo_timeout",
    "rate_limited",
];

/// Writes the lines of a log, segment by segment.
struct Lines<'f> {
    folder: &'f Path,
    bytes: Vec<u8>,
    first: u64,
    next: u64,
    prev: Option<(String, String)>,
}

impl Lines<'_> {
    fn put(&mut self, ts: Timestamp, event: &str, members: &str) {
        if self.bytes.is_empty() {
            let (prev, hash) = match &self.prev {
                Some((prev, hash)) => (format!("\"{prev}\""), format!("\"{hash}\"")),
                None => ("null".to_owned(), "null".to_owned()),
            };
            self.first = self.next;
            let header = format!(r#","format":1,"gateway":"bench","prev":{prev},"prev_sha256":{hash}"#);
            self.frame(ts, "segment", &header);
        }
        self.frame(ts, event, members);
    }

    fn frame(&mut self, ts: Timestamp, event: &str, members: &str) {
        let start = self.bytes.len();
        let (seq, durable) = (self.next, self.next - 1);
        write!(self.bytes, r#"{{"seq":{seq},"durable":{durable},"event":"{event}","ts":"{ts}"{members}"#).unwrap();
        let crc = crc32fast::hash(&self.bytes[start..]);
        writeln!(self.bytes, ",\"crc\":\"{crc:08x}\"}}").unwrap();
        self.next += 1;
    }

    fn flush(&mut self) {
        let name = format!("{:020}.jsonl", self.first);
        File::create(self.folder.join(&name)).unwrap().write_all(&self.bytes).unwrap();
        self.prev = Some((name, const_hex::encode(Sha256::digest(&self.bytes))));
        self.bytes.clear();
    }
}

/// Writes so many calls of the last week, ten of them side by side; the last one came in now.
pub(crate) fn write(folder: &Path, calls: u64) {
    fs::create_dir_all(folder).unwrap();
    let mut random = fastrand::Rng::with_seed(19);
    let mut lines = Lines { folder, bytes: Vec::new(), first: 1, next: 1, prev: None };
    let begin = Timestamp::now().as_microsecond() - WEEK;
    lines.put(Timestamp::from_microsecond(begin).unwrap(), "start", r#","gateway":"bench","pid":1"#);
    let mut open: Vec<(Timestamp, String)> = Vec::new();
    for number in 0..calls {
        let share = i64::try_from(u128::from(number) * WEEK as u128 / u128::from(calls)).unwrap();
        let ts = Timestamp::from_microsecond(begin + share).unwrap();
        let seconds = u64::try_from(ts.as_second()).unwrap();
        let millis = seconds * 1000 + u64::try_from(ts.subsec_millisecond()).unwrap();
        let id =
            uuid::Builder::from_unix_timestamp_millis(millis, &random.u128(..).to_le_bytes()[..10].try_into().unwrap());
        end(&mut lines, &mut open, &mut random, 10);
        begin_call(&mut lines, &mut open, &mut random, (number, ts, id.into_uuid()));
        if lines.bytes.len() > SEGMENT {
            lines.flush();
        }
    }
    end(&mut lines, &mut open, &mut random, 0);
    lines.flush();
}

fn begin_call(
    lines: &mut Lines<'_>,
    open: &mut Vec<(Timestamp, String)>,
    random: &mut fastrand::Rng,
    (number, ts, id): (u64, Timestamp, Uuid),
) {
    let model = MODELS[random.usize(..MODELS.len()).min(random.usize(..MODELS.len()))];
    let route = ROUTES[random.usize(..ROUTES.len()).min(random.usize(..ROUTES.len()))];
    let client = CLIENTS[random.usize(..CLIENTS.len()).min(random.usize(..CLIENTS.len()))];
    let who = format!(r#","id":"{id}","route":"{route}","address":"10.0.0.{}","size":420"#, random.u8(..));
    let caller = format!(
        r#""client":"{client}","caller":{{"credential":"password","door":"json-2","uid":7,"login":"{client}@example.com"}}"#
    );
    let vals = format!(
        r#"{{"payload":{{"name":"Customer {number}","ref":"REF-{number}","email":"customer{number}@example.com","street":"Rue de la Loi 16","zip":"1000","city":"Brussels","country_id":{{"code":"BE"}},"category_id":{{"records":[{{"name":"A"}},{{"name":"B"}}]}}}}}}"#
    );
    lines.put(ts, "call.received", &format!(r#"{who},"model":"{model}",{caller},"vals":{vals}"#));
    let received = lines.next - 1;
    // A few are never answered: they are in doubt.
    if number % 20_000 == 77 {
        return;
    }
    let rpc = format!(
        r#"{{"model":"{model}","method":"create","args":{{"vals_list":[{{"name":"Customer {number}","country_id":20}}]}}"#
    );
    let is_written = route != "search_data";
    if is_written {
        lines.put(ts, "call.planned", &format!(r#","id":"{id}","plan":{{"calls":[{rpc}}}]}}"#));
    }
    let took = 4.0 + 60.0 * random.f64() / (0.02 + random.f64());
    let ends = ts + SignedDuration::from_micros((took * 1e3) as i64);
    // One call in some hundred thousand.
    let is_rare = number % 100_003 == 5;
    let tail = match random.u32(..1000) {
        kind if kind < 25 || is_rare => {
            let code = match is_rare {
                true => "odoo_timeout",
                false => CODES[random.usize(..CODES.len() - 2).min(random.usize(..CODES.len() - 2))],
            };
            format!(
                r#""state":"failed","error":"{code}","message":"No record matches what the payload names, number {number}","duration_ms":{took:.3},"result":{{"is_success":false,"messages":"No record matches what the payload names, number {number}","error":{{"code":"{code}","retry":"no","path":"payload.order_line[{}].product_id"}}}}"#,
                number % 9
            )
        }
        kind if kind < 30 => {
            format!(r#""state":"ignored","message":"There was nothing to do","duration_ms":{took:.3}"#)
        }
        kind if kind < 32 => {
            format!(
                r#""state":"in_doubt","error":"outcome_unknown","message":"The answer was lost","duration_ms":{took:.3}"#
            )
        }
        _ => {
            let record = 1 + number / 3;
            let records = if is_written { format!(r#","records":{{"{model}":[{record}]}}"#) } else { String::new() };
            format!(
                r#""state":"done","message":"Record created successfully","duration_ms":{took:.3}{records},"result":{{"is_success":true,"result":{{"id":{record}}},"messages":"Record created successfully"}},"odoo":[{rpc},"ms":{:.3},"records":[{record}]}}]"#,
                took - 1.0
            )
        }
    };
    open.push((ends, format!(r#"{who},"received":{received},"model":"{model}",{caller},{tail}"#)));
}

/// Ends calls until so many are left.
fn end(lines: &mut Lines<'_>, open: &mut Vec<(Timestamp, String)>, random: &mut fastrand::Rng, left: usize) {
    while open.len() > left {
        let (ts, line) = open.swap_remove(random.usize(..open.len()));
        lines.put(ts, "call.finished", &line);
    }
}

/// Has a gateway's log compress and index all segments but the last.
pub(crate) async fn seal(config: &LogConfig) {
    let log = Log::open(config).unwrap();
    let deadline = Instant::now() + Duration::from_secs(3600);
    loop {
        let open = fs::read_dir(&config.directory).unwrap();
        let open = open.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().ends_with(".jsonl"));
        if open.count() == 1 {
            break;
        }
        assert!(Instant::now() < deadline, "the segments were not compressed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    log.close().await;
}
