"""A server over the fixtures, as a user starts one."""
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parents[4]
PROGRAM = ROOT / "target/debug/profile-export"
FIXTURES = ROOT / "fixtures/retailer"
SCOPE = {"PROFILE_EXPORT_ORG": "local@AdobeOrg", "PROFILE_EXPORT_SANDBOX": "prod"}
HEADERS = {
    "Authorization": "Bearer local",
    "x-api-key": "local",
    "x-gw-ims-org-id": SCOPE["PROFILE_EXPORT_ORG"],
    "x-sandbox-name": SCOPE["PROFILE_EXPORT_SANDBOX"],
}
UNION = {"id": "https://ns.adobe.com/xdm/context/profile__union",
         "contentType": "application/vnd.adobe.xed+json;version=1"}


def program(*arguments):
    """Runs the program to its end; returns what it printed."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], env={**os.environ, **SCOPE}, check=True,
                          stdout=subprocess.PIPE, text=True)
    return done.stdout


class Server:
    def __init__(self, store, *options, **variables):
        self.store = store
        self.log_path = store.with_suffix(".log")
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--store", store, "--listen", "127.0.0.1:0", "--log", "json", *options],
                env={**os.environ, **SCOPE, **variables}, stdout=subprocess.PIPE, stderr=log, text=True)
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://"), self.log_path.read_text()

    def ask(self, method, path, **more):
        return requests.request(method, self.url + path, headers=HEADERS, timeout=60, **more)

    def get(self, path):
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def target(self):
        made = self.ask("POST", "/data/foundation/catalog/dataSets", json={"name": f"Export {time.time_ns()}", "schemaRef": UNION})
        assert made.status_code == 201, made.text
        return made.json()[0].split("/")[-1]

    def create(self, target, **more):
        body = {"destination": {"datasetId": target}, "schema": {"name": "_xdm.context.profile"}, **more}
        made = self.ask("POST", "/data/core/ups/export/jobs", json=body)
        assert made.status_code == 200, made.text
        return made.json()["id"]

    def finished(self, job):
        def look():
            shown = self.get(f"/data/core/ups/export/jobs/{job}")
            return shown if shown["status"] in ("SUCCEEDED", "FAILED", "CANCELLED") else None
        return until(look)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0

    def log(self):
        return [json.loads(line) for line in self.log_path.read_text().splitlines() if line.startswith("{")]


def until(look, seconds=60):
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="session")
def loaded(tmp_path_factory):
    """A store of the fixtures, to be copied."""
    store = tmp_path_factory.mktemp("loaded") / "store"
    program("ingest", "--quiet", "--store", store, "--from", FIXTURES)
    return store


@pytest.fixture
def store(loaded, tmp_path):
    return Path(shutil.copytree(loaded, tmp_path / "store"))


@pytest.fixture
def server(store):
    running = Server(store)
    yield running
    if running.process.poll() is None:
        running.stop()


def clone_jobs(store, count):
    """Puts copies of the newest job into the catalog until there are so many."""
    with sqlite3.connect(store / "catalog.sqlite") as catalog:
        # The triggers keep each table's digest by a function of the program's. That of the jobs stays as it is:
        # nothing but `store verify` looks at it.
        catalog.create_function("with_row", -1, lambda digest, *row: digest, deterministic=True)
        columns = [row[1] for row in catalog.execute("PRAGMA table_info(jobs)")]
        there, newest = catalog.execute("SELECT count(*), max(id) FROM jobs").fetchone()
        others = ", ".join(c for c in columns if c not in ("id", "created", "body"))
        catalog.execute(f"""
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :more)
            INSERT INTO jobs (id, created, body, {others})
            SELECT {newest} + i, created + i, json_set(body, '$.id', {newest} + i, '$.creationTime', created + i), {others}
            FROM jobs, n WHERE id = {newest}""", {"more": count - there})
