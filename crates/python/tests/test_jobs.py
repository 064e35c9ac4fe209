"""Jobs, batches, segments: the platform's objects."""

import json

import profile_export as pe
import pyarrow
import pyarrow.parquet
import pytest
from conftest import FIXTURES, program


@pytest.fixture
def filled(store):
    store.ingest(FIXTURES)
    return store


def test_a_job_is_kept_and_its_batches_are_in_the_store(filled):
    request = json.loads((FIXTURES / "requests" / "one-segment.json").read_text())
    del request["destination"]
    job = filled.run(request)
    assert job["status"] == "SUCCEEDED"
    assert filled.job(int(job["id"])) == job
    assert filled.jobs() == [job] and filled.jobs(limit=1, status="SUCCEEDED") == [job]
    assert filled.jobs(status="FAILED") == []
    (batch,) = filled.batches(dataset="Profile exports")
    assert batch in filled.batches()
    files = filled.batch_files(batch["id"])
    rows = pyarrow.parquet.read_table(files[0])
    assert rows.to_pylist() == pyarrow.table(filled.export(request)).to_pylist()
    assert json.loads(program("jobs", "get", job["id"], "--store", filled.path)) == job


def test_a_job_goes_into_a_folder_with_a_manifest(filled, tmp_path):
    out = tmp_path / "out"
    run = lambda **more: filled.run(segments=["holiday-shoppers"], segment_per_batch=True, out=out, **more)
    assert run()["status"] == "SUCCEEDED"
    assert (out / "_SUCCESS").exists() and (out / "_manifest.json").exists()
    with pytest.raises(pe.BadRequest) as refused:
        run()
    assert refused.value.code == "PE-0001"
    run(if_exists="append", format="ndjson", compression="gzip")
    assert len(json.loads((out / "_manifest.json").read_text())["exports"]) == 2
    assert list(out.rglob("*.gz"))
    run(if_exists="replace", max_rows_per_file=5)
    assert len(list(out.rglob("*.parquet"))) == 4


def test_segments_are_defined_counted_evaluated_and_exported(filled):
    expression = 'personalEmail.address and xEvent[eventType = "commerce.purchase"].count() > 1'
    found = filled.estimate(expression)
    assert 0 < found["members"] < found["profiles"]
    kept = filled.put_segment({
        "id": "buyers", "name": "Buyers", "mergePolicyId": "timestampOrdered-none-mp",
        "expression": {"type": "PQL", "format": "pql/text", "value": expression},
    })  # fmt: skip
    assert kept["id"] == "buyers" and kept["id"] in [segment["id"] for segment in filled.segments()]
    with pytest.raises(pe.BadRequest):
        filled.put_segment({"id": "x", "name": "x", "expression": {"type": "PQL", "format": "pql/text", "value": "a and ("}})
    with pytest.raises(pe.BadRequest) as refused:
        filled.estimate("no.such.field = 1")
    assert refused.value.path == "expression"

    job = filled.evaluate("Buyers")
    assert job["metrics"]["segmentedProfileCounter"] == {"buyers": found["members"]}
    assert filled.export(segments="Buyers", statuses="realized").to_arrow().num_rows == found["members"]
    # Once more, by the export itself: who was in is still in.
    again = filled.export(segments="buyers", statuses="existing", evaluate=True)
    assert again.to_arrow().num_rows == found["members"]


def test_objects_are_those_of_the_program(filled):
    for command, ours in [
        ("datasets", filled.datasets()),
        ("merge-policies", filled.merge_policies()),
        ("segments", filled.segments()),
        ("batches", filled.batches()),
    ]:
        printed = program(command, "list", "--store", filled.path, "--jsonl")
        assert [json.loads(line) for line in printed.splitlines()] == ours
