//! A plan for people: what was looked up and found, and the RPCs that would follow.

use serde_json::{Value, json};

use super::{
    Fields, LookupResult, On, Plan, Work, attachment,
    steps::{At, FutureId, Purpose, RecordPath, Root, Step},
};
use crate::odoo::{Caller, Page, Rpc};

const DELETED_AGAIN: &str = "deleted again if a later call is refused";

impl Plan {
    /// Renders the plan as `{"lookups": […], "calls": […]}`. An id that an earlier call will give reads `<id from call
    /// 1>`, counted from 1.
    pub fn render(&self, caller: &Caller) -> Value {
        let policy = caller.policy();
        let mut calls: Value = match &self.work {
            Work::Write(write) => write.steps.iter().map(render_step).collect(),
            Work::Search { model, domain, page, most: _, fields } => {
                let rpc = search(model, domain.clone(), page.clone(), fields);
                // The search is shown as it is sent, restricted to the caller's domain.
                json!([rpc.within(policy).map_or_else(|_| rpc.render(), |rpc| rpc.render())])
            }
            Work::Count { rpc } | Work::Groups { rpc, .. } => {
                json!([rpc.within(policy).map_or_else(|_| rpc.render(), |rpc| rpc.render())])
            }
            Work::Method { rpc, on, files, then } => {
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
        json!({"lookups": lookups, "calls": calls})
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
        Purpose::Main { .. } | Purpose::CheckDomain { .. } | Purpose::AttachFiles => None,
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
