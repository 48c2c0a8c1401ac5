//! What a delivery is known by: all attempts of a sender to deliver the same event are one delivery.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::{
    call::auth,
    config::SameContent,
    hook::{self, Hook, Input, Sent, SentBody},
};

/// What a delivery is known by, among those of its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::call) struct Identity {
    /// The key that it has in the store. No key that a caller sends has a blank in it.
    pub(in crate::call) key: String,
    pub(in crate::call) digest: [u8; 32],
    /// How long it is known, where that is not the time of all keys.
    pub(in crate::call) known_for: Option<Duration>,
    /// What its sender calls it.
    pub(in crate::call) id: Option<String>,
}

impl Identity {
    /// That of the content that was signed.
    pub(in crate::call) fn of_signed(signed: &auth::Delivery) -> Self {
        Self { key: signed.key(), digest: signed.digest(), known_for: signed.known_for(), id: None }
    }

    /// That of an id, among those of a hook: a sender may send one event to two hooks, and both count.
    fn of_id(hook: &str, id: String) -> Self {
        let digest: [u8; 32] = Sha256::new().chain_update(hook).chain_update([0]).chain_update(&id).finalize().into();
        Self { key: format!("event {}", const_hex::encode(digest)), digest, known_for: None, id: Some(id) }
    }
}

/// What identifies a delivery; none where nothing does.
///
/// # Errors
/// `delivery_id` fails.
pub(super) async fn of(
    hook: &Hook,
    input: &Input,
    sent: &Sent,
    signed: Option<&auth::Delivery>,
) -> Result<Option<Identity>, hook::Error> {
    // Of a body that cannot be read, an expression says nothing.
    if let SentBody::Json(_) = sent.body
        && let Some(id) = hook.delivery_id(input).await?
    {
        return Ok(Some(Identity::of_id(hook.name(), id)));
    }
    let is_new = hook.entry.same_content == SameContent::New;
    Ok(signed.filter(|signed| !is_new || signed.known_for().is_none()).map(Identity::of_signed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_another_delivery_at_another_hook() {
        let one = Identity::of_id("orders", "7".to_owned());
        assert_eq!(one, Identity::of_id("orders", "7".to_owned()));
        for other in [Identity::of_id("orders", "8".to_owned()), Identity::of_id("refunds", "7".to_owned())] {
            assert_ne!((one.key.clone(), one.digest), (other.key, other.digest));
        }
        assert_ne!(Identity::of_id("a", "b".to_owned()).key, Identity::of_id("ab", String::new()).key);
        assert!(one.key.len() < 100 && one.key.contains(' '));
    }
}
