"""The works of compare.py as a user of Polars would write them, from Parquet."""
import time

import polars as pl

from works import KEY_COLUMN, LEAVES, PROFILES, SEGMENTS, W1, nested

version = pl.__version__
reads = "DuckDB's Parquet files, by lazy frames into a sink; `POLARS_MAX_THREADS`. Its import does not count."
ID = pl.col("identityMap").map.get("ECID").list.first().struct.field("id")


def scan(name, folder):
    return pl.scan_parquet(f"{folder}/{name}.parquet").with_columns(ID.alias(KEY_COLUMN))


def at(path):
    top, *rest = path.split(".")
    column = pl.col(top)
    for part in rest:
        column = column.struct.field(part)
    return column.alias(path)


def merged(folder, leaves, only=None):
    """Each leaf of each profile from the latest fragment that has it."""
    parts = []
    for name in PROFILES:
        frame = scan(name, folder)
        if only is not None:
            frame = frame.join(only, on=KEY_COLUMN, how="semi")
        parts.append(frame.select(KEY_COLUMN, "ingestedAt", *[at(leaf) for leaf in leaves if name in LEAVES[leaf]]))
    fragments = pl.concat(parts, how="diagonal").sort("ingestedAt")
    latest = [pl.col(leaf).drop_nulls().last() for leaf in leaves]
    return fragments.group_by(KEY_COLUMN).agg(*latest, pl.col("ingestedAt").last())


def structs(leaves):
    return nested(leaves, pl.col, lambda column, name: column.alias(name), pl.struct)


def events(folder, fields, where=None, only=None):
    frame = scan("events", folder)
    if where is not None:
        frame = frame.filter(where)
    if only is not None:
        frame = frame.join(only, on=KEY_COLUMN, how="semi")
    frame = frame.select(KEY_COLUMN, "timestamp", "_id", pl.struct(*fields).alias("timeSeriesEvents"))
    return frame.sort("timestamp", "_id").group_by(KEY_COLUMN).agg("timeSeriesEvents")


def write(profiles, leaves, folder, number, more=None):
    columns = structs(leaves)
    if more is not None:
        profiles = profiles.join(more, on=KEY_COLUMN, how="left")
        columns.append(pl.col("timeSeriesEvents").fill_null([]))
    profiles.select(*columns).sink_parquet(f"{folder}/{number}.parquet", compression="zstd")


def w1(folder, out):
    time_of = lambda text: pl.lit(text).str.to_datetime(time_zone="UTC")
    for number, (namespace, segment, status) in enumerate(SEGMENTS):
        namespace = {"UPS": "ups"}.get(namespace, namespace)
        membership = pl.col("segmentMembership").map.get(namespace).map.get(segment).alias("m")
        parts = [scan(name, folder).select(KEY_COLUMN, "ingestedAt", membership) for name in PROFILES]
        found = pl.concat(parts).filter(pl.col("m").is_not_null())
        latest = found.sort("ingestedAt").group_by(KEY_COLUMN).agg(pl.col("m").last())
        qualified = pl.col("m").struct.field("lastQualificationTime")
        member = latest.filter((pl.col("m").struct.field("status") == status)
                               & qualified.is_between(time_of(W1["window"][0]), time_of(W1["window"][1])))
        leaves = ["identities", "personalEmail.address"]
        profiles = merged(folder, leaves, member.select(KEY_COLUMN)).filter(pl.col("ingestedAt") > time_of(W1["ingested"]))
        profiles = profiles.with_columns(
            pl.col("identities").list.eval(pl.struct(pl.element().struct.field("id"))))
        details = pl.col("environment").struct.field("browserDetails")
        fields = [pl.struct(pl.struct(details.struct.field("name"), details.struct.field("version")).alias("browserDetails"))
                  .alias("environment")]
        taken = events(folder, fields, pl.col("ingestedAt") > time_of(W1["events"]), profiles.select(KEY_COLUMN))
        write(profiles, leaves, out, number, taken)


def w2(folder, out):
    write(merged(folder, list(LEAVES)), list(LEAVES), out, 0)


def w3(folder, out):
    leaves = ["_id", "personalEmail.address", "person.name.lastName"]
    write(merged(folder, leaves), leaves, out, 0, events(folder, ["timestamp", "eventType"]))


def timed(work, folder, out, _threads):
    """Polars counts its threads when it is imported."""
    start = time.perf_counter()
    {"W1": w1, "W2": w2, "W3": w3}[work](folder, out)
    return time.perf_counter() - start
