//! The release of Odoo: version and edition, as it tells them without a login.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    config::ProtocolChoice,
    odoo::{
        model::{
            effect::Effect,
            error::{Error, Why},
        },
        protocol::{json_rpc, session, xml_rpc},
        transport::{RequestOptions, Transport},
    },
};

/// A release of Odoo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// The major version, such as 19. An intermediate release of Odoo Online has that of the last major one.
    #[serde(skip)]
    pub major: u16,
    /// As Odoo writes it: `19.0`, `saas~18.2+e`.
    pub version: String,
    pub edition: Edition,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Edition {
    Community,
    Enterprise,
}

impl Release {
    /// Asks by the configured protocol, since a proxy may let nothing else through.
    ///
    /// # Errors
    /// Odoo does not answer, or not with a release.
    pub(in crate::odoo) async fn ask(
        transport: &Transport,
        protocol: ProtocolChoice,
        database: &str,
        options: RequestOptions,
    ) -> Result<Self, Error> {
        let answer = match protocol {
            ProtocolChoice::JsonRpc => json_rpc::common(transport, database, "version", json!([]), options).await?,
            ProtocolChoice::XmlRpc => xml_rpc::common(transport, "version", &[], options).await?,
            ProtocolChoice::Auto | ProtocolChoice::Session | ProtocolChoice::Json2 => {
                session::version(transport, database, options).await?
            }
        };
        Self::read(&answer).ok_or_else(|| Error::NoAnswer {
            effect: Effect::Read,
            why: Why::Garbled("there is no Odoo version in it".to_owned()),
        })
    }

    /// From `{"server_version": "19.0", "server_version_info": [19, 0, 0, "final", 0, ""]}` (Odoo 14-19).
    pub(in crate::odoo) fn read(answer: &Value) -> Option<Self> {
        let info = &answer["server_version_info"];
        // Odoo Online names the releases between two versions `saas~18`.
        let major = info[0].as_u64().map_or_else(|| info[0].as_str().unwrap_or_default().to_owned(), |n| n.to_string());
        let major = major.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().ok()?;
        let version = answer["server_version"].as_str().map_or_else(|| format!("{major}"), str::to_owned);
        let last = info.as_array().and_then(|info| info.last()).and_then(Value::as_str).unwrap_or_default();
        let edition = if last == "e" || version.ends_with("+e") { Edition::Enterprise } else { Edition::Community };
        Some(Self { major, version, edition })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edition = match self.edition {
            Edition::Community => "community",
            Edition::Enterprise => "enterprise",
        };
        write!(f, "{} {edition}", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: Value, expected: &str) {
        let release = Release::read(&answer);
        assert_eq!(release.map(|release| format!("{} {release}", release.major)).unwrap_or_default(), expected);
    }

    #[test]
    fn every_edition_tells_what_it_is() {
        check(
            json!({"server_version": "14.0", "server_version_info": [14, 0, 0, "final", 0, ""]}),
            "14 14.0 community",
        );
        check(
            json!({"server_version": "18.0+e", "server_version_info": [18, 0, 0, "final", 0, "e"]}),
            "18 18.0+e enterprise",
        );
        check(
            json!({"server_version": "saas~18.2+e", "server_version_info": ["saas~18", 2, 0, "final", 0, "e"]}),
            "18 saas~18.2+e enterprise",
        );
        check(json!({"version": "nginx"}), "");
    }
}
