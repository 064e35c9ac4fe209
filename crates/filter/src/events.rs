use xdm::Timestamp;

/// Which events an export adds to its profiles. It filters events, never profiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Events ingested strictly later.
    pub from_ingest: Option<Timestamp>,
    /// Events not ingested later than this.
    pub to_ingest: Option<Timestamp>,
}

impl EventFilter {
    /// Whether an event that came in at this time is added.
    #[inline]
    #[must_use]
    pub fn takes(&self, ingested: Timestamp) -> bool {
        self.from_ingest.is_none_or(|from| ingested > from)
            && self.to_ingest.is_none_or(|to| ingested <= to)
    }

    /// Whether it takes every event.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}
