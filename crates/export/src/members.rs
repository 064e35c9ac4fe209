//! Who is in which segment, counted by the indexes of memberships and the keys of persons alone.

use std::collections::BTreeMap;

use decode::Progress;
use filter::MembershipFilter;
use gather::RowRef;
use membership::{MembershipIndex, PostingList, Status};
use rayon::prelude::*;

use crate::RequestError;
use crate::error::Result;
use crate::export::Export;
use crate::people::People;
use crate::sources::Sources;

/// The members of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Those who have entered.
    pub realized: u64,
    /// Those who have stayed.
    pub existing: u64,
    /// Those who have left.
    pub exited: u64,
}

/// A segment that records name: its namespace, in lower case, and its ID.
pub type NamedSegment = (String, String);

impl Export {
    /// Counts the members of each segment that records name, all at once. Filters and fields of the plan say nothing here:
    /// the profiles are those of its merge policy that have a fragment, and as in an export the membership of the best
    /// fragment that has one stands.
    ///
    /// # Errors
    /// The plan has no field of `segmentMembership` and no segment, so that memberships are not read; a damaged run; the
    /// work was cancelled.
    pub fn members(&self) -> Result<BTreeMap<NamedSegment, Members>> {
        if !self.pipeline().plan().reads_memberships() {
            let problem =
                "nothing of segmentMembership is asked for, so that members can't be counted";
            return Err(RequestError::new("fields", problem.to_owned()).into());
        }
        let sources = self.pipeline().sources();
        let places = Places::of(&self.everybody(), sources, self.progress())?;
        let indexes = sources.indexes(&MembershipFilter::default())?;
        let mut lists: BTreeMap<(&str, &str), Vec<(usize, PostingList<'_>)>> = BTreeMap::new();
        for (source, index) in indexes.iter().enumerate() {
            for list in index.iter().flat_map(MembershipIndex::segments) {
                let segment = (list.namespace, list.id);
                lists.entry(segment).or_default().push((source, list));
            }
        }
        let lists: Vec<_> = lists.into_iter().collect();
        let counted = lists
            .into_par_iter()
            .map(|((namespace, id), lists)| {
                self.progress().check()?;
                let segment = (namespace.to_owned(), id.to_owned());
                Ok((segment, places.count(&lists)))
            })
            .collect();
        sources.check_whole()?;
        counted
    }
}

/// A fragment's place: its profile's number, and how many of its fragments are better.
type Place = (u32, u32);

/// That of a row which is no live fragment of a profile.
const NOWHERE: Place = (u32::MAX, u32::MAX);

/// The places of fragments, by source and row.
struct Places(Vec<Vec<Place>>);

impl Places {
    fn of(everybody: &People, sources: &Sources, progress: &Progress) -> Result<Self> {
        let chunks = (0..everybody.chunks()).into_par_iter();
        let chunks: Vec<_> = chunks
            .map(|chunk| {
                progress.check()?;
                sources.begin_chunk();
                let people = everybody.rows(chunk, sources)?;
                // Who has evaluated memberships or events alone has no profile.
                let profiles = people.profiles().filter(|it| !it.fragments.is_empty());
                let (mut rows, mut better) = (Vec::<RowRef>::new(), Vec::<u32>::new());
                for profile in profiles {
                    rows.extend(profile.evaluated.iter().chain(profile.fragments));
                    better.extend(0..(profile.evaluated.len() + profile.fragments.len()) as u32);
                }
                Ok((rows, better))
            })
            .collect::<Result<_>>()?;
        let mut places: Vec<Vec<Place>> = (sources.all.iter())
            .map(|source| match source.has_fragments() {
                true => vec![NOWHERE; source.run.rows()],
                false => Vec::new(),
            })
            .collect();
        let mut profiles = 0;
        for (rows, better) in chunks {
            for (at, better) in std::iter::zip(rows, better) {
                profiles += u32::from(better == 0);
                places[at.source as usize][at.row as usize] = (profiles, better);
            }
        }
        Ok(Self(places))
    }

    /// The members of a segment, by its memberships in each source.
    fn count(&self, lists: &[(usize, PostingList<'_>)]) -> Members {
        let memberships = lists.iter().flat_map(|(source, list)| {
            let places = &self.0[*source];
            list.postings().filter_map(|posting| {
                let place = places.get(posting.row as usize)?;
                (*place != NOWHERE).then_some((*place, posting.status))
            })
        });
        let mut memberships: Vec<(Place, Status)> = memberships.collect();
        // In each source they are in order where every profile is one person.
        memberships.sort_by_key(|(place, _)| *place);
        memberships.dedup_by_key(|((profile, _), _)| *profile);
        let with = |status| memberships.iter().filter(|(_, own)| *own == status).count() as u64;
        Members {
            realized: with(Status::Realized),
            existing: with(Status::Existing),
            exited: with(Status::Exited),
        }
    }
}
