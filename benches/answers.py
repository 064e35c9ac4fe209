"""Whether the answers agree: what was exported, told in some numbers for each batch."""
import sys

import duckdb

from works import ALL_SEGMENTS, CHECKS, SEGMENTS


def told(work, files):
    """By segment, of those that have anybody: DuckDB makes no file of a partition without rows."""
    known = {segment: duckdb.sql(f"SELECT {CHECKS[work]} FROM read_parquet('{found}')").fetchall()[0]
             for segment, found in files.items()}
    return {segment: numbers for segment, numbers in known.items() if numbers[0]}


def batches(job, out):
    """The folders of a job, by segment where there is one for each."""
    destination = job["destination"]
    listed = destination.get("batches") or [{"segmentId": "", "batchId": destination["batchId"]}]
    return {batch["segmentId"]: out / batch["batchId"] for batch in listed}


def ours(work, job, out):
    return told(work, {segment: f"{folder}/*.parquet" for segment, folder in batches(job, out).items()})


def of_peer(work, out):
    if work == "W6":
        folders = {segment: out / f"segment={segment}" for _, segment in ALL_SEGMENTS}
        return told(work, {segment: f"{folder}/*.parquet" for segment, folder in folders.items() if folder.exists()})
    segments = [segment for _, segment, _ in SEGMENTS] if work == "W1" else [""]
    return told(work, {segment: f"{out}/{number}.parquet" for number, segment in enumerate(segments)})


def agree(work, one, other):
    if one != other:
        differing = sorted(s for s in one.keys() | other.keys() if one.get(s) != other.get(s))
        first = differing[0]
        sys.exit(f"{work}: the answers differ in {len(differing)} batches: {first} {one.get(first)} and {other.get(first)}")
