"""A standalone cluster of Spark: a master and two workers, each a process of its own, and a store that all see."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pyspark
import pytest

import profile_export as pe

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "crates" / "python" / "tests"))
from s3_bucket import serving  # noqa: E402

FIXTURES = ROOT / "fixtures" / "retailer"
SPARK = Path(pyspark.__file__).parent
CORES = 2
IS_DEEP = os.environ.get("PROFILE_EXPORT_DEEP_TESTS") == "1"

deep = pytest.mark.skipif(not IS_DEEP, reason="PROFILE_EXPORT_DEEP_TESTS=1")


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Cluster:
    """The master and the workers."""

    def __init__(self, folder):
        self.folder = folder
        self.port, self.page = _free_port(), _free_port()
        self.url = f"spark://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_NO_DAEMONIZE": "1",
            "SPARK_DAEMON_MEMORY": "256m",
        }
        self.processes = [
            self._start("master", "master.Master", "--host", "127.0.0.1", "--port", self.port, "--webui-port", self.page)
        ]
        # Each has a host of its own: Spark runs no task twice on one.
        for number in range(2):
            self.processes.append(
                self._start(
                    f"worker-{number}",
                    "worker.Worker",
                    *("--host", f"127.0.0.{number + 1}", "--cores", CORES, "--memory", "2g", "--webui-port", _free_port()),
                    *("--work-dir", folder / f"work-{number}", self.url),
                )
            )
        wait_for(lambda: '"aliveworkers" : 2' in self._state().lower(), "two workers", 60)

    def _start(self, name, main, *arguments):
        log = open(self.folder / f"{name}.log", "w")
        command = [SPARK / "bin" / "spark-class", f"org.apache.spark.deploy.{main}", *map(str, arguments)]
        return subprocess.Popen(command, stdout=log, stderr=log, env=self.environment, start_new_session=True)

    def _state(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.page}/json/", timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return ""

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def session(self, name="tests", **more):
        """A session of its own on the cluster."""
        from pyspark.sql import SparkSession

        os.environ.update({key: self.environment[key] for key in ("PYSPARK_PYTHON", "SPARK_LOCAL_IP")})
        builder = SparkSession.builder.master(self.url).appName(name)
        settings = {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.executor.memory": "512m",
            "spark.executor.cores": str(CORES),
            "spark.sql.session.timeZone": "UTC",
            **more,
        }
        for key, value in settings.items():
            builder = builder.config(key, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        return session

    def descendants(self, marker, parent=""):
        """Processes below the workers whose command line has a word, and their parent's another: executors, or Pythons."""
        ours, found = {process.pid for process in self.processes}, []
        parents = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                stat = (entry / "stat").read_text()
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            parents[int(entry.name)] = (int(stat.rsplit(")", 1)[1].split()[1]), words)
        for pid, (_, words) in parents.items():
            above = pid
            while above in parents and above not in ours:
                above = parents[above][0]
            own = parents.get(parents[pid][0], (0, ""))[1]
            if above in ours and pid not in ours and marker in words and parent in own:
                found.append(pid)
        return sorted(found)


def wait_for(condition, what, seconds=60):
    """Waits until something is so, and returns it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


def send(pid, number=signal.SIGKILL):
    """Sends a signal to a process of the cluster, if it is there still."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


@pytest.fixture(scope="session")
def bucket():
    """A bucket that the environment leads to: that of the driver, and of all executors."""
    with serving() as bucket:
        os.environ.update(bucket.environment)
        yield bucket


@pytest.fixture(scope="session")
def cluster(tmp_path_factory, bucket):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def spark(cluster):
    session = cluster.session()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def retailer(tmp_path_factory):
    """A store with the fixtures."""
    store = pe.Store(tmp_path_factory.mktemp("retailer") / "store", create=True)
    assert store.ingest(FIXTURES).loaded > 1000
    return store
