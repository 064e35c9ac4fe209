"""Plans, shards and commits: the rows of an export at once, by processes of their own."""

import json
import multiprocessing
import os
import pickle
import subprocess
import time

import duckdb
import profile_export as pe
import pyarrow
import pyarrow.parquet
import pytest
from conftest import PROGRAM, people, program


@pytest.fixture
def filled(store):
    store.ingest(pyarrow.table(people(0, 300)), dataset="people", primary_identity="email=Email")
    return store


def rows_in(out):
    manifest = json.loads((out / "_manifest.json").read_text())
    files = [file["path"] for batch in manifest["exports"][0]["batches"] for file in batch["files"]]
    tables = [pyarrow.parquet.read_table(out / path, partitioning=None) for path in files]
    return pyarrow.concat_tables(tables)


def make(plan, shard, out):
    plan.run_shard(shard, out, attempt=f"of-{os.getpid()}", threads=1)


def test_other_processes_make_shards_and_one_shows_them(filled, tmp_path):
    out = tmp_path / "out"
    plan = filled.plan(shards=4, fields="email,points")
    assert len(plan) == 4 and plan.schema.names == ["email", "points"] and plan.batch_count == 1
    assert plan.store == os.path.realpath(filled.path) and plan.request["fields"] == "email,points"
    spawned = multiprocessing.get_context("spawn")
    processes = [spawned.Process(target=make, args=(plan, shard, out)) for shard in [3, 1, 0, 2, 1]]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert [name for name in os.listdir(out) if not name.startswith(".")] == []
    # Nor do those find anything that look into hidden folders.
    pattern = f"{out}/**/*.parquet"
    assert duckdb.sql(f"SELECT * FROM glob('{pattern}')").fetchall() == []
    job = filled.commit(plan, out)
    assert job["metrics"]["totalExportedProfileCounter"] == 300
    assert program("verify-manifest", out)
    expected = filled.export(fields="email,points").to_arrow()
    assert rows_in(out).equals(expected)
    again = filled.commit(plan, out)
    assert (again["id"], again["status"]) == (job["id"], "SUCCEEDED")


def test_shards_stream_their_rows_with_nothing_written(filled):
    plan = filled.plan(shards=3)
    batches = [pyarrow.record_batch(rows) for shard in range(3) for rows in plan.record_batches(shard, threads=1)]
    expected = filled.export().to_arrow()
    assert pyarrow.Table.from_batches(batches).equals(expected)
    with pytest.raises(pe.BadRequest, match="3 shards"):
        next(plan.record_batches(3))
    with pytest.raises(pe.BadRequest, match="counted from 0"):
        next(plan.record_batches(0, batch=1))


def test_plans_cross_processes_and_the_program_takes_them(filled, tmp_path):
    plan = filled.plan(shards=2, format="ndjson")
    for other in [pickle.loads(pickle.dumps(plan)), pe.ShardPlan.from_json(plan.to_json())]:
        assert (other.id, other.generation, other.expires) == (plan.id, plan.generation, plan.expires)
    plan.save(tmp_path / "plan.json")
    assert pe.ShardPlan.load(tmp_path / "plan.json").to_json() == plan.to_json()
    out = tmp_path / "out"
    plan.run_shard(0, out)
    program("run-shard", "--plan", tmp_path / "plan.json", "--shard", 1, "--out", out)
    program("commit", "--plan", tmp_path / "plan.json", "--out", out)
    assert sum(1 for path in out.glob("batchId=*/*.ndjson") for _ in open(path)) == 300
    with pytest.raises(pe.BadRequest, match="changed since"):
        pe.ShardPlan.from_json(plan.to_json().replace('"generation":', '"generation":1'))
    with pytest.raises(pe.StorageError):
        pe.ShardPlan.load(tmp_path / "nowhere.json")
    (tmp_path / "none.json").write_bytes(b"\xff no plan")
    with pytest.raises(pe.BadInput, match="no plan of an export"):
        pe.ShardPlan.load(tmp_path / "none.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "plan.json")
    with pytest.raises(pe.BadRequest, match="there is a link"):
        plan.save(tmp_path / "link.json")


def test_what_can_not_be_is_refused_by_name(filled, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(pe.BadRequest, match="allowed is 1 or more"):
        filled.plan(shards=0)
    for many in [3_000_000, -1, 2.0]:
        with pytest.raises(pe.BadRequest, match="shards"):
            filled.plan(shards=many)
    for seconds in [-1.0, 1e18, 400 * 24 * 60 * 60]:
        with pytest.raises(pe.BadRequest, match="keep_for"):
            filled.plan(shards=1, keep_for=seconds)
    for form in [{"format": "ndjson"}, {"compression": "zstd"}, {"compatible": True}, {"keep_for": 1.0}]:
        with pytest.raises(pe.BadRequest, match="without shards"):
            filled.plan(**form)
    with pytest.raises(pe.BadRequest, match="shard"):
        filled.plan(shards=2, dedupe="points")
    plan = filled.plan(shards=2)
    with pytest.raises(pe.Conflict, match="2 of 2 shards"):
        filled.commit(plan, out)
    with pytest.raises(pe.BadRequest, match="attempt"):
        plan.run_shard(0, out, attempt="a/b")
    with pytest.raises(pe.BadRequest, match="attempt"):
        plan.run_shard(0, out, attempt=3)
    with pytest.raises(pe.BadRequest, match="shard"):
        plan.run_shard(-1, out)
    with pytest.raises(pe.BadRequest, match="scheme"):
        plan.run_shard(0, "hdfs:/out")
    with pytest.raises(pe.Conflict, match="has nothing of plan"):
        filled.abort(plan, tmp_path)
    plan.run_shard(0, out)
    assert filled.abort(plan, out) and not filled.abort(plan, out)
    assert os.listdir(out) == []
    with pytest.raises(pe.Conflict, match="aborted"):
        filled.commit(plan, out)


def test_a_plan_that_has_expired_keeps_nothing(filled, tmp_path):
    plan = filled.plan(shards=1, keep_for=0)
    # Pins are counted in whole seconds.
    time.sleep(1.1)
    filled.ingest(pyarrow.table(people(0, 300)), dataset="people", primary_identity="email=Email", ingested_at="2030-01-01")
    for _ in range(2):
        subprocess.run([PROGRAM, "store", "compact", "--store", filled.path, "-q"], check=True, timeout=60)
    with pytest.raises(pe.Conflict, match=plan.id):
        plan.run_shard(0, tmp_path / "out")
