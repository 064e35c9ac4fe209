"""Runs the program as a user does, a process at a time, and tells what each took."""
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from works import requests

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/profile-export"
WORKLOAD = ROOT / "target/release/workload"


class Took(NamedTuple):
    """What a process took: seconds, peak memory in MB, bytes from and to the disk; and what it printed."""
    seconds: float
    peak: float
    read: int
    written: int
    body: Any


class Place(NamedTuple):
    """Where all is that belongs to one number of people, and how it is measured."""
    folder: Path
    source: Path
    threads: int
    rounds: int

    @property
    def store(self):
        return self.folder / "store"

    @property
    def parquet(self):
        return self.folder / "parquet"

    @property
    def database(self):
        return self.folder / "own.duckdb"

    def ask(self, target):
        """Writes the requests, for a dataset of the store."""
        for work, request in requests(target).items():
            (self.folder / f"{work}.json").write_text(json.dumps(request))
            request["mergePolicy"] = {"id": "timestampOrdered-pdg-mp"}
            (self.folder / f"{work}-pdg.json").write_text(json.dumps(request))

    def exported(self, request, out, store=None, threads=None):
        return ours("run", self.folder / f"{request}.json", "--store", store or self.store, "--out", out,
                    "--threads", threads or self.threads)

    def loaded(self, store, source=None, threads=None):
        return ours("ingest", "--store", store, "--from", source or self.source, "--threads", threads or self.threads)


def ours(*arguments, watched=False):
    """Peak memory is what the program reports. What reports none is watched instead: the kernel's figure for a child
    would be at least its parent's own memory, and DuckDB lives in this process."""
    os.sync()
    start = time.perf_counter()
    process = subprocess.Popen([PROGRAM, *map(str, arguments), "--json"], stdout=subprocess.PIPE)
    peak = [0]
    if watched:
        watcher = threading.Thread(target=watch, args=(process.pid, peak))
        watcher.start()
    with process.stdout:
        text = process.stdout.read()
    # Not reaped before its watcher has looked for the last time, lest the id be another's.
    if watched:
        watcher.join()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"profile-export {arguments}: status {process.returncode}")
    body = json.loads(text)
    reported = isinstance(body, dict) and (body.get("peakMemoryBytes") or body.get("metrics", {}).get("peakMemoryBytes"))
    return Took(seconds, (reported or peak[0]) / 1e6, used.ru_inblock * 512, used.ru_oublock * 512, body)


def watch(pid, peak):
    """The most memory of a process, looked up every few milliseconds until it ends and has none."""
    while True:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        known = [line for line in lines if line.startswith("VmHWM")]
        if not known:
            return
        peak[0] = int(known[0].split()[1]) * 1024
        time.sleep(0.002)


def workload(folder, *people):
    subprocess.run([WORKLOAD, folder, *map(str, people)], check=True)


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def bytes_in(folder):
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
