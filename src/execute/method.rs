//! The call of a method, with the files that it posts, and of the methods of wizards that it asks back with.
//!
//! Each RPC is a transaction of its own. What a method has done before Odoo refuses the answer to its wizard stays done, and
//! nothing tells what that is; so the refusal names the records that it was called on, as perhaps changed.

use serde_json::{Value, json};

use super::{
    Error, Incomplete, answered,
    failed::{failed, is_lost},
    leftover::{Fate, Leftover},
    settle::{How, Settler},
    undo::{Kind, Undo, UndoList, ids_of},
};
use crate::{
    odoo::{self, Caller, Rpc},
    plan::{self, On, SideEffects, Then, Warning, Wizard},
};

/// Calls the method; answers its wizards with `then`, as long as it asks back. The result is that of the last method, with the
/// warning that Odoo asks back where it still does.
///
/// # Errors
/// Odoo or the policy refuses. Of an answer to a wizard, the error names what was called before.
pub(super) async fn call(
    settler: Settler<'_>,
    rpc: Rpc,
    on: On,
    files: Vec<Value>,
    then: Vec<Then>,
) -> Result<(Value, Option<Warning>), Error> {
    let caller = settler.caller;
    let mut called = rpc.clone();
    let mut result = match files.is_empty() {
        true => call_one(settler, rpc, on).await?,
        false => call_with_files(settler, rpc, on, files).await?,
    };
    answered::refuse_unloaded(&called.method, &result)?;
    for then in then {
        let Some(wizard) = Wizard::of(&result, &called) else { break };
        (result, called) = answer(caller, &then, wizard).await.map_err(|cause| after(&called, cause))?;
    }
    let asked_back = answered::asks_back(&called.method, &result);
    Ok((result, asked_back))
}

/// Calls it once more where its answer was lost, and the client's entry names it as safe to call again.
async fn call_one(settler: Settler<'_>, rpc: Rpc, on: On) -> Result<Value, odoo::Error> {
    let caller = settler.caller;
    let call = async |rpc: Rpc| match on {
        On::Whichever => caller.call_method(rpc).await,
        On::Model => caller.call(&rpc).await,
    };
    settler.decide_method(&rpc).await?;
    if !settler.is_safe(&rpc) {
        return call(rpc).await;
    }
    match call(rpc.clone()).await {
        Err(error) if is_lost(&error) => call(rpc).await,
        outcome => outcome,
    }
}

/// Creates files, and calls the method with their ids. Where Odoo refuses it, they are deleted again.
async fn call_with_files(settler: Settler<'_>, mut rpc: Rpc, on: On, files: Vec<Value>) -> Result<Value, Error> {
    let caller = settler.caller;
    let create = Rpc::create(plan::FILES, files);
    let created = match settler.send(&create, How::Alone).await {
        Ok(created) => ids_of(&created.answer),
        Err(error) => return Err(UndoList::new(caller).give_up(failed(error, &create, false)).await),
    };
    let mut passed = match rpc.kwargs.shift_remove("attachment_ids") {
        Some(Value::Array(passed)) => passed,
        _ => Vec::new(),
    };
    passed.extend(created.iter().map(|id| json!(id)));
    rpc.kwargs.insert("attachment_ids".to_owned(), Value::Array(passed));
    let called = rpc.clone();
    match call_one(settler, rpc, on).await {
        Ok(result) => Ok(result),
        Err(error) => {
            let mut undo = UndoList::new(caller);
            let side_effects = SideEffects::default();
            undo.push(Undo { model: plan::FILES.to_owned(), ids: created, kind: Kind::Files, side_effects });
            let keeps_files = is_lost(&error);
            Err(undo.give_up(failed(error, &called, keeps_files)).await)
        }
    }
}

async fn answer(caller: &Caller, then: &Then, wizard: Wizard) -> Result<(Value, Rpc), plan::Error> {
    let rpc = then.open(caller, wizard).await?;
    let result = caller.call_method(rpc.clone()).await?;
    Ok((result, rpc))
}

fn after(called: &Rpc, cause: plan::Error) -> Error {
    let left = Leftover {
        model: called.model.clone(),
        ids: called.ids.clone().unwrap_or_default(),
        fate: Fate::Unknown,
        why: format!("`{}` was carried out before its wizard was answered", called.method),
        with: Vec::new(),
    };
    Error::Incomplete(Incomplete { cause, left: vec![left] })
}
