//! The schemas of models, as the caller's user sees them.

use std::{collections::HashMap, sync::Arc};

use futures_util::future;
use serde_json::Value;

use super::Caller;
use crate::{
    odoo::{
        DOUBTLESS,
        cache::schema_cache::Viewer,
        model::{
            effect::Effect,
            error::{Error, Why},
            rpc::Rpc,
            schema::{self, Schema},
        },
    },
    policy::Touch,
};

impl Caller {
    /// The schema of a model, from the cache or from Odoo.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub async fn schema(&self, model: &str) -> Result<Arc<Schema>, Error> {
        // The cached schema may come from a caller with another policy.
        self.policy.decide(Touch::Model(model))?;
        let (viewer, until) = (self.viewer(), self.options().until);
        let known = self.odoo.schemas.get_or_fetch(viewer, model, until, || self.fetch_schema(model)).await?;
        if known.is_older_than(DOUBTLESS) {
            self.cached_schemas_used.lock().push(model.to_owned());
        }
        let schema = known.schema;
        let mut read = self.schemas_read.lock();
        read.retain(|known| known.model != model);
        read.push(schema.clone());
        drop(read);
        Ok(schema)
    }

    fn viewer(&self) -> Viewer {
        Viewer::of(&self.access.credential, self.identity().uid)
    }

    async fn fetch_schema(&self, model: &str) -> Result<Schema, Error> {
        let fields = self.call(&Rpc::fields_get(model, &schema::ATTRIBUTES)).await?;
        let fields: HashMap<String, Value> = serde_json::from_value(fields).map_err(|error| Error::NoAnswer {
            effect: Effect::Read,
            why: Why::Garbled(format!("fields_get of {model}: {error}")),
        })?;
        Ok(Schema::new(model, fields))
    }

    /// The schemas that this call has read so far, from Odoo or from the cache.
    pub fn schemas_seen(&self) -> Vec<Arc<Schema>> {
        self.schemas_read.lock().clone()
    }

    /// Invalidates the cached schemas that this call has used; false where it has used none. A field that Odoo or the payload
    /// names and the schema does not may be a new one.
    pub async fn forget_schemas(&self) -> bool {
        let models = std::mem::take(&mut *self.cached_schemas_used.lock());
        for model in &models {
            self.odoo.schemas.invalidate(self.viewer(), model).await;
        }
        !models.is_empty()
    }

    /// The schemas of several models, read concurrently.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub async fn schemas(&self, models: impl IntoIterator<Item = String>) -> Result<Vec<Arc<Schema>>, Error> {
        future::try_join_all(models.into_iter().map(|model| async move { self.schema(&model).await })).await
    }
}
