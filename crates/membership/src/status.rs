use std::fmt;

/// The status of a segment membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Entered the segment.
    Realized,
    /// Continues to be in it.
    Existing,
    /// Left it.
    Exited,
    /// A word that XDM does not know; matches no filter.
    Other,
}

impl Status {
    /// The statuses that a filter may name.
    pub const NAMED: [Self; 3] = [Self::Realized, Self::Existing, Self::Exited];

    /// The status of a membership that says this; one that says nothing is realized, XDM's default.
    #[must_use]
    pub fn of(text: Option<&str>) -> Self {
        match text {
            None | Some("realized") => Self::Realized,
            Some("existing") => Self::Existing,
            Some("exited") => Self::Exited,
            Some(_) => Self::Other,
        }
    }

    /// The number by which index files know it.
    #[must_use]
    pub fn code(self) -> i8 {
        match self {
            Self::Realized => 0,
            Self::Existing => 1,
            Self::Exited => 2,
            Self::Other => 3,
        }
    }

    /// The status that an index file means.
    #[must_use]
    pub fn from_code(code: i8) -> Self {
        Self::NAMED
            .into_iter()
            .find(|status| status.code() == code)
            .unwrap_or(Self::Other)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Realized => "realized",
            Self::Existing => "existing",
            Self::Exited => "exited",
            Self::Other => "other",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_statuses_are_part_of_the_file_format_and_never_change() {
        let all = [
            Status::Realized,
            Status::Existing,
            Status::Exited,
            Status::Other,
        ];
        assert_eq!(all.map(Status::code), [0, 1, 2, 3]);
        assert_eq!([0, 1, 2, 3].map(Status::from_code), all);
        assert_eq!([-1, 4].map(Status::from_code), [Status::Other; 2]);
    }

    #[test]
    fn a_membership_that_states_no_status_is_realized() {
        assert_eq!(Status::of(None), Status::Realized);
        for status in Status::NAMED {
            assert_eq!(Status::of(Some(&status.to_string())), status);
        }
        for word in ["", "entered", "Realized"] {
            assert_eq!(Status::of(Some(word)), Status::Other, "{word}");
        }
    }
}
