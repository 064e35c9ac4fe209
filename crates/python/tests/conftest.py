"""A store with the fixtures, and the program beside which the package is held."""

import subprocess
from pathlib import Path

import profile_export as pe
import pytest
from s3_bucket import serving

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


@pytest.fixture(scope="session")
def s3():
    with serving() as bucket:
        yield bucket


@pytest.fixture
def bucket(s3, monkeypatch):
    """An empty bucket, which the environment leads to."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    yield s3
    s3.empty()


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
