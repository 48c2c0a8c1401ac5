//! The planner of each route.

use super::Call;
use crate::{
    config::Config,
    fetch::CallFiles,
    odoo::Caller,
    plan::{self, Asked, Noted, Plan, WarningCode},
    route::Route,
};

/// The plan of a call. It is made once more where the models turn out to be other than they are cached. `noted` keeps the
/// warnings for a refusal.
///
/// # Errors
/// The payload does not fit the models, a lookup finds nothing or too much, the policy or Odoo refuses to read something.
pub async fn plan_call(
    config: &Config,
    files: &CallFiles,
    caller: &Caller,
    route: Route,
    call: &Call,
    noted: &Noted,
) -> Result<Plan, plan::Error> {
    let plan = plan_once(config, files, caller, route, call, noted).await;
    if doubts_schema(&plan) && caller.forget_schemas().await {
        return plan_once(config, files, caller, route, call, noted).await;
    }
    plan
}

/// The plan of a call, from the models as they are cached.
///
/// # Errors
/// As those of [`plan_call`].
pub(super) async fn plan_once(
    config: &Config,
    files: &CallFiles,
    caller: &Caller,
    route: Route,
    call: &Call,
    noted: &Noted,
) -> Result<Plan, plan::Error> {
    // What an earlier plan warned of may no longer hold.
    noted.take();
    plan::check_places(route, &call.vals)?;
    plan::take_context(caller, &call.model, &call.vals).await?;
    let Config { compat, limits, .. } = config;
    let asked = Asked { model: &call.model, vals: &call.vals, compat, files, rows: limits.rows.get(), noted };
    let plan = match route {
        Route::CreateData => Box::pin(plan::create_data(caller, asked)).await,
        Route::CreateUpdateData => Box::pin(plan::create_update_data(caller, asked)).await,
        Route::UpdateData => Box::pin(plan::update_data(caller, asked)).await,
        Route::DeleteData => Box::pin(plan::delete_data(caller, asked)).await,
        Route::SearchData => Box::pin(plan::search_data(caller, asked)).await,
        Route::CallFunction => Box::pin(plan::call_function(caller, asked)).await,
    };
    plan.map_err(|error| error.in_order(&call.vals))
}

/// Whether the call names a field that the cached models lack, or Odoo does not let its user read what they have.
fn doubts_schema(plan: &Result<Plan, plan::Error>) -> bool {
    match plan {
        Ok(plan) => {
            plan.may_come_of_old_schemas()
                || plan.all_warnings().any(|warning| warning.code == WarningCode::UnknownField)
        }
        Err(error) => error.may_come_of_old_schemas(),
    }
}
