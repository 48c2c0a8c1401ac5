//! The form of a secret value without the value: how it is built, how long it is, and of which characters.

/// A name before a value in a list, as in `t=…,v1=…`, has so many characters at most.
const NAME: usize = 24;

/// The form of a value. Names before `=` in a list and the word of a scheme stay, everything else is described.
pub(super) fn described(value: &str) -> String {
    let (scheme, rest) = match value.split_once(' ') {
        Some((scheme, rest)) if is_name(scheme) && !rest.trim().is_empty() => (format!("{scheme} "), rest),
        _ => (String::new(), value),
    };
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, separator) in rest.char_indices().filter(|(_, c)| matches!(c, ',' | ';' | ' ')) {
        parts.push(part(&rest[start..at]) + &separator.to_string());
        start = at + separator.len_utf8();
    }
    parts.push(part(&rest[start..]));
    scheme + &parts.concat()
}

/// `name=value` or a value alone.
fn part(part: &str) -> String {
    match part.split_once('=') {
        Some((name, value)) if is_name(name) && !value.trim_matches('=').is_empty() => {
            format!("{name}={}", form(value))
        }
        _ => form(part),
    }
}

/// Letters and then digits, as in `v1` or `sha256`, so that no part of a secret is taken for one.
fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-');
    let letters = text.trim_end_matches(|c: char| c.is_ascii_digit());
    text.len() <= NAME && !letters.is_empty() && text.len() - letters.len() <= 3 && letters.chars().all(is_letter)
}

fn form(value: &str) -> String {
    let (count, is) = (value.chars().count(), |allowed: fn(char) -> bool| value.chars().all(allowed));
    let what = if count == 0 {
        return String::new();
    } else if is(|c| c.is_ascii_digit()) {
        "digits"
    } else if count >= 16 && is(|c| c.is_ascii_hexdigit()) {
        "hexadecimal digits"
    } else if count >= 16 && is(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')) {
        "characters of base64"
    } else if count >= 16 && is(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=')) {
        "characters of base64url"
    } else {
        "characters"
    };
    format!("<{count} {what}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_value_is_told_and_no_part_of_it() {
        let hex = "0f".repeat(32);
        let base64 = "q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80=";
        for (value, due) in [
            (&*hex, "<64 hexadecimal digits>"),
            (&format!("sha256={hex}"), "sha256=<64 hexadecimal digits>"),
            (
                &format!("t=1614556800,v1={hex},v0={hex}"),
                "t=<10 digits>,v1=<64 hexadecimal digits>,v0=<64 hexadecimal digits>",
            ),
            (base64, "<44 characters of base64>"),
            (
                &format!("v1,{base64} v1,{base64}"),
                "<2 characters>,<44 characters of base64> <2 characters>,<44 characters of base64>",
            ),
            ("Bearer hunter2", "Bearer <7 characters>"),
            ("Basic dXNlcjpwYXNzd29yZA==", "Basic <20 characters of base64>"),
            ("hunter2", "<7 characters>"),
            ("", ""),
        ] {
            assert_eq!(described(value), due, "{value}");
        }
        assert!(!described("a1b2c3=d4e5").contains("a1b2c3"));
    }
}
