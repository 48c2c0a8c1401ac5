//! What a call may do to find out the outcome of its writes, by the configuration and the entry of its client.

use super::recorded::Recorded;
use crate::{execute::Settling, policy::Name};

impl Recorded<'_> {
    pub(super) fn settling(&self) -> Settling {
        Settling {
            deadline: self.caller.until(),
            longest_request: self.authenticated.service.config.delivery.longest_request,
            earlier: None,
            safe_methods: self.safe_methods().to_vec(),
        }
    }

    /// The methods that the client's entry names as safe to call again.
    fn safe_methods(&self) -> &[Name] {
        let name = self.authenticated.docket.who.client.as_deref();
        let mut clients = self.authenticated.service.config.clients.iter();
        clients.find(|client| Some(&*client.name) == name).map_or(&[], |client| &client.safe_methods)
    }
}
