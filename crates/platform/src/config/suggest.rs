//! What somebody may have meant by a word that is not known.

/// The candidate that is closest to `word`, if one is close: up to a third of its letters differ, not counting capital
/// letters and the choice between `-`, `_` and a space.
pub(super) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word this long is nothing misspelt, and the distance takes time and memory by the product of the lengths.
    if word.len() > 100 {
        return None;
    }
    let word = plain(word);
    let distance = |candidate: &&str| strsim::damerau_levenshtein(&word, &plain(candidate));
    let near = |(distance, candidate): &(usize, &str)| *distance <= candidate.len() / 3;
    candidates.into_iter().map(|candidate| (distance(&candidate), candidate)).filter(near).min().map(|(_, it)| it)
}

fn plain(word: &str) -> String {
    word.to_lowercase().replace(['-', ' '], "_")
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn close_words_are_suggested() {
        assert_eq!(closest("nework", ["network", "security"]), Some("network"));
        assert_eq!(closest("Project-Name", ["project_name", "region"]), Some("project_name"));
        assert_eq!(closest("mix", ["min", "max"]), Some("max"));
        assert_eq!(closest("database", ["network", "cluster"]), None);
        assert_eq!(closest(&"x".repeat(10_000), ["network"]), None);
    }
}
