"""Long work: it leaves Python's lock alone, tells how far it is, and stops."""

import multiprocessing
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time

import profile_export as pe
import pyarrow
import pytest
from conftest import FIXTURES, people


def slow_reader(rows=1_000_000, pause=0.02):
    """Batches that come slowly, so that there is a middle to stop in."""
    table = pyarrow.table(people(0, rows // 1000))

    def batches():
        for _ in range(1000):
            time.sleep(pause)
            yield from table.to_batches()

    return pyarrow.RecordBatchReader.from_batches(table.schema, batches())


def test_progress_is_told_to_a_function_on_the_waiting_thread(store):
    seen, threads = [], set()

    def progress(at):
        seen.append(at)
        threads.add(threading.current_thread())

    store.ingest(FIXTURES, progress=progress)
    store.export().to_arrow(progress=progress)
    assert all(isinstance(at, pe.Progress) for at in seen)
    assert threads == {threading.current_thread()}
    assert all(at.done is None or 0.0 <= at.done <= 1.0 for at in seen)
    assert seen[-1].phase and seen[-1].rows == store.plan()["batches"][0]["profiles"]


def test_what_a_progress_function_raises_stops_the_work_and_is_raised(store):
    def progress(at):
        if at.rows > 0:
            raise KeyError("enough")

    begun = time.monotonic()
    with pytest.raises(KeyError, match="enough"):
        store.ingest(slow_reader(), dataset="crm", primary_identity="email=Email", progress=progress)
    assert time.monotonic() - begun < 10
    assert store.datasets() == []


def test_a_bar_is_shown_where_tqdm_is_installed(retailer, capfd, tmp_path):
    retailer.export().to_parquet(tmp_path / "a.parquet", progress=True)
    with pytest.raises(pe.BadRequest, match="allowed: a function"):
        retailer.export(progress="yes")
    code = "import sys; sys.modules['tqdm.auto'] = None; sys.modules['tqdm'] = None\n" + textwrap.dedent(f"""
        import profile_export as pe
        print(len(list(pe.Store({retailer.path!r}).export().record_batches(progress=True))))
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and int(done.stdout) > 0, done.stderr


def test_other_threads_go_on_while_work_is_done(store):
    ticks = []
    done = threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    other = threading.Thread(target=tick)
    other.start()
    table = pyarrow.table(people(0, 200_000))
    store.ingest(table, dataset="crm", primary_identity="email=Email")
    begun = time.monotonic()
    store.export().to_arrow()
    written = store.export().plan()
    ended = time.monotonic()
    done.set()
    other.join()
    assert written["batches"][0]["profiles"] == 200_000
    within = [at for at in ticks if begun <= at <= ended]
    assert len(within) > (ended - begun) * 20, "the lock was held"


INTERRUPTED = """
import os, signal, threading, time
import profile_export as pe, pyarrow
from test_work import slow_reader

store = pe.Store({folder!r}, create=True)
def interrupt():
    started.wait()
    time.sleep(0.7)
    os.kill(os.getpid(), signal.SIGINT)
started = threading.Event()
threading.Thread(target=interrupt, daemon=True).start()
begun = time.monotonic()
try:
    {work}
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - begun < 8, store.datasets())
"""


def run_interrupted(tmp_path, work):
    code = INTERRUPTED.format(folder=str(tmp_path / "store"), work=work)
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    return done.stdout, done.stderr


def test_ctrl_c_stops_a_load_and_leaves_nothing(tmp_path):
    load = 'started.set(); store.ingest(slow_reader(), dataset="crm", primary_identity="email=Email")'
    said, error = run_interrupted(tmp_path, load)
    assert said.strip() == "interrupted True []", error


def blocking_reader(how):
    """A reader whose second batch never comes."""
    table = pyarrow.table(people(0, 1000))

    def batches():
        yield from table.to_batches()
        how()
        yield from table.to_batches()

    return pyarrow.RecordBatchReader.from_batches(table.schema, batches())


def busy():
    while True:
        pass


BLOCKING = {
    "sleeps": "lambda: time.sleep(3600)",
    "waits for another thread": "threading.Event().wait",
    "waits for an item": "queue.SimpleQueue().get",
    "waits for a socket": "lambda pair=socket.socketpair(): pair[0].recv(1)",
    "goes on and on": "busy",
}


@pytest.mark.parametrize("how", BLOCKING)
def test_ctrl_c_stops_a_load_whose_source_gives_nothing(tmp_path, how):
    imports = "import queue, socket; from test_work import blocking_reader, busy"
    reader = f"blocking_reader({BLOCKING[how]})"
    load = f'{imports}; started.set(); store.ingest({reader}, dataset="crm", primary_identity="email=Email")'
    said, error = run_interrupted(tmp_path, load)
    assert said.strip() == "interrupted True []", error


def test_ctrl_c_stops_an_export_of_records_that_do_not_come(tmp_path):
    records = 'pe.Records(blocking_reader(lambda: time.sleep(3600)), name="crm", primary_identity="email=Email")'
    work = f"from test_work import blocking_reader; started.set(); pe.export_batches({records})"
    said, error = run_interrupted(tmp_path, work)
    assert said.strip() == "interrupted True []", error


def test_a_source_is_asked_on_the_thread_that_loads_it(store):
    """What belongs to a thread, such as a cursor of sqlite3, may be behind it."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE people (email TEXT)")
    database.executemany("INSERT INTO people VALUES (?)", [(f"p{n}@example.com",) for n in range(50)])
    cursor = database.execute("SELECT email FROM people")

    def batches():
        while rows := cursor.fetchmany(20):
            yield pyarrow.record_batch({"email": [email for (email,) in rows]})

    reader = pyarrow.RecordBatchReader.from_batches(pyarrow.schema({"email": "string"}), batches())
    assert store.ingest(reader, dataset="crm", primary_identity="email=Email").loaded == 50


def test_what_a_source_raises_fails_the_load_and_names_it(store):
    def fail():
        raise OSError("the line is dead")

    with pytest.raises(pe.BadInput, match="the line is dead"):
        store.ingest(blocking_reader(fail), dataset="crm", primary_identity="email=Email")
    assert store.datasets() == []


TAKERS = {
    "pyarrow": "pyarrow.table(export)",
    "polars": "polars.DataFrame(export)",
    "duckdb": 'duckdb.sql("SELECT count(DISTINCT email) FROM export").fetchall()',
    "its own": "export.to_arrow()",
}


@pytest.mark.parametrize("taker", TAKERS)
def test_ctrl_c_stops_a_stream(tmp_path, taker):
    # So many rows that there is a middle to stop in; whoever takes them may have an exception of its own for it.
    work = f"""
    import duckdb, polars
    from conftest import people
    other = pe.Store({str(tmp_path / "other")!r}, create=True)
    other.ingest(pyarrow.table(people(0, 300_000)), dataset="crm", primary_identity="email=Email")
    export = other.export()
    begun = time.monotonic()
    started.set()
    try:
        while True:
            {TAKERS[taker]}
    except Exception as error:
        # DuckDB looks for signals itself, and has a word of its own for it.
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        assert "KeyboardInterrupt" in str(error), error
        while True:
            time.sleep(0.1)
    """
    said, error = run_interrupted(tmp_path, textwrap.indent(textwrap.dedent(work), "    ").strip())
    assert said.strip() == "interrupted True []", error
    assert "Exception ignored" not in error


def in_child(path, queue):
    queue.put(pyarrow.table(pe.Store(path).export()).num_rows)


def inherited(store, queue):
    try:
        store.export()
    except pe.Conflict as error:
        queue.put(str(error))


def test_a_forked_process_opens_the_store_anew(retailer):
    rows = pyarrow.table(retailer.export()).num_rows
    fork = multiprocessing.get_context("fork")
    queue = fork.Queue()
    for target, arguments in [(in_child, (retailer.path, queue)), (inherited, (retailer, queue))]:
        child = fork.Process(target=target, args=arguments)
        child.start()
        said = queue.get(timeout=30)
        child.join(30)
        assert said == rows or "forked" in said
    assert "forked" in said


def test_streams_end_early_without_harm(retailer):
    export = retailer.export()
    for _ in range(20):
        reader = pyarrow.RecordBatchReader.from_stream(export)
        assert reader.read_next_batch().num_rows > 0
        del reader
        assert next(iter(export)).num_rows > 0
    capsule = export.__arrow_c_stream__()
    del capsule
    assert pyarrow.table(export).num_rows == sum(map(len, export))


def test_many_threads_take_from_one_store(retailer):
    expected = pyarrow.table(retailer.export())
    found = []

    def take():
        found.append(pyarrow.table(retailer.export()).equals(expected))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [True] * 8


@pytest.mark.parametrize("threads", [0, -1, 5000])
def test_a_number_of_threads_that_can_not_be_is_refused(tmp_path, threads):
    with pytest.raises((ValueError, OverflowError)):
        pe.Store(tmp_path, create=True, threads=threads)


