"""The works of compare.py as a user of Spark would write them, from Parquet; Spark needs a Java of its own."""
import atexit
import os
import time
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from works import KEY_COLUMN, LEAVES, PROFILES, SEGMENTS, W1, nested

version = pyspark.__version__
reads = ("DuckDB's Parquet files, by DataFrames in one local process of 6 GB whose start does not count; a shuffle of twice as many "
         "partitions as threads, and a file a batch.")


def session(threads):
    spark = (SparkSession.builder.master(f"local[{threads}]").config("spark.driver.memory", "6g")
             .config("spark.sql.shuffle.partitions", 2 * threads).config("spark.sql.session.timeZone", "UTC")
             .config("spark.sql.parquet.compression.codec", "zstd").config("spark.ui.enabled", "false")
             .config("spark.ui.showConsoleProgress", "false")
             .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
             .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    atexit.register(spark.stop)
    return spark


def scan(spark, name, folder):
    key = f.expr("try_element_at(identityMap, 'ECID')[0].id")
    return spark.read.parquet(f"{folder}/{name}.parquet").withColumn(KEY_COLUMN, key)


def flat(path):
    return path.replace(".", "__")


def merged(spark, folder, leaves, only=None):
    """Each leaf of each profile from the latest fragment that has it."""
    fragments = None
    for name in PROFILES:
        frame = scan(spark, name, folder)
        if only is not None:
            frame = frame.join(only, KEY_COLUMN, "leftsemi")
        known = [f.col(leaf).alias(flat(leaf)) for leaf in leaves if name in LEAVES[leaf]]
        frame = frame.select(KEY_COLUMN, "ingestedAt", *known)
        fragments = frame if fragments is None else fragments.unionByName(frame, allowMissingColumns=True)
    latest = [f.expr(f"max_by({flat(leaf)}, ingestedAt) FILTER (WHERE {flat(leaf)} IS NOT NULL)").alias(flat(leaf))
              for leaf in leaves]
    return fragments.groupBy(KEY_COLUMN).agg(*latest, f.max("ingestedAt").alias("updated"))


def structs(leaves):
    return nested(leaves, lambda leaf: f.col(flat(leaf)), lambda column, name: column.alias(name), f.struct)


def events(spark, folder, item, where=None, only=None):
    frame = scan(spark, "events", folder)
    if where is not None:
        frame = frame.where(where)
    if only is not None:
        frame = frame.join(only, KEY_COLUMN, "leftsemi")
    ordered = f.array_sort(f.collect_list(f.struct("timestamp", "_id", item.alias("item"))))
    return frame.groupBy(KEY_COLUMN).agg(ordered.alias("list")).selectExpr(KEY_COLUMN, "list.item AS timeSeriesEvents")


def write(profiles, columns, out, number, more=None):
    if more is not None:
        profiles = profiles.join(more, KEY_COLUMN, "left")
        columns = [*columns, f.coalesce("timeSeriesEvents", f.array()).alias("timeSeriesEvents")]
    profiles.select(*columns).coalesce(1).write.parquet(f"{out}/spark-{number}")


def w1(spark, folder, out):
    moment = lambda text: f.lit(text).cast("timestamp")
    for number, (namespace, segment, status) in enumerate(SEGMENTS):
        namespace = {"UPS": "ups"}.get(namespace, namespace)
        m = f.expr(f"try_element_at(try_element_at(segmentMembership, '{namespace}'), '{segment}')").alias("m")
        found = None
        for name in PROFILES:
            part = scan(spark, name, folder).select(KEY_COLUMN, "ingestedAt", m).where("m IS NOT NULL")
            found = part if found is None else found.union(part)
        latest = found.groupBy(KEY_COLUMN).agg(f.max_by("m", "ingestedAt").alias("m"))
        qualified = f.col("m.lastQualificationTime").between(moment(W1["window"][0]), moment(W1["window"][1]))
        member = latest.where((f.col("m.status") == status) & qualified).select(KEY_COLUMN)
        profiles = merged(spark, folder, ["identities", "personalEmail.address"], member)
        profiles = profiles.where(f.col("updated") > moment(W1["ingested"]))
        columns = [f.expr("transform(identities, i -> struct(i.id AS id))").alias("identities"),
                   *structs(["personalEmail.address"])]
        details = f.struct("environment.browserDetails.name", "environment.browserDetails.version")
        item = f.struct(f.struct(details.alias("browserDetails")).alias("environment"))
        taken = events(spark, folder, item, f.col("ingestedAt") > moment(W1["events"]), profiles.select(KEY_COLUMN))
        write(profiles, columns, out, number, taken)


def w2(spark, folder, out):
    write(merged(spark, folder, list(LEAVES)), structs(list(LEAVES)), out, 0)


def w3(spark, folder, out):
    leaves = ["_id", "personalEmail.address", "person.name.lastName"]
    write(merged(spark, folder, leaves), structs(leaves), out, 0,
          events(spark, folder, f.struct("timestamp", "eventType")))


def timed(work, folder, out, threads):
    spark = session(threads)
    start = time.perf_counter()
    {"W1": w1, "W2": w2, "W3": w3}[work](spark, folder, out)
    seconds = time.perf_counter() - start
    # A folder with one file in it.
    for written in Path(out).glob("spark-*"):
        [part] = written.glob("*.parquet")
        os.rename(part, Path(out) / f"{written.name.removeprefix('spark-')}.parquet")
    return seconds
