//! Exports record batches of one's own, partition by partition, into a sink of one's own: no store, no
//! file.
//!
//!     cargo run --example own_batches

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use profile_export::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use profile_export::export::{
    DatasetBatches, Export, Plan, UnionSchemas, WriterOptions, snapshot_of,
};
use profile_export::request::{ExportRequest, MergePolicy};
use profile_export::xdm::{Class, Dataset, Timestamp};

/// A sink that only counts: an upload, a socket or a hash would stand here.
#[derive(Default)]
struct Counting(usize);

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The records of one partition of the people: each person twice, the second record the later one.
fn partition(number: i64) -> Result<RecordBatch, Box<dyn std::error::Error>> {
    let people = (number * 1000..(number + 1) * 1000).flat_map(|person| [person, person]);
    let emails = StringArray::from_iter_values(people.map(|n| format!("person{n}@example.com")));
    let points = Int64Array::from_iter_values((0..2000).map(|n| n % 2 * 100));
    let columns: [(&str, ArrayRef); 2] =
        [("email", Arc::new(emails)), ("points", Arc::new(points))];
    Ok(RecordBatch::try_from_iter(columns)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dataset = Dataset {
        primary_identity: Some("email=Email".to_owned()),
        ..Dataset::new("5b020a27e7040801dedba61a", "loyalty", Class::Profile)
    };
    let request = ExportRequest {
        fields: Some("email,points".to_owned()),
        ..ExportRequest::default()
    };
    let [policy, _] = MergePolicy::built_in();

    // The union schema is that of all partitions, so that each comes out with the same columns.
    let unions = UnionSchemas::of([(&dataset, partition(0)?.schema().as_ref())])?;
    let plan = Plan::new(&request, policy, &unions)?;
    for number in 0..3 {
        let records = DatasetBatches {
            dataset: dataset.clone(),
            batches: vec![partition(number)?],
            ingested_at: Timestamp::now(),
        };
        let export = Export::new(&snapshot_of(&[records], &unions)?, &plan)?;
        assert_eq!(export.schema(), plan.schema());
        let batch = export.batch(0);
        let (sink, written, _) = batch.write_to(
            Counting::default(),
            Path::new("a counter"),
            &WriterOptions::default(),
        )?;
        assert_eq!(written.rows, 1000);
        println!(
            "partition {number}: {} rows, {} bytes",
            written.rows, sink.0
        );
    }
    Ok(())
}
