//! Tables in Markdown, and numbers as they are written in them.

use std::fmt::Write;

/// A number with as many digits as are worth reading.
pub(crate) fn number(value: f64) -> String {
    let digits = match value.abs() {
        100.0.. => 0,
        _ if value.fract() == 0.0 => 0,
        10.0..100.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let (whole, part) = text.split_once('.').map_or((&*text, ""), |(whole, part)| (whole, part));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && digit.is_ascii_digit() {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if part.is_empty() { grouped } else { format!("{grouped}.{part}") }
}

/// A table of these columns.
pub(crate) fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!("| {} |\n|{}\n", columns.join(" | "), " --- |".repeat(columns.len()));
    for row in rows {
        writeln!(text, "| {} |", row.join(" | ")).unwrap();
    }
    text
}

#[test]
fn a_number_has_three_digits_that_count_and_its_thousands_apart() {
    let written = [0.0, 0.123, 9.876, 12.34, 123.4, 1_234.5, 1_234_567.0].map(number);
    assert_eq!(written, ["0", "0.12", "9.88", "12.3", "123", "1,234", "1,234,567"]);
}
