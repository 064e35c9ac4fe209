//! What an evaluation changes in the memberships of some profiles.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use arrow::array::{Array, AsArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use membership::MembershipIndex;
use xdm::{IDENTITY_MAP, PersonKey, SEGMENT_NAMESPACE, Timestamp};

use super::pass::Chunk;
use super::standing::{Standing, after};
use crate::error::Result;

/// The IDs of all segments that have memberships, with numbers in place of them.
pub(super) struct Names {
    pub(super) ids: Vec<String>,
    numbers: HashMap<String, u32>,
}

/// A segment that has no definition any more: nobody will evaluate it again.
const FORGOTTEN: u32 = u32::MAX;

impl Names {
    pub(super) fn new(ids: impl IntoIterator<Item = String>) -> Self {
        let mut names = Self {
            ids: Vec::new(),
            numbers: HashMap::new(),
        };
        for id in ids {
            names.number(id);
        }
        names
    }

    /// The number of a segment, which it is given if it has none.
    pub(super) fn number(&mut self, id: String) -> u32 {
        let next = self.ids.len() as u32;
        let number = *self.numbers.entry(id.clone()).or_insert(next);
        if number == next {
            self.ids.push(id);
        }
        number
    }

    fn number_of(&self, id: &str) -> u32 {
        self.numbers.get(id).copied().unwrap_or(FORGOTTEN)
    }
}

/// A membership: the segment's number, and what it says.
pub(super) type Entry = (u32, Standing);

/// What evaluations of the same job found for persons before, by their keys: all of their memberships.
pub(super) type Found = HashMap<PersonKey, FoundPerson>;

/// A person's memberships.
#[derive(Clone)]
pub(super) struct FoundPerson {
    pub(super) namespace: String,
    pub(super) id: String,
    pub(super) entries: Vec<Entry>,
}

/// How a segment came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SegmentCounts {
    /// Profiles that came in by this evaluation.
    pub(super) entered: u64,
    /// Profiles that were in before.
    pub(super) stayed: u64,
    /// Profiles that went out by this evaluation.
    pub(super) left: u64,
    /// All that are known to have left.
    pub(super) exited: u64,
    /// Those that are in, by the namespaces of their identities, in lower case.
    pub(super) by_namespace: BTreeMap<String, u64>,
    /// How long its condition took, of all threads.
    pub(super) took: Duration,
}

impl SegmentCounts {
    pub(super) fn add(&mut self, other: &Self) {
        self.entered += other.entered;
        self.stayed += other.stayed;
        self.left += other.left;
        self.exited += other.exited;
        self.took += other.took;
        add_by_namespace(&mut self.by_namespace, &other.by_namespace);
    }

    fn count(&mut self, before: Option<Standing>, next: Option<Standing>) {
        let was_in = before.is_some_and(Standing::is_in);
        match next {
            Some(next) if next.is_in() && was_in => self.stayed += 1,
            Some(next) if next.is_in() => self.entered += 1,
            Some(_) if was_in => {
                self.left += 1;
                self.exited += 1;
            }
            Some(_) => self.exited += 1,
            None => {}
        }
    }
}

/// What changes in a chunk.
pub(super) struct Changes {
    /// Persons whose memberships are others now, with all of them.
    pub(super) persons: Vec<FoundPerson>,
    /// For each segment that was evaluated.
    pub(super) counts: Vec<SegmentCounts>,
}

/// What is evaluated: segments by their numbers, in the order of a chunk's members, at a time.
pub(super) struct Evaluated<'a> {
    pub(super) names: &'a Names,
    pub(super) segments: &'a [u32],
    pub(super) now: Timestamp,
}

impl Evaluated<'_> {
    /// What changes in a chunk. Passes before this one, of other merge policies, `found` something already.
    pub(super) fn changes(&self, chunk: &Chunk, found: &Found) -> Result<Changes> {
        let mut changes = Changes {
            persons: Vec::new(),
            counts: vec![SegmentCounts::default(); self.segments.len()],
        };
        let Some(persons) = &chunk.persons else {
            return Ok(changes);
        };
        let mut own = self.entries(&persons.evaluated, persons.ids.len());
        if !found.is_empty() {
            for (person, own) in own.iter_mut().enumerate() {
                let key =
                    PersonKey::of(persons.namespaces.value(person), persons.ids.value(person));
                if let Some(found) = found.get(&key) {
                    own.clone_from(&found.entries);
                }
            }
        }
        let brought = self.entries(&persons.brought, chunk.rows.num_rows());
        // The place of each segment among those that are evaluated.
        let mut places: Vec<Option<usize>> = vec![None; self.names.ids.len()];
        for (place, number) in self.segments.iter().enumerate() {
            places[*number as usize] = Some(place);
        }
        let place_of = |(number, _): &Entry| places.get(*number as usize).copied().flatten();
        let is_in = places_of_members(&chunk.members, chunk.rows.num_rows());
        let (mut looked_at, mut next_of_profile) = (Vec::new(), Vec::new());
        for ((profile, persons_of), brought) in persons.of_profiles().enumerate().zip(&brought) {
            let own_of = own.get(persons_of.clone()).unwrap_or_default();
            // Most people have to do with few of the segments.
            let known = own_of.iter().flatten().chain(brought).filter_map(place_of);
            looked_at.clear();
            looked_at.extend(is_in[profile].iter().copied().chain(known));
            looked_at.sort_unstable();
            looked_at.dedup();
            next_of_profile.clear();
            for place in &looked_at {
                let number = self.segments[*place];
                let is_in = chunk.members[*place].value(profile);
                let own = Standing::of_all(own_of.iter().filter_map(|own| find(own, number)));
                let brought = find(brought, number);
                let next = after(own, brought, is_in, self.now);
                changes.counts[*place].count(own.or(brought), next.or(brought));
                next_of_profile.extend(next.map(|next| (number, next)));
            }
            for (person, own) in persons_of.zip(own_of) {
                // What data says of other segments depends on their own merge policies: they stay as they are.
                let is_other = |entry: &&Entry| entry.0 != FORGOTTEN && place_of(entry).is_none();
                let others = own.iter().filter(is_other).copied();
                let mut next: Vec<Entry> = others.chain(next_of_profile.iter().copied()).collect();
                next.sort_unstable_by_key(|(number, _)| *number);
                if next != *own {
                    changes.persons.push(FoundPerson {
                        namespace: persons.namespaces.value(person).to_owned(),
                        id: persons.ids.value(person).to_owned(),
                        entries: next,
                    });
                }
            }
        }
        let told = by_namespace(chunk)?.into_iter().zip(&chunk.took);
        for (counts, (by_namespace, took)) in changes.counts.iter_mut().zip(told) {
            counts.by_namespace = by_namespace;
            counts.took = *took;
        }
        Ok(changes)
    }

    /// The memberships of each row of an index, by the numbers of their segments.
    fn entries(&self, index: &MembershipIndex, rows: usize) -> Vec<Vec<Entry>> {
        let mut entries = vec![Vec::new(); rows];
        let own = index.segments();
        for segment in own.filter(|segment| segment.namespace == SEGMENT_NAMESPACE) {
            let number = self.names.number_of(segment.id);
            for posting in segment.postings() {
                if let Some(entries) = entries.get_mut(posting.row as usize) {
                    let standing = Standing {
                        status: posting.status,
                        qualified: posting.qualified,
                    };
                    entries.push((number, standing));
                }
            }
        }
        for entries in &mut entries {
            entries.sort_by_key(|(number, _)| *number);
        }
        entries
    }
}

/// For each profile of a chunk the segments that it is in, by their places.
fn places_of_members(members: &[BooleanBuffer], rows: usize) -> Vec<Vec<usize>> {
    let mut of_profiles = vec![Vec::new(); rows];
    for (place, members) in members.iter().enumerate() {
        for profile in members.set_indices() {
            of_profiles[profile].push(place);
        }
    }
    of_profiles
}

fn find(entries: &[Entry], number: u32) -> Option<Standing> {
    let at = entries.binary_search_by_key(&number, |(number, _)| *number);
    Some(entries.get(at.ok()?)?.1)
}

/// How many of a chunk's members of each segment have identities of each namespace, in lower case.
pub(super) fn by_namespace(chunk: &Chunk) -> Result<Vec<BTreeMap<String, u64>>> {
    let namespaces = namespaces(chunk)?;
    let of_members = |members: &BooleanBuffer| {
        let counts = namespaces.iter().map(|(namespace, who)| {
            let both = (members & who).count_set_bits() as u64;
            (namespace.clone(), both)
        });
        counts.filter(|(_, both)| *both > 0).collect()
    };
    Ok(chunk.members.iter().map(of_members).collect())
}

/// Adds counts by namespace to others.
pub(super) fn add_by_namespace(total: &mut BTreeMap<String, u64>, counts: &BTreeMap<String, u64>) {
    for (namespace, count) in counts {
        *total.entry(namespace.clone()).or_default() += count;
    }
}

/// Which profiles of a chunk have identities of each namespace, in lower case: those of their maps, and the primary ones of
/// the persons that they are, which a record may have in a field of its own.
fn namespaces(chunk: &Chunk) -> Result<BTreeMap<String, BooleanBuffer>> {
    let rows = chunk.rows.num_rows();
    let mut found: BTreeMap<String, Vec<bool>> = BTreeMap::new();
    let mut add = |namespace: &str, profile: usize| {
        let namespace = namespace.to_ascii_lowercase();
        let who = found.entry(namespace).or_insert_with(|| vec![false; rows]);
        if let Some(slot) = who.get_mut(profile) {
            *slot = true;
        }
    };
    if let Some(persons) = &chunk.persons {
        for (profile, own) in persons.of_profiles().enumerate() {
            for person in own {
                add(persons.namespaces.value(person), profile);
            }
        }
    }
    let maps = chunk.rows.column_by_name(IDENTITY_MAP);
    if let Some(maps) = maps.and_then(|column| column.as_map_opt()) {
        let keys = cast(maps.keys(), &DataType::Utf8).map_err(export::Error::from)?;
        let keys = keys.as_string::<i32>();
        let identities = maps.values().as_list_opt::<i32>();
        let is_there = |at: usize| {
            identities.is_none_or(|lists| lists.is_valid(at) && lists.value_length(at) > 0)
        };
        for (profile, bounds) in maps.value_offsets().windows(2).enumerate() {
            for at in (bounds[0] as usize..bounds[1] as usize).filter(|at| is_there(*at)) {
                add(keys.value(at), profile);
            }
        }
    }
    Ok(found
        .into_iter()
        .map(|(key, who)| (key, who.into()))
        .collect())
}
