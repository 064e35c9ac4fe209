//! Tables that statements run over: small ones written here, and the retailer's export.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array as _, AsArray as _, ListArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use arrow::json::ReaderBuilder;
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::error::{DataFusionError, Result};
use profile_export::export::{Export, Plan, Progress, UnionSchemas};
use profile_export::platform::{SourceFolder, merge_policy};
use profile_export::request::ExportRequest;
use profile_export::store::{LoadOptions, Scope, Store};
use profile_export_sql::{Snapshot, Snapshots, Tables};

/// Tables in memory; `t` has three snapshots of one row each, all others have none.
#[derive(Debug)]
pub struct InMemory(pub BTreeMap<String, RecordBatch>);

impl InMemory {
    fn provider(batch: &RecordBatch) -> Result<Arc<dyn TableProvider>> {
        Ok(Arc::new(MemTable::try_new(
            batch.schema(),
            vec![vec![batch.clone()]],
        )?))
    }
}

impl Tables for InMemory {
    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn table(&self, name: &str, snapshots: &Snapshots) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(batch) = self.0.get(name) else {
            return Ok(None);
        };
        let place = |snapshot: &Snapshot| match snapshot {
            Snapshot::Head => Ok(batch.num_rows()),
            Snapshot::Tail => Ok(0),
            Snapshot::Id(id) => match id.parse::<usize>() {
                Ok(number) if name == "t" => Ok(number.min(batch.num_rows())),
                _ => Err(DataFusionError::Plan(format!(
                    "{name} has no snapshot {id}"
                ))),
            },
        };
        let rows = match snapshots {
            Snapshots::All => 0..batch.num_rows(),
            Snapshots::Since(from) => place(from)?..batch.num_rows(),
            Snapshots::AsOf(to) => 0..place(to)?,
            Snapshots::Between(from, to) => place(from)?..place(to)?,
        };
        Self::provider(&batch.slice(rows.start, rows.len())).map(Some)
    }

    fn history(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if !self.0.contains_key(name) {
            return Ok(None);
        }
        let schema = Schema::new(vec![
            Field::new("snapshot_id", DataType::Utf8, true),
            Field::new("parent_id", DataType::Utf8, true),
            Field::new("is_current", DataType::Boolean, true),
        ]);
        let rows = r#"{"snapshot_id": "1", "is_current": false}
            {"snapshot_id": "2", "parent_id": "1", "is_current": false}
            {"snapshot_id": "3", "parent_id": "2", "is_current": true}"#;
        Self::provider(&read(schema, rows)).map(Some)
    }
}

/// All tables of the tests.
pub fn tables() -> &'static InMemory {
    static TABLES: OnceLock<InMemory> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut tables = small();
        tables.extend(retailer());
        InMemory(tables)
    })
}

fn read(schema: Schema, rows: &str) -> RecordBatch {
    let schema = Arc::new(schema);
    let mut reader = ReaderBuilder::new(Arc::clone(&schema))
        .build(Cursor::new(rows))
        .expect("a reader");
    let batches: Vec<_> = reader.by_ref().collect::<Result<_, _>>().expect("rows");
    concat_batches(&schema, &batches).expect("one batch")
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn list(name: &str, element: DataType) -> Field {
    Field::new(
        name,
        DataType::List(Arc::new(Field::new("element", element, true))),
        true,
    )
}

fn structure(fields: Vec<Field>) -> DataType {
    DataType::Struct(Fields::from(fields))
}

fn map(name: &str, value: DataType) -> Field {
    let entries = structure(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", value, true),
    ]);
    Field::new(
        name,
        DataType::Map(Arc::new(Field::new("key_value", entries, false)), false),
        true,
    )
}

/// Three rows with everything, nothing and nulls in it; and a table of plain values.
fn small() -> BTreeMap<String, RecordBatch> {
    let item = structure(vec![
        text("SKU"),
        Field::new("priceTotal", DataType::Float64, true),
        Field::new("quantity", DataType::Int64, true),
    ]);
    let t = Schema::new(vec![
        text("Id"),
        Field::new("n", DataType::Int64, true),
        Field::new("x", DataType::Float64, true),
        Field::new("flag", DataType::Boolean, true),
        Field::new(
            "at",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            true,
        ),
        Field::new("born", DataType::Date32, true),
        Field::new(
            "Person",
            structure(vec![
                Field::new(
                    "Name",
                    structure(vec![text("firstName"), text("lastName")]),
                    true,
                ),
                text("order"),
            ]),
            true,
        ),
        list("tags", DataType::Utf8),
        list("items", item),
        map("scores", DataType::Int64),
        map(
            "ids",
            DataType::List(Arc::new(Field::new(
                "element",
                structure(vec![
                    text("id"),
                    Field::new("primary", DataType::Boolean, true),
                ]),
                true,
            ))),
        ),
        list(
            "nested",
            DataType::List(Arc::new(Field::new("element", DataType::Int64, true))),
        ),
    ]);
    let rows = r#"
        {"Id": "a", "n": 7, "x": 2.5, "flag": true, "at": "2018-10-25T22:30:05.250Z", "born": "1980-02-29",
         "Person": {"Name": {"firstName": "Ann", "lastName": "Brown"}, "order": "first"},
         "tags": ["vip", "new", "vip"],
         "items": [{"SKU": "s1", "priceTotal": 10.5, "quantity": 2}, {"SKU": "s2", "priceTotal": 4, "quantity": null}],
         "scores": {"x": 1, "Y": 2},
         "ids": {"ECID": [{"id": "e1", "primary": true}, {"id": "e2"}], "Email": [{"id": "a@x"}]},
         "nested": [[1, 2], [], [3]]}
        {"Id": "b", "n": -2, "x": 0, "flag": false, "at": "2018-12-31T23:59:59Z", "born": "1999-12-31",
         "Person": {"Name": null, "order": "second"},
         "tags": [], "items": [], "scores": {}, "ids": {}, "nested": []}
        {"Id": null, "n": null, "x": null, "flag": null, "at": null, "born": null, "Person": null, "tags": null,
         "items": null, "scores": null, "ids": null, "nested": null}"#;
    let words = Schema::new(vec![text("word"), Field::new("k", DataType::Int64, true)]);
    let lines = r#"{"word": "1", "k": 1} {"word": "01", "k": 1} {"word": "2.9", "k": 2} {"word": "abc", "k": 3}
        {"word": " 3 ", "k": 3} {"word": "", "k": null} {"k": 4}"#;
    let twice = Schema::new(vec![text("name"), text("Name"), text("other")]);
    BTreeMap::from([
        ("t".to_owned(), read(t, rows)),
        ("words".to_owned(), read(words, lines)),
        (
            "twice".to_owned(),
            read(twice, r#"{"name": "a", "Name": "b", "other": "c"}"#),
        ),
    ])
}

/// `prof`: everybody with their events; `ev`: these events.
fn retailer() -> BTreeMap<String, RecordBatch> {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path().join("store"), Scope::default()).expect("a store");
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/retailer");
    let source = SourceFolder::open(fixtures.as_ref()).expect("a source folder");
    source
        .load(&store, &LoadOptions::default(), &Progress::default())
        .expect("records");
    let request = std::fs::read_to_string(format!("{fixtures}/requests/everyone-with-events.json"))
        .expect("a request");
    let request: ExportRequest = serde_json::from_str(&request).expect("a request");
    let snapshot = store.snapshot(None).expect("a snapshot");
    let policy = merge_policy(store.catalog(), "latest-pdg", None).expect("a policy");
    let plan = Plan::new(&request, policy, &UnionSchemas::from(&snapshot)).expect("a plan");
    let export = Export::new(&snapshot, &plan).expect("an export");
    let chunks: Vec<_> = export
        .batch(0)
        .chunks()
        .collect::<Result<_, _>>()
        .expect("rows");
    let prof = concat_batches(&export.schema(), &chunks).expect("one batch");
    let events: &ListArray = prof
        .column_by_name("timeSeriesEvents")
        .expect("events")
        .as_list();
    let offsets = events.value_offsets();
    let (from, to) = (offsets[0] as usize, offsets[events.len()] as usize);
    let ev = RecordBatch::from(events.values().slice(from, to - from).as_struct().clone());
    BTreeMap::from([("prof".to_owned(), prof), ("ev".to_owned(), ev)])
}

/// For `tests/spark.py`, into the folder that `PROFILE_EXPORT_SQL_TABLES` names.
#[test]
#[ignore = "Spark is asked by hand"]
fn tables_are_written() {
    let folder = std::env::var_os("PROFILE_EXPORT_SQL_TABLES").expect("a folder");
    for (name, batch) in &tables().0 {
        let path = std::path::Path::new(&folder).join(format!("{name}.parquet"));
        let file = std::fs::File::create(path).expect("a file");
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
        writer.write(batch).expect("rows");
        writer.close().expect("a file");
    }
}
