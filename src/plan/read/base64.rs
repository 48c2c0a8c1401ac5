//! Base64 in payloads.

/// Whether a text is base64 with padding (RFC 4648, section 4). Line ends within it are accepted, since mail programs
/// insert them.
pub(super) fn is_base64(text: &str) -> bool {
    let mut digits = 0_usize;
    let mut padding = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'\n' | b'\r' => {}
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => digits += 1,
            _ => return false,
        }
    }
    padding <= 2 && (digits + padding).is_multiple_of(4) && (digits > 0 || padding == 0)
}

/// Removes the line ends that mail programs insert, which Odoo 20 refuses.
pub(super) fn without_line_ends(base64: &str) -> String {
    base64.chars().filter(|digit| !matches!(digit, '\r' | '\n')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_told_from_what_is_none() {
        for good in ["", "SGVsbG8=", "SGVsbG8gV29ybGQ=", "AAAA", "QQ==", "AAAA\r\nAAAA\n"] {
            assert!(is_base64(good), "{good:?}");
        }
        for bad in ["!!!", "QQ=", "QQ", "Q===", "=", "====", "QQ==QQ==", "AA-_", "AAA A", "data:text/plain;base64,QQ=="]
        {
            assert!(!is_base64(bad), "{bad:?}");
        }
    }
}
