//! The route of a recorded call.

use std::{cmp::Ordering, fmt};

use serde::{Serialize, Serializer};

use crate::route::Route;

/// The name of requests that were passed on, in listings and filters.
const PASSED: &str = "proxy";

/// The route of a recorded call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RecordedRoute {
    /// A route of the interface.
    Api(Route),
    /// A request that is not a call: passed on to Odoo, or refused before that.
    Passed,
    /// A route that this version of the gateway does not have.
    Unknown(String),
}

impl RecordedRoute {
    /// The route that the log records under this name.
    pub fn named(name: &str) -> Self {
        match Route::named(name) {
            Some(route) => Self::Api(route),
            None if name == PASSED => Self::Passed,
            None => Self::Unknown(name.to_owned()),
        }
    }

    /// Its name, such as `create_data`, and `proxy` for a request that was passed on.
    pub fn name(&self) -> &str {
        match self {
            Self::Api(route) => route.name(),
            Self::Passed => PASSED,
            Self::Unknown(name) => name,
        }
    }
}

impl From<Route> for RecordedRoute {
    fn from(route: Route) -> Self {
        Self::Api(route)
    }
}

/// By name, as they are listed.
impl Ord for RecordedRoute {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl PartialOrd for RecordedRoute {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RecordedRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for RecordedRoute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_name_is_a_route_a_passed_request_or_unknown() {
        assert_eq!(RecordedRoute::named("create_data"), RecordedRoute::Api(Route::CreateData));
        assert_eq!(RecordedRoute::named("proxy"), RecordedRoute::Passed);
        assert_eq!(RecordedRoute::named("drop_data"), RecordedRoute::Unknown("drop_data".to_owned()));
        for name in ["create_data", "proxy", "drop_data"] {
            assert_eq!(serde_json::to_value(RecordedRoute::named(name)).unwrap(), name);
        }
    }
}
