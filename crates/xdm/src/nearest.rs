/// The up to three candidates that look most like `word`, best first: for hints in errors.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let folded = word.to_lowercase();
    let mut scored: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|c| (strsim::jaro_winkler(&folded, &c.to_lowercase()), c))
        .filter(|(score, _)| *score > 0.7)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.truncate(3);
    scored.into_iter().map(|(_, c)| c).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_up_to_three_alike_best_first() {
        let names = ["personnel", "person", "loyalty", "PERSONAL", "persons"];
        assert_eq!(nearest("Person", names), ["person", "persons", "PERSONAL"]);
        assert_eq!(nearest("LOYALTY", names), ["loyalty"]);
        assert!(nearest("qqq", names).is_empty());
    }
}
