"""The wheel: what is in it, and that it is all that is needed."""

import inspect
import os
import subprocess
import sys
import venv
import zipfile

import profile_export as pe
import pytest
from conftest import FIXTURES, PROGRAM

WHEEL = os.environ.get("PROFILE_EXPORT_WHEEL")

ALONE = """
import sys
import profile_export as pe
store = pe.Store("store", create=True)
store.ingest(sys.argv[1])
export = store.export(segments="holiday-shoppers", fields="personalEmail.address")
print(sum(len(rows) for rows in export), export.to_parquet("a.parquet").profiles, export.schema.names)
"""


@pytest.mark.skipif(WHEEL is None, reason="scripts/test-python says which wheel")
def test_the_wheel_alone_works_in_a_clean_environment_without_rust(tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    # Nothing but the environment's own programs: no cargo, no compiler.
    clean = {"PATH": str(python.parent), "HOME": str(tmp_path)}
    install = [python, "-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check", WHEEL]
    subprocess.run(install, check=True, env=clean, timeout=120)
    done = subprocess.run(
        [python, "-c", ALONE, FIXTURES], capture_output=True, text=True, env=clean, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "18 18 ['personalEmail']\n"


@pytest.mark.skipif(WHEEL is None, reason="scripts/test-python says which wheel")
def test_the_wheel_is_for_all_pythons_and_has_its_types():
    assert "-cp310-abi3-" in WHEEL
    names = zipfile.ZipFile(WHEEL).namelist()
    assert {"profile_export/py.typed", "profile_export/_profile_export.pyi"} <= set(names)
    assert [name for name in names if name.endswith(".so")] == ["profile_export/_profile_export.abi3.so"]


def test_everything_public_says_what_it_is():
    for name in pe.__all__:
        found = getattr(pe, name)
        assert inspect.getdoc(found), name
        for method, function in inspect.getmembers(found, inspect.isfunction):
            if not method.startswith("_"):
                assert inspect.getdoc(function), f"{name}.{method}"


def test_it_is_the_programs_version():
    version = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout.split()[1]
    code = "import importlib.metadata; print(importlib.metadata.version('profile-export'))"
    installed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert installed.stdout.strip() == version
