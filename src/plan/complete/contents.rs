//! The content of files that a payload names by their URL: each URL is fetched once, before anything is written.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::future;
use reqwest::Url;

use crate::{
    fetch::CallFiles,
    odoo::Caller,
    plan::{Error, policy_check::denied, read::Remote},
    policy::Touch,
};

/// The number of files of one call that are fetched at the same time.
const MAX_CONCURRENT: usize = 4;

/// The files of a call by their URL, in base64. A dry run fetches none.
#[derive(Debug, Default)]
pub(super) struct Contents(BTreeMap<Url, String>);

impl Contents {
    /// Checks all URLs, and fetches them unless the plan is only shown.
    ///
    /// # Errors
    /// There are too many; one may not be fetched, or is not to be had.
    pub(super) async fn fetch(
        caller: &Caller,
        files: &CallFiles,
        remote: &[Remote],
        is_dry_run: bool,
    ) -> Result<Self, Error> {
        let mut each: BTreeMap<&Url, &str> = BTreeMap::new();
        for Remote { url, path } in remote {
            caller.policy().decide(Touch::FileByUrl).map_err(denied(path))?;
            files.check(url).map_err(|source| Error::File { path: path.clone(), source })?;
            each.entry(url).or_insert(path);
            if files.left(each.keys().copied()).is_none() {
                let problem =
                    format!("is one file too many: a call may name {} (`[files] max_count`)", files.max_count());
                return Err(Error::WrongKind { path: path.clone(), problem });
            }
        }
        let mut contents = BTreeMap::new();
        let each: Vec<(&Url, &str)> = each.into_iter().filter(|_| !is_dry_run).collect();
        for some in each.chunks(MAX_CONCURRENT) {
            let fetched = some.iter().map(|(url, path)| fetch_one(caller, files, url, path));
            contents.extend(future::try_join_all(fetched).await?);
        }
        Ok(Self(contents))
    }

    /// The content of a file; none in a dry run.
    pub(super) fn of(&self, url: &Url) -> Option<&str> {
        self.0.get(url).map(String::as_str)
    }
}

async fn fetch_one(caller: &Caller, files: &CallFiles, url: &Url, path: &str) -> Result<(Url, String), Error> {
    let fetched = files.fetch(url, caller.until()).await;
    let content = fetched.map_err(|source| Error::File { path: path.to_owned(), source })?;
    Ok((url.clone(), BASE64_STANDARD.encode(&content)))
}
