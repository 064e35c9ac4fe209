"""Jobs, batches, segments: the platform's objects."""

import json

import profile_export as pe
import pyarrow
import pyarrow.parquet
import pytest
from conftest import FIXTURES, people, program


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


def test_files_are_called_by_a_template(filled, tmp_path):
    out = tmp_path / "out"
    names = lambda: sorted(str(path.relative_to(out)) for path in out.rglob("*.*") if not path.name.startswith((".", "_")))
    run = lambda template, **more: filled.run(
        segments=["holiday-shoppers"], segment_per_batch=True, name_template=template, **more
    )
    run("{segment.id}/{job.id}-{n}.{ext}", out=out, max_rows_per_file=15)
    assert names() == ["holiday-shoppers/1-00000.parquet", "holiday-shoppers/1-00001.parquet"]
    run("all.csv.gz", out=out, format="csv", compression="gzip", if_exists="replace")
    assert names() == ["all.csv.gz"]
    for template, more, why in [
        ("all.csv", {"out": out}, "parquet"),
        ("{nobody}.{ext}", {"out": out}, "nobody"),
        ("{n}.{ext}", {}, "no out"),
    ]:
        with pytest.raises(pe.BadRequest, match=why):
            run(template, **more)
    assert names() == ["all.csv.gz"]


def test_a_job_that_runs_is_cancelled(store):
    store.ingest(pyarrow.table(people(0, 200_000)), dataset="people", primary_identity="email=Email")
    cancelled = []

    def cancel(at):
        # While the work goes on.
        if not cancelled:
            cancelled.extend(store.cancel_job(job["id"]) for job in store.jobs(status="PROCESSING"))

    with pytest.raises(pe.Cancelled) as stopped:
        store.run(row_per_identity="Email", progress=cancel)
    [job] = cancelled
    assert job["status"] == "CANCELLED" and stopped.value.job["id"] == job["id"]
    assert store.job(job["id"]) == job
    assert store.batches(dataset="Profile exports") == []
    with pytest.raises(pe.Conflict, match="CANCELLED"):
        store.cancel_job(job["id"])
    with pytest.raises(pe.NotFound):
        store.cancel_job(1 << 40)


def test_a_job_is_done_again_and_deleted_with_its_batches(filled):
    first = filled.run(segments="holiday-shoppers", fields="_id")
    again = filled.retry_job(first["id"])
    assert again["id"] != first["id"] and again["status"] == "SUCCEEDED" and again["fields"] == first["fields"]
    counter = "totalExportedProfileCounter"
    assert again["metrics"][counter] == first["metrics"][counter]
    filled.delete_job(first["id"])
    with pytest.raises(pe.NotFound):
        filled.retry_job(first["id"])
    assert filled.jobs() == [filled.job(again["id"])]
    [batch] = filled.batches(dataset="Profile exports")
    assert batch["jobId"] == again["id"] and filled.batch(batch["id"]) == batch
    filled.delete_batch(batch["id"])
    with pytest.raises(pe.NotFound):
        filled.batch(batch["id"])
    assert filled.batches(dataset="Profile exports") == []
    # Who left some out has to say it again.
    filled.run(merge_policy="timestampOrdered-pdg-mp", fields="_id", max_identities=1)
    [left_out] = filled.jobs(limit=1)
    with pytest.raises(pe.BadRequest) as refused:
        filled.retry_job(left_out["id"])
    assert refused.value.path == "max_identities"
    assert filled.retry_job(left_out["id"], max_identities=1)["status"] == "SUCCEEDED"


def test_a_job_of_which_no_manifest_can_be_written_is_told(filled, tmp_path):
    out = tmp_path / "out"
    # Where the manifest is to be written before it gets its name.
    (out / "._manifest.json.new").mkdir(parents=True)
    with pytest.raises(pe.StorageError) as failed:
        filled.run(segments="holiday-shoppers", out=out)
    job = failed.value.job
    assert job == filled.job(job["id"]) and job["status"] == "SUCCEEDED"
    assert f"job {job['id']} has succeeded" in str(failed.value) and failed.value.code == "PE-0006"
    assert not (out / "_SUCCESS").exists()
    filled.delete_job(job["id"])
    with pytest.raises(pe.BadRequest) as refused:
        filled.run(fields="nowhere")
    assert refused.value.job is None


def test_exports_that_are_not_kept_are_forgotten(filled):
    ids = [filled.run(fields="_id")["id"] for _ in range(3)]
    with pytest.raises(pe.BadRequest):
        filled.forget()
    assert [job["id"] for job in filled.forget(keep_last=1, dry_run=True)] == ids[:2]
    assert len(filled.jobs()) == 3
    assert [job["id"] for job in filled.forget(keep_last=1)] == ids[:2]
    assert [job["id"] for job in filled.jobs()] == ids[2:]


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
    [counted] = [one for one in filled.segments(counts=True) if one["id"] == "buyers"]
    assert counted["members"] == {"realized": found["members"], "existing": 0, "exited": 0}
    who = filled.profile("Email:person105@example.com", fields="segmentMembership")
    explained = filled.explain_segment("Buyers", "Email:person105@example.com")
    assert explained["isIn"] == ("buyers" in who["entity"].get("segmentMembership", {}).get("ups", {}))
    with pytest.raises(pe.NotFound, match="nobody@example.com"):
        filled.explain_segment("Buyers", "Email:nobody@example.com")
    # Once more, by the export itself: who was in is still in.
    again = filled.export(segments="buyers", statuses="existing", evaluate=True)
    assert again.to_arrow().num_rows == found["members"]
    assert filled.segment("Buyers")["id"] == "buyers"
    filled.delete_segment("Buyers")
    with pytest.raises(pe.NotFound):
        filled.segment("buyers")


def test_objects_are_those_of_the_program(filled):
    for command, ours in [
        ("datasets", filled.datasets()),
        ("merge-policies", filled.merge_policies()),
        ("segments", filled.segments()),
        ("batches", filled.batches()),
    ]:
        printed = program(command, "list", "--store", filled.path, "--jsonl")
        assert [json.loads(line) for line in printed.splitlines()] == ours


def test_merge_policies_and_datasets_are_kept_and_deleted(filled):
    kept = filled.put_merge_policy({
        "name": "linked", "schema": {"name": "_xdm.context.profile"}, "identityGraph": {"type": "pdg"},
        "attributeMerge": {"type": "timestampOrdered"},
    })  # fmt: skip
    assert kept["version"] == 1 and kept["id"] in [policy["id"] for policy in filled.merge_policies()]
    assert filled.put_merge_policy({**kept, "name": "linked still"})["version"] == 2
    filled.delete_merge_policy("linked still")
    assert kept["id"] not in [policy["id"] for policy in filled.merge_policies()]
    with pytest.raises(pe.BadRequest) as refused:
        filled.put_merge_policy({"name": "none", "identityGraph": {"type": "all"}})
    assert "identityGraph" in refused.value.path
    filled.ingest(pyarrow.table(people(0, 3)), dataset="people", primary_identity="email=Email")
    filled.delete_dataset("people")
    assert "people" not in [dataset["name"] for dataset in filled.datasets()]
    with pytest.raises(pe.NotFound):
        filled.delete_dataset("people")
