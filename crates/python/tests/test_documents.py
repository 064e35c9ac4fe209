"""The examples, and the Python of the documents, as they stand."""

import os
import re
import subprocess
import sys

import pytest
from conftest import FIXTURES, ROOT

PAGES = ["README.md", "docs/python.md", "crates/python/README.md"]


def run(code, folder):
    (folder / "fixtures").symlink_to(FIXTURES.parent)
    environment = {**os.environ, "MPLBACKEND": "agg"}
    return subprocess.run(
        [sys.executable, *code], capture_output=True, text=True, cwd=folder, env=environment, timeout=300
    )


@pytest.mark.parametrize("page", PAGES)
def test_a_pages_python_runs_from_top_to_bottom(page, tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S)
    assert blocks, page
    done = run(["-c", "\n".join(blocks)], tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_packages_front_page_is_right(tmp_path):
    code = "import doctest, profile_export; print(doctest.testmod(profile_export))"
    done = run(["-c", code], tmp_path)
    assert re.search(r"failed=0, attempted=[5-9]", done.stdout), done.stdout


def test_the_example_makes_a_frame_and_a_picture(tmp_path):
    example = ROOT / "crates" / "python" / "examples" / "audience.py"
    done = run([example], tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\d+ members", done.stdout, re.M), done.stdout
    picture = (tmp_path / "members.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 5_000
