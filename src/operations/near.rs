//! What a person may have meant by a name that is not known.

/// So many names are offered at most.
const OFFERED: usize = 3;

/// The known names that are most like this one, the likest first; none where none is like it.
pub fn near<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Vec<&'k str> {
    let name = name.to_lowercase();
    let likeness = |other: &str| strsim::osa_distance(&other.to_lowercase(), &name);
    // A third of the signs may differ; a name that begins alike is near, too.
    let most = (name.chars().count() / 3).max(1);
    let begins_alike = |other: &str| name.len() >= 3 && other.to_lowercase().starts_with(&name);
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .filter(|other| !other.is_empty())
        .map(|other| (likeness(other), other))
        .filter(|(distance, other)| *distance <= most || begins_alike(other))
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(OFFERED).map(|(_, other)| other).collect()
}

/// ``; did you mean `a` or `b`?`` behind a sentence about an unknown name; empty where no known name is near.
pub fn did_you_mean<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let found: Vec<String> = near(name, known).iter().map(|name| format!("`{name}`")).collect();
    match found.as_slice() {
        [] => String::new(),
        [one] => format!("; did you mean {one}?"),
        [first @ .., last] => format!("; did you mean {} or {last}?", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_offered_and_others_are_not() {
        let known = ["no_match", "no_module", "ambiguous", "unknown_field", "unknown_model"];
        assert_eq!(near("no_mach", known), ["no_match"]);
        assert_eq!(near("NO_MATCH", known), ["no_match"]);
        assert_eq!(near("unknown", known), ["unknown_field", "unknown_model"]);
        assert_eq!(did_you_mean("unknown_fodel", known), "; did you mean `unknown_model` or `unknown_field`?");
        assert_eq!(did_you_mean("xyz", known), "");
    }
}
