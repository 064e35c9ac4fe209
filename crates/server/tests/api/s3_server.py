"""A real S3 server on loopback (moto), behind a door that may hold requests, or let them fail."""
import http.client
import http.server
import os
import subprocess
import threading

import boto3
import pytest
from moto.server import ThreadedMotoServer

from conftest import PROGRAM, SCOPE

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
        # Nothing of the machine's own.
        "AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}


# What `fails` says of a request that is done, and answered as if it had failed.
LOST = "lost"


class Door(http.server.BaseHTTPRequestHandler):
    """Passes requests on to the S3 server, but for those that are to fail, or whose answers are to be lost."""
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fails = self.server.fails(self.command, self.path)
        if fails and fails != LOST:
            status, headers, text = 403, {}, b"<Error><Code>AccessDenied</Code></Error>"
        else:
            behind = http.client.HTTPConnection(*self.server.behind, timeout=60)
            behind.request(self.command, self.path, body, dict(self.headers))
            answer = behind.getresponse()
            status, headers, text = answer.status, dict(answer.getheaders()), answer.read()
            behind.close()
        if fails == LOST:
            status, headers, text = 500, {}, b"<Error><Code>InternalError</Code></Error>"
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(text))
        self.send_header("content-length", length)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on

    def log_message(self, *_):
        pass


class Bucket:
    def __init__(self, endpoint, behind):
        self.environment = {**os.environ, **SCOPE, **KEYS, "AWS_ENDPOINT_URL": endpoint}
        self.s3 = boto3.client("s3", endpoint_url=behind, region_name="us-east-1",
                               aws_access_key_id="test", aws_secret_access_key="test")

    def run(self, *arguments):
        return subprocess.run([PROGRAM, *map(str, arguments)], env=self.environment, capture_output=True, text=True)

    def start(self, *arguments):
        """The same, not waited for."""
        return subprocess.Popen([PROGRAM, *map(str, arguments)], env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def export(self, *arguments):
        return self.run("export", "--quiet", *arguments)

    def keys(self, prefix=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="exports", Prefix=prefix)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))

    def text(self, key):
        return self.s3.get_object(Bucket="exports", Key=key)["Body"].read()

    def copy(self, prefix, folder):
        """What is below a prefix, as a folder."""
        for key in self.keys(prefix):
            path = folder / key.removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.text(key))
        return folder


@pytest.fixture(scope="module")
def s3():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    door = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    door.behind = (host, port)
    door.fails = lambda method, path: False
    threading.Thread(target=door.serve_forever, daemon=True).start()
    yield door
    door.shutdown()
    server.stop()


@pytest.fixture
def bucket(s3):
    s3.fails = lambda method, path: False
    made = Bucket(f"http://127.0.0.1:{s3.server_port}", "http://{}:{}".format(*s3.behind))
    made.s3.create_bucket(Bucket="exports")
    yield made
    for key in made.keys():
        made.s3.delete_object(Bucket="exports", Key=key)
    made.s3.delete_bucket(Bucket="exports")


class Gate:
    """Holds the requests of this kind at the door, and lets all of them fail behind that unless they are let through.
    `behind`: those that come behind one of that kind. `alone`: the first alone is held."""

    def __init__(self, door, method, part, behind=None, alone=False):
        self.wanted, self.holds, self.behind, self.alone = (method, part), True, behind, alone
        self.came, self.opened = threading.Event(), threading.Event()
        self.fails = True
        door.fails = self

    def __call__(self, method, path):
        if self.behind:
            if method == self.behind[0] and self.behind[1] in path:
                self.behind = None
            return False
        if not self.holds or self.alone and self.came.is_set() or method != self.wanted[0] or self.wanted[1] not in path:
            return False
        self.came.set()
        assert self.opened.wait(60)
        return self.fails

    def open(self, fails):
        self.holds, self.fails = False, fails
        self.opened.set()
