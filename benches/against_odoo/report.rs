//! Figures from rounds, as tables; and the goals, with what was reached.

use std::collections::BTreeMap;

use crate::{
    figures::Figures,
    load::Round,
    request::{Credential, Peer},
    works::Work,
};

/// The rounds of one work by so many clients, of each peer in turn.
pub(crate) struct Cell {
    pub(crate) work: Work,
    pub(crate) credential: Credential,
    pub(crate) clients: usize,
    pub(crate) rounds: BTreeMap<Peer, Vec<Round>>,
}

impl Cell {
    pub(crate) fn print_head() {
        print!("\n{:<16}{:>8} {:<8}", "", "", "");
        for peer in [Peer::Addon, Peer::Gateway, Peer::Bare] {
            print!("|{:^24}", peer.name());
        }
        println!("|{:^16}|{:^16}", "gateway/addon", "gateway/bare");
        print!("{:<16}{:>8} {:<8}", "", "clients", "");
        for _ in 0..3 {
            print!("|{:>8}{:>8}{:>7} ", "p50 ms", "p99 ms", "/s");
        }
        println!("|{0:>7}{1:>8} |{0:>7}{1:>8}", "p50", "calls/s");
    }

    pub(crate) fn print(&self) {
        print!("{:<16}{:>8} {:<8}", self.work.name(), self.clients, self.credential.name());
        for peer in [Peer::Addon, Peer::Gateway, Peer::Bare] {
            let rounds = &self.rounds[&peer];
            let (p50, rate) = (median(rounds.iter().map(Round::p50)), median(rounds.iter().map(Round::per_second)));
            print!("|{p50:>8.1}{:>8.1}{rate:>7.0} ", p99(rounds));
        }
        for peer in [Peer::Addon, Peer::Bare] {
            let (p50, rate) = (self.ratio(peer, Round::p50), self.ratio(peer, Round::per_second));
            print!("|{p50:>7.2}{rate:>8.2} ");
        }
        println!();
    }

    /// Adds a row for each peer; that of the gateway has its ratios to the others.
    pub(crate) fn note(&self, bulk_records: usize, figures: &mut Figures) {
        let (work, clients) = (self.work.name(), self.clients.to_string());
        for (peer, rounds) in &self.rounds {
            let labels = [
                ("work", &*work),
                ("credential", self.credential.name()),
                ("clients", &*clients),
                ("peer", peer.name()),
            ];
            let records = if *peer == Peer::Bulk { bulk_records as f64 } else { 1.0 };
            let rate = median(rounds.iter().map(Round::per_second));
            let mut row = vec![
                ("calls_per_second", rate),
                ("records_per_second", rate * records),
                ("p50_ms", median(rounds.iter().map(Round::p50))),
                ("p99_ms", p99(rounds)),
            ];
            if *peer == Peer::Gateway {
                row.extend([
                    ("calls_to_addon_ratio", self.ratio(Peer::Addon, Round::per_second)),
                    ("p50_to_addon_ratio", self.ratio(Peer::Addon, Round::p50)),
                    ("calls_to_bare_ratio", self.ratio(Peer::Bare, Round::per_second)),
                    ("p50_to_bare_ratio", self.ratio(Peer::Bare, Round::p50)),
                ]);
            }
            figures.add(&labels, &row);
        }
    }

    /// The gateway to another peer: the median of the rounds' ratios.
    fn ratio(&self, other: Peer, figure: fn(&Round) -> f64) -> f64 {
        let rounds = std::iter::zip(&self.rounds[&Peer::Gateway], &self.rounds[&other]);
        median(rounds.map(|(gateway, other)| figure(gateway) / figure(other)))
    }
}

/// Something that the gateway should reach.
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    pub(crate) figure: f64,
    pub(crate) limit: Limit,
}

#[derive(Clone, Copy)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

use Limit::{AtLeast, AtMost};

/// Those of the table that were measured.
pub(crate) fn goals(cells: &[Cell], bulk_records: usize) -> Vec<Goal> {
    let find = |work, clients, credential| {
        cells.iter().find(|cell| (cell.work, cell.clients, cell.credential) == (work, clients, credential))
    };
    let mut goals = Vec::new();
    let mut add = |what, cell: Option<&Cell>, figure: &dyn Fn(&Cell) -> Option<f64>, limit| {
        if let Some(figure) = cell.and_then(figure) {
            goals.push(Goal { what, figure, limit });
        }
    };
    let p50 = |cell: &Cell| Some(cell.ratio(Peer::Addon, Round::p50));
    let rate = |cell: &Cell| Some(cell.ratio(Peer::Addon, Round::per_second));
    let bulk = |cell: &Cell| {
        let has_bulk = cell.rounds.contains_key(&Peer::Bulk);
        has_bulk.then(|| cell.ratio(Peer::Bulk, Round::per_second) / bulk_records as f64)
    };
    let session = |work, clients| find(work, clients, Credential::Session);
    let one_by_key = find(Work::Create, 1, Credential::Key);
    let order = session(Work::Order(crate::ORDER_LINES), 1);
    add("create, 1 client, session: p50 gateway/addon", session(Work::Create, 1), &p50, AtMost(0.62));
    add("create, 1 client, API key: p50 gateway/addon", one_by_key, &p50, AtMost(0.65));
    add("create, 16 clients, one identity: calls/s gateway/addon", session(Work::Create, 16), &rate, AtLeast(7.0));
    add("create, 64 clients: calls/s gateway/addon", session(Work::Create, 64), &rate, AtLeast(11.0));
    add("create, 64 clients: records/s gateway/Odoo's bulk create", session(Work::Create, 64), &bulk, AtLeast(0.6));
    add("search with a sub-field, 1 client: p50 gateway/addon", session(Work::Search, 1), &p50, AtMost(0.2));
    add("search with a sub-field, 16 clients: calls/s gateway/addon", session(Work::Search, 16), &rate, AtLeast(6.0));
    add("create with 50 lines (see PRODUCTS), 1 client: p50 gateway/addon", order, &p50, AtMost(0.8));
    goals
}

pub(crate) fn print_goals(goals: &[Goal]) {
    println!("\n{:<68}{:>10}{:>10}", "goal", "", "reached");
    for Goal { what, figure, limit } in goals {
        let (sign, limit, is_reached) = match *limit {
            AtMost(limit) => ("<=", limit, *figure <= limit),
            AtLeast(limit) => (">=", limit, *figure >= limit),
        };
        println!("{what:<68}{sign:>4}{limit:>6.2}{figure:>10.2}   {}", if is_reached { "yes" } else { "no" });
    }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Of all rounds together: one alone has too few calls.
fn p99(rounds: &[Round]) -> f64 {
    let mut waits: Vec<f64> = rounds.iter().flat_map(|round| round.waits()).copied().collect();
    waits.sort_by(f64::total_cmp);
    waits[waits.len() * 99 / 100]
}
