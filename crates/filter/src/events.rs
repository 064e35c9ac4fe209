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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_strictly_later_than_from_and_not_later_than_to() {
        let time = Timestamp::from_micros;
        let filter = |from, to| EventFilter {
            from_ingest: from,
            to_ingest: to,
        };
        let taken = |filter: EventFilter| [9, 10, 11, 20, 21].map(|at| filter.takes(time(at)));
        let both = filter(Some(time(10)), Some(time(20)));
        assert_eq!(taken(both), [false, false, true, true, false]);
        assert_eq!(
            taken(filter(Some(time(10)), None)),
            [false, false, true, true, true]
        );
        assert_eq!(
            taken(filter(None, Some(time(20)))),
            [true, true, true, true, false]
        );
        assert!(!both.is_open() && EventFilter::default().is_open());
        assert_eq!(taken(EventFilter::default()), [true; 5]);
    }
}
