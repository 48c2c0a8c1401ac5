//! One list of many payloads with three lookups each, against Odoo's own `create` of the same records with all ids known: in parts
//! of several sizes, one after another, and all at once. Records a second; what the gateway asks of Odoo, and the memory that it
//! takes.

use std::time::Instant;

use serde_json::{Value, json};

use crate::{
    figures::Figures,
    load::Bench,
    report::{Goal, Limit, median},
    request::{Credential, Peer, Request},
    servers::Gateway,
    works::Work,
    world::{Record, World},
};

/// The sizes of the parts in which Odoo gets the same records; the whole list in one call besides.
const PARTS: [usize; 3] = [250, 500, 1_000];

/// Who makes the records.
#[derive(Clone, Copy)]
enum Maker {
    Gateway,
    /// Odoo's `create` in parts of this size.
    Parts(usize),
}

pub(crate) async fn lists(
    bench: &Bench,
    gateway: &Gateway,
    sizes: &[usize],
    rounds: usize,
    figures: &mut Figures,
) -> Vec<Goal> {
    println!("\nLists of payloads with three lookups each, 1 client, session; records/s, medians of {rounds} rounds");
    // Schemas, prepared statements, and the memory that the gateway takes anyway.
    for maker in [Maker::Gateway, Maker::Parts(250)] {
        made(bench, maker, 100).await;
    }
    let mut goals = Vec::new();
    for &size in sizes {
        let makers: Vec<Maker> = std::iter::once(Maker::Gateway)
            .chain(PARTS.into_iter().filter(|part| *part < size).chain([size]).map(Maker::Parts))
            .collect();
        let before = gateway.resident_mib();
        let mut rates: Vec<Vec<f64>> = vec![Vec::new(); makers.len()];
        for _ in 0..rounds {
            let round = bench.machine.alone(async || {
                let mut round = Vec::new();
                for maker in &makers {
                    round.push(made(bench, *maker, size).await);
                }
                round
            });
            for (rates, rate) in rates.iter_mut().zip(round.await) {
                rates.push(rate);
            }
        }
        let of_gateway = median(rates[0].iter().copied());
        let call = gateway.last_call("res.partner");
        let (calls, within) = odoo_calls(&call);
        let took = call["duration_ms"].as_f64().unwrap_or_default();
        println!(
            "{size:>8} records: gateway {of_gateway:.0}/s in {calls} calls to Odoo, {:.0} ms of {took:.0} ms outside of them; {:.0} MiB \
             before, {:.0} MiB at the peak",
            took - within,
            before,
            gateway.peak_mib()
        );
        let records = size.to_string();
        let mut add = |peer: &str, part: &str, more: &[(&str, f64)]| {
            figures.add(&[("work", "list"), ("records", &*records), ("peer", peer), ("part", part)], more);
        };
        add(
            "gateway",
            "adapted",
            &[
                ("records_per_second", of_gateway),
                ("odoo_calls", calls as f64),
                ("outside_odoo_ms", took - within),
                ("peak_mib", gateway.peak_mib()),
            ],
        );
        let mut best = 0.0_f64;
        for (maker, rates_of) in makers.iter().zip(&rates).skip(1) {
            let Maker::Parts(part) = maker else { continue };
            let rate = median(rates_of.iter().copied());
            let ratio = median(rates[0].iter().zip(rates_of).map(|(gateway, other)| gateway / other));
            println!("{:>8} of Odoo's create by {part:>6}: {rate:>6.0}/s; gateway {ratio:.2} of it", "");
            add("bare", &part.to_string(), &[("records_per_second", rate), ("gateway_to_this_ratio", ratio)]);
            best = best.max(rate);
        }
        goals.push(Goal {
            what: if size >= 10_000 {
                "list of 10,000: records/s gateway/Odoo's create, best parts"
            } else {
                "list of 1,000: records/s gateway/Odoo's create, best parts"
            },
            figure: of_gateway / best,
            limit: Limit::AtLeast(0.85),
        });
    }
    goals
}

/// Makes so many records, and gives how many a second. The making of the body and the check are not in that.
async fn made(bench: &Bench, maker: Maker, size: usize) -> f64 {
    let peer = match maker {
        Maker::Gateway => Peer::Gateway,
        Maker::Parts(_) => Peer::Bare,
    };
    let number = bench.calls.replace(bench.calls.get() + 1);
    let name = bench.world.next_name(Work::List, peer, number);
    let names: Vec<String> = (0..size).map(|n| format!("{name}.{n}")).collect();
    let mut client = bench.client(peer, Credential::Session);
    let part = match maker {
        Maker::Gateway => size,
        Maker::Parts(part) => part,
    };
    let requests: Vec<(Request, _)> = names
        .chunks(part)
        .enumerate()
        .map(|(at, names)| {
            let request = request(&bench.world, peer, at * part, names);
            let sent = request.path_and_body(Credential::Session);
            (request, sent)
        })
        .collect();
    let mut answers = Vec::with_capacity(requests.len());
    let begun = Instant::now();
    for (request, (path, body)) in requests {
        answers.push((request, client.post(&path, body).await));
    }
    let took = begun.elapsed().as_secs_f64();
    let mut ids = Vec::with_capacity(size);
    for (request, answer) in answers {
        let result = request.result(Credential::Session, &answer).unwrap_or_else(|said| panic!("{said:.2000}"));
        let new = result.as_array().unwrap_or_else(|| panic!("a list, not {result}"));
        // A payload's result is `{"result": {"id": 5}}`, a record's of an RPC `5`.
        ids.extend(new.iter().map(|one| one.as_i64().or(one["result"]["id"].as_i64()).expect("an id")));
    }
    assert_eq!(ids.len(), names.len());
    let records: Vec<Record> = names.into_iter().zip(ids).map(|(name, id)| Record { name, id }).collect();
    bench.world.note(Work::List, peer, &records);
    size as f64 / took
}

fn request(world: &World, peer: Peer, first: usize, names: &[String]) -> Request {
    let record = |(n, name): (usize, &String)| {
        let n = first + n;
        let (country, tag) = (&world.countries[n % world.countries.len()], &world.tags[n % world.tags.len()]);
        let industry = &world.industries[n % world.industries.len()];
        if peer.takes_payloads() {
            json!({"name": name, "country_id": {"code": country.name}, "category_id": {"records": [{"name": tag.name}]},
                "industry_id": {"name": industry.name}})
        } else {
            json!({"name": name, "country_id": country.id, "category_id": [[6, 0, [tag.id]]], "industry_id": industry.id})
        }
    };
    let records: Vec<Value> = names.iter().enumerate().map(record).collect();
    if peer.takes_payloads() {
        return Request::Payload { route: "create_data", model: "res.partner", vals: json!({"payload": records}) };
    }
    let context = json!({"context": {"default_company_id": world.company}});
    Request::rpc("res.partner", "create", ("vals_list", Value::Array(records)), context)
}

/// How many RPCs a call made, and how long they took.
fn odoo_calls(call: &Value) -> (usize, f64) {
    let made = call["odoo"].as_array().map(Vec::as_slice).unwrap_or_default();
    // Lookups are side by side.
    let mut spans: Vec<(f64, f64)> = made
        .iter()
        .map(|rpc| (rpc["at"].as_f64().unwrap_or_default(), rpc["ms"].as_f64().unwrap_or_default()))
        .map(|(at, ms)| (at, at + ms))
        .collect();
    spans.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut sum, mut until) = (0.0, 0.0_f64);
    for (from, to) in spans {
        sum += (to - from.max(until)).max(0.0);
        until = until.max(to);
    }
    (made.len(), sum)
}
