//! The routes of the interface, one row each. Another route is a row here and a planner in `call/planner.rs`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A route of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Route {
    CreateData,
    CreateUpdateData,
    UpdateData,
    SearchData,
    CallFunction,
    DeleteData,
}

/// What is fixed about a route.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The last segment of the path, behind `/api/`; the configuration and the log name the route so, too.
    pub name: &'static str,
    /// Whether a call that Odoo refused may be planned anew: Odoo rolls back what it refuses, but a method may have done
    /// something that is not rolled back.
    pub may_be_replanned: bool,
}

impl Route {
    /// Every route, in the order in which they are listed to a person.
    pub const ALL: [Self; 6] = [
        Self::CreateData,
        Self::CreateUpdateData,
        Self::UpdateData,
        Self::SearchData,
        Self::CallFunction,
        Self::DeleteData,
    ];

    /// The routes of a `[[client]]` that names none: those of the addon, which cannot delete.
    pub const OF_CLIENTS: [Self; 5] =
        [Self::CreateData, Self::CreateUpdateData, Self::UpdateData, Self::SearchData, Self::CallFunction];

    /// The row of this route.
    pub const fn row(self) -> Row {
        match self {
            Self::CreateData => Row { name: "create_data", may_be_replanned: true },
            Self::CreateUpdateData => Row { name: "create_update_data", may_be_replanned: true },
            Self::UpdateData => Row { name: "update_data", may_be_replanned: true },
            Self::SearchData => Row { name: "search_data", may_be_replanned: true },
            Self::CallFunction => Row { name: "call_function", may_be_replanned: false },
            Self::DeleteData => Row { name: "delete_data", may_be_replanned: true },
        }
    }

    /// The route with this name, such as `create_data`; `None` where there is none.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|route| route.name() == name)
    }

    /// Its name, such as `create_data`.
    pub const fn name(self) -> &'static str {
        self.row().name
    }
}

impl Serialize for Route {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Route {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| {
            D::Error::custom(format!("`{name}` is no route; there are {}", Self::ALL.map(Self::name).join(", ")))
        })
    }
}
