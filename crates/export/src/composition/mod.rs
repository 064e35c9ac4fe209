//! What profiles are made of, counted: which datasets and namespaces come together in how many of them.

mod combinations;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use gather::{Child, Column, RowRef};
use rayon::prelude::*;
use xdm::{Class, FieldType, Fields, IDENTITY_MAP, PersonKey, Timestamp};

use crate::columns::{FieldSet, Set};
use crate::error::Result;
use crate::export::Export;
use crate::people::{PeopleRows, ProfileRows};
use crate::pipeline::rows_of;
use crate::sources::Sources;
use combinations::{Counts, add_combination, sort};

/// After so many chunks what was read of the runs' keys is let go of.
const RELEASE: usize = 32;

/// What the profiles of a plan are made of. Namespaces are in lower case.
///
/// A *fragment* is what one dataset has of one primary identity: a record, or events. It is in the namespace of that
/// identity and in those of the identities that its records link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Composition {
    /// All profiles, those that have events alone, too.
    pub profiles: u64,
    /// The fragments of all profiles.
    pub fragments: u64,
    /// The records among these: all but events.
    pub records: u64,
    /// The events of all profiles.
    pub events: u64,
    /// How many profiles are from exactly these datasets: sorted IDs.
    pub by_datasets: BTreeMap<Vec<String>, u64>,
    /// How many profiles have identities of exactly these namespaces, sorted.
    pub by_namespaces: BTreeMap<Vec<String>, u64>,
    /// How many fragments are in each namespace.
    pub fragments_by_namespace: BTreeMap<String, u64>,
    /// Profiles of one fragment without a later event, for each of the times that were asked for.
    pub unstitched: Vec<Unstitched>,
}

/// Profiles of a single fragment that have no event from a moment on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unstitched {
    /// How many there are.
    pub profiles: u64,
    /// How many events they have.
    pub events: u64,
    /// Both by the namespace of their primary identity.
    pub by_namespace: BTreeMap<String, (u64, u64)>,
}

impl Export {
    /// Counts what the profiles of this export's plan are made of, whatever its filters say: in one pass over the keys of
    /// all persons and the namespaces of their records. A profile is unstitched since a moment where it is one fragment,
    /// and none of its events has that timestamp or a later one.
    ///
    /// # Errors
    /// A damaged run; too many combinations; the work was cancelled.
    pub fn composition(&self, since: &[Timestamp]) -> Result<Composition> {
        let sources = self.pipeline().sources();
        let people = self.everybody();
        let one = |name: &str, ty| [(name.to_owned(), ty)].into_iter().collect::<Fields>();
        let counting = Counting {
            export: self,
            since: since.iter().map(|since| since.micros()).collect(),
            identities: FieldSet::new(
                Set::CountedIdentities,
                &Class::ALL,
                &one(IDENTITY_MAP, namespaces_alone()),
                sources,
            )?,
            times: FieldSet::new(
                Set::CountedTimes,
                &[Class::Event],
                &one("timestamp", FieldType::DateTime),
                sources,
            )?,
            datasets: DatasetNumbers::of(sources),
        };
        let chunks = people.chunks();
        let done = AtomicUsize::new(0);
        let counts = (0..chunks)
            .into_par_iter()
            .map(|number| {
                if self.progress().is_cancelled() {
                    return Err(decode::Error::Cancelled.into());
                }
                sources.begin_chunk();
                let counts = counting.count(&people.rows(number, sources)?)?;
                sources.check_whole()?;
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                if done.is_multiple_of(RELEASE * rayon::current_num_threads()) {
                    sources.release();
                }
                self.progress().add_share(1.0 / chunks as f64);
                Ok(counts)
            })
            .try_reduce(|| counting.nothing(), Counts::with)?;
        sources.check_whole()?;
        Ok(counts.named(&counting.datasets.ids))
    }
}

/// The type of identity maps with as little of each identity as there can be.
fn namespaces_alone() -> FieldType {
    let item = [("primary".to_owned(), FieldType::Boolean)];
    let item = FieldType::Object(item.into_iter().collect());
    FieldType::Map(Box::new(FieldType::List(Box::new(item))))
}

/// The datasets that have runs, by number: in the order of their IDs.
struct DatasetNumbers {
    ids: Vec<String>,
    of_sources: Vec<u32>,
}

impl DatasetNumbers {
    fn of(sources: &Sources) -> Self {
        let all = sources.all.iter().map(|source| &source.run.dataset);
        let mut ids: Vec<String> = all.clone().cloned().collect();
        ids.sort_unstable();
        ids.dedup();
        let number = |id: &String| ids.partition_point(|known| known < id) as u32;
        Self {
            of_sources: all.map(number).collect(),
            ids,
        }
    }
}

/// What is counted, and by what.
struct Counting<'a> {
    export: &'a Export,
    since: Vec<i64>,
    identities: FieldSet,
    times: FieldSet,
    datasets: DatasetNumbers,
}

/// A record or an event of a profile.
struct Piece {
    dataset: u32,
    person: PersonKey,
    is_event: bool,
    /// Where it is in the sources.
    row: RowRef,
    /// Its place among all rows of the chunk.
    place: usize,
}

impl Counting<'_> {
    fn nothing(&self) -> Counts {
        Counts {
            unstitched: vec![HashMap::new(); self.since.len()],
            ..Counts::default()
        }
    }

    /// Counts some people.
    fn count(&self, people: &PeopleRows) -> Result<Counts> {
        let sources = self.export.pipeline().sources();
        let mut counts = self.nothing();
        let mut rows: Vec<RowRef> = Vec::new();
        let mut event_rows: Vec<RowRef> = Vec::new();
        for profile in people.profiles() {
            let before = event_rows.len();
            event_rows.extend(profile.events.iter().flat_map(rows_of));
            rows.extend(profile.fragments.iter().chain(&event_rows[before..]));
        }
        let maps = self.identities.gather(sources, &mut rows)?;
        let times = self.times.gather(sources, &mut event_rows)?;
        let ([(_, maps)], [(_, times)]) = (&maps[..], &times[..]) else {
            unreachable!("a set of one field has one column");
        };
        let (mut place, mut event_place) = (0, 0);
        let mut pieces = Vec::new();
        for profile in people.profiles() {
            self.collect(&profile, &mut pieces, &mut place);
            if pieces.is_empty() {
                // Nothing of theirs takes part.
                continue;
            }
            let events = pieces.iter().filter(|piece| piece.is_event).count();
            let own = &event_rows[event_place..event_place + events];
            event_place += events;
            let latest = own.iter().filter_map(|at| times.micros(*at)).max();
            self.add(&mut counts, &mut pieces, maps, &rows, latest)?;
        }
        Ok(counts)
    }

    /// The records and events of a profile.
    fn collect(&self, profile: &ProfileRows<'_>, pieces: &mut Vec<Piece>, place: &mut usize) {
        let sources = self.export.pipeline().sources();
        pieces.clear();
        let mut add = |row: RowRef, is_event| {
            let run = &sources.of(row).run;
            pieces.push(Piece {
                dataset: self.datasets.of_sources[row.source as usize],
                person: run.person(run.person_of_row(row.row)),
                is_event,
                row,
                place: *place,
            });
            *place += 1;
        };
        profile.fragments.iter().for_each(|row| add(*row, false));
        let events = profile.events.iter().flat_map(rows_of);
        events.for_each(|row| add(row, true));
    }

    /// Adds a profile of these pieces, the latest of whose events has this timestamp.
    fn add(
        &self,
        counts: &mut Counts,
        pieces: &mut [Piece],
        maps: &Column,
        rows: &[RowRef],
        latest: Option<i64>,
    ) -> Result<()> {
        let sources = self.export.pipeline().sources();
        let events = pieces.iter().filter(|piece| piece.is_event).count() as u64;
        counts.profiles += 1;
        counts.events += events;
        counts.records += pieces.len() as u64 - events;
        pieces.sort_by_key(|piece| (piece.dataset, piece.person));
        let (mut datasets, mut namespaces) = (Vec::new(), Vec::new());
        let (mut fragments, mut own) = (0, 0);
        for fragment in pieces.chunk_by(|a, b| (a.dataset, a.person) == (b.dataset, b.person)) {
            let Some(first) = fragment.first() else {
                continue;
            };
            fragments += 1;
            datasets.push(first.dataset);
            let run = &sources.of(first.row).run;
            own = counts.number(run.namespace(run.person_of_row(first.row.row))?);
            let mut of_fragment = vec![own];
            for piece in fragment {
                add_namespaces(maps, rows[piece.place], counts, &mut of_fragment);
            }
            sort(&mut of_fragment);
            for number in &of_fragment {
                counts.fragments_by_namespace[*number as usize] += 1;
            }
            namespaces.extend(of_fragment);
        }
        counts.fragments += fragments;
        sort(&mut datasets);
        sort(&mut namespaces);
        add_combination(&mut counts.by_datasets, &datasets, 1)?;
        add_combination(&mut counts.by_namespaces, &namespaces, 1)?;
        if fragments == 1 {
            for (since, unstitched) in self.since.iter().zip(&mut counts.unstitched) {
                if latest.is_none_or(|latest| latest < *since) {
                    let (profiles, of_these) = unstitched.entry(own).or_default();
                    *profiles += 1;
                    *of_these += events;
                }
            }
        }
        Ok(())
    }
}

/// Adds the numbers of the namespaces that a record's identity map has identities of.
fn add_namespaces(maps: &Column, row: RowRef, counts: &mut Counts, numbers: &mut Vec<u32>) {
    let Child::Map(keys, items) = maps.child() else {
        // No record has identities in a map.
        return;
    };
    for entry in maps.range(row) {
        if let Some(namespace) = keys.text(entry).filter(|_| items.range(entry).len() > 0) {
            numbers.push(counts.number(namespace));
        }
    }
}
