//! A plan as a person reads it: what was looked up and found, and the calls that would follow.

use serde_json::{Value, json};

use super::{
    Fields, Looked, On, Plan, Work,
    steps::{At, Place, Purpose, Root, Step},
};
use crate::odoo::Rpc;

impl Plan {
    /// `{"lookups": […], "calls": […]}`. An id that an earlier call will give reads `<id from call 1>`, the first call
    /// being 1.
    pub fn render(&self) -> Value {
        let calls = match &self.work {
            Work::Write(write) => write.steps.iter().map(render_step).collect(),
            Work::Search { model, domain, page, fields } => {
                let rpc = match fields {
                    Fields::Named(names) => Rpc::search_read(model, domain.clone(), json!(names), page.clone()),
                    Fields::Nested(wanted) => match wanted.specification() {
                        Some(specification) => Rpc::web_search_read(model, domain.clone(), specification, page.clone()),
                        None => Rpc::search_read(model, domain.clone(), wanted.names(), page.clone()),
                    },
                };
                json!([rpc.render()])
            }
            Work::Method { rpc, on } => {
                let mut rendered = rpc.render();
                if *on == On::Whichever {
                    rendered["note"] = json!("called on the model instead where the method takes no records");
                }
                json!([rendered])
            }
        };
        let lookups: Vec<Value> = self.lookups.iter().map(Looked::render).collect();
        json!({"lookups": lookups, "calls": calls})
    }
}

impl Looked {
    fn render(&self) -> Value {
        json!({"model": self.model, "field": self.field, "value": self.value, "ids": self.ids})
    }
}

fn render_step(step: &Step) -> Value {
    let mut rpc = step.rpc.clone();
    let mut ids = Vec::new();
    for hole in &step.holes {
        let id = json!(format!("<id from call {}>", hole.step + 1));
        match &hole.at {
            At::Ids => ids.push(id),
            At::Argument(pointer) => {
                if let Some(place) = rpc.argument_mut(pointer) {
                    *place = id;
                }
            }
        }
    }
    if let Purpose::Tie { place } = &step.purpose
        && let Some(id) = rpc.argument_mut("/vals/res_id")
    {
        *id = json!(place.render());
    }
    let mut rendered = rpc.render();
    if !ids.is_empty() {
        rendered["ids"] = Value::Array(ids);
    }
    let undo = match &step.purpose {
        Purpose::Make { .. } | Purpose::Files => Some("deleted again if a later call is refused"),
        Purpose::Main { .. } | Purpose::Tie { .. } => None,
    };
    if let Some(undo) = undo {
        rendered["undo"] = json!(undo);
    }
    rendered
}

impl Place {
    fn render(&self) -> String {
        let root = match &self.root {
            Root::Step(step) => format!("<id from call {}>", step + 1),
            Root::Record { id, .. } => id.to_string(),
        };
        let lines: String = self.lines.iter().map(|line| format!(".{}[{}]", line.field, line.index)).collect();
        root + &lines
    }
}
