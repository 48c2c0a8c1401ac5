//! Callers, who go on over the kills: one that repeats its call sends it to the next gateway.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{net::TcpStream, sync::watch, time};

use super::{
    calls::{Call, Kind, refusal},
    http::{Connection, Message},
    odoo::Odoo,
};

/// What callers know of their calls.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// All calls that have ended for their callers, with whether they were said to be done.
    pub(crate) calls: Vec<(Call, bool)>,
    /// The ids of answered calls that were not looked for in the log yet.
    pub(crate) answered: Vec<String>,
    pub(crate) repeated: u64,
    /// Answers that were no success, by code.
    pub(crate) refused: BTreeMap<String, u64>,
}

/// What all callers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) odoo: Odoo,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    /// Where the gateway is; none while there is none.
    pub(crate) address: watch::Receiver<Option<SocketAddr>>,
    pub(crate) next: Arc<AtomicU64>,
    pub(crate) is_over: Arc<AtomicBool>,
}

/// What came of sending a call once.
enum Sent {
    /// It is done, or will be.
    Taken,
    /// It is refused for good.
    Refused(String),
    /// It may be sent again.
    NotNow(String),
    /// The gateway has gone.
    Broken,
}

/// Makes calls of all kinds until it is over.
pub(crate) async fn run(mut shared: Shared) {
    let mut connection = None;
    while !shared.is_over.load(Relaxed) {
        let kind = Kind::ALL[fastrand::usize(..Kind::ALL.len())];
        let number = shared.next.fetch_add(1, Relaxed);
        let call = Call::new(kind, number, &mut shared.odoo.lock().unwrap());
        let is_done = make(&call, &mut shared, &mut connection).await;
        shared.ledger.lock().unwrap().calls.push((call, is_done));
    }
}

/// Makes one call, and repeats it where that is its way; gives whether it was said to be done.
async fn make(call: &Call, shared: &mut Shared, connection: &mut Option<(SocketAddr, Connection)>) -> bool {
    let request = call.request();
    loop {
        // There will be another gateway.
        let Ok(address) = shared.address.wait_for(Option::is_some).await.map(|address| address.unwrap()) else {
            return false;
        };
        let sent = send(call, &request, address, shared, connection).await.unwrap_or(Sent::Broken);
        match sent {
            Sent::Taken => return true,
            Sent::Refused(code) => {
                *shared.ledger.lock().unwrap().refused.entry(format!("{:?} {code}", call.kind)).or_default() += 1;
                return false;
            }
            Sent::NotNow(_) | Sent::Broken if !call.kind.is_repeated() => return false,
            Sent::NotNow(code) => {
                let mut ledger = shared.ledger.lock().unwrap();
                *ledger.refused.entry(format!("again {code}")).or_default() += 1;
                ledger.repeated += 1;
            }
            Sent::Broken => {
                *connection = None;
                shared.ledger.lock().unwrap().repeated += 1;
            }
        }
        time::sleep(Duration::from_millis(10)).await;
    }
}

async fn send(
    call: &Call,
    request: &[u8],
    address: SocketAddr,
    shared: &Shared,
    connection: &mut Option<(SocketAddr, Connection)>,
) -> io::Result<Sent> {
    let (_, open) = match connection.take().filter(|(known, _)| *known == address) {
        Some(open) => connection.insert(open),
        None => connection.insert((address, Connection::new(TcpStream::connect(address).await?)?)),
    };
    open.write(request).await?;
    let Some(answer) = open.next().await? else { return Ok(Sent::Broken) };
    Ok(read(call, &answer, shared))
}

fn read(call: &Call, answer: &Message, shared: &Shared) -> Sent {
    let status: u16 = answer.word(1).parse().unwrap();
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if call.is_taken(status, &body) {
        let id = answer.header("gateway-call-id").map(str::to_owned);
        shared.ledger.lock().unwrap().answered.extend(id);
        return Sent::Taken;
    }
    let why = refusal(&body).unwrap_or(&Value::Null);
    let code = why["code"].as_str().map_or_else(|| format!("{status} {body}"), str::to_owned);
    match why["retry"].as_str() {
        Some("safe") => Sent::NotNow(code),
        // A call that ended five gateways is left to a person: it may have been done.
        _ => Sent::Refused(code),
    }
}
