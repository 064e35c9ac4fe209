"""Exports into buckets, of a real S3 server on loopback (moto)."""
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pandas
import pytest

from conftest import FIXTURES, ROOT, program
from s3_server import bucket, s3  # noqa: F401

SEGMENTS = ("--segment", "holiday-shoppers", "--segment", "Segment 1 of UPS", "--segment-per-batch",
            "--merge-policy", "latest")


def rows(folder):
    read = pandas.read_parquet(folder)
    return sorted(map(str, read.drop(columns="batchId").to_dict("records")))


def test_what_a_bucket_gets_is_what_a_folder_gets(bucket, store, tmp_path):
    options = (*SEGMENTS, "--fields", "personalEmail.address,person.name", "--store", store)
    done = bucket.export(*options, "--out", "s3://exports/nightly/a")
    assert done.returncode == 0, done.stderr
    program("export", "--quiet", *options, "--out", tmp_path / "there")
    copied = bucket.copy("nightly/a/", tmp_path / "copied")
    assert len(bucket.keys()) == 4
    program("verify-manifest", copied)
    assert rows(copied) == rows(tmp_path / "there")
    manifest, local = (json.loads((folder / "_manifest.json").read_text())["exports"][0]
                       for folder in (copied, tmp_path / "there"))
    for same in ("profiles", "events", "schemaDigest", "mergePolicy", "generation"):
        assert manifest[same] == local[same], same
    assert "jobId" not in manifest
    assert [batch["segmentId"] for batch in manifest["batches"]] == [batch["segmentId"] for batch in local["batches"]]


def test_an_address_is_written_to_once_unless_it_is_said_otherwise(bucket, store, tmp_path):
    options = ("--store", store, "--segment", "holiday-shoppers", "--out", "s3://exports/x/")
    assert bucket.export(*options).returncode == 0
    again = bucket.export(*options)
    assert again.returncode == 2 and "--if-exists" in again.stderr, again.stderr
    assert bucket.export(*options, "--if-exists", "append").returncode == 0
    two = bucket.copy("x/", tmp_path / "two")
    program("verify-manifest", two)
    assert len(json.loads((two / "_manifest.json").read_text())["exports"]) == 2
    assert bucket.export(*options, "--if-exists", "replace").returncode == 0
    one = bucket.copy("x/", tmp_path / "one")
    program("verify-manifest", one)
    assert len(bucket.keys("x/")) == 3
    bucket.s3.put_object(Bucket="exports", Key="x/notes.txt", Body=b"mine")
    refused = bucket.export(*options, "--if-exists", "replace")
    assert refused.returncode == 2 and "notes.txt" in refused.stderr, refused.stderr
    assert len(bucket.keys("x/")) == 4


@pytest.mark.parametrize("which", [".parquet", "_manifest.json"])
def test_what_fails_leaves_what_was_there(s3, bucket, store, tmp_path, which):
    options = ("--store", store, *SEGMENTS, "--out", "s3://exports/x")
    assert bucket.export(*options).returncode == 0
    before = {key: bucket.text(key) for key in bucket.keys()}
    s3.fails = lambda method, path: method == "PUT" and which in path
    failed = bucket.export(*options, "--if-exists", "replace")
    assert failed.returncode == 1 and which in failed.stderr, failed.stderr
    assert {key: bucket.text(key) for key in bucket.keys()} == before
    # Where it can't take back what it made, it says so.
    s3.fails = lambda method, path: (method == "PUT" and "_manifest.json" in path) or (method == "POST" and seen())
    deletions = iter(range(100))

    def seen():
        # The first one is that of _SUCCESS.
        return next(deletions) > 0
    failed = bucket.export(*options, "--if-exists", "replace")
    assert failed.returncode != 0 and "could not be deleted" in failed.stderr, failed.stderr


def test_exports_that_meet_leave_what_the_manifest_names(bucket, store, tmp_path):
    def one(_):
        return bucket.export("--store", store, *SEGMENTS, "--out", "s3://exports/x", "--if-exists", "append")
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(one, range(4)))
    well = [end for end in done if end.returncode == 0]
    assert well and all(end.returncode in (0, 2, 5) for end in done), [end.stderr for end in done]
    copied = bucket.copy("x/", tmp_path / "x")
    assert len(json.loads((copied / "_manifest.json").read_text())["exports"]) == len(well)
    program("verify-manifest", copied)


def test_what_is_not_there_is_named(bucket, store):
    options = ("--store", store, "--segment", "holiday-shoppers")
    nobody = bucket.export(*options, "--out", "s3://nobody/x")
    assert nobody.returncode == 1 and "s3://nobody/x" in nobody.stderr and "NoSuchBucket" in nobody.stderr
    other = bucket.export(*options, "--out", "ftp://exports/x")
    assert other.returncode == 2 and "ftp" in other.stderr
    per_rows = bucket.export(*options, "--out", "s3://exports/x", "--max-rows-per-file", 10)
    assert per_rows.returncode == 2 and "--max-rows-per-file" in per_rows.stderr
    assert bucket.keys() == []


def test_objects_are_called_as_a_template_says(bucket, store, tmp_path):
    options = ("--store", store, *SEGMENTS, "--fields", "_id", "--out", "s3://exports/named", "--name-template")
    done = bucket.export(*options, "{segment.name}/{batch.id}.{ext}")
    assert done.returncode == 0, done.stderr
    names = [key.split("/")[1] for key in bucket.keys("named/")]
    assert sorted(names) == sorted(["Segment 3 of AAM", "Segment 1 of UPS", "_SUCCESS", "_manifest.json"]), names
    program("verify-manifest", bucket.copy("named/", tmp_path / "first"))
    # An object can't give way to another one at the end of an export.
    assert bucket.export(*options, "now/{segment.id}-{batch.id}.{ext}", "--if-exists", "replace").returncode == 0
    before = bucket.keys("named/")
    assert len(before) == 4 and all("Segment 3" not in key for key in before), before
    program("verify-manifest", bucket.copy("named/", tmp_path / "second"))
    assert bucket.export(*options, "{time}/{batch.id}.{ext}", "--if-exists", "append").returncode == 0
    assert set(before) < set(bucket.keys("named/"))
    program("verify-manifest", bucket.copy("named/", tmp_path / "third"))
    for template in ("now/{segment.id}.{ext}", "{job.id}.{ext}", "{date}.{ext}"):
        refused = bucket.export(*options, template, "--if-exists", "append")
        assert refused.returncode == 2 and "{batch.id}" in refused.stderr, refused.stderr
    assert bucket.export(*options[:-1], "--if-exists", "replace").returncode == 0
    assert len(bucket.keys("named/")) == 4
    program("verify-manifest", bucket.copy("named/", tmp_path / "last"))


def test_long_objects_go_in_parts(s3, bucket, tmp_path):
    parts = []

    def see(method, path):
        parts.extend([path] if method == "PUT" and "partNumber" in path else [])
        return False
    s3.fails = see
    subprocess.run([ROOT / "target/debug/workload", tmp_path / "people", "15000"], check=True, capture_output=True)
    export = ("--from", tmp_path / "people", "--format", "ndjson", "--events")
    done = bucket.export(*export, "--out", "s3://exports/long")
    assert done.returncode == 0, done.stderr
    copied = bucket.copy("long/", tmp_path / "long")
    program("verify-manifest", copied)
    assert len(parts) > 1
    # What stops half way leaves neither an object nor parts of one.
    s3.fails = lambda method, path: method == "PUT" and "partNumber=2" in path
    failed = bucket.export(*export, "--out", "s3://exports/other")
    assert failed.returncode == 1, failed.stderr
    assert bucket.keys("other/") == []
    assert not bucket.s3.list_multipart_uploads(Bucket="exports").get("Uploads")


def test_a_folder_of_people_goes_there_without_a_store(bucket, tmp_path):
    done = bucket.export("--from", FIXTURES, "--segment", "holiday-shoppers", "--format", "csv", "--compression", "gzip",
                         "--out", "s3://exports/csv", "--json")
    assert done.returncode == 0, done.stderr
    batch, = json.loads(done.stdout)["batches"]
    assert batch["profiles"] > 0 and batch["files"][0]["path"].endswith(".csv.gz")
    assert f"csv/{batch['files'][0]['path']}" in bucket.keys()
