"""Exports into buckets, of an S3 server on loopback: at once, and in shards."""

import json

import duckdb
import profile_export as pe
import pyarrow
import pyarrow.parquet
import pytest
from conftest import FIXTURES, people, program

AUDIENCE = {
    "segments": ["holiday-shoppers", "Segment 1 of UPS"],
    "merge_policy": "latest",
    "segment_per_batch": True,
    "fields": "personalEmail.address,person.name",
}


def rows_in(folder):
    """The rows of all batches, in the order of the manifest."""
    exports = json.loads((folder / "_manifest.json").read_text())["exports"]
    files = [file["path"] for export in exports for batch in export["batches"] for file in batch["files"]]
    return pyarrow.concat_tables(pyarrow.parquet.read_table(folder / path, partitioning=None) for path in files)


def test_what_a_bucket_gets_is_what_a_folder_gets(bucket, store, tmp_path):
    store.ingest(FIXTURES)
    seen = []
    told = store.export(**AUDIENCE).to_bucket("s3://exports/a", progress=seen.append)
    store.run(out=tmp_path / "there", **AUDIENCE)
    copied = bucket.copy("a/", tmp_path / "copied")
    program("verify-manifest", copied)
    assert rows_in(copied).equals(rows_in(tmp_path / "there")) and rows_in(copied).num_rows > 0
    assert told["address"] == "s3://exports/a" and seen
    assert told["batches"] == json.loads((copied / "_manifest.json").read_text())["exports"][0]["batches"]
    with pytest.raises(pe.BadRequest, match="if-exists"):
        store.export(**AUDIENCE).to_bucket("s3://exports/a")
    store.export(**AUDIENCE).to_bucket("s3://exports/a", if_exists="replace", format="ndjson", compression="gzip")
    names = [key.rsplit("/", 1)[1] for key in bucket.keys()]
    assert sorted(names) == ["_SUCCESS", "_manifest.json", "part-00000.ndjson.gz", "part-00000.ndjson.gz"]
    # What never saw a store goes there, too.
    records = pe.Records(pyarrow.table(people(0, 5)), name="people", primary_identity="email=Email")
    assert pe.export_batches(records).to_bucket("s3://exports/b")["batches"][0]["profiles"] == 5


def test_places_that_can_not_be_are_refused_by_name(bucket, retailer):
    export = retailer.export(fields="_id")
    with pytest.raises(pe.StorageError, match="NoSuchBucket"):
        export.to_bucket("s3://nobody/x")
    with pytest.raises(pe.BadRequest, match="ftp"):
        export.to_bucket("ftp://exports/x")
    with pytest.raises(pe.BadRequest) as refused:
        retailer.run(out="s3://exports/x")
    assert refused.value.path == "out" and "to_bucket" in str(refused.value)
    with pytest.raises(pe.BadRequest, match="format"):
        export.to_bucket("s3://exports/x", format="xml")
    assert bucket.keys() == []


def test_shards_are_made_below_an_address_and_shown_at_once(bucket, store, tmp_path):
    store.ingest(FIXTURES)
    plan = store.plan(shards=3, **AUDIENCE)
    address = "s3://exports/shards"
    plan.keep(address)
    for shard in [2, 0, 1, 1]:
        made = plan.run_shard(shard, address, attempt="first", threads=1)
        assert made["shard"] == shard
    before = bucket.copy("shards/", tmp_path / "before")
    # Whoever reads all that is called so finds nothing, whether hidden folders count or not.
    assert duckdb.sql(f"SELECT * FROM glob('{before}/**/*.parquet')").fetchall() == []
    [kept] = before.glob(".plan-*/plan.json")
    assert pe.ShardPlan.load(kept).id == plan.id
    with pytest.raises(pe.Conflict, match="has nothing of plan"):
        store.abort(plan, "s3://exports/elsewhere")
    told = store.commit(plan, address)
    copied = bucket.copy("shards/", tmp_path / "copied")
    program("verify-manifest", copied)
    store.run(out=tmp_path / "once", **AUDIENCE)
    assert rows_in(copied).equals(rows_in(tmp_path / "once"))
    named = {file["path"] for batch in told["batches"] for file in batch["files"]}
    assert {key.removeprefix("shards/") for key in bucket.keys()} == named | {"_SUCCESS", "_manifest.json"}
    assert store.commit(plan, address) == told and store.plans() == []
    with pytest.raises(pe.Conflict, match="too late"):
        plan.run_shard(0, address)

    other = store.plan(shards=2, fields="_id")
    other.run_shard(0, address)
    assert [one["planId"] for one in store.plans()] == [other.id]
    assert store.abort(other.id, address) and not store.abort(other, address)
    assert {key.removeprefix("shards/") for key in bucket.keys()} == named | {"_SUCCESS", "_manifest.json"}
