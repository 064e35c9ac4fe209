"""Loads: source folders, files, and Arrow data."""

import json

import pandas
import polars
import profile_export as pe
import pyarrow
import pytest
from conftest import FIXTURES, people, sorted_by


def exported(store, **audience):
    return sorted_by("points", store.export(fields="email,points,name", **audience).to_arrow().to_pylist())


FORMS = {
    "pyarrow table": pyarrow.table,
    "pyarrow batch": lambda columns: pyarrow.record_batch(columns),
    "pyarrow reader": lambda columns: pyarrow.RecordBatchReader.from_batches(
        pyarrow.table(columns).schema, iter(pyarrow.table(columns).to_batches(max_chunksize=7))
    ),
    "pyarrow dictionary": lambda columns: pyarrow.table(
        {**columns, "name": pyarrow.array(columns["name"]).dictionary_encode()}
    ),
    "polars": polars.DataFrame,
    "pandas": pandas.DataFrame,
}


@pytest.mark.parametrize("form", FORMS)
def test_arrow_data_of_every_library_is_loaded(store, form):
    columns = people(0, 100)
    report = store.ingest(FORMS[form](columns), dataset="crm", primary_identity="email=Email")
    assert (report.read, report.loaded, report.bad, report.rejects) == (100, 100, 0, ())
    assert exported(store) == [dict(zip(columns, row)) for row in zip(*columns.values())]


def test_nested_data_is_loaded_as_json_is(store, tmp_path):
    records = [
        {"identityMap": {"Email": [{"id": f"p{n}", "primary": True}]}, "person": {"name": {"firstName": f"n{n}"}},
         "tags": ["a"] * (n % 3), "scores": {"x": n / 2}}
        for n in range(20)
    ]  # fmt: skip
    lines = tmp_path / "records.ndjson"
    lines.write_text("".join(json.dumps(record) + "\n" for record in records))
    text = pa_type = pyarrow.string()
    identity = pyarrow.list_(pyarrow.struct([("id", text), ("primary", pyarrow.bool_())]))
    schema = pyarrow.schema([
        ("identityMap", pyarrow.map_(pa_type, identity)),
        ("person", pyarrow.struct([("name", pyarrow.struct([("firstName", text)]))])),
        ("tags", pyarrow.list_(text)),
        ("scores", pyarrow.struct([("x", pyarrow.float64())])),
    ])  # fmt: skip
    rows = [{**record, "identityMap": list(record["identityMap"].items())} for record in records]
    other = pe.Store(tmp_path / "other", create=True)
    store.ingest(pyarrow.Table.from_pylist(rows, schema), dataset="crm")
    other.ingest(lines, dataset="crm")
    ours, theirs = store.export().to_arrow(), other.export().to_arrow()
    assert ours.schema == theirs.schema
    assert ours.to_pylist() == theirs.to_pylist()
    assert ours.num_rows == 20


def test_slices_of_nested_data_are_what_they_show(store, retailer):
    # Structs in structs, lists, maps: each with an offset of its own.
    whole = pyarrow.table(retailer.export())
    for start, length in [(0, 7), (10, 5), (50, 100)]:
        part = whole.slice(start, length)
        plain = pyarrow.Table.from_pylist(part.to_pylist(), part.schema)
        sliced, copied = [
            pe.export_batches(pe.Records(table, ingested_at="2018-11-01")) for table in (part, plain)
        ]
        assert sliced.to_arrow().num_rows > length // 2
        assert sliced.to_arrow().to_pylist() == copied.to_arrow().to_pylist()
    assert store.ingest(whole.slice(10, 5), dataset="again").loaded == 5


def test_what_are_no_rows_is_refused(store):
    text = {"dataset": "crm", "primary_identity": "email=Email"}
    with pytest.raises(ValueError, match="[Ss]chema"):
        store.ingest(pyarrow.chunked_array([[1, 2]]), **text)
    with pytest.raises(ValueError, match="null"):
        store.ingest(pyarrow.array([{"email": "a"}, None]), **text)
    assert store.ingest(pyarrow.array([{"email": "a"}, {"email": "b"}]), **text).loaded == 2


def test_a_reader_is_read_a_batch_at_a_time_and_what_it_raises_leaves_the_store_as_it_was(store):
    table = pyarrow.table(people(0, 10))

    def batches():
        yield from table.to_batches()
        raise RuntimeError("the source is gone")

    reader = pyarrow.RecordBatchReader.from_batches(table.schema, batches())
    with pytest.raises(pe.BadInput, match="the source is gone") as refused:
        store.ingest(reader, dataset="crm", primary_identity="email=Email")
    assert refused.value.code == "PE-0003"
    assert store.datasets() == []
    assert store.ingest(table, dataset="crm", primary_identity="email=Email").loaded == 10


def test_bad_records_fail_a_load_or_are_told(store, tmp_path):
    table = pyarrow.table({"email": ["a", None, "c", ""], "points": [1, 2, 3, 4]})
    load = {"dataset": "crm", "primary_identity": "email=Email"}
    with pytest.raises(pe.Rejected, match="(row|line) 2") as refused:
        store.ingest(table, **load)
    assert refused.value.code == "PE-0004"
    assert store.datasets() == []

    with pytest.raises(pe.Rejected):
        store.ingest(table, **load, on_bad_record="skip", max_bad_records=1)
    with pytest.raises(pe.Rejected):
        store.ingest(table, **load, on_bad_record="skip", max_bad_records="10%")
    assert store.datasets() == []

    rejects = tmp_path / "rejects.ndjson"
    report = store.ingest(table, **load, on_bad_record="skip", rejects=rejects, max_bad_records="50%")
    assert (report.read, report.loaded, report.bad) == (4, 2, 2)
    assert [reject["line"] for reject in report.rejects] == [2, 4]
    assert all(reject["file"] == "pyarrow.Table" and reject["reason"] for reject in report.rejects)
    assert [json.loads(line) for line in rejects.read_text().splitlines()] == list(report.rejects)
    assert store.ingest(table, **load, on_bad_record="skip").rejects == report.rejects


def test_files_and_globs_go_into_a_dataset(store, tmp_path):
    options = {"dataset": "crm", "ingested_at_field": "ingestedAt"}
    first = store.ingest(FIXTURES / "crm" / "01-customers.ndjson", **options)
    again = store.ingest(str(FIXTURES / "crm" / "*.ndjson"), dataset="crm")
    assert first.loaded > 0 and again.read > first.read
    other = pe.Store(tmp_path / "other", create=True)
    both = other.ingest(sorted((FIXTURES / "crm").glob("*.ndjson")), **options)
    assert both.read == again.read
    assert other.export().to_arrow().equals(store.export().to_arrow())


def test_events_are_loaded_into_a_dataset_of_their_class(store):
    store.ingest(pyarrow.table({"email": ["a", "b"]}), dataset="crm", primary_identity="email=Email")
    events = pyarrow.table({
        "_id": ["1", "2", "3"], "email": ["a", "a", "b"], "eventType": ["view", "buy", "view"],
        "timestamp": pyarrow.array([3, 1, 2], pyarrow.timestamp("us", "UTC")),
    })  # fmt: skip
    store.ingest(events, dataset="visits", dataset_class="event", primary_identity="email=Email")
    rows = store.export(fields="email", events="eventType").to_arrow().to_pylist()
    found = {row["email"]: sorted(event["eventType"] for event in row["timeSeriesEvents"]) for row in rows}
    assert found == {"a": ["buy", "view"], "b": ["view"]}


def test_what_a_dataset_was_made_with_stays(store):
    table = pyarrow.table({"email": ["a"]})
    store.ingest(table, dataset="crm", primary_identity="email=Email")
    with pytest.raises(pe.BadRequest, match="was made with email=Email, which stays") as refused:
        store.ingest(table, dataset="crm", primary_identity="email=Phone")
    assert refused.value.path == "primaryIdentity"
    with pytest.raises(pe.BadRequest, match="was made with profile"):
        store.ingest(table, dataset="crm", dataset_class="event")


def test_what_can_not_be_loaded_is_refused_in_words(store, tmp_path):
    with pytest.raises(pe.BadRequest, match="only a source folder"):
        store.ingest(pyarrow.table({"email": ["a"]}))
    with pytest.raises(pe.BadInput, match="no folder in it has a dataset.json"):
        store.ingest(tmp_path)
    with pytest.raises(pe.BadInput, match="no such file"):
        store.ingest(tmp_path / "nothing.ndjson", dataset="crm")
    with pytest.raises(pe.BadRequest, match="expected paths, or Arrow data"):
        store.ingest(3, dataset="crm")
    time = pyarrow.table({"email": ["a"], "t": pyarrow.array([1], pyarrow.time64("us"))})
    with pytest.raises(pe.BadInput, match="column t has the type Time64"):
        store.ingest(time, dataset="crm", primary_identity="email=Email")
    with pytest.raises(pe.BadRequest, match="percentage"):
        store.ingest(tmp_path, on_bad_record="skip", max_bad_records="some")
    with pytest.raises(pe.BadRequest, match="are for 'skip'"):
        store.ingest(tmp_path, rejects="x")
