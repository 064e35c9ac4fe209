"""Exports of Arrow data that never sees a store: the same rows as with one."""

import json
from pathlib import Path

import polars
import profile_export as pe
import pyarrow
import pytest

PROFILES = pyarrow.table({"email": ["b", "a", "b"], "points": [1, 2, 3]})
EVENTS = pyarrow.table({
    "_id": ["1", "2"], "email": ["a", "b"], "eventType": ["view", "buy"],
    "timestamp": pyarrow.array([1, 2], pyarrow.timestamp("us", "UTC")),
})  # fmt: skip


def records(data, **more):
    return pe.Records(data, primary_identity="email=Email", **more)


def test_rows_are_those_of_a_store(store, tmp_path):
    store.ingest(PROFILES, dataset="crm", primary_identity="email=Email")
    store.ingest(EVENTS, dataset="visits", dataset_class="event", primary_identity="email=Email")
    audience = {"fields": "email,points", "events": "eventType"}
    export = pe.export_batches(records(PROFILES), records(EVENTS), **audience)
    of_store = store.export(**audience)
    assert pyarrow.table(export).equals(pyarrow.table(of_store))
    assert export.to_arrow().num_rows == 2
    assert list(Path(tmp_path).iterdir()) == [Path(store.path)]
    assert export.to_parquet(tmp_path / "a.parquet").profiles == 2
    assert export.explain("Email:a")["explanation"]["isExported"] is True


def test_a_request_of_the_platform_is_taken(store):
    request = {"fields": "points", "schema": {"name": "_xdm.context.profile"},
               "mergePolicy": {"id": "timestampOrdered-pdg-mp"}}  # fmt: skip
    for given in [request, json.dumps(request)]:
        export = pe.export_batches([records(PROFILES), records(polars.DataFrame(PROFILES), name="more")], request=given)
        assert export.merge_policy["id"] == "timestampOrdered-pdg-mp"
        assert sorted(row["points"] for row in export.to_arrow().to_pylist()) == [2, 3]


def test_a_merge_policy_of_ones_own_decides_by_the_datasets(store):
    order = ["0000000000000000000000a2", "0000000000000000000000a1"]
    policy = {"attributeMerge": {"type": "dataSetPrecedence", "order": order}}
    parts = [
        records(pyarrow.table({"email": ["a"], "points": [n]}), name=f"d{n}", id=f"0000000000000000000000a{n}")
        for n in (1, 2)
    ]
    rows = lambda policy: pe.export_batches(parts, fields="points", merge_policy=policy).to_arrow().to_pylist()
    assert rows(policy) == [{"points": 2}]
    policy["attributeMerge"]["order"].reverse()
    assert rows(policy) == [{"points": 1}]
    with pytest.raises(pe.BadRequest, match="neither one of"):
        rows("no-such-policy")


def test_parts_of_one_whole_have_the_same_columns_by_its_schema():
    whole = pyarrow.schema([("email", pyarrow.string()), ("points", pyarrow.int64()), ("city", pyarrow.string())])
    parts = [
        pyarrow.table({"email": ["a"], "points": [1]}),
        pyarrow.table({"email": ["b"], "city": ["Oslo"]}),
    ]
    exports = [pe.export_batches(records(part, schema=whole), fields="points,city") for part in parts]
    assert exports[0].schema == exports[1].schema
    assert pyarrow.concat_tables(map(pyarrow.table, exports)).to_pylist() == [
        {"points": 1, "city": None},
        {"points": None, "city": "Oslo"},
    ]
    with pytest.raises(pe.BadRequest, match="lacks"):
        pe.export_batches(records(parts[0], schema=pyarrow.schema([("email", pyarrow.string())])))


def test_what_can_not_be_read_is_refused():
    with pytest.raises(pe.Rejected, match="crm, line 2"):
        pe.export_batches(records(pyarrow.table({"email": ["a", None]}), name="crm"))
    with pytest.raises(TypeError, match="__arrow_c_stream__"):
        pe.export_batches(["no data"])
    with pytest.raises(pe.BadRequest, match="expected Records"):
        pe.export_batches(3)
    with pytest.raises(TypeError, match="segment"):
        pe.export_batches(records(PROFILES), segment="x")
    with pytest.raises(pe.BadInput, match="24 lower-case hex digits"):
        pe.export_batches(records(PROFILES, id="x"))
