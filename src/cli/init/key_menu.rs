//! How a person makes an API key, in the words of each version's own menus.
//!
//! Seen in the views of Odoo 14 and 19 (`base/views/res_users_views.xml`, `web`'s user menu); 15 to 18 by Odoo's documentation.

/// A sentence on how to make a key in this version.
pub(super) fn how_to(major: u16) -> String {
    let way = match major {
        ..=18 => {
            "your name (top right) → My Profile or Preferences → Account Security → New API Key; \
             where that tab shows no API keys, switch the developer mode on first (Settings → Activate the developer mode)"
        }
        19.. => "your name (top right) → My Preferences → Security → Add API Key",
    };
    let term = match major {
        ..=17 => "",
        18.. => {
            " It asks how long the key is valid: at most 90 days for most users, and as long as wanted for an administrator."
        }
    };
    format!("In Odoo {major}: {way}. Odoo asks for your password and shows the key once.{term}")
}

/// What is to be known of a host of Odoo's own.
pub(super) fn of_host(host: &str) -> Option<&'static str> {
    host.ends_with(".odoo.com").then_some(
        "On Odoo Online, the plan must include the external API: Custom does, One App Free and Standard do not.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_the_names_of_its_own_menus() {
        assert!(how_to(14).contains("Account Security → New API Key") && !how_to(14).contains("90 days"));
        assert!(how_to(18).contains("Account Security → New API Key") && how_to(18).contains("90 days"));
        assert!(how_to(19).contains("My Preferences → Security → Add API Key"));
        assert!(of_host("shop.odoo.com").is_some() && of_host("erp.example.com").is_none());
    }
}
