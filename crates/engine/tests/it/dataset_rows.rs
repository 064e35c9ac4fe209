//! The records of a dataset as they lie in a store: those that were loaded, and nothing replaced or deleted.

use profile_export::export::{DatasetRows, INGESTED_AT, json_values};
use serde_json::{Value, json};

use crate::generate::{Case, EVENTS, PROFILES, Step, case, runner, store_of};
use crate::lookup::without_nulls;
use crate::reference::{Reference, micros, plain_record};
use crate::scratch::{Scratch, sorted};

#[test]
fn a_record_is_a_row_until_another_replaces_it() {
    runner(60, 2_000)
        .run(&case(), |case| {
            check(&case);
            Ok(())
        })
        .unwrap();
}

fn check(case: &Case) {
    let scratch = store_of(case);
    let mut reference = Reference::default();
    let datasets = [(&PROFILES[..2], false), (&EVENTS[..], true)];
    for (ids, events) in datasets {
        for id in ids {
            reference.dataset(id, events, None);
        }
    }
    for step in &case.steps {
        match step {
            Step::Load(dataset, records) if is_known(dataset) => {
                scratch.load(dataset, records).unwrap();
                reference.load(dataset, records);
            }
            Step::Load(..) => {}
            Step::Delete(identity) => {
                scratch.delete(identity);
                reference.delete(&identity.namespace, &identity.id);
            }
            Step::Compact => drop(scratch.store.compact().unwrap()),
        }
    }
    for (ids, _) in datasets {
        for dataset in ids {
            let expected = reference.records(dataset).map(|(at, body)| {
                let mut body = without_nulls(body.clone());
                body[INGESTED_AT] = json!(at);
                body
            });
            assert_eq!(
                sorted(rows(&scratch, dataset)),
                sorted(expected.collect()),
                "{dataset}"
            );
        }
    }
}

fn is_known(dataset: &str) -> bool {
    PROFILES[..2].contains(&dataset) || EVENTS.contains(&dataset)
}

/// All rows but those that each generated store begins with.
fn rows(scratch: &Scratch, dataset: &str) -> Vec<Value> {
    let snapshot = scratch.store.snapshot(None).unwrap();
    let of_dataset = DatasetRows::new(&snapshot, dataset).unwrap();
    let columns: Vec<usize> = (0..of_dataset.schema().fields().len()).collect();
    let mut rows = Vec::new();
    let mut most = 0;
    for part in 0..of_dataset.parts() {
        let whole = of_dataset.part(part, &columns, &[]).unwrap();
        assert_eq!(whole.schema(), of_dataset.schema());
        // Whatever columns are asked for, the rows are the same.
        assert_eq!(
            of_dataset.part(part, &[], &[]).unwrap().num_rows(),
            whole.num_rows()
        );
        let last = columns.len() - 1;
        let few = of_dataset.part(part, &[last, 0], &[]).unwrap();
        assert_eq!(
            [few.column(0), few.column(1)],
            [whole.column(last), whole.column(0)]
        );
        most += whole.num_rows();
        rows.extend(json_values(&whole).unwrap());
    }
    assert!(most <= of_dataset.records());
    let plain = rows.into_iter().map(|mut row| {
        let object = row.as_object_mut().unwrap();
        let at = object.shift_remove(INGESTED_AT).unwrap();
        let mut row = without_nulls(plain_record(&row));
        row[INGESTED_AT] = json!(micros(at.as_str().unwrap()));
        row
    });
    let is_first = |row: &Value| row["identityMap"]["ECID"][0]["id"] == "all";
    plain.filter(|row| !is_first(row)).collect()
}
