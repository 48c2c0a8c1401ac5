//! Every rule × every way.
//!
//! A way says what it touches, in the words of whoever wrote its payload; from each of these come the rules that must refuse
//! it, each in a policy of its own. And two policies must let it pass: one that narrows nothing, and one that narrows
//! something else; what they let reach Odoo shows that the words looked for are those that would be there.

mod closed;
mod commands;
mod fields;
mod files;
mod lines;
mod lookups;
mod names;
mod parts;
mod properties;
mod searches;

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::{
    callers::{Ask, Callers, Outcome, list, models},
    seen::{Rpc, Side},
    world::{self, POWER},
};

/// How many clients call at a time.
const AT_A_TIME: usize = 24;

/// A call, and what it touches.
pub(super) struct Way {
    pub(super) name: String,
    pub(super) ask: Ask,
    touches: Vec<Touch>,
    /// What the control comes to: such a payload may be of no use besides.
    control: &'static str,
    /// One of many forms of the same: a rule is tried in one form too.
    pub(super) is_form: bool,
}

#[derive(Debug, Clone)]
struct Touch {
    kind: char,
    /// A model, and for `r` and `w` a field.
    model: &'static str,
    field: &'static str,
    /// The word that stands for it in a request; none where Odoo is asked for it without being told its name.
    word: Option<&'static str>,
    /// By a copy: the model is not touched.
    is_copy: bool,
}

impl Way {
    /// `touches` are divided by commas: `r zq.order.o_name` is read, `w …` written, `m zq.order` touched in some other way,
    /// `n zq.order` searched by name, and `d zq.order` touched in a way that its domain cannot be kept to. Behind ` as ` is the copy's name; before what does not stand
    /// in the request by name is `~`.
    fn new(name: &str, route: &'static str, model: &'static str, vals: Value, touches: &'static str) -> Self {
        let touches = touches.split(", ").filter(|touch| !touch.is_empty()).map(Touch::read).collect();
        Self { name: name.to_owned(), ask: Ask::new(route, model, vals), touches, control: "ok", is_form: false }
    }

    fn coming_to(self, control: &'static str) -> Self {
        Self { control, ..self }
    }

    fn form(self, is_form: bool) -> Self {
        Self { is_form, ..self }
    }

    pub(super) fn reaches(&self, model: &str) -> bool {
        self.models().contains(&model)
    }

    fn models(&self) -> Vec<&str> {
        let touched = self.touches.iter().filter(|touch| !touch.is_copy && touch.kind != 'd').map(|touch| touch.model);
        let mut models: Vec<&str> = touched.chain([self.ask.model.as_str()]).collect();
        models.sort_unstable();
        models.dedup();
        models
    }
}

impl Touch {
    fn read(text: &'static str) -> Self {
        let (text, is_seen) = text.strip_prefix('~').map_or((text, true), |text| (text, false));
        let (text, copy) = text.split_once(" as ").map_or((text, None), |(text, copy)| (text, Some(copy)));
        let (kind, name) = text.split_once(' ').unwrap();
        let (model, field) = if matches!(kind, "r" | "w") { name.rsplit_once('.').unwrap() } else { (name, "") };
        let word = Some(copy.unwrap_or(field)).filter(|word| is_seen && !word.is_empty());
        Self { kind: kind.chars().next().unwrap(), model, field, word, is_copy: copy.is_some() }
    }
}

/// All of them.
pub(super) fn ways() -> Vec<Way> {
    let written = [lines::ways(), lookups::ways(), files::ways(), commands::ways(), parts::ways()];
    let read = [fields::ways(), searches::ways(), names::ways()];
    written.into_iter().chain(read).chain([properties::ways(), properties::of_forms()]).flatten().collect()
}

/// What must be refused, and what of it must not be in any request.
struct Row<'w> {
    way: &'w Way,
    policy: String,
    code: &'static str,
    rule: &'static str,
    words: Words,
}

#[derive(Debug, Clone)]
enum Words {
    /// Nothing may be called at all.
    Any,
    /// Anywhere.
    Of(Vec<&'static str>),
    On(Side, &'static str),
    None,
}

/// What a client must be allowed besides models, so that no other rule refuses first.
const METHODS: &str = "methods = [\"*\"]\nmax_records = { write = 1000 }\n";

/// Narrows nothing; keys can be put behind it.
pub(super) fn everything() -> String {
    METHODS.to_owned() + &models(&list(POWER.into_iter().chain(["*"])), "[]")
}

fn rows(way: &Way) -> Vec<Row<'_>> {
    let row =
        |rule: &'static str, code: &'static str, policy: String, words: Words| Row { way, policy, code, rule, words };
    let routes = ["create_data", "create_update_data", "update_data", "search_data", "call_function"];
    let others = list(routes.into_iter().filter(|route| *route != way.ask.route));
    let routes = format!("{}routes = {others}\n", everything());
    let mut rows = Vec::new();
    if !way.is_form {
        rows.push(row("`routes`", "route_not_allowed", routes, Words::Any));
    }
    for model in way.models() {
        let model = world::models().get_key_value(model).map(|(model, _)| *model).unwrap();
        let all = list(POWER.into_iter().chain(["*"]));
        let others = list(world::models().keys().filter(|other| **other != model));
        let pattern = format!("[\"{}*\"]", &model[..model.len() - 2]);
        let words = || {
            if way.ask.model == model {
                Words::Of(vec![model])
            } else {
                Words::Of(world::own_fields(model).chain([model]).collect())
            }
        };
        let mut deny = |rule, allow: &str, deny: &str| {
            rows.push(row(rule, "model_not_allowed", METHODS.to_owned() + &models(allow, deny), words()));
        };
        deny("`models.deny`", &all, &format!("[\"{model}\"]"));
        if !way.is_form {
            deny("`models.deny`", &all, &pattern);
            deny("`models.allow`", &others, "[]");
        }
        if POWER.iter().any(|power| model.starts_with(power.trim_end_matches('*'))) {
            deny("`models.allow`", "[\"*\"]", "[]");
        }
    }
    for Touch { kind, model, field, word, .. } in way.touches.iter().cloned() {
        let (rule, code, key, side) = match kind {
            'r' => ("`never_read`", "field_not_readable", "never_read", Side::Read),
            'w' => ("`never_write`", "field_not_writable", "never_write", Side::Written),
            'd' => {
                let team = world::fields(model).iter().find(|field| field.name.ends_with("_team")).unwrap().name;
                let policy = format!("{}domains = {{ \"{model}\" = [[\"{team}\", \"=\", 3]] }}\n", everything());
                rows.push(row("`domains`", "outside_domain", policy, Words::None));
                continue;
            }
            'n' => {
                rows.extend(
                    by_name(model).map(|policy| row("`never_read`", "field_not_readable", policy, Words::None)),
                );
                continue;
            }
            _ => continue,
        };
        let forms = [format!("{model}.{field}"), format!("*.{field}")];
        for name in forms.into_iter().take(if way.is_form { 1 } else { 2 }) {
            let policy = format!("{}{key} = [\"{name}\"]\n", everything());
            rows.push(row(rule, code, policy, word.map_or(Words::None, |word| Words::On(side, word))));
        }
    }
    rows
}

/// Policies under which the model must not be searched by name: a field that the search may read must not be read.
fn by_name(model: &str) -> [String; 4] {
    let (name, vault) = (named(model, "_name"), named(model, "_vault"));
    [
        format!("never_read = [\"{model}.{vault}\"]"),
        format!("never_read = [\"*.{vault}\"]"),
        format!("never_read = [\"{model}.x_gone\"]"),
        format!("never_read = [\"{model}.{vault}\"]\nname_search = {{ \"{model}\" = [\"{name}\", \"{vault}\"] }}"),
    ]
    .map(|keys| format!("{}{keys}\n", everything()))
}

fn named(model: &str, end: &str) -> &'static str {
    world::own_fields(model).find(|name| name.ends_with(end)).unwrap()
}

/// Nothing is narrowed that a search by name reads.
fn named_searches() -> String {
    let models =
        || world::models().keys().filter(|model| world::own_fields(model).any(|name| name.ends_with("_vault")));
    let hidden = list(models().map(|model| format!("{model}.x_gone")));
    let searched: Vec<_> = models().map(|model| format!("\"{model}\" = [\"{}\"]", named(model, "_name"))).collect();
    format!("{}never_read = {hidden}\nname_search = {{ {} }}\n", everything(), searched.join(", "))
}

impl Row<'_> {
    /// What is wrong with what came of it.
    fn flaws(&self, outcome: &Outcome, logged: Option<&String>) -> Vec<String> {
        let mut flaws = Vec::new();
        if outcome.code != self.code {
            flaws.push(format!("{} is due", self.code));
        } else if !outcome.rule.contains(self.rule) {
            flaws.push(format!("{} is not named", self.rule));
        } else if logged.map(String::as_str) != Some(self.code) {
            flaws.push(format!("the log has {logged:?}"));
        }
        if let Some(written) = outcome.rpcs.iter().find(|rpc| rpc.writes()) {
            flaws.push(format!("{} was called", written.method));
        }
        let is_there = |rpc: &&Rpc| match &self.words {
            Words::Any => true,
            Words::Of(words) => words.iter().any(|word| rpc.has(word)),
            Words::On(side, word) => rpc.has_word(*side, word),
            Words::None => false,
        };
        if let Some(rpc) = outcome.rpcs.iter().find(is_there) {
            flaws.push(format!("Odoo was told {:?} by {}", self.words, rpc.text()));
        }
        flaws
    }
}

/// What is wrong where nothing stands against it.
fn flaws_of_control(way: &Way, outcome: &Outcome) -> Vec<String> {
    let mut flaws = Vec::new();
    if !way.control.split('|').any(|code| code == outcome.code) {
        flaws.push(format!("control: {} is due", way.control));
    }
    for touch in way.touches.iter().filter(|_| outcome.code == "ok") {
        let side = if matches!(touch.kind, 'r' | 'n') { Side::Read } else { Side::Written };
        if let Some(word) = touch.word.filter(|word| !outcome.rpcs.iter().any(|rpc| rpc.has_word(side, word))) {
            flaws.push(format!("control: Odoo was not told `{word}`"));
        }
    }
    flaws
}

/// Runs a table before an Odoo of this version, and fails where there are holes.
async fn run(version: u16, ways: Vec<Way>, least: usize) {
    let elsewhere = everything() + "never_read = [\"zq.else.x_name\"]\nnever_write = [\"zq.else.x_name\"]\n";
    let controls = [everything(), elsewhere, named_searches()];
    let mut by_policy: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in ways.iter().flat_map(rows) {
        by_policy.entry(row.policy.clone()).or_default().push(row);
    }
    let policies: Vec<String> = by_policy.keys().chain(&controls).cloned().collect();
    let callers = Callers::start(version, &policies).await;
    let callers = &callers;
    let of_policy = async |(number, rows): (usize, &Vec<Row>)| {
        let mut outcomes = Vec::new();
        for row in rows {
            outcomes.push(callers.call(number, &row.way.ask).await);
        }
        outcomes
    };
    let outcomes: Vec<Vec<Outcome>> =
        stream::iter(by_policy.values().enumerate()).map(of_policy).buffered(AT_A_TIME).collect().await;
    let mut holes = Vec::new();
    let mut hole = |way: &Way, policy: &str, outcome: &Outcome, flaws: Vec<String>| {
        if !flaws.is_empty() {
            let Way { name, ask, .. } = way;
            let (flaws, shown) = (flaws.join("; "), outcome.shown());
            holes.push(format!(
                "Odoo {version}, {name}: {flaws}\n  {} {} {}\n  {policy}  came to {shown}",
                ask.route, ask.model, ask.vals
            ));
        }
    };
    for way in &ways {
        for (number, policy) in policies.iter().enumerate().skip(policies.len() - controls.len()) {
            let outcome = callers.call(number, &way.ask).await;
            hole(way, policy, &outcome, flaws_of_control(way, &outcome));
        }
    }
    let logged = callers.logged();
    let mut count = 0;
    for (rows, outcomes) in by_policy.values().zip(&outcomes) {
        for (row, outcome) in rows.iter().zip(outcomes) {
            count += 1;
            hole(row.way, &row.policy, outcome, row.flaws(outcome, logged.get(&outcome.id)));
        }
    }
    let ways = ways.len();
    holes.iter().for_each(|hole| println!("{hole}\n"));
    println!("Odoo {version}: {ways} ways, {} policies, {count} rows, {} holes", policies.len(), holes.len());
    assert!(count > least, "{count} rows");
    assert!(holes.is_empty(), "{} holes in {count} rows", holes.len());
}

#[tokio::test]
async fn what_a_rule_denies_reaches_odoo_by_no_way() {
    run(19, ways(), 2_000).await;
}

/// Before 17, each level of what is answered is read by a call of its own.
#[tokio::test]
async fn what_a_rule_denies_reaches_an_older_odoo_by_no_way() {
    let ways = [fields::ways(), files::ways(), lookups::ways(), names::ways(), parts::ways()].into_iter().flatten();
    run(14, ways.map(|way| way.form(true)).collect(), 600).await;
}

/// The first version with properties.
#[tokio::test]
async fn what_a_rule_denies_reaches_an_odoo_16_by_no_property() {
    run(16, properties::ways().into_iter().map(|way| way.form(true)).collect(), 80).await;
}
