"""Looking after a store, and one profile at a time."""

import profile_export as pe
import pyarrow
import pytest
from conftest import FIXTURES, people

WHO = "Email:person105@example.com"


@pytest.fixture
def twice(store):
    """A store of which half is replaced."""
    for day in ["2030-01-01", "2030-01-02"]:
        table = pyarrow.table(people(0, 500))
        store.ingest(table, dataset="people", primary_identity="email=Email", ingested_at=day)
    return store


def test_a_compaction_takes_away_what_was_replaced(twice):
    [before] = twice.stats()["datasets"]
    assert (before["runs"], before["records"], before["replaced"]) == (2, 1000, 500) and before["savings"] > 0
    rows = twice.export().to_arrow()
    seen = []
    after = twice.compact(progress=seen.append)
    assert after == twice.stats() and seen
    [after] = after["datasets"]
    assert (after["runs"], after["records"], after["replaced"]) == (1, 500, 0)
    assert twice.export().to_arrow().equals(rows)


def test_every_byte_is_looked_at_and_damage_is_told(twice, tmp_path):
    twice.run(out=tmp_path / "out", fields="email")
    seen = []
    assert twice.verify(progress=seen.append) == pe.Verified([], [])
    assert seen[-1].bytes > 0
    [part] = (tmp_path / "out").glob("batchId=*/*.parquet")
    whole = part.read_bytes()
    part.write_bytes(whole[:-1])
    [problem] = twice.verify().problems
    assert str(part) in problem
    part.unlink()
    part.parent.rmdir()
    found = twice.verify()
    assert found.problems == [] and len(found.moved) == 1


def test_a_folder_is_held_to_its_manifest(twice, tmp_path):
    out = tmp_path / "out"
    twice.run(out=out, fields="email")
    seen = []
    assert pe.verify_manifest(out, progress=seen.append) == [] and seen[-1].bytes > 0
    (out / "theirs.parquet").write_bytes(b"more")
    (out / "_SUCCESS").unlink()
    problems = pe.verify_manifest(out)
    assert len(problems) == 2 and "theirs.parquet" in problems[0] and "_SUCCESS" in problems[1]
    with pytest.raises(pe.NotFound, match="no _manifest.json"):
        pe.verify_manifest(tmp_path)


def test_what_a_progress_function_raises_stops_a_verification(twice):
    # It may be done before somebody looks; what is raised then is raised all the same.
    def enough(at):
        raise KeyError("enough")

    for work in [twice.verify, twice.compact, twice.stats]:
        with pytest.raises(KeyError, match="enough"):
            work(progress=enough)
    assert twice.export().to_arrow().num_rows == 500


def test_one_profile_is_looked_up_as_it_is_merged(store):
    store.ingest(FIXTURES)
    [row] = [row for row in store.export(fields="personalEmail,person").to_arrow().to_pylist()
             if row["personalEmail"] and row["personalEmail"]["address"] == WHO.partition(":")[2]]  # fmt: skip
    found = store.profile(WHO, fields=["personalEmail.address", "person.name"])
    assert found["entity"]["personalEmail"]["address"] == row["personalEmail"]["address"]
    assert found["entity"]["person"]["name"]["firstName"] == row["person"]["name"]["firstName"]
    assert WHO in found["identities"] and found["sources"] and "timeSeriesEvents" not in found["entity"]
    assert "timeSeriesEvents" in store.profile(WHO, events=True)["entity"]
    with pytest.raises(pe.NotFound, match="nobody@example.com"):
        store.profile("Email:nobody@example.com")
    with pytest.raises(pe.BadRequest, match="a namespace and an id"):
        store.profile("nobody")
    with pytest.raises(pe.BadRequest, match="nowhere"):
        store.profile(WHO, fields="nowhere")


def test_one_profile_is_deleted(store):
    store.ingest(FIXTURES)
    before = store.export(empty_profiles=True, fields="_id").to_arrow().num_rows
    deleted = store.delete_profile(WHO)
    assert WHO in deleted["identities"] and deleted["datasets"]
    with pytest.raises(pe.NotFound):
        store.profile(WHO)
    assert store.export(empty_profiles=True, fields="_id").to_arrow().num_rows < before
    with pytest.raises(pe.NotFound, match="nothing is deleted"):
        store.delete_profile(WHO)
