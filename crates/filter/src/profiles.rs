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
