/// How late a record of a dataset and identity is: the greatest is the fragment that stands.
///
/// The latest by ingest timestamp, then by place in the store, replaces the whole of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recency {
    /// When it came in: microseconds since 1970.
    pub ingested: i64,
    /// Its place in the store.
    pub sequence: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ingest_timestamp_counts_before_the_place() {
        let at = |ingested, sequence| Recency { ingested, sequence };
        assert!(at(2, 1) > at(1, 9));
        assert!(at(1, 9) > at(1, 1));
    }
}
