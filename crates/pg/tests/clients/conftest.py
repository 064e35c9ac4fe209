"""A server of SQL over the fixtures, as a user starts one, and the clients that people have."""
import atexit
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

ROOT = Path(__file__).resolve().parents[4]
PROGRAM = ROOT / "target/debug/profile-export"
FIXTURES = ROOT / "fixtures/retailer"
ORG = "local@AdobeOrg"
SCOPE = {"PROFILE_EXPORT_ORG": ORG, "PROFILE_EXPORT_SANDBOX": "prod"}


def program(*arguments, **variables):
    done = subprocess.run([PROGRAM, *map(str, arguments)], env={**os.environ, **SCOPE, **variables}, check=True,
                          stdout=subprocess.PIPE, text=True)
    return done.stdout


def start(*arguments, log):
    """A server; it ends with its tests, however these end."""
    process = subprocess.Popen([PROGRAM, "serve", *map(str, arguments)], env={**os.environ, **SCOPE},
                               stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=end_with_parent)
    atexit.register(process.kill)
    return process


def end_with_parent():
    # Tests that are killed run nothing at their end. Linux alone has it.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Server:
    """`serve --sql` alone; its port."""

    def __init__(self, store, *options):
        self.log_path = Path(f"{store}.log")
        with open(self.log_path, "a") as log:
            self.process = start("--store", store, "--sql", "127.0.0.1:0", "--no-http", *options, log=log)
        line = self.process.stdout.readline().strip()
        assert line.startswith("postgresql://127.0.0.1:"), self.log_path.read_text()
        self.port = int(line.rsplit(":", 1)[1])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)

    def url(self, driver="postgresql", user=ORG, password="any"):
        return f"{driver}://{user.replace('@', '%40')}:{password}@127.0.0.1:{self.port}/prod%3Aall"

    def connect(self, user=ORG, database="prod:all", password="any", **more):
        """As aepp does it."""
        return psycopg2.connect(host="127.0.0.1", port=self.port, user=user, dbname=database, password=password, **more)

    @contextlib.contextmanager
    def cursor(self, **more):
        connection = self.connect(**more)
        connection.autocommit = True
        try:
            yield connection.cursor()
        finally:
            connection.close()


class Raw:
    """The protocol's bytes, for what no client sends."""

    def __init__(self, port, password=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb")
        pairs = b"user\0" + ORG.encode() + b"\0database\0prod:all\0\0"
        self.socket.sendall(struct.pack(">i", 8 + len(pairs)) + b"\0\3\0\0" + pairs)
        if password is not None:
            self.until(b"R")
            self.send(b"p", password.encode() + b"\0")
        self.until(b"Z")

    def send(self, kind, body=b""):
        self.socket.sendall(kind + struct.pack(">i", 4 + len(body)) + body)

    def until(self, *kinds):
        """The kinds of the messages up to one of these, with this one's body."""
        seen = b""
        while True:
            kind = self.file.read(1)
            body = self.file.read(struct.unpack(">i", self.file.read(4))[0] - 4)
            seen += kind
            if kind in kinds:
                return seen, body


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sql") / "store"
    program("ingest", "--store", folder, "--from", FIXTURES)
    return folder


@pytest.fixture(scope="session")
def server(store):
    server = Server(store)
    yield server
    assert server.stop() == 0, server.log_path.read_text()


@pytest.fixture
def cursor(server):
    with server.cursor() as cursor:
        yield cursor


@pytest.fixture(scope="session")
def psql(server):
    """Runs psql's commands; skipped where there is none."""
    found = shutil.which("psql")
    if not found:
        pytest.skip("no psql here; on Debian: apt-get install postgresql-client")

    def run(*commands, check=True):
        more = [part for command in commands for part in ("-c", command)]
        done = subprocess.run(
            [found, "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(server.port), "-U", ORG,
             "-d", "prod:all", *more],
            env={**os.environ, "PGPASSWORD": "any", "PGCLIENTENCODING": "UTF8"}, capture_output=True, text=True, timeout=60)
        if check:
            assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def jdbc():
    """What tools do over pgjdbc, at an address and with properties; skipped where there is none."""
    if not shutil.which("javac"):
        pytest.skip("no Java's compiler here; on Debian: apt-get install default-jdk-headless")
    jar = Path("/usr/share/java/postgresql.jar")
    if not jar.exists():
        pytest.skip("no pgjdbc here; on Debian: apt-get install libpostgresql-jdbc-java")
    source = Path(__file__).with_name("Jdbc.java")

    def run(address, **properties):
        pairs = [f"{name}={value}" for name, value in properties.items()]
        done = subprocess.run(["java", "-cp", jar, source, address, *pairs], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.fixture
def guarded_port(store, tmp_path):
    """Of a server that asks for tokens."""
    file = tmp_path / "tokens.json"
    program("tokens", "create", "one", "--token-file", file)
    server = Server(store, "--token-file", file)
    yield server.port
    assert server.stop() == 0
