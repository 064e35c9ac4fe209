//! Which identities the records of a store link.

use decode::Progress;
use rayon::prelude::*;
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
        let batches = (0..).zip(&sources.all).flat_map(|(number, source)| {
            (0..source.run.batch_count() as u32).map(move |batch| (number, batch))
        });
        let batches: Vec<(u32, u32)> = batches.collect();
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

fn of_batch(sources: &Sources, source: u32, batch: u32) -> Result<Links> {
    let run = &sources.all[source as usize].run;
    let mut links = Links {
        sorted: Vec::new(),
        odd: Vec::new(),
    };
    run.each_link(batch, |row, own| {
        let own = own.iter().map(|key| PersonKey::from_bytes(*key));
        let Some(first) = own.clone().next() else {
            return;
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
    })?;
    Ok(links)
}
