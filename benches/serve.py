#!/usr/bin/env python3
"""How long the server takes to list and show jobs as their number grows, and how a thousand clients at a
time fare. One server, one connection; the table has medians in milliseconds of 300 requests each."""
import asyncio
import http.client
import statistics
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


def median(server, path):
    connection = http.client.HTTPConnection(*address_of(server))
    times = []
    for _ in range(300):
        start = time.perf_counter()
        connection.request("GET", path, headers=conftest.HEADERS)
        answer = connection.getresponse()
        answer.read()
        times.append(time.perf_counter() - start)
        assert answer.status == 200, answer.status
    return statistics.median(times) * 1000


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


if __name__ == "__main__":
    main()
