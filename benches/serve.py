#!/usr/bin/env python3
"""How long the server takes to list and show jobs as their number grows, how a thousand clients at a time fare, and
how long a profile takes to be looked up as people grow: SERVE_PEOPLE, "10000 100000 1000000" if not given. One server,
one connection; the tables have medians, of look-ups 99th percentiles, too, in milliseconds of 300 requests each, and how many
a second two cores make, by the server's processor time. SERVE_JOBS=0 leaves the lists of jobs out, SERVE_PROGRAM is
another program, such as one of before a change, SERVE_STORES a folder where stores are kept between calls."""
import asyncio
import http.client
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "crates/server/tests/api"))
import conftest  # noqa: E402
from test_load import address_of, ask  # noqa: E402

conftest.PROGRAM = Path(os.environ.get("SERVE_PROGRAM", ROOT / "target/release/profile-export"))
JOBS = "/data/core/ups/export/jobs"
ENTITIES = "/data/core/ups/access/entities"


def median(server, path):
    return statistics.median(timed(server, [path] * 300))


def timed(server, paths):
    """Milliseconds that each of these takes, one after the other."""
    connection = http.client.HTTPConnection(*address_of(server))
    times = []
    for path in paths:
        start = time.perf_counter()
        connection.request("GET", path, headers=conftest.HEADERS)
        answer = connection.getresponse()
        body = answer.read()
        times.append((time.perf_counter() - start) * 1000)
        assert answer.status == 200, body
    return times


def processor_seconds(server):
    """What the server has used of the processors, in seconds."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def store_of(people, folder):
    """A store of the benchmark's workload, loaded anew unless it is there."""
    store = folder / f"store-{people}"
    if not store.exists():
        with tempfile.TemporaryDirectory(dir=folder) as source:
            workload = ROOT / "target/release/workload"
            subprocess.run([workload, source, str(people)], check=True, stdout=subprocess.DEVNULL)
            conftest.program("ingest", "--quiet", "--store", store, "--from", source)
    return store


def looked_up(people, folder):
    """The table's line of look-ups over so many people: of one profile whole, of a field, of one by an identity that is no
    primary one, and of one's events, a page of all and of three."""
    server = conftest.Server(store_of(people, folder))
    some = random.Random(7).sample(range(people), 300)
    primary = "entityIdNS=ECID&entityId="
    profile = "schema.name=_xdm.context.profile"
    events = "schema.name=_xdm.context.experienceevent"
    linked = "mergePolicyId=timestampOrdered-pdg-mp&entityIdNS=Email&entityId="
    cells = []
    for query in (f"{profile}&{primary}{{0:038}}", f"{profile}&fields=person.name.lastName&{primary}{{0:038}}",
                  f"{profile}&fields=person.name.lastName&{linked}person{{0}}@example.com",
                  f"{events}&{primary}{{0:038}}", f"{events}&limit=3&orderby=-timestamp&{primary}{{0:038}}"):
        paths = [f"{ENTITIES}?{query.format(n)}" for n in some]
        # What is prepared once is not a look-up's.
        timed(server, paths)
        before = processor_seconds(server)
        times = sorted(timed(server, paths) + timed(server, paths))
        used = (processor_seconds(server) - before) / len(times)
        cells.append(f"{statistics.median(times):.2f} ms, {times[len(times) * 99 // 100]:.2f} ms, {2 / used:,.0f}")
    server.stop()
    print(f"| {people:,} | {' | '.join(cells)} |", flush=True)


def crowd(server, clients=1000):
    async def all_of_them():
        return await asyncio.gather(*(ask(address_of(server), f"{JOBS}?limit=20") for _ in range(clients)))
    start = time.perf_counter()
    answers = Counter(asyncio.run(all_of_them()))
    return time.perf_counter() - start, answers


def lists_of_jobs():
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        conftest.program("ingest", "--quiet", "--store", store, "--from", conftest.FIXTURES)
        server = conftest.Server(store)
        first = server.create(server.target(), fields="_id")
        created = server.finished(first)["creationTime"]
        server.stop()
        for jobs in (1_000, 10_000, 100_000):
            conftest.clone_jobs(store, jobs)
            server = conftest.Server(store)
            middle = f"{created + jobs // 2}_{first + jobs // 2}"
            paths = [f"{JOBS}?limit=20", f"{JOBS}?limit=20&status=SUCCEEDED", f"{JOBS}?limit=20&offset={middle}",
                     f"{JOBS}/{first + jobs // 2}", "/health"]
            rows.append((jobs, [median(server, path) for path in paths], crowd(server)))
            server.stop()
    print("| jobs | newest 20 | newest 20 of a state | 20 from the middle | one | health | 1,000 clients at a time |")
    print("|---|---|---|---|---|---|---|")
    for jobs, times, (seconds, answers) in rows:
        told = ", ".join(f"{count} × {status}" for status, count in sorted(answers.items()))
        print(f"| {jobs:,} | {' | '.join(f'{t:.2f} ms' for t in times)} | {told} in {seconds:.2f} s |")


def main():
    if os.environ.get("SERVE_JOBS") != "0":
        lists_of_jobs()
    print("\n| people | profile: median, 99 %, a second | a field of it | by a linked identity | its events | its last three |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(os.environ.get("SERVE_STORES", folder))
        for people in os.environ.get("SERVE_PEOPLE", "10000 100000 1000000").split():
            looked_up(int(people), folder)


if __name__ == "__main__":
    main()
