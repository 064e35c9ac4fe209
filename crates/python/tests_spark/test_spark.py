"""Exports by Spark's executors, and DataFrames of them: the same rows as on one machine, in the same order."""

import json
import os
import subprocess
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

import profile_export as pe
import profile_export.spark
from conftest import ROOT

PROGRAM = ROOT / "target" / "debug" / "profile-export"
REQUESTS = [
    {"segments": "holiday-shoppers", "events": True},
    {"merge_policy": "timestampOrdered-pdg-mp", "fields": "personalEmail.address,identityMap,segmentMembership"},
]


def rows_in(out):
    """The rows of an export's batches, in the order of its manifest."""
    manifest = json.loads((out / "_manifest.json").read_text())
    files = [file for batch in manifest["exports"][0]["batches"] for file in batch["files"]]
    return pyarrow.concat_tables(pyarrow.parquet.read_table(out / file["path"], partitioning=None) for file in files)


def is_whole(out):
    done = subprocess.run([PROGRAM, "verify-manifest", out], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [name for name in os.listdir(out) if name.startswith(".")] == []


@pytest.mark.parametrize("audience", REQUESTS)
def test_executors_export_what_one_machine_does(spark, retailer, tmp_path, audience):
    retailer.run(out=tmp_path / "single", **audience)
    job = profile_export.spark.export(spark, retailer.path, out=tmp_path / "out", shards=5, **audience)
    assert job["status"] == "SUCCEEDED"
    is_whole(tmp_path / "out")
    rows = rows_in(tmp_path / "out")
    assert rows.num_rows > 0 and rows.equals(rows_in(tmp_path / "single"))
    assert retailer.job(job["id"])["metrics"]["totalExportedProfileCounter"] == rows.num_rows


def test_executors_export_into_a_bucket_what_one_machine_exports(spark, retailer, bucket, tmp_path):
    segments = {"segments": ["holiday-shoppers", "Segment 1 of UPS"], "merge_policy": "latest", "segment_per_batch": True}
    audience = {**REQUESTS[0], **segments}
    retailer.run(out=tmp_path / "single", **audience)
    told = profile_export.spark.export(spark, retailer.path, out="s3://exports/spark", shards=5, **audience)
    copied = bucket.copy("spark/", tmp_path / "copied")
    is_whole(copied)
    rows = rows_in(copied)
    assert rows.num_rows > 0 and rows.equals(rows_in(tmp_path / "single"))
    assert told["batches"] == json.loads((copied / "_manifest.json").read_text())["exports"][0]["batches"]
    before = bucket.keys()
    with pytest.raises(pe.BadRequest, match="if-exists"):
        profile_export.spark.export(spark, retailer.path, out="s3://exports/spark", shards=2)
    with pytest.raises(pe.StorageError, match="NoSuchBucket"):
        profile_export.spark.export(spark, retailer.path, out="s3://nobody/spark", shards=2)
    assert bucket.keys() == before


def test_an_export_that_is_refused_or_fails_leaves_nothing(spark, retailer, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(pe.BadRequest, match="nowhere"):
        profile_export.spark.export(spark, retailer.path, out=out, fields="nowhere")
    assert not out.exists()
    (out / "theirs").mkdir(parents=True)
    with pytest.raises(pe.BadRequest, match="theirs"):
        profile_export.spark.export(spark, retailer.path, out=out, shards=2)
    assert os.listdir(out) == ["theirs"]
    for address in ["hdfs:/x", "file:///tmp/x"]:
        with pytest.raises(pe.BadRequest, match="scheme"):
            profile_export.spark.export(spark, retailer.path, out=address, shards=2)
    # Nothing was planned, and so nothing is kept.
    plans = [PROGRAM, "store", "plans", "--store", retailer.path, "--json"]
    kept = json.loads(subprocess.run(plans, capture_output=True, check=True, timeout=60).stdout)
    profile_export.spark.export(spark, retailer.path, out=tmp_path / "fine", shards=2, fields="_id")
    assert json.loads(subprocess.run(plans, capture_output=True, check=True, timeout=60).stdout) == kept


@pytest.mark.parametrize("audience", REQUESTS)
def test_a_data_frame_has_the_rows_of_the_export(spark, retailer, audience):
    spark.dataSource.register(profile_export.spark.ProfileExport)
    export = retailer.export(**audience)
    options = {"store": retailer.path, "request": json.dumps(export.request), "shards": "3"}
    frame = spark.read.format("profile_export").options(**options).load()
    # Known before a row is made.
    assert frame.columns == export.schema.names
    assert frame.rdd.getNumPartitions() == 3
    expected = export.to_arrow()
    found = frame.toArrow()
    assert found.num_rows == expected.num_rows > 0
    assert found.to_pylist() == expected.to_pylist()
    # And again, whatever has become of the store.
    assert frame.count() == expected.num_rows


def test_a_data_frame_takes_a_plan_and_reads_the_store_as_it_was(spark, tmp_path):
    store = pe.Store(tmp_path / "store", create=True)
    people = {"email": [f"p{n}@example.com" for n in range(100)], "points": list(range(100))}
    store.ingest(pyarrow.table(people), dataset="people", primary_identity="email=Email")
    plan = store.plan(shards=4)
    plan.save(tmp_path / "plan.json")
    later = {"email": people["email"], "points": [1000] * 100}
    store.ingest(pyarrow.table(later), dataset="people", primary_identity="email=Email")
    subprocess.run([PROGRAM, "store", "compact", "--store", store.path, "-q"], check=True, timeout=60)
    spark.dataSource.register(profile_export.spark.ProfileExport)
    frame = spark.read.format("profile_export").options(plan=str(tmp_path / "plan.json")).load()
    assert sorted(row.points for row in frame.select("points").collect()) == list(range(100))
    assert store.abort(plan)
    store.ingest(pyarrow.table(people), dataset="people", primary_identity="email=Email")
    subprocess.run([PROGRAM, "store", "compact", "--store", store.path, "-q"], check=True, timeout=60)
    with pytest.raises(Exception, match="plan again"):
        frame.count()


def test_a_data_frame_is_loaded_as_a_whole(spark, tmp_path):
    """Rows with nested columns, times and lists come out of the store as they went in."""
    frame = spark.range(0, 500, 1, numPartitions=4).selectExpr(
        "concat('p', id) AS _id",
        "named_struct('address', concat('p', id, '@example.com')) AS personalEmail",
        "timestamp_micros(1541000000000000 + id) AS seen",
        "array(id, id + 1) AS numbers",
    )
    with pytest.raises(pe.BadRequest, match="scheme"):
        profile_export.spark.ingest(frame, tmp_path / "store", dataset="people", staging="s3://bucket/x")
    # Hadoop's paths are no addresses.
    staging = tmp_path / "staging of%20ours#1"
    staging.mkdir()
    load = {"dataset": "people", "staging": staging, "primary_identity": "personalEmail.address=Email"}
    report = profile_export.spark.ingest(frame, tmp_path / "store", **load)
    assert (report.loaded, report.bad) == (500, 0)
    assert os.listdir(staging) == []
    store = pe.Store(tmp_path / "store")
    rows = store.export(fields="_id,personalEmail,seen,numbers").to_arrow()
    expected = {row["_id"]: row.asDict(recursive=True) for row in frame.collect()}
    found = {row["_id"]: row for row in rows.to_pylist()}
    assert len(found) == 500 and found.keys() == expected.keys()
    for key in ["p0", "p499"]:
        assert found[key]["personalEmail"] == expected[key]["personalEmail"]
        assert found[key]["numbers"] == expected[key]["numbers"]
    moments = sorted(int(moment.timestamp() * 1_000_000 + 0.5) for moment in rows["seen"].to_pylist())
    assert moments == [1541000000000000 + n for n in range(500)]
    # Some records are nobody's: then nothing is loaded.
    nobody = frame.selectExpr("_id", "CAST(NULL AS STRUCT<address: STRING>) AS personalEmail")
    with pytest.raises(pe.Rejected):
        profile_export.spark.ingest(nobody, tmp_path / "store", **load)
    assert os.listdir(staging) == [] and pe.Store(tmp_path / "store").export(fields="_id").to_arrow().num_rows == 500


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "store"),
        ({"store": "STORE", "shard": "3"}, "no option"),
        ({"store": "STORE", "shards": "0"}, "allowed is 1 or more"),
        ({"store": "STORE", "request": '{"filter": {"segments": [{"segmentId": "a"}]}, "destination": '
          '{"segmentPerBatch": true}}'}, "segmentPerBatch"),
        ({"store": "/nowhere"}, "no store"),
        ({"store": "STORE", "request": "{"}, "no JSON"),
        ({"store": "STORE", "request": "[]"}, "JSON object"),
        ({"store": "STORE", "request": '{"destination": null}'}, "destination"),
        ({"plan": "/nowhere", "shards": "3"}, "beside plan"),
    ],
)
def test_options_that_can_not_be_are_refused_by_name(spark, retailer, options, said):
    spark.dataSource.register(profile_export.spark.ProfileExport)
    options = {name: value.replace("STORE", retailer.path) for name, value in options.items()}
    with pytest.raises(Exception, match=said):
        spark.read.format("profile_export").options(**options).load()


def test_a_schema_of_other_columns_is_refused_and_the_same_is_taken(spark, retailer):
    spark.dataSource.register(profile_export.spark.ProfileExport)
    read = spark.read.format("profile_export").options(store=retailer.path, shards="2")
    frame = read.load()
    assert read.schema(frame.schema).load().count() == frame.count()
    with pytest.raises(Exception, match="the request says the columns"):
        read.schema("_id STRING, nowhere INT").load().count()
