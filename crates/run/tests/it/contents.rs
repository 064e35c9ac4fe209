//! All that a reader can ask of a run. The fuzz target `run` reads by this file, too.

use std::ops::Range;

use arrow::array::ArrayRef;
use membership::Posting;
use profile_export_run::{Result, Run, RunBuilder, RunFiles};
use std::path::Path;
use xdm::{Class, Fields};

#[derive(Debug, PartialEq)]
pub struct Contents {
    pub persons: Vec<(u128, String, String, Range<u32>)>,
    pub ingested: Vec<i64>,
    pub updated: Vec<i64>,
    pub sequences: Vec<u64>,
    pub links: Vec<Option<ArrayRef>>,
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
        let rows = 0..u32::try_from(run.rows()).expect("few rows");
        let (ingested, updated) = (run.ingest_times()?, run.update_times()?);
        let sequences = run.sequences()?;
        let fields = types
            .iter()
            .map(|(name, ty)| {
                let field = run.record_field(name, &ty.data_type())?;
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
            ingested: rows.clone().map(|row| ingested.get(row)).collect(),
            updated: rows.clone().map(|row| updated.get(row)).collect(),
            sequences: rows.map(|row| sequences.get(row)).collect(),
            links: run.links()?.batches,
            fields,
            members,
        })
    }
}
