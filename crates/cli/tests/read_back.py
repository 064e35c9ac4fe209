"""Reads exports with pyarrow and DuckDB and checks types and values.

Usage: read_back.py EXPORTS
"""
import datetime
import glob
import sys

import duckdb
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

[exports] = sys.argv[1:]


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

print("all exports read back")
