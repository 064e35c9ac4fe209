#!/usr/bin/env python3
"""How long the server takes to list and show jobs as their number grows, how a thousand clients at a time fare, and
how long a profile takes to be looked up as people grow: SERVE_PEOPLE, 100000 if not given, and a tenth of that. One server,
one connection; the tables have medians, of look-ups 99th percentiles, too, in milliseconds of 300 requests each."""
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

conftest.PROGRAM = ROOT / "target/release/profile-export"
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


def looked_up(people):
    """The table's line of look-ups over so many people: of one profile whole, of a field, and of one's events."""
    with tempfile.TemporaryDirectory() as folder:
        source, store = Path(folder) / "source", Path(folder) / "store"
        subprocess.run([ROOT / "target/release/workload", source, str(people)], check=True, stdout=subprocess.DEVNULL)
        conftest.program("ingest", "--quiet", "--store", store, "--from", source)
        server = conftest.Server(store)
        some = random.Random(7).sample(range(people), 300)
        of = "entityIdNS=ECID&entityId="
        cells = []
        for query in ("schema.name=_xdm.context.profile", "schema.name=_xdm.context.profile&fields=person.name.lastName",
                      "schema.name=_xdm.context.experienceevent"):
            paths = [f"{ENTITIES}?{query}&{of}{n:038}" for n in some]
            # What is prepared once is not a look-up's.
            timed(server, paths[:1])
            times = sorted(timed(server, paths))
            cells.append(f"{statistics.median(times):.2f} ms, {times[296]:.2f} ms")
        server.stop()
    print(f"| {people:,} | {' | '.join(cells)} |")


def crowd(server, clients=1000):
    async def all_of_them():
        return await asyncio.gather(*(ask(address_of(server), f"{JOBS}?limit=20") for _ in range(clients)))
    start = time.perf_counter()
    answers = Counter(asyncio.run(all_of_them()))
    return time.perf_counter() - start, answers


def main():
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
    print("\n| people | profile: median, 99 % | a field of it | its events |\n|---|---|---|---|")
    most = int(os.environ.get("SERVE_PEOPLE", "100000"))
    for people in (most // 10, most):
        looked_up(people)


if __name__ == "__main__":
    main()
