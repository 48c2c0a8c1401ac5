//! Carries out a plan: the one write or read that it comes down to, and what is answered.
//!
//! Where the answer holds fields of a record that was just written, Odoo 17 and later give them within the write's own
//! transaction. Before, they are read after it; by then the write stands, so a failure to read is said beside the result
//! and never taken for a failure to write.

use serde_json::{Map, Value, json};

use crate::{
    odoo::{Caller, Error as OdooError, Rpc},
    plan::{Error, Fields, Plan, Selection, Step, Warning},
};

/// The first version whose `web_save`, `web_read` and `web_search_read` take a specification.
const READS_BY_SPECIFICATION: u16 = 17;

/// What came of a call that was carried out.
#[derive(Debug)]
pub struct Done {
    pub result: Value,
    /// The addon's sentence for it.
    pub message: String,
    pub warnings: Vec<Warning>,
}

/// Executes the plan. On an error nothing was written, unless the error says that this is not known.
pub async fn execute(caller: &Caller, plan: Plan) -> Result<Done, Error> {
    let Plan { step, mut warnings } = plan;
    let (result, message) = match step {
        Step::Create { model, values, company, wanted } => {
            let mut context = Map::new();
            // As the addon does: what is made without a company of its own belongs to the caller's.
            context.extend(company.map(|company| ("default_company_id".to_owned(), json!(company))));
            let mut records = save(caller, &model, Vec::new(), values, &wanted, context, &mut warnings).await?;
            (records.pop().unwrap_or_default(), "Record created successfully".to_owned())
        }
        Step::Update { model, ids, values, echo, wanted } => {
            let records = match ids.is_empty() {
                true => Vec::new(),
                false => save(caller, &model, ids.clone(), values, &wanted, Map::new(), &mut warnings).await?,
            };
            (updated(ids, echo, &wanted, records), "Record updated successfully".to_owned())
        }
        Step::Search { model, domain, page, fields } => {
            let records = match fields {
                Fields::Named(names) => caller.call(&Rpc::search_read(&model, domain, json!(names), page)).await?,
                Fields::Nested(wanted) => match specification(caller, &wanted).await? {
                    Some(specification) => {
                        let mut found = caller.call(&Rpc::web_search_read(&model, domain, specification, page)).await?;
                        shaped(found["records"].take(), &wanted)
                    }
                    None => {
                        let mut records = caller.call(&Rpc::search_read(&model, domain, wanted.names(), page)).await?;
                        wanted
                            .expand(caller, records.as_array_mut().map(Vec::as_mut_slice).unwrap_or_default())
                            .await?;
                        records
                    }
                },
            };
            (records, "Record search successfully".to_owned())
        }
        Step::Method { rpc } => {
            let message = format!("Function '{}' called successfully", rpc.method);
            (caller.call_method(rpc).await?, message)
        }
    };
    Ok(Done { result, message, warnings })
}

/// Creates (no ids) or writes, and gives the records with their ids and what is wanted of them.
async fn save(
    caller: &Caller,
    model: &str,
    ids: Vec<i64>,
    values: Map<String, Value>,
    wanted: &Selection,
    context: Map<String, Value>,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Value>, Error> {
    if !wanted.fields.is_empty()
        && let Some(specification) = specification(caller, wanted).await?
    {
        let rpc = Rpc { context, ..Rpc::web_save(model, ids, values, specification) };
        let Value::Array(records) = shaped(caller.call(&rpc).await?, wanted) else { return Ok(Vec::new()) };
        return Ok(records);
    }
    let ids = if ids.is_empty() {
        let made = caller.call(&Rpc { context, ..Rpc::create(model, vec![Value::Object(values)]) }).await?;
        made.as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
    } else {
        caller.call(&Rpc { context, ..Rpc::write(model, ids.clone(), values) }).await?;
        ids
    };
    if !wanted.fields.is_empty() {
        match read(caller, model, ids.clone(), wanted).await {
            Ok(records) => return Ok(records),
            Err(error) => warnings.push(Warning {
                code: "result_not_read",
                path: "result_field".to_owned(),
                message: format!("the record was written, but `result_field` could not be read: {error}"),
            }),
        }
    }
    Ok(ids.into_iter().map(|id| json!({"id": id})).collect())
}

async fn read(caller: &Caller, model: &str, ids: Vec<i64>, wanted: &Selection) -> Result<Vec<Value>, Error> {
    let Value::Array(mut records) = caller.call(&Rpc::read(model, ids, wanted.names())).await? else {
        return Ok(Vec::new());
    };
    wanted.expand(caller, &mut records).await?;
    Ok(records)
}

/// A specification of what is wanted, where this Odoo takes one and one can say it.
async fn specification(caller: &Caller, wanted: &Selection) -> Result<Option<Value>, OdooError> {
    let takes_one = caller.version().await? >= READS_BY_SPECIFICATION;
    Ok(wanted.specification().filter(|_| takes_one))
}

fn shaped(records: Value, wanted: &Selection) -> Value {
    match records {
        Value::Array(records) => records.into_iter().map(|record| wanted.shape(record)).collect(),
        other => other,
    }
}

/// The addon's answer to an update: the ids, overwritten by the search key's own `id` where it has one. The wanted fields
/// of one record stand beside them, those of several in `records`.
fn updated(ids: Vec<i64>, echo: Map<String, Value>, wanted: &Selection, mut records: Vec<Value>) -> Value {
    let mut result = Map::from_iter([("id".to_owned(), json!(ids))]);
    result.extend(echo);
    if wanted.fields.is_empty() {
        return Value::Object(result);
    }
    match &mut records[..] {
        [Value::Object(record)] => {
            record.retain(|name, _| name != "id");
            result.append(record);
        }
        [] => {}
        _ => {
            result.insert("records".to_owned(), Value::Array(records));
        }
    }
    Value::Object(result)
}
