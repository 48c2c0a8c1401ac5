//! The hostile peer: what no HTTP client would send, in a table of input, what is expected, and what was seen.
//!
//! `cargo test --test it -- abuse --nocapture` prints the table. Behind the gateway is an upstream that keeps every byte: of
//! each request that is answered as if all were well it must have got one, well framed, and of the others nothing.

mod caps;
mod crowd;
mod framing;
mod memory;
mod recorder;
mod sizes;
mod slow;
mod targets;
mod wire;

use futures_util::{StreamExt, stream};
use serde_json::json;

use self::{
    recorder::Recorder,
    wire::{Act, Seen, play},
};
use crate::support::{client::Client, gateway::Gateway, odoo::odoo};

/// What the cases send where they send a right body: JSON that means nothing.
const BODY: &str = "{}   ";
/// A request that hides in another one. Odoo may get it as that one's body, never as a request.
const SMUGGLED: &str = "GET /web/session/smuggled HTTP/1.1\r\nHost: gateway\r\nX-Smuggled: 1\r\n\r\n";
/// A route that is passed on, and one that the gateway serves; without credentials, its answer is 200 with an error.
const PASSED: &str = "/web/session/check";
const OWN: &str = "/api/create_data";

/// Small, so that the table is not long in the making.
const LIMITS: &str = "[limits]\nbody = \"1 MiB\"\nheader_timeout = \"4s\"\nbody_timeout = \"4s\"\n";

/// How many cases are played at a time.
const AT_A_TIME: usize = 16;

struct Case {
    name: String,
    acts: Vec<Act>,
    /// Alternatives, divided by `|`: the answers' status codes in their order (with `:` and the error's code where that
    /// matters), and `closed` or `open` where it matters what becomes of the connection.
    expected: &'static str,
    /// Answered by the gateway itself even where the answer is 200.
    is_own: bool,
}

impl Case {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>, expected: &'static str) -> Self {
        Self { name: name.into(), acts: vec![Act::Send(bytes.into())], expected, is_own: false }
    }

    fn then(mut self, act: Act) -> Self {
        self.acts.push(act);
        self
    }

    fn own(self) -> Self {
        Self { is_own: true, ..self }
    }

    /// With what is only known when it is played: `CASE`, by which the upstream tells the cases apart, and `KEY`.
    fn fill(&mut self, number: usize, key: &str) {
        for act in &mut self.acts {
            if let Act::Send(bytes) | Act::Trickle(bytes, _) = act {
                replace(bytes, b"CASE", number.to_string().as_bytes());
                replace(bytes, b"KEY", key.as_bytes());
            }
        }
    }

    fn permits(&self, seen: &Seen) -> bool {
        self.expected.split(" | ").any(|alternative| permits(alternative, seen))
    }

    /// The most answers that are expected.
    fn answers(&self) -> usize {
        let count = |text: &str| text.split(' ').filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).count();
        self.expected.split(" | ").map(count).max().unwrap()
    }

    /// How many requests the upstream must have got of it.
    fn passed(&self, seen: &Seen) -> usize {
        let accepted = seen.answers.iter().filter(|(status, _)| *status == 200 && !self.is_own).count();
        accepted + usize::from(seen.is_usable)
    }
}

fn permits(alternative: &str, seen: &Seen) -> bool {
    let mut answers = seen.answers.iter();
    for word in alternative.split(' ') {
        let is_met = match word {
            "closed" => seen.is_closed && !seen.is_usable,
            "open" => seen.is_usable,
            _ => answers.next().is_some_and(|(status, code)| {
                let (expected, code_expected) = word.split_once(':').map_or((word, None), |(a, b)| (a, Some(b)));
                *expected == status.to_string() && (code_expected.is_none() || code_expected == code.as_deref())
            }),
        };
        if !is_met {
            return false;
        }
    }
    answers.next().is_none() && seen.is_closed
}

/// One line of the table.
fn row(cells: &[&str; 5]) -> String {
    let [mark, input, expected, seen, upstream] = cells.map(|cell| cell.chars().take(72).collect::<String>());
    format!("{mark:<5} | {input:<72} | {expected:<40} | {seen:<34} | {upstream}")
}

fn replace(bytes: &mut Vec<u8>, what: &[u8], by: &[u8]) {
    while let Some(at) = wire::find(bytes, what) {
        bytes.splice(at..at + what.len(), by.iter().copied());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_client_would_send_is_refused_and_nothing_of_it_reaches_odoo() {
    let odoo = odoo().await;
    let upstream = Recorder::before(odoo).await;
    let gateway = Gateway::before(&upstream.url, &odoo.database, LIMITS);
    let client = Client::with_key(&gateway).await;
    let normal = json!({"payload": {"limit": 1, "search_field": ["code"]}});
    assert_eq!(client.call("search_data", "res.country", normal.clone()).await["is_success"], true);
    let before = gateway.memory();

    let address = gateway.url.trim_start_matches("http://").to_owned();
    let mut cases: Vec<Case> = [targets::cases(), framing::cases(), sizes::cases()].into_iter().flatten().collect();
    for (number, case) in cases.iter_mut().enumerate() {
        case.fill(number, &odoo.key);
    }
    let played = stream::iter(cases.iter().enumerate()).map(async |(number, case)| {
        let after = format!(
            "GET {PASSED} HTTP/1.1\r\nHost: gateway\r\nX-Case: {number}\r\nX-Mark: after\r\nConnection: close\r\n\r\n"
        );
        play(&address, &case.acts, case.answers(), after.as_bytes()).await
    });
    let seen: Vec<Seen> = played.buffered(AT_A_TIME).collect().await;

    let mut wrong = Vec::new();
    println!("{}", row(&["", "input", "expected", "seen", "upstream"]));
    for (number, (case, seen)) in cases.iter().zip(&seen).enumerate() {
        let (came, accepted) = (upstream.count(number), case.passed(seen));
        let is_right = case.permits(seen) && came == accepted;
        let (seen, came) = (seen.to_string(), came.to_string());
        let line = row(&[if is_right { "" } else { "WRONG" }, &case.name, case.expected, &seen, &came]);
        println!("{line}");
        if !is_right {
            wrong.push(line);
        }
    }
    let (_, peak) = gateway.memory();
    println!("{} cases; memory {} MiB before, {} MiB at most", cases.len(), before.0 >> 20, peak >> 20);

    assert_eq!(client.call("search_data", "res.country", normal).await["is_success"], true);
    assert_eq!(gateway.get_admin("/health").await.0, 200);
    for flaw in upstream.flaws() {
        wrong.push(format!("upstream got {}", flaw.chars().take(400).collect::<String>()));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    // Sixteen bodies of 1 MiB, held twice at most, and as much again for heads, buffers and what the allocator keeps. A
    // bomb that is unpacked, or a body or head that is read beyond its limit, needs more.
    assert!(peak < before.0 + (64 << 20), "{} MiB", peak >> 20);
}
