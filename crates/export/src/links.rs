//! Which identities the records of a store link.

use arrow::array::{Array, AsArray};
use decode::Progress;
use rayon::prelude::*;
use run::Run;
use xdm::PersonKey;

use crate::error::Result;
use crate::sources::Sources;

/// That a record links two identities.
pub(crate) struct Link {
    pub(crate) identity: PersonKey,
    /// The other: the record's primary identity, or where the record does not link that, the first one.
    pub(crate) by: PersonKey,
    pub(crate) source: u32,
    pub(crate) row: u32,
}

/// All links of all records, replaced ones among them.
pub(crate) struct Links {
    /// By identity.
    pub(crate) sorted: Vec<Link>,
    /// The first identities of records that don't link their primary one.
    pub(crate) odd: Vec<PersonKey>,
}

impl Links {
    pub(crate) fn of(sources: &Sources, progress: &Progress) -> Result<Self> {
        let batches = all_batches(sources);
        let parts = batches.par_iter().map(|(source, batch)| {
            progress.check()?;
            of_batch(sources, *source, *batch)
        });
        let parts: Vec<Self> = parts.collect::<Result<_>>()?;
        let mut all = Self {
            sorted: Vec::with_capacity(parts.iter().map(|part| part.sorted.len()).sum()),
            odd: Vec::new(),
        };
        for part in parts {
            all.sorted.extend(part.sorted);
            all.odd.extend(part.odd);
        }
        all.sorted
            .par_sort_unstable_by_key(|link| (link.identity, link.by));
        Ok(all)
    }
}

/// The batches of all sources, each by the number of its source and its own there.
pub(crate) fn all_batches(sources: &Sources) -> Vec<(u32, u32)> {
    let batches = (0..).zip(&sources.all).flat_map(|(number, source)| {
        (0..source.run.batch_count() as u32).map(move |batch| (number, batch))
    });
    batches.collect()
}

/// Hands out the rows of a batch, by their numbers in the run, with the keys of the identities that each links.
pub(crate) fn each_row(
    run: &Run,
    batch: u32,
    mut take: impl FnMut(u32, &[[u8; 16]]) -> Result<()>,
) -> Result<()> {
    let lists = run.batch_links(batch)?;
    if lists.values().is_empty() {
        return Ok(());
    }
    let (keys, _) = lists
        .values()
        .as_fixed_size_binary()
        .value_data()
        .as_chunks::<16>();
    let first_row = Run::first_row(batch);
    for (row, range) in (first_row..).zip(lists.value_offsets().windows(2)) {
        let [start, end] = *range else { continue };
        take(row, &keys[start as usize..end as usize])?;
    }
    Ok(())
}

fn of_batch(sources: &Sources, source: u32, batch: u32) -> Result<Links> {
    let run = &sources.all[source as usize].run;
    let mut links = Links {
        sorted: Vec::new(),
        odd: Vec::new(),
    };
    each_row(run, batch, |row, own| {
        let own = own.iter().map(|key| PersonKey::from_bytes(*key));
        let Some(first) = own.clone().next() else {
            return Ok(());
        };
        let primary = run.person(run.person_of_row(row));
        let links_primary = own.clone().any(|key| key == primary);
        let by = if links_primary { primary } else { first };
        if !links_primary {
            links.odd.push(first);
        }
        let others = own.filter(|key| *key != by);
        links.sorted.extend(others.map(|identity| Link {
            identity,
            by,
            source,
            row,
        }));
        Ok(())
    })?;
    Ok(links)
}
