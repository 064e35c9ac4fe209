"""Exports in shards into buckets: whatever becomes of attempts and commits, readers see all of an export or none."""
import json
import signal
import subprocess
import threading
import time

import pandas
import pytest

from conftest import ROOT, program, until
from s3_server import LOST, Gate, bucket, s3  # noqa: F401

SEGMENTS = ("--segment", "holiday-shoppers", "--segment", "Segment 1 of UPS", "--segment-per-batch",
            "--merge-policy", "latest")
OUT = "s3://exports/x"


class Plan:
    """A plan in three shards, whose place is in a bucket."""

    def __init__(self, bucket, store, folder, *options):
        self.bucket, self.store, self.path = bucket, store, folder / "plan.json"
        self.options = options or SEGMENTS
        program("plan", "--store", store, *self.options, "--shards", 3, "-o", self.path, "--quiet")
        self.id = json.loads(self.path.read_text())["id"]

    def words(self, command, *more):
        return (command, "--plan", self.path, "--out", OUT, *more)

    def run(self, command, *more):
        return self.bucket.run(*self.words(command, *more))

    def shards(self, *numbers):
        for number in numbers or (2, 0, 1):
            done = self.run("run-shard", "--shard", number)
            assert done.returncode == 0, done.stderr

    def attempts(self):
        keys = self.bucket.keys("x/.plan-")
        return sorted({key.rsplit("/", 1)[0] for key in keys})

    def kept(self):
        return json.loads(program("store", "plans", "--store", self.store, "--json"))

    def is_whole(self, folder):
        """Nothing is there but the export, which is the one that is made at once."""
        copied = self.bucket.copy("x/", folder / "copied")
        program("verify-manifest", copied)
        program("export", "--quiet", "--store", self.store, *self.options, "--out", folder / "once")
        exports = json.loads((copied / "_manifest.json").read_text())["exports"]
        assert [export["planId"] for export in exports] == [self.id]
        named = {file["path"] for batch in exports[0]["batches"] for file in batch["files"]}
        assert {key.removeprefix("x/") for key in self.bucket.keys("x/")} == named | {"_SUCCESS", "_manifest.json"}
        assert rows(copied) == rows(folder / "once")
        once = json.loads((folder / "once/_manifest.json").read_text())["exports"][0]
        for same in ("profiles", "events", "schemaDigest", "mergePolicy", "generation"):
            assert exports[0][same] == once[same], same
        assert self.kept() == []


def rows(folder):
    """The rows of all Parquet files, found as whoever looks for these does."""
    frames = [pandas.read_parquet(path, partitioning=None) for path in folder.glob("**/*.parquet")]
    return sorted(str(row) for frame in frames for row in frame.to_dict("records"))


@pytest.fixture
def plan(bucket, store, tmp_path):
    return Plan(bucket, store, tmp_path)


def shown(bucket):
    """What readers by patterns see."""
    return [key for key in bucket.keys("x/") if "/.plan-" not in key or key.endswith(".parquet")]


@pytest.mark.parametrize("options", [SEGMENTS, ("--events",), ("--segment", "nobody-knows-it"),
                                     ("--segment", "a/b=c %é+&", "--segment", "holiday-shoppers", "--segment-per-batch")])
def test_what_shards_commit_is_what_an_export_at_once_writes(bucket, store, tmp_path, options):
    plan = Plan(bucket, store, tmp_path, *options)
    plan.shards()
    assert shown(bucket) == []
    done = plan.run("commit", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["address"] == OUT and all(batch["files"] for batch in told["batches"])
    plan.is_whole(tmp_path)
    again = plan.run("commit")
    assert again.returncode == 0 and "already" in again.stdout, again.stderr
    refused = plan.run("abort")
    assert refused.returncode == 5 and "was committed" in refused.stderr
    late = plan.run("run-shard", "--shard", 0)
    assert late.returncode == 5 and "too late" in late.stderr
    assert plan.attempts() == []


def test_an_attempt_that_dies_and_one_that_comes_twice_never_show(s3, bucket, plan, tmp_path):
    gate = Gate(s3, "PUT", "batch-00001")
    dying = bucket.start(*plan.words("run-shard", "--shard", 1, "--attempt", "0-dying"))
    assert gate.came.wait(60)
    dying.send_signal(signal.SIGKILL)
    dying.wait()
    gate.open(fails=True)
    [dead] = plan.attempts()
    assert "/0-dying-" in dead and [key.rsplit("/", 1)[1] for key in bucket.keys(dead)] == ["batch-00000.shard", "begun"]
    plan.shards(0, 2)
    missing = plan.run("commit")
    assert missing.returncode == 5 and "1 of 3 shards" in missing.stderr, missing.stderr
    plan.shards(1, 1)
    # One whose object is not as it said does not matter beside a whole one.
    [first, _] = [key for key in plan.attempts() if "shard-00001/0-" in key and "dying" not in key]
    bucket.s3.put_object(Bucket="exports", Key=f"{first}/batch-00000.shard", Body=b"short")
    assert shown(bucket) == []
    done = plan.run("commit")
    assert done.returncode == 0, done.stderr
    plan.is_whole(tmp_path)


@pytest.mark.parametrize("which", ["batch-00001", "shard.json"])
def test_an_attempt_whose_upload_fails_leaves_nothing(s3, bucket, plan, which):
    s3.fails = lambda method, path: method == "PUT" and which in path
    failed = plan.run("run-shard", "--shard", 0)
    assert failed.returncode == 1 and which in failed.stderr, failed.stderr
    assert bucket.keys() == []


def test_an_attempt_whose_upload_fails_half_way_leaves_no_parts(s3, bucket, tmp_path):
    store, path, failed = tmp_path / "store", tmp_path / "plan.json", []
    subprocess.run([ROOT / "target/debug/workload", tmp_path / "people", "15000"], check=True, capture_output=True)
    program("ingest", "--quiet", "--store", store, "--from", tmp_path / "people")
    program("plan", "--store", store, "--format", "ndjson", "--events", "--shards", 1, "-o", path, "--quiet")
    s3.fails = lambda method, path: method == "PUT" and "partNumber=2" in path and not failed.append(path)
    done = bucket.run("run-shard", "--plan", path, "--out", OUT, "--shard", 0)
    assert done.returncode == 1 and failed, done.stderr
    assert bucket.keys() == []
    assert not bucket.s3.list_multipart_uploads(Bucket="exports").get("Uploads")


def test_an_attempt_that_ends_behind_the_commit_leaves_nothing(s3, bucket, plan, tmp_path):
    plan.shards()
    gate = Gate(s3, "PUT", "shard.json")
    late = bucket.start(*plan.words("run-shard", "--shard", 1))
    assert gate.came.wait(60)
    done = plan.run("commit")
    assert done.returncode == 0, done.stderr
    gate.open(fails=False)
    _, said = late.communicate()
    assert late.returncode == 5 and "too late" in said, said
    plan.is_whole(tmp_path)


def test_an_attempt_that_ends_behind_an_abort_leaves_nothing(s3, bucket, plan):
    gate = Gate(s3, "PUT", "shard.json")
    late = bucket.start(*plan.words("run-shard", "--shard", 1))
    assert gate.came.wait(60)
    done = plan.run("abort")
    assert done.returncode == 0, done.stderr
    gate.open(fails=False)
    _, said = late.communicate()
    assert late.returncode == 5 and "too late" in said, said
    assert bucket.keys() == []


@pytest.mark.parametrize("if_exists", ["fail", "append", "replace"])
def test_a_manifest_whose_answer_is_lost_is_there(s3, bucket, plan, tmp_path, if_exists):
    if if_exists != "fail":
        assert bucket.export("--store", plan.store, "--segment", "gold", "--out", OUT).returncode == 0
    plan.shards()
    seen = iter([LOST])
    s3.fails = lambda method, path: method == "PUT" and "_manifest.json" in path and next(seen, False)
    done = plan.run("commit", "--if-exists", if_exists)
    assert done.returncode == 0 and next(seen, None) is None, done.stderr
    program("verify-manifest", bucket.copy("x/", tmp_path / "looked"))
    if if_exists != "append":
        plan.is_whole(tmp_path)


def test_a_manifest_that_comes_behind_its_killed_commit_keeps_its_objects(s3, bucket, plan, tmp_path):
    plan.shards()
    came, opened = [threading.Event() for _ in range(2)], [threading.Event() for _ in range(2)]
    turns = iter(range(2))

    def fails(method, path):
        if method == "PUT" and "_manifest.json" in path:
            turn = next(turns, None)
            if turn is not None:
                came[turn].set()
                assert opened[turn].wait(60)
        return False
    s3.fails = fails
    dying = bucket.start(*plan.words("commit"))
    assert came[0].wait(60)
    dying.send_signal(signal.SIGKILL)
    dying.wait()
    second = bucket.start(*plan.words("commit"))
    assert came[1].wait(60)
    opened[0].set()
    until(lambda: "x/_manifest.json" in bucket.keys())
    opened[1].set()
    second.communicate()
    done = plan.run("commit")
    assert done.returncode == 0 and "already" in done.stdout, done.stderr
    plan.is_whole(tmp_path)


def test_manifests_of_shards_are_read_at_once(s3, bucket, plan, tmp_path):
    plan.shards()
    bucket.environment["RAYON_NUM_THREADS"] = "1"
    all_three = threading.Barrier(3)
    s3.fails = lambda method, path: method == "GET" and "shard.json" in path and all_three.wait(20) < 0
    done = plan.run("commit")
    assert done.returncode == 0 and not all_three.broken, done.stderr
    plan.is_whole(tmp_path)


def test_a_copy_may_take_longer_than_other_requests(s3, bucket, plan, tmp_path):
    plan.shards()
    bucket.environment["AWS_TIMEOUT"] = "5s"
    s3.fails = lambda method, path: method == "PUT" and ".parquet" in path and time.sleep(6)
    done = plan.run("commit")
    assert done.returncode == 0, done.stderr
    plan.is_whole(tmp_path)


@pytest.mark.parametrize("which", [".parquet", "_manifest.json"])
def test_a_commit_that_fails_leaves_what_was_there_and_is_done_again(s3, bucket, plan, tmp_path, which):
    plan.shards()
    before = bucket.keys()
    seen = iter(range(100))
    s3.fails = lambda method, path: method == "PUT" and which in path and (which != ".parquet" or next(seen) == 2)
    failed = plan.run("commit")
    assert failed.returncode == 1, failed.stderr
    assert bucket.keys() == before
    s3.fails = lambda method, path: False
    done = plan.run("commit")
    assert done.returncode == 0, done.stderr
    plan.is_whole(tmp_path)


def test_a_commit_that_dies_is_done_by_the_next(s3, bucket, plan, tmp_path):
    plan.shards()
    gate = Gate(s3, "PUT", "_manifest.json")
    dying = bucket.start(*plan.words("commit"))
    assert gate.came.wait(60)
    # Nobody else is about the plan meanwhile.
    for words in (plan.words("commit"), plan.words("abort"), ("abort", "--plan", plan.path)):
        beside = bucket.run(*words)
        assert beside.returncode == 5 and "another process" in beside.stderr, beside.stderr
    dying.send_signal(signal.SIGKILL)
    dying.wait()
    gate.open(fails=True)
    assert "x/_SUCCESS" not in bucket.keys() and shown(bucket) != []
    other = bucket.export("--store", plan.store, *SEGMENTS, "--out", OUT, "--if-exists", "append")
    assert other.returncode == 2 and "in no manifest" in other.stderr, other.stderr
    done = plan.run("commit")
    assert done.returncode == 0, done.stderr
    plan.is_whole(tmp_path)


def test_a_commit_that_died_behind_its_manifest_is_completed_with_what_it_replaces(s3, bucket, plan, tmp_path):
    assert bucket.export("--store", plan.store, "--segment", "gold", "--out", OUT).returncode == 0
    old = set(bucket.keys("x/batchId="))
    plan.shards()
    gate = Gate(s3, "PUT", "_SUCCESS")
    dying = bucket.start(*plan.words("commit", "--if-exists", "replace"))
    assert gate.came.wait(60)
    dying.send_signal(signal.SIGKILL)
    dying.wait()
    gate.open(fails=True)
    # As if it had died sooner.
    for key in old:
        bucket.s3.put_object(Bucket="exports", Key=key, Body=b"old")
    done = plan.run("commit", "--if-exists", "replace")
    assert done.returncode == 0 and "already" in done.stdout, done.stderr
    plan.is_whole(tmp_path)


@pytest.mark.parametrize("dies", [("POST", "delete"), ("PUT", "_manifest.json")])
def test_a_commit_that_died_among_what_it_replaces_is_completed(s3, bucket, plan, tmp_path, dies):
    spread = bucket.export("--store", plan.store, "--segment", "gold", "--out", OUT, "--name-template", "gold/{batch.id}.{ext}")
    assert spread.returncode == 0, spread.stderr
    plan.shards()
    gate = Gate(s3, *dies, behind=("PUT", "_manifest.json"))
    dying = bucket.start(*plan.words("commit", "--if-exists", "replace"))
    assert gate.came.wait(60)
    dying.send_signal(signal.SIGKILL)
    dying.wait()
    gate.open(fails=True)
    assert len(json.loads(bucket.text("x/_manifest.json"))["exports"]) == 2
    done = plan.run("commit", "--if-exists", "replace")
    assert done.returncode == 0 and "already" in done.stdout, done.stderr
    plan.is_whole(tmp_path)


def test_a_commit_that_can_not_tell_what_it_was_to_replace_is_refused(s3, bucket, plan):
    gold = ("--store", plan.store, "--segment", "gold", "--out", OUT)
    assert bucket.export(*gold, "--name-template", "gold/{batch.id}.{ext}").returncode == 0
    plan.shards()
    append = ("export", "--quiet", *gold, "--if-exists", "append")
    for words, held, behind in [(plan.words("commit", "--if-exists", "replace"), ("POST", "delete"), ("PUT", "_manifest.json")),
                                (append, ("PUT", "_SUCCESS"), None)]:
        gate = Gate(s3, *held, behind=behind)
        dying = bucket.start(*words)
        assert gate.came.wait(60)
        dying.send_signal(signal.SIGKILL)
        dying.wait()
        gate.open(fails=True)
    there = shown(bucket)
    refused = plan.run("commit", "--if-exists", "replace")
    assert refused.returncode == 2 and "before and behind" in refused.stderr, refused.stderr
    assert shown(bucket) == there
    done = plan.run("commit", "--if-exists", "append")
    assert done.returncode == 0 and "already" in done.stdout, done.stderr
    assert set(shown(bucket)) == {*there, "x/_SUCCESS"}


def test_a_commit_that_another_export_replaces_meanwhile_says_so(s3, bucket, plan, tmp_path):
    spread = bucket.export("--store", plan.store, "--segment", "gold", "--out", OUT, "--name-template", "gold/{batch.id}.{ext}")
    assert spread.returncode == 0, spread.stderr
    plan.shards()
    gate = Gate(s3, "PUT", "_manifest.json", behind=("PUT", "_manifest.json"), alone=True)
    first = bucket.start(*plan.words("commit", "--if-exists", "replace"))
    assert gate.came.wait(60)
    other = bucket.export("--store", plan.store, "--segment", "gold", "--out", OUT, "--if-exists", "replace")
    assert other.returncode == 0, other.stderr
    gate.open(fails=False)
    _, said = first.communicate()
    assert first.returncode == 5 and "another export" in said, said
    copied = bucket.copy("x/", tmp_path / "copied")
    program("verify-manifest", copied)
    [export] = json.loads((copied / "_manifest.json").read_text())["exports"]
    assert "planId" not in export and (copied / "_SUCCESS").exists()


def test_what_a_commit_that_died_would_have_joined_is_whole_again_behind_it(s3, bucket, plan):
    assert bucket.export("--store", plan.store, "--segment", "gold", "--out", OUT).returncode == 0
    before = bucket.keys()
    plan.shards()
    words = plan.words("commit", "--if-exists", "append")
    for again in (("commit", "--if-exists", "append"), ("abort",)):
        gate = Gate(s3, "PUT", "_manifest.json")
        dying = bucket.start(*words)
        assert gate.came.wait(60)
        dying.send_signal(signal.SIGKILL)
        dying.wait()
        gate.open(fails=True)
        assert "x/_SUCCESS" not in bucket.keys()
        s3.fails = lambda method, path: method == "PUT" and "_manifest.json" in path
        done = plan.run(*again)
        assert done.returncode == (0 if again == ("abort",) else 1), done.stderr
        assert shown(bucket) == before
    assert bucket.keys() == before


def test_a_plan_that_is_given_up_leaves_nothing_also_behind_a_commit_that_died(s3, bucket, plan):
    plan.shards()
    gate = Gate(s3, "PUT", "_manifest.json")
    dying = bucket.start(*plan.words("commit"))
    assert gate.came.wait(60)
    dying.send_signal(signal.SIGKILL)
    dying.wait()
    gate.open(fails=True)
    elsewhere = bucket.run("abort", "--plan", plan.path, "--out", "s3://exports/elsewhere")
    assert elsewhere.returncode == 5 and "has nothing of plan" in elsewhere.stderr, elsewhere.stderr
    done = bucket.run("abort", "--plan-id", plan.id, "--store", plan.store, "--out", OUT)
    assert done.returncode == 0 and "given up" in done.stdout, done.stderr
    assert bucket.keys() == [] and plan.kept() == []
    gone = plan.run("commit")
    assert gone.returncode == 5 and "aborted" in gone.stderr, gone.stderr


def test_what_is_there_stays_or_gives_way_as_it_is_said(bucket, plan, tmp_path):
    assert bucket.export("--store", plan.store, "--segment", "gold", "--out", OUT).returncode == 0
    plan.shards()
    refused = plan.run("commit")
    assert refused.returncode == 2 and "--if-exists" in refused.stderr, refused.stderr
    done = plan.run("commit", "--if-exists", "replace")
    assert done.returncode == 0, done.stderr
    plan.is_whole(tmp_path)
    bucket.s3.put_object(Bucket="exports", Key="x/notes.txt", Body=b"mine")
    other = Plan(bucket, plan.store, tmp_path)
    other.shards()
    refused = other.run("commit", "--if-exists", "append")
    assert refused.returncode == 2 and "notes.txt" in refused.stderr, refused.stderr
    bucket.s3.delete_object(Bucket="exports", Key="x/notes.txt")
    done = other.run("commit", "--if-exists", "append")
    assert done.returncode == 0, done.stderr
    copied = bucket.copy("x/", tmp_path / "both")
    program("verify-manifest", copied)
    assert len(json.loads((copied / "_manifest.json").read_text())["exports"]) == 2
