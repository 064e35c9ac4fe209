"""A store with the fixtures, and the program beside which the package is held."""

import subprocess
from pathlib import Path

import boto3

import profile_export as pe
import pytest
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "fixtures" / "retailer"
PROGRAM = ROOT / "target" / "debug" / "profile-export"


@pytest.fixture(scope="session")
def retailer(tmp_path_factory):
    """A folder with a store that has the fixtures; nobody changes it."""
    store = pe.Store(tmp_path_factory.mktemp("retailer") / "store", create=True)
    report = store.ingest(FIXTURES)
    assert report.loaded > 1000 and report.bad == 0
    return store


@pytest.fixture
def store(tmp_path):
    """An empty store of a test's own."""
    return pe.Store(tmp_path / "store", create=True)


class Bucket:
    """A bucket of a real S3 server on loopback."""

    def __init__(self, endpoint):
        self.s3 = boto3.client(
            "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        self.s3.create_bucket(Bucket="exports")

    def keys(self):
        return sorted(item["Key"] for item in self.s3.list_objects_v2(Bucket="exports").get("Contents", []))

    def copy(self, prefix, folder):
        """What is below a prefix, as a folder."""
        for key in self.keys():
            if key.startswith(prefix):
                path = folder / key.removeprefix(prefix)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.s3.get_object(Bucket="exports", Key=key)["Body"].read())
        return folder

    def empty(self):
        for key in self.keys():
            self.s3.delete_object(Bucket="exports", Key=key)


@pytest.fixture(scope="session")
def s3():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    yield endpoint, Bucket(endpoint)
    server.stop()


@pytest.fixture
def bucket(s3, monkeypatch):
    """An empty bucket, which the environment leads to."""
    endpoint, bucket = s3
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    # Nothing of the machine's own.
    files = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
    for name, value in {**keys, **files, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    yield bucket
    bucket.empty()


def program(*arguments):
    """What the program prints."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def people(first, end):
    """Records of people as columns: each has an address, its number, and a name."""
    numbers = list(range(first, end))
    return {
        "email": [f"person{n}@example.com" for n in numbers],
        "points": numbers,
        "name": [f"Person {n}" for n in numbers],
    }


def sorted_by(column, rows):
    """Rows in an order that says nothing of keys."""
    return sorted(rows, key=lambda row: row[column])
