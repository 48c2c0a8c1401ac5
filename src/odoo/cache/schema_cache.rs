//! The cache of schemas. It is bounded by their size in memory, and equal schemas of several users are held once: most users of
//! an Odoo see the same fields of most models.
//!
//! What `fields_get` returns depends on the user's groups, and for sessions also on the session: fields of the group
//! `base.group_no_one` show in debug mode only, which a session is in or not (Odoo 14-19). It does not depend on the password or
//! key: those of one user share their schemas, sessions that callers bring do not. Neither language nor time zone matters, as
//! the attributes that are read are not translated.

use std::{
    hash::RandomState,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{self, Duration},
};

use moka::future::Cache;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::single_flight;
use crate::odoo::{
    credential::{Credential, Fingerprint},
    model::{error::Error, schema::Schema},
};

/// How long a schema is used where nothing shows that it is out of date.
const FRESH: Duration = Duration::from_secs(60);
/// A schema that nobody has used for so long is dropped.
const IDLE: Duration = Duration::from_secs(120);
/// The maximum memory for all schemas, as estimated.
const MAX_BYTES: u64 = 64 << 20;
/// And for which viewer sees which of them: some 60,000 pairs of viewer and model.
const MAX_BYTES_OF_VIEWS: u64 = 16 << 20;
/// What the cache itself holds of an entry, about.
const ENTRY: usize = 128;

/// Whose view of a model a schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::odoo) enum Viewer {
    User(i64),
    Session(Fingerprint),
}

/// Which schema a viewer sees. The schema is held by the cache of schemas alone, so that its bounds hold.
#[derive(Debug, Clone)]
struct View {
    schema: Weak<Schema>,
    hash: u64,
    read_at: time::Instant,
}

/// A schema, and when it was read for this viewer.
#[derive(Debug, Clone)]
pub(in crate::odoo) struct Known {
    pub(in crate::odoo) schema: Arc<Schema>,
    read_at: time::Instant,
}

#[derive(Debug, Clone)]
pub(in crate::odoo) struct SchemaCache {
    views: Cache<(Viewer, String), View>,
    /// By their hash, which differs from one process to the next.
    schemas: Cache<u64, Arc<Schema>>,
    hasher: RandomState,
}

impl Known {
    pub(in crate::odoo) fn is_older_than(&self, age: Duration) -> bool {
        self.read_at.elapsed() > age
    }
}

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
        let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let view = move |(_, model): &(Viewer, String), _: &View| {
            size(size_of::<(Viewer, String)>() + size_of::<View>() + model.len() + ENTRY)
        };
        let schema = move |_: &u64, schema: &Arc<Schema>| size(schema.size_in_memory() + ENTRY);
        Self {
            views: Cache::builder().max_capacity(MAX_BYTES_OF_VIEWS).weigher(view).time_to_live(FRESH).build(),
            schemas: Cache::builder().max_capacity(bytes).weigher(schema).time_to_idle(IDLE).build(),
            hasher: RandomState::new(),
        }
    }

    /// The cached schema, or the result of `fetch`, which is then cached. An error about the credential of another caller that
    /// fetched the same schema is not shared.
    ///
    /// # Errors
    /// Those of `fetch`, and [`Error::OutOfTime`] at `until`.
    pub(in crate::odoo) async fn get_or_fetch<F: Future<Output = Result<Schema, Error>>>(
        &self,
        viewer: Viewer,
        model: &str,
        until: Instant,
        fetch: impl Fn() -> F,
    ) -> Result<Known, Error> {
        let key = (viewer, model.to_owned());
        loop {
            let is_own = AtomicBool::new(false);
            // What was fetched here is used, whether or not there is room for it.
            let fetched = Mutex::new(None);
            let fetch = || {
                is_own.store(true, Relaxed);
                let (fetch, fetched) = (fetch(), &fetched);
                async move {
                    let (schema, hash) = self.held_once(fetch.await?).await;
                    let view = View { schema: Arc::downgrade(&schema), hash, read_at: time::Instant::now() };
                    *fetched.lock() = Some(schema);
                    Ok(view)
                }
            };
            let view = match single_flight::get_or_fetch(&self.views, key.clone(), until, fetch).await {
                Err(error) if error.is_about_credentials() && !is_own.load(Relaxed) => continue,
                view => view?,
            };
            let View { schema, hash, read_at } = view;
            // So that the cache knows that it is in use.
            self.schemas.get(&hash).await;
            if let Some(schema) = fetched.into_inner().or_else(|| schema.upgrade()) {
                return Ok(Known { schema, read_at });
            }
            // Other schemas have taken its room.
            self.views.invalidate(&key).await;
        }
    }

    /// The cached schema, without a question to Odoo.
    pub(in crate::odoo) async fn get(&self, viewer: Viewer, model: &str) -> Option<Known> {
        let View { schema, hash, read_at } = self.views.get(&(viewer, model.to_owned())).await?;
        // So that the cache knows that it is in use.
        self.schemas.get(&hash).await;
        Some(Known { schema: schema.upgrade()?, read_at })
    }

    /// The schema that is equal to this one, if there is one, and else this one, which is held from now on; with its hash.
    async fn held_once(&self, schema: Schema) -> (Arc<Schema>, u64) {
        let hash = schema.hash_by(&self.hasher);
        if let Some(known) = self.schemas.get(&hash).await
            && *known == schema
        {
            return (known, hash);
        }
        let schema = Arc::new(schema);
        self.schemas.insert(hash, schema.clone()).await;
        (schema, hash)
    }

    pub(in crate::odoo) async fn invalidate(&self, viewer: Viewer, model: &str) {
        self.views.invalidate(&(viewer, model.to_owned())).await;
    }

    pub(in crate::odoo) fn invalidate_all(&self) {
        self.views.invalidate_all();
        self.schemas.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;

    fn until() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn schema(model: &str, fields: usize) -> Schema {
        let field = |number: usize| (format!("field_{number}"), json!({"type": "char", "store": true}));
        Schema::new(model, (0..fields).map(field).collect::<HashMap<_, _>>())
    }

    #[tokio::test]
    async fn the_memory_for_all_schemas_is_bounded() {
        let cache = SchemaCache::with_capacity(1 << 20);
        for number in 0..200 {
            let model = format!("model.{number}");
            cache.get_or_fetch(Viewer::User(7), &model, until(), async || Ok(schema(&model, 100))).await.unwrap();
        }
        cache.schemas.run_pending_tasks().await;
        let (size, number) = (cache.schemas.weighted_size(), cache.schemas.entry_count());
        assert!(size <= 1 << 20 && number > 10, "{size} {number}");
        // Those that have no room are fetched anew, and the others are not.
        let mut anew = 0;
        for number in 0..200 {
            let model = format!("model.{number}");
            let fetch = async || Ok(schema(&model, 7));
            let known = cache.get_or_fetch(Viewer::User(7), &model, until(), fetch).await.unwrap();
            anew += u32::from(known.schema.names().count() == 7);
        }
        assert!((100..200).contains(&anew), "{anew}");
    }

    #[tokio::test]
    async fn users_who_see_the_same_fields_share_one_schema_and_others_do_not() {
        let cache = SchemaCache::new();
        let mut seen = Vec::new();
        for user in 0..500 {
            let fields = if user == 400 { 99 } else { 100 };
            let fetch = async || Ok(schema("m", fields));
            seen.push(cache.get_or_fetch(Viewer::User(user), "m", until(), fetch).await.unwrap().schema);
        }
        let shared = seen.iter().filter(|schema| Arc::ptr_eq(schema, &seen[0])).count();
        cache.schemas.run_pending_tasks().await;
        assert_eq!((shared, cache.schemas.entry_count(), seen[400].names().count()), (499, 2, 99));
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
        let get = async |outcome: Result<usize, Error>| {
            let fetch = async || {
                tokio::time::sleep(Duration::from_secs(1)).await;
                outcome.clone().map(|fields| schema("m", fields))
            };
            cache.get_or_fetch(Viewer::User(7), "m", until(), fetch).await
        };
        let (revoked, valid) = tokio::join!(get(Err(Error::WrongKey)), get(Ok(1)));
        assert_eq!((revoked.unwrap_err().code().as_str(), valid.is_ok()), ("wrong_key", true));
    }
}
