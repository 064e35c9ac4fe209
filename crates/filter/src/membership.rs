use gather::RowRef;
use membership::{Entry, MembershipIndex, Segment, Status};

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
    /// The membership's qualification time is not before this (microseconds since 1970).
    pub qualified_from: Option<i64>,
    /// And not after this.
    pub qualified_to: Option<i64>,
}

/// The memberships that match a filter, by source.
pub struct MembershipMatches<'a> {
    /// For each source, the matching rows in order, each with the number of its segment.
    rows: Vec<Vec<(u32, u32)>>,
    /// For each segment, its entries in each source.
    segments: Vec<Vec<Option<Segment<'a>>>>,
}

impl MembershipFilter {
    /// Whether it lets every profile pass.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    fn takes(&self, statuses: &[Status], entry: Entry) -> bool {
        if !statuses.contains(&entry.status) {
            return false;
        }
        match (self.qualified_from, self.qualified_to, entry.qualified) {
            (None, None, _) => true,
            (_, _, None) => false,
            (from, to, Some(time)) => {
                from.is_none_or(|from| time >= from) && to.is_none_or(|to| time <= to)
            }
        }
    }

    /// Finds the matching memberships in the indexes of some sources; `None` is a source without.
    #[must_use]
    pub fn scan<'a>(&self, indexes: &[Option<&'a MembershipIndex>]) -> MembershipMatches<'a> {
        let any = [SegmentFilter {
            id: String::new(),
            namespace: None,
            statuses: vec![Status::Realized, Status::Existing],
        }];
        let wanted: &[SegmentFilter] = if self.segments.is_empty() {
            &any
        } else {
            &self.segments
        };
        let mut matches = MembershipMatches {
            rows: vec![Vec::new(); indexes.len()],
            segments: Vec::new(),
        };
        let mut names: Vec<(&str, &str)> = Vec::new();
        for wanted in wanted {
            for (source, index) in indexes.iter().enumerate() {
                for segment in index.iter().flat_map(|index| index.segments()) {
                    let named = self.segments.is_empty() || wanted.names(&segment);
                    if !named {
                        continue;
                    }
                    let name = (segment.namespace, segment.id);
                    let number = match names.iter().position(|known| *known == name) {
                        Some(number) => number,
                        None => {
                            names.push(name);
                            matches.segments.push(vec![None; indexes.len()]);
                            names.len() - 1
                        }
                    };
                    if let Some(slot) = matches
                        .segments
                        .get_mut(number)
                        .and_then(|sources| sources.get_mut(source))
                    {
                        *slot = Some(segment);
                    }
                    if let Some(rows) = matches.rows.get_mut(source) {
                        rows.extend(
                            segment
                                .entries()
                                .filter(|entry| self.takes(&wanted.statuses, *entry))
                                .map(|entry| (entry.row, number as u32)),
                        );
                    }
                }
            }
        }
        for rows in &mut matches.rows {
            rows.sort_unstable();
            rows.dedup();
        }
        matches
    }
}

impl SegmentFilter {
    fn names(&self, segment: &Segment<'_>) -> bool {
        segment.id == self.id
            && self
                .namespace
                .as_ref()
                .is_none_or(|namespace| segment.namespace.eq_ignore_ascii_case(namespace))
    }
}

impl MembershipMatches<'_> {
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
            let matching = rows.get(start..).unwrap_or_default();
            matching
                .iter()
                .take_while(|(row, _)| *row == fragment.row)
                .any(|(_, segment)| {
                    let better = fragments.get(..i).unwrap_or_default();
                    !better.iter().any(|at| self.has(*segment, *at))
                })
        })
    }

    /// Whether the fragment has a membership of the segment, matching or not.
    fn has(&self, segment: u32, at: RowRef) -> bool {
        self.segments
            .get(segment as usize)
            .and_then(|sources| sources.get(at.source as usize)?.as_ref())
            .is_some_and(|segment| segment.of_row(at.row).is_some())
    }
}
