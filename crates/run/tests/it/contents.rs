//! All that a reader can ask of a run. The fuzz target `run` reads by this file, too.

use std::ops::Range;

use arrow::array::{ArrayRef, ListArray};
use membership::Posting;
use profile_export_run::{BlockCache, RecordTimes, Result, Run, RunBuilder, RunFiles};
use std::path::Path;
use xdm::{Class, Fields};

#[derive(Debug, PartialEq)]
pub struct Contents {
    pub persons: Vec<(u128, String, String, Range<u32>)>,
    pub ingested: Vec<i64>,
    pub updated: Vec<i64>,
    pub sequences: Vec<u64>,
    pub links: Vec<ListArray>,
    /// The fields of the records, batch by batch.
    pub fields: Vec<(String, Vec<Option<ArrayRef>>)>,
    pub members: Vec<(String, String, Vec<Posting>)>,
}

impl Contents {
    pub fn open(folder: &Path, class: Class, types: &Fields, files: &RunFiles) -> Result<Self> {
        Self::read(&Run::open(folder, "dataset", class, files)?, types)
    }

    pub fn read(run: &Run, types: &Fields) -> Result<Self> {
        let persons = (0..run.persons())
            .map(|i| {
                let (namespace, id) = run.identity(i)?;
                assert_eq!(run.namespace(i)?, namespace);
                let key = run.person(i);
                assert_eq!(run.find(key), Some(i));
                let rows = run.rows_of(i);
                assert!(rows.clone().all(|row| run.person_of_row(row) == i));
                Ok((key.0, namespace.to_owned(), id.to_owned(), rows))
            })
            .collect::<Result<_>>()?;
        let batches = 0..u32::try_from(run.batch_count()).expect("few batches");
        let times: Vec<RecordTimes> = (batches.clone())
            .map(|batch| run.batch_times(batch))
            .collect::<Result<_>>()?;
        // Some blocks stay, some go.
        let kept = BlockCache::new(4_000);
        for (batch, all) in batches.clone().zip(&times) {
            for window in windows(all.sequences.len() as u32) {
                let part = run.times_of_rows(batch, window.clone(), &kept)?;
                let window = window.start as usize..window.end as usize;
                assert_eq!(part.ingested[..], all.ingested[window.clone()]);
                assert_eq!(part.updated[..], all.updated[window.clone()]);
                assert_eq!(part.sequences[..], all.sequences[window]);
            }
        }
        let fields = types
            .iter()
            .map(|(name, ty)| {
                let ty = ty.data_type();
                let field = run.record_field(name, &ty)?;
                let prototype = run.field_prototype(name, &ty)?;
                for (batch, times) in times.iter().enumerate() {
                    let one = run.batch_field(batch as u32, name, &ty)?;
                    assert_eq!(&one, &field.batches[batch]);
                    let types = [&one, &prototype].map(|a| a.as_ref().map(|a| a.data_type()));
                    assert_eq!(types[0], types[1], "{name}");
                    let rows = times.sequences.len() as u32;
                    for window in windows(rows) {
                        let part =
                            run.field_of_rows(batch as u32, window.clone(), name, &ty, &kept)?;
                        let (first, count) = (window.start as usize, window.len());
                        let expected = one.as_ref().map(|one| one.slice(first, count));
                        assert_eq!(part, expected, "{name} {window:?}");
                    }
                }
                Ok((name.to_owned(), field.batches))
            })
            .collect::<Result<_>>()?;
        let index = run.members(|_, _| true)?;
        let segments = index.iter().flat_map(|index| index.segments());
        let members = segments
            .map(|segment| {
                for posting in segment.postings() {
                    assert_eq!(segment.of_row(posting.row), Some(posting));
                }
                let postings = segment.postings().collect();
                (
                    segment.namespace.to_owned(),
                    segment.id.to_owned(),
                    postings,
                )
            })
            .collect();
        if run.class == Class::Event {
            // A load asks for the digests of the events that there are.
            let none = RunBuilder::default().in_memory("dataset", run.class, types, &[run])?;
            assert!(none.is_none());
        }
        Ok(Self {
            persons,
            ingested: times.iter().flat_map(|t| t.ingested.to_vec()).collect(),
            updated: times.iter().flat_map(|t| t.updated.to_vec()).collect(),
            sequences: times.iter().flat_map(|t| t.sequences.to_vec()).collect(),
            links: batches
                .map(|batch| run.batch_links(batch))
                .collect::<Result<_>>()?,
            fields,
            members,
        })
    }
}

/// Some stretches of so many rows: all, none, the last, and one in the middle that begins within a byte of bits.
fn windows(rows: u32) -> [Range<u32>; 4] {
    let last = rows.saturating_sub(1);
    let middle = rows / 3;
    [0..rows, middle..middle, last..rows, middle..rows - rows / 4]
}
