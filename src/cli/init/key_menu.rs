//! How a person makes an API key, in the words of each version's own menus.
//!
//! Seen in the views of Odoo 14 and 19 (`base/views/res_users_views.xml`, the user menu of `web`); 15 to 18 by Odoo's documentation.

/// Lines on how to make a key in this version, on this host.
pub(super) fn how_to(major: u16, host: &str) -> String {
    let way = match major {
        ..=18 => {
            "  your name (top right) → My Profile or Preferences → Account Security → New API Key
Where that tab shows no API keys, switch the developer mode on first
(Settings → Activate the developer mode)."
        }
        19.. => "  your name (top right) → My Preferences → Security → Add API Key",
    };
    // Odoo 18 and later: 90 days are the limit of a group, which an administrator can change.
    let term = match major {
        ..=17 => "",
        18.. => "\nA key is valid for 90 days at most, for an administrator as long as wanted.",
    };
    // By the price list of Odoo's plans; an Odoo.sh has such a host, too.
    let plan = match host.ends_with(".odoo.com") {
        true => {
            "\nOn Odoo Online, the plan must include the external API: Custom does, One App\nFree and Standard do not."
        }
        false => "",
    };
    format!(
        "An API key of that user is made in Odoo {major} here:\n\n{way}\n\nOdoo asks for the password and shows the key once.{term}{plan}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_the_names_of_its_own_menus() {
        let own = |major| how_to(major, "erp.example.com");
        assert!(own(14).contains("Account Security → New API Key") && !own(14).contains("90 days"));
        assert!(own(18).contains("Account Security → New API Key") && own(18).contains("90 days"));
        assert!(own(19).contains("My Preferences → Security → Add API Key") && !own(19).contains("plan"));
        assert!(how_to(19, "shop.odoo.com").contains("the plan must include the external API"));
    }

    #[test]
    fn a_line_fits_into_a_narrow_terminal() {
        for major in 14..=20 {
            for line in how_to(major, "shop.odoo.com").lines() {
                assert!(line.chars().count() <= 84, "{line}");
            }
        }
    }
}
