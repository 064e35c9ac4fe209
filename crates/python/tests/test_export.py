"""Exports of a store: the same rows as the program's, in whatever takes Arrow."""

import json
import warnings
from datetime import date, datetime, timezone

import duckdb
import pandas
import polars
import profile_export as pe
import pyarrow
import pyarrow.parquet
import pytest
from conftest import FIXTURES, program

REQUESTS = sorted((FIXTURES / "requests").glob("*.json"))


@pytest.mark.parametrize("request_file", REQUESTS, ids=lambda path: path.stem)
def test_rows_are_those_of_the_programs_files(retailer, tmp_path, request_file):
    request = json.loads(request_file.read_text())
    job = json.loads(program("run", request_file, "--from", FIXTURES, "--out", tmp_path, "--json"))
    destination = job["destination"]
    batches = [batch["batchId"] for batch in destination.get("batches", [])] or [destination["batchId"]]
    folders = [tmp_path / batch for batch in batches]
    export = retailer.export(request)
    assert len(export.batches) == len(folders)
    for batch, folder in zip(export.batches, folders):
        written = pyarrow.parquet.ParquetDataset(folder).read()
        streamed = pyarrow.table(batch)
        assert streamed.schema.names == written.schema.names
        assert streamed.to_pylist() == written.to_pylist()


def test_a_request_may_leave_its_destination_out_or_name_one_that_is_not_there(retailer):
    request = json.loads((FIXTURES / "requests" / "one-segment.json").read_text())
    rows = retailer.export(request).to_arrow().num_rows
    assert rows > 0
    for destination in [None, {}, {"datasetId": "ffffffffffffffffffffffff"}]:
        other = {**request, "destination": destination}
        if destination is None:
            del other["destination"]
        assert retailer.export(other).to_arrow().num_rows == rows
        assert retailer.export(json.dumps(other)).to_arrow().num_rows == rows


def test_all_frames_take_the_rows(retailer):
    export = retailer.export(segments="holiday-shoppers", fields=["personalEmail.address", "person.name"], events="eventType,timestamp")
    table = pyarrow.table(export)
    assert table.num_rows == 18
    assert sum(len(events) for events in table["timeSeriesEvents"].to_pylist()) == 52
    assert table.schema == pyarrow.schema(export.schema)
    assert table.schema.names == export.schema.names
    addresses = [row and row["address"] for row in table["personalEmail"].to_pylist()]
    assert len(set(addresses)) > 15

    frame = polars.DataFrame(export)
    assert frame["personalEmail"].struct.field("address").to_list() == addresses
    assert export.to_polars().equals(frame)

    by_name = duckdb.sql("SELECT personalEmail.address, len(timeSeriesEvents) FROM export").fetchall()
    assert [row[0] for row in by_name] == addresses
    assert sum(row[1] for row in by_name) == 52

    for of_pandas in [export.to_pandas(), pandas.DataFrame.from_arrow(export)]:
        assert [row and row["address"] for row in of_pandas["personalEmail"]] == addresses
    reader = pyarrow.RecordBatchReader.from_stream(export)
    assert reader.read_all().equals(table)


def test_record_batches_need_no_other_library_and_are_the_stream(retailer):
    export = retailer.export()
    rows = list(export)
    assert all(isinstance(batch, pe.RecordBatch) and len(batch) == batch.num_rows > 0 for batch in rows)
    assert rows[0].schema == export.schema
    table = pyarrow.Table.from_batches([pyarrow.record_batch(batch) for batch in rows])
    assert table.equals(pyarrow.table(export))
    # Each pass is a new one.
    assert sum(map(len, export)) == table.num_rows


def test_files_are_those_of_the_program(retailer, tmp_path):
    export = retailer.export(segments="holiday-shoppers", fields="personalEmail.address,person.name", events=True)
    options = ["--segment", "holiday-shoppers", "--fields", "personalEmail.address,person.name", "--events"]
    for name, write in [
        ("a.parquet", export.to_parquet),
        ("a.ndjson", export.to_ndjson),
        ("a.csv.gz", export.to_csv),
    ]:
        ours = write(tmp_path / name)
        theirs = tmp_path / f"program-{name}"
        said = json.loads(program("export", "--store", retailer.path, *options, "--out", theirs, "--json"))
        assert (ours.profiles, ours.events, ours.bytes) == (said["profiles"], said["events"], said["bytes"])
        assert (tmp_path / name).read_bytes() == theirs.read_bytes()


def test_a_file_that_is_there_stays_unless_it_is_replaced(retailer, tmp_path):
    export = retailer.export(fields="personalEmail.address")
    file = tmp_path / "a.parquet"
    file.write_text("mine")
    with pytest.raises(pe.BadRequest, match="it exists") as refused:
        export.to_parquet(file)
    assert refused.value.code == "PE-0001"
    assert file.read_text() == "mine"
    written = export.to_parquet(file, compression="snappy", compatible=True, if_exists="replace")
    assert pyarrow.parquet.read_metadata(file).row_group(0).column(0).compression == "SNAPPY"
    assert written.profiles == pyarrow.parquet.read_table(file).num_rows
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_arguments_are_the_request_that_the_program_prints(retailer):
    export = retailer.export(
        segments=["holiday-shoppers"],
        segment_ns="AAM",
        statuses="realized",
        qualified_since="2018-10-01",
        qualified_until=date(2018, 10, 31),
        ingested_since=datetime(2018, 1, 1, tzinfo=timezone.utc),
        empty_profiles=True,
        fields="personalEmail.address,person.name",
        require=["personalEmail.address"],
        dedupe="personalEmail.address",
        events="eventType,timestamp",
        events_since="2018-10-20T00:00:00+02:00",
        events_until="2018-10-30",
        merge_policy="latest",
        segment_per_batch=True,
    )
    printed = json.loads(program(
        "export", "--print-request", "--segment", "holiday-shoppers", "--segment-ns", "AAM", "--status", "realized",
        "--qualified-since", "2018-10-01", "--qualified-until", "2018-10-31", "--ingested-since", "2018-01-01T00:00:00+00:00",
        "--empty-profiles", "--fields", "personalEmail.address,person.name", "--require", "personalEmail.address",
        "--dedupe", "personalEmail.address", "--events", "eventType,timestamp",
        "--events-since", "2018-10-20T00:00:00+02:00", "--events-until", "2018-10-30", "--merge-policy", "latest",
        "--segment-per-batch", "--json",
    ))  # fmt: skip
    assert export.request == printed
    assert export.merge_policy["id"] == "latest"


def test_what_each_segment_has_is_a_batch_of_its_own(retailer, tmp_path):
    export = retailer.export(json.loads((FIXTURES / "requests" / "tutorial.json").read_text()))
    assert [batch.segment["segmentNs"] for batch in export.batches] == ["AAM", "UPS"]
    for single in [lambda: pyarrow.table(export), lambda: list(export), lambda: export.to_parquet(tmp_path / "x.parquet")]:
        with pytest.raises(pe.BadRequest, match="each segment has a batch, 2 in all"):
            single()
    assert export.plan()["batches"][0]["profiles"] == pyarrow.table(export.batches[0]).num_rows


def test_an_export_stays_as_the_store_was(store):
    store.ingest(pyarrow.table({"email": ["a"], "n": [1]}), dataset="crm", primary_identity="email=Email")
    export = store.export(fields="n")
    store.ingest(pyarrow.table({"email": ["b"], "n": [2]}), dataset="crm")
    assert export.to_arrow().to_pylist() == [{"n": 1}]
    assert store.export(fields="n").to_arrow().num_rows == 2
    assert store.export().generation > export.generation


def test_looks_are_those_of_the_program(retailer):
    of_program = lambda command, *more: json.loads(
        program(command, "--store", retailer.path, "--segment", "holiday-shoppers", *more, "--json")
    )
    plan = of_program("plan")
    ours = retailer.plan(segments="holiday-shoppers")
    assert ours["fields"] == plan["fields"] and ours["mergePolicy"] == plan["mergePolicy"]
    assert [batch["profiles"] for batch in ours["batches"]] == [batch["profiles"] for batch in plan["batches"]]
    assert ours["unknownSegments"] == []
    with pytest.warns(pe.UnknownSegmentWarning):
        assert retailer.plan(segments="no-such-segment")["unknownSegments"] == ["no-such-segment"]
    assert retailer.preview(segments="holiday-shoppers", limit=3) == of_program("preview", "--limit", "3")
    assert retailer.preview(limit=0) == []
    identity = "Email:person105@example.com"
    assert retailer.explain(identity, segments="holiday-shoppers") == of_program("explain", "--identity", identity)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_nothing(retailer, threads):
    other = pe.Store(retailer.path, threads=threads)
    assert pyarrow.table(other.export()).equals(pyarrow.table(retailer.export()))


@pytest.mark.parametrize("empty", ["segments", "fields", "events", "statuses"])
def test_an_empty_list_is_neither_all_nor_none(retailer, empty):
    arguments = {"segments": "holiday-shoppers", empty: []}
    with pytest.raises(pe.BadRequest, match="empty list"):
        retailer.export(**arguments)


def test_a_segment_that_no_record_names_is_told_to_whoever_asks(retailer, tmp_path):
    def made():
        yield lambda: retailer.export(segments="holiday-shopper").to_arrow()
        yield lambda: retailer.run(segments="holiday-shopper", out=tmp_path / "out")
        yield lambda: retailer.abort(retailer.plan(segments="holiday-shopper", shards=2))

    for make in made():
        with pytest.warns(pe.UnknownSegmentWarning, match=r"'holiday-shopper': nobody .*'.*:holiday-shoppers'") as told:
            make()
        assert [warning.filename for warning in told] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert retailer.export(segments="holiday-shoppers").to_arrow().num_rows > 0
