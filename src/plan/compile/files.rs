//! The calls for files that no field of their record takes: one creates all of them before the main call, others attach them to
//! the records that did not exist then.

use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::{
    odoo::Rpc,
    plan::{
        attachment,
        read::File,
        steps::{At, FutureId, Line, Placeholder, Purpose, RecordIndex, RecordPath, Root, Step, StepId, Steps, Trail},
    },
};

/// The files of a call, gathered before the call that creates them.
#[derive(Debug, Default)]
pub(super) struct Files {
    attachments: Vec<Value>,
    to_known: Vec<(Root, Group)>,
    to_new: Vec<Group>,
}

/// The files of one record that has to be found before they can be attached to it.
#[derive(Debug)]
struct Group {
    /// The lines that lead to the record.
    lines: Vec<Line>,
    /// The record's model.
    model: String,
    /// Which of the created attachments they are.
    created: Range<usize>,
}

impl Files {
    /// Adds files of the record of `model` at `root`, or of a line below it. An existing record is named in the values.
    pub(super) fn of_record(&mut self, root: Root, model: &str, lines: Vec<Line>, files: Vec<File>) {
        match &root {
            Root::Record { model, id } if lines.is_empty() => {
                let owner = [("res_model".to_owned(), json!(model)), ("res_id".to_owned(), json!(id))];
                self.add(files, &Map::from_iter(owner));
            }
            Root::Record { .. } | Root::Step(_) => {
                let group = self.group(model, lines, files);
                self.to_known.push((root, group));
            }
        }
    }

    /// Adds files of the record of `model` that the main call creates, or of a line below it.
    pub(super) fn of_new_record(&mut self, model: &str, lines: Vec<Line>, files: Vec<File>) {
        let group = self.group(model, lines, files);
        self.to_new.push(group);
    }

    fn group(&mut self, model: &str, lines: Vec<Line>, files: Vec<File>) -> Group {
        let model = lines.last().map_or(model, |line| &line.model).to_owned();
        Group { lines, model, created: self.add(files, &Map::new()) }
    }

    fn add(&mut self, files: Vec<File>, owner: &Map<String, Value>) -> Range<usize> {
        let first = self.attachments.len();
        for file in files {
            let mut values = file.values();
            values.extend(owner.clone());
            self.attachments.push(Value::Object(values));
        }
        first..self.attachments.len()
    }

    /// Adds the call that creates the files, where there are any.
    pub(super) fn create(self, steps: &mut Steps) -> Attach {
        let Self { attachments, to_known, to_new } = self;
        if attachments.is_empty() {
            return Attach(None);
        }
        let rpc = Rpc::create(attachment::MODEL, attachments);
        let files = steps.push(Step { rpc, placeholders: Vec::new(), purpose: Purpose::CreateFiles });
        Attach(Some(Created { files, to_known, to_new }))
    }
}

/// Files that follow the main call; nothing where there are none.
#[derive(Debug)]
pub(super) struct Attach(Option<Created>);

#[derive(Debug)]
struct Created {
    files: StepId,
    to_known: Vec<(Root, Group)>,
    to_new: Vec<Group>,
}

impl Attach {
    /// Adds the calls that attach the files, those of the new record too, which `main` creates.
    pub(super) fn after_create(self, steps: &mut Steps, main: StepId) {
        let Some(Created { files, to_known, to_new }) = self.0 else { return };
        let to_new = to_new.into_iter().map(|group| (Root::Step(main), group));
        for (root, group) in to_known.into_iter().chain(to_new) {
            steps.push(group.attach(files, root));
        }
    }

    /// Adds the calls that attach the files of a write that creates no record of its own.
    pub(super) fn after_update(self, steps: &mut Steps) {
        let Some(Created { files, to_known, .. }) = self.0 else { return };
        for (root, group) in to_known {
            steps.push(group.attach(files, root));
        }
    }
}

impl Group {
    /// The call that attaches the files to their record. The same values once more do no harm.
    fn attach(self, files: StepId, root: Root) -> Step {
        let Self { lines, model, created } = self;
        let values = [("res_model".to_owned(), json!(model)), ("res_id".to_owned(), Value::Null)];
        let rpc = Rpc::write(attachment::MODEL, Vec::new(), Map::from_iter(values));
        let ids = created
            .map(|index| Placeholder { at: At::Ids, id: FutureId::Created { step: files, index: RecordIndex(index) } });
        let record = Placeholder {
            at: At::Argument(Trail::Argument("vals").key("res_id").to_path()),
            id: FutureId::Record(RecordPath { root, lines }),
        };
        Step { rpc, placeholders: ids.chain([record]).collect(), purpose: Purpose::AttachFiles }
    }
}
