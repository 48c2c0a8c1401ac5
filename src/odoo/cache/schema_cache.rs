//! The cache of schemas, bounded by their size in memory and shared where users see the same fields.
//!
//! What `fields_get` returns depends on the user's groups, and for sessions also on the session: fields of the group
//! `base.group_no_one` show in debug mode only, which a session is in or not (Odoo 14-19). It does not depend on the password or
//! key: those of one user share their schemas, sessions that callers bring do not. Neither language nor time zone matters, as
//! the attributes that are read are not translated.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use moka::future::Cache;
use tokio::time::Instant;

use super::single_flight;
use crate::odoo::{
    credential::{Credential, Fingerprint},
    model::{error::Error, schema::Schema},
};

/// How long a schema is used where nothing shows that it is out of date.
const FRESH: Duration = Duration::from_secs(60);
/// The maximum memory for all schemas, as estimated.
const MAX_BYTES: u64 = 64 << 20;

/// Whose view of a model a schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::odoo) enum Viewer {
    User(i64),
    Session(Fingerprint),
}

#[derive(Debug, Clone)]
pub(in crate::odoo) struct SchemaCache(Cache<(Viewer, String), Arc<Schema>>);

impl Viewer {
    pub(in crate::odoo) fn of(credential: &Credential, uid: i64) -> Self {
        match credential {
            Credential::Session(_) => Self::Session(credential.fingerprint()),
            Credential::Key(_) | Credential::LoginKey { .. } | Credential::Password { .. } => Self::User(uid),
        }
    }
}

impl SchemaCache {
    pub(in crate::odoo) fn new() -> Self {
        Self::with_capacity(MAX_BYTES)
    }

    fn with_capacity(bytes: u64) -> Self {
        let weigh = |(_, model): &(Viewer, String), schema: &Arc<Schema>| {
            u32::try_from(model.len() + schema.size_in_memory()).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(bytes).weigher(weigh).time_to_live(FRESH).build())
    }

    /// The cached schema, or the result of `fetch`, which is then cached. An error about the credential of another caller that
    /// fetched the same schema is not shared.
    ///
    /// # Errors
    /// Those of `fetch`, and [`Error::OutOfTime`] at `until`.
    pub(in crate::odoo) async fn get_or_fetch<F: Future<Output = Result<Arc<Schema>, Error>>>(
        &self,
        viewer: Viewer,
        model: &str,
        until: Instant,
        fetch: impl Fn() -> F,
    ) -> Result<Arc<Schema>, Error> {
        loop {
            let is_own = AtomicBool::new(false);
            let fetch = || {
                is_own.store(true, Relaxed);
                fetch()
            };
            match single_flight::get_or_fetch(&self.0, (viewer, model.to_owned()), until, fetch).await {
                Err(error) if error.is_about_credentials() && !is_own.load(Relaxed) => {}
                outcome => return outcome,
            }
        }
    }

    /// The cached schema, without a question to Odoo.
    pub(in crate::odoo) async fn get(&self, viewer: Viewer, model: &str) -> Option<Arc<Schema>> {
        self.0.get(&(viewer, model.to_owned())).await
    }

    pub(in crate::odoo) async fn invalidate(&self, viewer: Viewer, model: &str) {
        self.0.invalidate(&(viewer, model.to_owned())).await;
    }

    pub(in crate::odoo) fn invalidate_all(&self) {
        self.0.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;
    use tokio::time;

    use super::*;

    fn until() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn schema(model: &str, fields: usize) -> Arc<Schema> {
        let field = |number: usize| (format!("field_{number}"), json!({"type": "char", "store": true}));
        Arc::new(Schema::new(model, (0..fields).map(field).collect::<HashMap<_, _>>()))
    }

    #[tokio::test]
    async fn the_memory_for_all_schemas_is_bounded() {
        let cache = SchemaCache::with_capacity(1 << 20);
        for number in 0..200 {
            let model = format!("model.{number}");
            cache.get_or_fetch(Viewer::User(7), &model, until(), async || Ok(schema(&model, 100))).await.unwrap();
        }
        cache.0.run_pending_tasks().await;
        assert!(cache.0.weighted_size() <= 1 << 20 && cache.0.entry_count() > 10, "{}", cache.0.entry_count());
    }

    #[tokio::test]
    async fn keys_and_passwords_of_a_user_share_a_schema_and_sessions_do_not() {
        let password = Credential::Password { login: "l".to_owned(), password: "p".into() };
        let viewers = [
            Viewer::of(&Credential::Key("k".into()), 7),
            Viewer::of(&password, 7),
            Viewer::of(&Credential::Key("k".into()), 8),
            Viewer::of(&Credential::Session("s".into()), 7),
            Viewer::of(&Credential::Session("t".into()), 7),
        ];
        let cache = SchemaCache::new();
        let mut fetched = 0;
        for viewer in viewers {
            let is_fetched = AtomicBool::new(false);
            let fetch = async || {
                is_fetched.store(true, Relaxed);
                Ok(schema("m", 1))
            };
            cache.get_or_fetch(viewer, "m", until(), fetch).await.unwrap();
            fetched += u32::from(is_fetched.into_inner());
        }
        assert_eq!(fetched, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_odoo_refuses_takes_nothing_from_another_of_the_same_user() {
        let cache = SchemaCache::new();
        let get = async |outcome: Result<Arc<Schema>, Error>| {
            let fetch = async || {
                time::sleep(Duration::from_secs(1)).await;
                outcome.clone()
            };
            cache.get_or_fetch(Viewer::User(7), "m", until(), fetch).await
        };
        let (revoked, valid) = tokio::join!(get(Err(Error::WrongKey)), get(Ok(schema("m", 1))));
        assert_eq!((revoked.unwrap_err().code().as_str(), valid.is_ok()), ("wrong_key", true));
    }
}
