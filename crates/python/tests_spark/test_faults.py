"""What befalls clusters: executors that are killed, tasks that hang, drivers that die. None of it shows."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import profile_export as pe
import profile_export.spark
from conftest import ROOT, deep, send, wait_for
from test_spark import is_whole, rows_in

PEOPLE = 8_000
WORKLOAD = ROOT / "target" / "debug" / "workload"

DRIVER = """
import sys
sys.path.insert(0, {tests!r})
import conftest, profile_export.spark
cluster = conftest.Cluster.__new__(conftest.Cluster)
cluster.url, cluster.environment = {url!r}, dict(conftest.os.environ, PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
profile_export.spark.export(cluster.session("driver"), {store!r}, out={out!r}, shards=6)
"""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """A store of which a shard takes a while, and what it exports at once."""
    folder = tmp_path_factory.mktemp("crowd")
    subprocess.run([WORKLOAD, folder / "source", str(PEOPLE)], check=True, timeout=120)
    store = pe.Store(folder / "store", create=True)
    store.ingest(folder / "source")
    store.run(out=folder / "single", events=True)
    return store, rows_in(folder / "single")


def begun(out):
    """The attempts that are at work, or are finished."""
    return sorted(out.glob(".plan-*/shard-*/*"))


def in_background(work):
    """Does something beside, and gives back what waits for it."""
    ended = {}

    def run():
        try:
            ended["done"] = work()
        except BaseException as error:  # told to whoever waits
            ended["error"] = error

    thread = threading.Thread(target=run)
    thread.start()

    def join():
        thread.join(150)
        assert not thread.is_alive()
        if "error" in ended:
            raise ended["error"]
        return ended["done"]

    return join


@deep
def test_an_executor_that_is_killed_in_the_middle_of_a_shard(cluster, crowd, tmp_path):
    store, expected = crowd
    out = tmp_path / "out"
    spark = cluster.session("killed")
    try:
        join = in_background(lambda: profile_export.spark.export(spark, store.path, out=out, shards=6, events=True))
        wait_for(lambda: begun(out), "an attempt", 120)
        send(wait_for(lambda: cluster.descendants("CoarseGrainedExecutorBackend"), "an executor")[0])
        assert join()["status"] == "SUCCEEDED"
    finally:
        spark.stop()
    is_whole(out)
    assert rows_in(out).equals(expected)


@deep
def test_an_executor_that_is_killed_while_it_puts_a_shard_into_a_bucket(cluster, crowd, bucket, tmp_path):
    store, expected = crowd
    spark = cluster.session("bucket")
    try:
        join = in_background(
            lambda: profile_export.spark.export(spark, store.path, out="s3://exports/killed", shards=6, events=True)
        )
        # Of those that are at work on a shard nothing is there yet but others that came to their end.
        wait_for(lambda: [key for key in bucket.keys() if key.endswith("/shard.json")], "an attempt", 120)
        send(wait_for(lambda: cluster.descendants("CoarseGrainedExecutorBackend"), "an executor")[0])
        assert join()["batches"]
    finally:
        spark.stop()
    copied = bucket.copy("killed/", tmp_path / "copied")
    is_whole(copied)
    assert rows_in(copied).equals(expected)


@deep
def test_a_python_that_holds_still_under_speculation_and_may_come_late(cluster, crowd, tmp_path):
    store, expected = crowd
    out = tmp_path / "out"
    speculation = {
        "spark.speculation": "true",
        "spark.speculation.interval": "100ms",
        "spark.speculation.multiplier": "1.1",
        "spark.speculation.quantile": "0.3",
        "spark.speculation.minTaskRuntime": "500ms",
    }
    spark = cluster.session("speculation", **speculation)
    stopped = []
    try:
        join = in_background(lambda: profile_export.spark.export(spark, store.path, out=out, shards=6, events=True))
        wait_for(lambda: begun(out), "an attempt", 120)
        # A Python that is at work on a shard holds still, not the one that starts them.
        pythons = wait_for(lambda: cluster.descendants("pyspark", "pyspark"), "a Python")
        stopped = [pythons[0]]
        send(stopped[0], signal.SIGSTOP)
        assert join()["status"] == "SUCCEEDED"
        is_whole(out)
        for pid in stopped:
            send(pid, signal.SIGCONT)
    finally:
        for pid in stopped:
            send(pid, signal.SIGCONT)
        spark.stop()
    is_whole(out)
    assert rows_in(out).equals(expected)


@deep
def test_a_driver_that_is_killed_before_the_commit(cluster, crowd, tmp_path):
    store, _ = crowd
    store.run(out=tmp_path / "single")
    out = tmp_path / "out"
    code = DRIVER.format(tests=os.path.dirname(__file__), url=cluster.url, store=store.path, out=str(out))
    driver = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    finished = lambda: sorted(out.glob(".plan-*/shard-*/*/shard.json"))
    wait_for(lambda: len(finished()) >= 2, "two finished shards", 180)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait(30)
    assert [name for name in os.listdir(out) if not name.startswith(".")] == []

    # The plan is there for whoever goes on.
    [path] = out.glob(".plan-*/plan.json")
    plan = pe.ShardPlan.load(path)
    there = {json.loads(shard.read_text())["shard"] for shard in finished()}
    missing = sorted(set(range(len(plan))) - there)
    if missing:
        with pytest.raises(pe.Conflict, match="run-shard makes them"):
            store.commit(plan, out)
    for shard in missing:
        plan.run_shard(shard, out, attempt="again")
    assert store.commit(plan, out)["status"] == "SUCCEEDED"
    assert store.commit(plan, out) == {}
    is_whole(out)
    assert rows_in(out).equals(rows_in(tmp_path / "single"))
