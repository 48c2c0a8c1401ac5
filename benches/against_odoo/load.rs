//! Clients that call as fast as they are answered, and what they saw.

use std::{
    cell::Cell,
    collections::HashMap,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use crate::{
    client::{Client, Way},
    machine::Machine,
    request::{Credential, Peer},
    works::Work,
    world::{Record, World},
};

/// Everybody who can be called, and with what.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) ways: HashMap<(Peer, Credential), Way>,
    pub(crate) machine: Machine,
    /// Counts all calls; a name is never used again.
    pub(crate) calls: Cell<usize>,
}

/// The calls of a round.
pub(crate) struct Round {
    /// How long each took, in milliseconds, the shortest first.
    waits: Vec<f64>,
    seconds: f64,
}

impl Round {
    pub(crate) fn per_second(&self) -> f64 {
        self.waits.len() as f64 / self.seconds
    }

    pub(crate) fn p50(&self) -> f64 {
        self.waits[self.waits.len() / 2]
    }

    pub(crate) fn waits(&self) -> &[f64] {
        &self.waits
    }
}

impl Bench {
    pub(crate) fn client(&self, peer: Peer, credential: Credential) -> Client {
        self.ways[&(peer, credential)].client()
    }

    /// So many clients, each of which calls again as soon as it is answered, until `length` is over; the last calls are waited
    /// for.
    pub(crate) async fn round(
        &self,
        work: Work,
        peer: Peer,
        credential: Credential,
        clients: usize,
        length: Duration,
    ) -> Round {
        let turn = Cell::new(0);
        let started = Instant::now();
        let calls = (0..clients).map(async |_| {
            let (mut client, mut last, mut waits) = (self.client(peer, credential), None, Vec::new());
            loop {
                let turn = turn.replace(turn.get() + 1);
                waits.push(self.call(&mut client, work, peer, credential, turn, &mut last).await);
                if started.elapsed() >= length {
                    return waits;
                }
            }
        });
        let mut waits = join_all(calls).await.concat();
        let seconds = started.elapsed().as_secs_f64();
        waits.sort_by(f64::total_cmp);
        Round { waits, seconds }
    }

    /// One call, checked; gives how long it took, in milliseconds. Its making and its check are not in that.
    pub(crate) async fn call(
        &self,
        client: &mut Client,
        work: Work,
        peer: Peer,
        credential: Credential,
        turn: usize,
        last: &mut Option<Record>,
    ) -> f64 {
        let number = self.calls.replace(self.calls.get() + 1);
        let name = self.world.next_name(work, peer, number);
        let call = work.call(peer, &self.world, name, turn, last.as_ref());
        let (path, body) = call.request.path_and_body(credential);
        let begun = Instant::now();
        let answer = client.post(&path, body).await;
        let took = begun.elapsed().as_secs_f64() * 1e3;
        let result = call.request.result(credential, &answer);
        let made =
            result.and_then(|result| call.check(&result).map_err(|expected| format!("{expected}, not {result}")));
        let made = made.unwrap_or_else(|said| panic!("{} of {}: {said}", work.name(), peer.name()));
        self.world.note(work, peer, &made);
        // An upsert of a new record is followed by one of the same.
        *last = made.into_iter().next();
        took
    }
}
