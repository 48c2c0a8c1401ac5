//! A plan for people: what was looked up and found, and the RPCs that would follow.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{
    Fields, LookupResult, Many, On, Plan, Together, Work, attachment,
    steps::{At, FutureId, Purpose, RecordPath, Root, Step},
};
use crate::{
    key_texts::mask_keys,
    odoo::{Caller, Page, Rpc},
};

const DELETED_AGAIN: &str = "deleted again if a later call is refused";

impl Plan {
    /// Renders the plan as `{"lookups": […], "calls": […]}`. An id that an earlier call will give reads `<id from call
    /// 1>`, counted from 1.
    pub fn render(&self, caller: &Caller) -> Value {
        let policy = caller.policy();
        let mut calls: Value = match &self.work {
            Work::Write(write) => write.steps.iter().map(render_step).collect(),
            Work::Many(many) => render_many(many),
            Work::Search { model, domain, page, most: _, fields } => {
                let rpc = search(model, domain.clone(), page.clone(), fields);
                // The search is shown as it is sent, restricted to the caller's domain.
                json!([rpc.within(policy).map_or_else(|_| rpc.render(), |rpc| rpc.render())])
            }
            Work::Count { rpc } | Work::Groups { rpc, .. } => {
                json!([rpc.within(policy).map_or_else(|_| rpc.render(), |rpc| rpc.render())])
            }
            Work::Method { rpc, on, files, then, message: _ } => {
                let mut rendered = rpc.render();
                if *on == On::Whichever {
                    rendered["note"] = json!("called on the model instead where the method takes no records");
                }
                let asked = then.iter().map(|then| {
                    json!({"model": "<wizard>", "method": then.method, "note": "called where Odoo asks back with a wizard"})
                });
                let files = (!files.is_empty()).then(|| {
                    let mut files = Rpc::create(attachment::MODEL, files.clone()).render();
                    files["undo"] = json!(DELETED_AGAIN);
                    files["note"] = json!("its ids are passed to the method as `attachment_ids`");
                    files
                });
                files.into_iter().chain([rendered]).chain(asked).collect()
            }
        };
        for call in calls.as_array_mut().into_iter().flatten() {
            let own = call["context"].as_object().cloned().unwrap_or_default();
            let context = caller.context_of(call["model"].as_str().unwrap_or_default(), &own);
            if !context.is_empty() {
                call["context"] = Value::Object(context);
            }
        }
        let lookups: Vec<Value> = self.lookups.iter().map(LookupResult::render).collect();
        let mut rendered = json!({"lookups": lookups, "calls": calls});
        if let Work::Many(many) = &self.work {
            let refused =
                many.records.iter().enumerate().filter_map(|(place, record)| Some((place, record.as_ref().err()?)));
            let refused = refused.map(|(place, error)| {
                json!({
                    "record": place, "code": error.code(), "path": error.path(), "message": mask_keys(&error.to_string()),
                    "errors": error.each_told(),
                })
            });
            rendered["refused"] = refused.collect();
            if many.is_atomic {
                rendered["atomic"] = json!(true);
            }
        }
        rendered
    }
}

/// The RPC of a search, before relations are expanded where the RPC cannot do that itself.
pub(crate) fn search(model: &str, domain: Value, page: Page, fields: &Fields) -> Rpc {
    match fields {
        Fields::Named(names) => Rpc::search_read(model, domain, json!(names), page),
        Fields::Nested { specification: Some(specification), .. } => {
            Rpc::web_search_read(model, domain, specification.clone(), page)
        }
        Fields::Nested { selection, specification: None } => {
            selection.reading(Rpc::search_read(model, domain, selection.names(), page))
        }
    }
}

impl LookupResult {
    fn render(&self) -> Value {
        let mut shown = json!({"model": self.model, "field": self.field, "value": self.value, "ids": self.ids});
        if !self.beside.is_empty() {
            shown["beside"] = Value::Object(self.beside.iter().cloned().collect());
        }
        shown
    }
}

/// The maximum number of records that are shown of those that go together.
const SHOWN_RECORDS: usize = 1_000;

/// The calls of several records: those for missing records, then those for records that go together, then those of each other
/// record. `records` has the places of the records that a call is for.
fn render_many(many: &Many) -> Value {
    let mut calls: Vec<Value> = many.shared.iter().map(render_step).collect();
    let mut is_together = HashSet::new();
    for Together(places) in &many.together {
        let mut steps = places.iter().filter_map(|place| many.records[*place].as_ref().ok()?.write.only_create());
        let Some(mut call) = steps.next().map(render_step) else { continue };
        if let Some(all) = call["args"]["vals_list"].as_array_mut() {
            let rest = steps.by_ref().take(SHOWN_RECORDS).map(render_step);
            let rest = rest.filter_map(|mut step| step["args"]["vals_list"].as_array_mut().map(std::mem::take));
            all.extend(rest.flatten());
            // The others are counted alone.
            let more = steps.count();
            if more > 0 {
                all.push(json!(format!("… ({more} more)")));
            }
        }
        call["records"] = json!(places);
        calls.push(call);
        is_together.extend(places.iter().copied());
    }
    for (place, record) in many.records.iter().enumerate().filter(|(place, _)| !is_together.contains(place)) {
        let Ok(record) = record else { continue };
        for step in record.write.steps.iter() {
            let mut call = render_step(step);
            call["records"] = json!([place]);
            calls.push(call);
        }
    }
    Value::Array(calls)
}

fn render_step(step: &Step) -> Value {
    let mut rpc = step.rpc.clone();
    let mut ids = Vec::new();
    for placeholder in &step.placeholders {
        let id = json!(placeholder.id.render());
        match &placeholder.at {
            At::Ids => ids.push(id),
            At::Argument(path) => *path.resolve(&mut rpc) = id,
        }
    }
    let mut rendered = rpc.render();
    if !ids.is_empty() {
        rendered["ids"] = Value::Array(ids);
    }
    let undo = match &step.purpose {
        Purpose::CreateMissing { .. } | Purpose::CreateFiles => Some(DELETED_AGAIN),
        Purpose::Main { .. }
        | Purpose::CheckDomain { .. }
        | Purpose::Name
        | Purpose::AttachFiles
        | Purpose::Translate => None,
    };
    if let Some(undo) = undo {
        rendered["undo"] = json!(undo);
    }
    rendered
}

impl FutureId {
    fn render(&self) -> String {
        match self {
            Self::Created { step, .. } => format!("<id from call {}>", step.position()),
            Self::Record(path) => path.render(),
        }
    }
}

impl RecordPath {
    fn render(&self) -> String {
        let root = match &self.root {
            Root::Step(step) => format!("<id from call {}>", step.position()),
            Root::Record { id, .. } => id.to_string(),
        };
        let lines: String = self.lines.iter().map(|line| format!(".{}[{}]", line.field, line.index)).collect();
        root + &lines
    }
}
