use std::borrow::Cow;
use std::collections::HashMap;

use gather::RowRef;
use membership::{MembershipIndex, Posting, Status};
use xdm::Timestamp;

/// One entry of `filter.segments`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFilter {
    /// The segment's ID.
    pub id: String,
    /// The namespace's code, without regard to ASCII case; any namespace where it is missing.
    pub namespace: Option<String>,
    /// The statuses that count.
    pub statuses: Vec<Status>,
}

/// What a profile's memberships must be like: one that matches is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembershipFilter {
    /// One of these segments; any segment, realized or existing, where there are none.
    pub segments: Vec<SegmentFilter>,
    /// The membership's qualification time is not before this.
    pub qualified_from: Option<Timestamp>,
    /// And not after this.
    pub qualified_to: Option<Timestamp>,
}

/// Whether a membership counts, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipVerdict {
    /// It counts.
    Counts,
    /// Its status is not asked for.
    Status,
    /// It has no qualification time, and one is asked for.
    NoTime,
    /// Its qualification time is before the window.
    Before,
    /// Its qualification time is behind the window.
    After,
}

/// The memberships that match a filter, by source.
pub struct MembershipMatches {
    /// For each source, the matching rows in order, each with the number of its segment.
    rows: Vec<Vec<(u32, u32)>>,
    indexes: Vec<Option<MembershipIndex>>,
    /// For each segment that the filter looks at, its place in each source's index.
    places: Vec<Vec<Option<usize>>>,
}

impl MembershipFilter {
    /// Whether it lets every profile pass.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it looks at a segment, of a namespace in lower case.
    #[must_use]
    pub fn looks_at(&self, namespace: &str, id: &str) -> bool {
        self.segments.is_empty()
            || self
                .segments
                .iter()
                .any(|wanted| wanted.names(namespace, id))
    }

    fn takes(&self, statuses: &[Status], posting: Posting) -> bool {
        self.verdict(statuses, posting) == MembershipVerdict::Counts
    }

    /// Why a membership counts where these statuses do, or not.
    #[must_use]
    pub fn verdict(&self, statuses: &[Status], posting: Posting) -> MembershipVerdict {
        if !statuses.contains(&posting.status) {
            return MembershipVerdict::Status;
        }
        match (self.qualified_from, self.qualified_to, posting.qualified) {
            (None, None, _) => MembershipVerdict::Counts,
            (_, _, None) => MembershipVerdict::NoTime,
            (Some(from), _, Some(time)) if time < from => MembershipVerdict::Before,
            (_, Some(to), Some(time)) if time > to => MembershipVerdict::After,
            (_, _, Some(_)) => MembershipVerdict::Counts,
        }
    }

    /// The segments that it looks at, each by itself; one of any ID and namespace where it names none.
    fn wanted(&self) -> Cow<'_, [SegmentFilter]> {
        match self.segments.is_empty() {
            false => Cow::Borrowed(&self.segments),
            true => Cow::Owned(vec![SegmentFilter {
                id: String::new(),
                namespace: None,
                statuses: vec![Status::Realized, Status::Existing],
            }]),
        }
    }

    /// The statuses that count of a segment, of a namespace in lower case; none where it is not looked at.
    #[must_use]
    pub fn statuses_of(&self, namespace: &str, id: &str) -> Vec<Status> {
        let wanted = self.wanted();
        let own = wanted
            .iter()
            .filter(|wanted| self.segments.is_empty() || wanted.names(namespace, id));
        own.flat_map(|wanted| wanted.statuses.iter().copied())
            .collect()
    }

    /// Finds the matching memberships in the indexes of some sources; `None` is a source without.
    #[must_use]
    pub fn scan(&self, indexes: Vec<Option<MembershipIndex>>) -> MembershipMatches {
        let wanted = self.wanted();
        let mut rows = vec![Vec::new(); indexes.len()];
        let mut places: Vec<Vec<Option<usize>>> = Vec::new();
        let mut numbers: HashMap<(&str, &str), usize> = HashMap::new();
        for wanted in &*wanted {
            for (source, (index, rows)) in indexes.iter().zip(&mut rows).enumerate() {
                let segments = index.iter().flat_map(|index| index.segments().enumerate());
                for (place, segment) in segments {
                    if !self.segments.is_empty() && !wanted.names(segment.namespace, segment.id) {
                        continue;
                    }
                    let number = *numbers
                        .entry((segment.namespace, segment.id))
                        .or_insert_with(|| {
                            places.push(vec![None; indexes.len()]);
                            places.len() - 1
                        });
                    if let Some(of_source) = places.get_mut(number).and_then(|p| p.get_mut(source))
                    {
                        *of_source = Some(place);
                    }
                    rows.extend(
                        segment
                            .postings()
                            .filter(|posting| self.takes(&wanted.statuses, *posting))
                            .map(|posting| (posting.row, number as u32)),
                    );
                }
            }
        }
        for rows in &mut rows {
            rows.sort_unstable();
            rows.dedup();
        }
        MembershipMatches {
            rows,
            indexes,
            places,
        }
    }
}

impl SegmentFilter {
    /// Whether a membership of a segment, of a namespace in any case, is one of this segment's.
    #[must_use]
    pub fn names(&self, namespace: &str, id: &str) -> bool {
        let own = self.namespace.as_ref();
        id == self.id && own.is_none_or(|own| namespace.eq_ignore_ascii_case(own))
    }
}

impl MembershipMatches {
    /// The rows of a source that could make their profile match, in order.
    pub fn candidate_rows(&self, source: usize) -> impl Iterator<Item = u32> {
        let rows = self.rows.get(source).map_or(&[][..], Vec::as_slice);
        rows.chunk_by(|a, b| a.0 == b.0)
            .filter_map(|group| group.first())
            .map(|(row, _)| *row)
    }

    /// Whether the profile of these fragments matches; they are given best first, each as source and
    /// row. The membership of the best fragment that has one stands, even where it does not match.
    #[must_use]
    pub fn takes(&self, fragments: &[RowRef]) -> bool {
        fragments.iter().enumerate().any(|(i, fragment)| {
            let Some(rows) = self.rows.get(fragment.source as usize) else {
                return false;
            };
            let start = rows.partition_point(|(row, _)| *row < fragment.row);
            let matching = &rows[start..];
            matching
                .iter()
                .take_while(|(row, _)| *row == fragment.row)
                .any(|(_, segment)| {
                    let better = &fragments[..i];
                    !better.iter().any(|at| self.has(*segment, *at))
                })
        })
    }

    /// Whether the fragment has a membership of the segment, matching or not.
    fn has(&self, segment: u32, at: RowRef) -> bool {
        let source = at.source as usize;
        let places = self.places.get(segment as usize);
        match (places.and_then(|p| p.get(source)), self.indexes.get(source)) {
            (Some(Some(place)), Some(Some(index))) => {
                index.segment(*place).of_row(at.row).is_some()
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
