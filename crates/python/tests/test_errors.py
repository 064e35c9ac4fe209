"""Errors: a small tree of exceptions with the codes of docs/errors.md."""

import pickle
import re
from pathlib import Path

import profile_export as pe
import pyarrow
import pytest
from conftest import ROOT


def test_a_store_that_is_not_there_is_an_error_unless_it_is_to_be_made(tmp_path):
    folder = tmp_path / "store"
    with pytest.raises(pe.NotFound, match="no store; make one with"):
        pe.Store(folder)
    assert not folder.exists()
    assert pe.Store(folder, create=True).path == str(folder)
    assert pe.Store(str(folder)).datasets() == []


def test_tenants_do_not_see_each_other(tmp_path):
    mine = pe.Store(tmp_path / "store", org="a@Org", sandbox="one", create=True)
    mine.ingest(pyarrow.table({"email": ["a"]}), dataset="crm", primary_identity="email=Email")
    assert len(mine.datasets()) == 1
    assert pe.Store(tmp_path / "store", org="a@Org", sandbox="two").datasets() == []
    assert pe.Store(tmp_path / "store", org="b@Org", sandbox="one").datasets() == []


@pytest.mark.parametrize(
    "audience, path, said",
    [
        ({"fields": "a..b"}, "fields", "a..b"),
        ({"fields": "no.such.field"}, "fields", "no.such.field"),
        ({"segments": "x", "statuses": "entered"}, "filter.segments[0].status", "realized"),
        ({"qualified_since": "tomorrow"}, "filter.segmentQualificationTime.startTime", "tomorrow"),
        ({"statuses": ["realized"]}, "segments", "missing"),
        ({"segments": 3}, "segments", "found 3"),
        ({"segments": [3]}, "filter.segments[0].segmentId", "expected a string"),
        ({"fields": ["_id", 3]}, "fields", "found 3 in a list"),
        ({"events": 3}, "events", "found 3"),
        ({"events_since": "2018-01-01"}, "events_since", "none are asked for"),
        ({"request": {"schema": {"name": "_xdm.context.profile"}, "filter": {"segments": [{"segmentID": "x"}]}}},
         "filter.segments[0]", 'did you mean "segmentId"'),
        ({"request": {"schema": {"name": "_xdm.context.profile"}}, "fields": "x"}, ".", "not both"),
    ],
)  # fmt: skip
def test_a_request_is_refused_by_its_path(retailer, audience, path, said):
    with pytest.raises(pe.BadRequest, match=re.escape(said)) as refused:
        retailer.export(**audience)
    assert refused.value.code == "PE-0001"
    assert refused.value.path.startswith(path)
    assert isinstance(refused.value, ValueError)


def test_what_is_not_there_is_not_found(retailer):
    for missing in [
        lambda: retailer.job(99),
        lambda: retailer.batch_files("0000"),
        lambda: retailer.evaluate("nobody"),
        lambda: retailer.explain("Email:nobody@example.com"),
    ]:
        with pytest.raises(pe.NotFound) as refused:
            missing()
        assert refused.value.code == "PE-0003"
        assert isinstance(refused.value, LookupError)


def test_a_damaged_store_is_told_by_exceptions_and_by_streams(store):
    table = pyarrow.table({"email": [f"person{n}" for n in range(20_000)], "name": [f"{n * n}" for n in range(20_000)]})
    store.ingest(table, dataset="crm", primary_identity="email=Email")
    export = store.export()
    for run in Path(store.path, "runs").rglob("*"):
        if run.is_file():
            run.chmod(0o644)
            size = run.stat().st_size
            with run.open("r+b") as file:
                file.seek(size // 4)
                file.write(b"x" * (size // 2))
    with pytest.raises(pe.Damaged) as damaged:
        list(export)
    assert damaged.value.code == "PE-0005"
    with pytest.raises(Exception, match=r"\[PE-0005\]"):
        pyarrow.table(export)


def test_every_exception_has_its_place_and_crosses_processes():
    documented = set(re.findall(r"^\| (PE-\d+|\d+) \|", (ROOT / "docs" / "errors.md").read_text(), re.M))
    assert "PE-0001" in documented
    names = [name for name in pe.__all__ if isinstance(getattr(pe, name), type)]
    classes = [getattr(pe, name) for name in names if issubclass(getattr(pe, name), pe.ProfileExportError)]
    assert len(classes) == 10
    for one in classes:
        assert issubclass(one, pe.ProfileExportError)
        error = one("what was found", "PE-0004")
        error.path = "fields"
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.code, again.path) == (one, "what was found", "PE-0004", "fields")
