use xdm::Timestamp;

/// What a profile must be like, its memberships aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProfileFilter {
    /// The merged profile was updated strictly later.
    pub from_ingest: Option<Timestamp>,
    /// Profiles without a fragment are kept as well.
    pub empty_profiles: bool,
}

impl ProfileFilter {
    /// Whether a profile is kept that has fragments or is empty, and was updated at this time.
    #[inline]
    #[must_use]
    pub fn takes(&self, is_empty: bool, updated: Timestamp) -> bool {
        (!is_empty || self.empty_profiles) && self.from_ingest.is_none_or(|from| updated > from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_updated_strictly_later_and_empty_ones_have_to_be_asked_for() {
        let time = Timestamp::from_micros;
        let mut filter = ProfileFilter {
            from_ingest: Some(time(10)),
            empty_profiles: false,
        };
        assert_eq!(
            [9, 10, 11].map(|at| filter.takes(false, time(at))),
            [false, false, true]
        );
        assert!(!filter.takes(true, time(11)));
        filter.empty_profiles = true;
        assert_eq!(
            [10, 11].map(|at| filter.takes(true, time(at))),
            [false, true]
        );
        assert!(ProfileFilter::default().takes(false, time(i64::MIN)));
        assert!(!ProfileFilter::default().takes(true, time(11)));
    }
}
