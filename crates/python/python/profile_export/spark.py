"""Exports by the executors of Apache Spark, and as its DataFrames.

The store and the folder of the export are where every executor sees them under the same name, such as on a shared disk; an
export may go to the address of an object store instead. This package is installed beside Spark's Python on all of them. PySpark is not a requirement of the package: this module is
imported by those who have it.

Examples
--------
>>> import profile_export.spark                                                       # doctest: +SKIP
>>> profile_export.spark.export(spark, "/shared/store", out="/shared/exports/all")    # doctest: +SKIP
>>> profile_export.spark.export(spark, "/shared/store", out="s3://exports/all")       # doctest: +SKIP
>>> spark.dataSource.register(profile_export.spark.ProfileExport)                     # doctest: +SKIP
>>> spark.read.format("profile_export").options(store="/shared/store").load()         # doctest: +SKIP
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow
from pyspark import TaskContext
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

from ._errors import ProfileExportError
from ._load import LoadReport
from ._profile_export import check_folder, is_bucket
from ._progress import ProgressArgument
from ._request import refused
from ._shards import ShardPlan
from ._store import Store

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

    PathLike = str | os.PathLike[str]

__all__ = ["ProfileExport", "export", "ingest"]

#: How many shards there are for each core: one that takes long keeps the others from waiting.
SHARDS_PER_CORE = 3
#: How long the store keeps what a DataFrame reads, in hours, where nobody says it.
HOURS = 24.0
#: What a task tells of a shard.
TOLD = "shard long, attempt string, profiles long, bytes long"


def export(
    spark: SparkSession,
    store: PathLike,
    request: Mapping[str, Any] | str | None = None,
    *,
    out: PathLike,
    shards: int | None = None,
    if_exists: str = "fail",
    format: str = "parquet",
    compression: str | None = None,
    compatible: bool = False,
    max_identities: int | None = None,
    threads: int | None = None,
    org: str | None = None,
    sandbox: str | None = None,
    progress: ProgressArgument = None,
    **audience: Any,
) -> dict[str, Any]:
    """Exports from a store to a folder or a bucket, its shards made by Spark's executors and shown at once by the driver.

    The rows are those of `Store.run` with ``out``, or of `Export.to_bucket`. A task that fails is tried again by Spark, and one that is slow may be
    run twice (``spark.speculation``): of each shard one attempt counts. Where the export fails, nothing of it is left; where
    the driver dies, ``.plan-…/plan.json`` below ``out`` is the plan that ``profile-export commit`` or ``abort`` takes.

    Parameters
    ----------
    spark : SparkSession
        Whose executors do it.
    store : path-like
        The store, which the driver writes and all executors read.
    request : dict or str, optional
        The body of the platform's ``POST /export/jobs``.
    out : path-like or str
        The folder of the export, which all executors write, or the address of an object store (``"s3://…"``), for which
        driver and executors have keys each by themselves: in the environment, or as the machine's role.
    shards : int, optional
        How many tasks there are; three for each of Spark's cores where it is missing.
    if_exists, format, compression, compatible, max_identities
        As for `Store.run`.
    threads : int, optional
        How many threads a task has; ``spark.task.cpus`` where it is missing.
    org, sandbox : str, optional
        As for `Store`.
    progress : callable or bool, optional
        For what the driver does.
    **audience
        What is exported, as for `Store.export`, where there is no request.

    Returns
    -------
    dict
        The job object, as of `Store.run`; of an address ``address`` and ``batches``, as of `Export.to_bucket`.

    Raises
    ------
    BadRequest, Conflict
        As for `Store.run`.
    """
    opened = Store(store, org=org, sandbox=sandbox)
    # As it was given, since an address made absolute is a folder's name; and before hours of work.
    opened._store.check_target(os.fspath(out), if_exists)
    plan = opened.plan(
        request,
        shards=_shards(spark, shards),
        format=format,
        compression=compression,
        compatible=compatible,
        max_identities=max_identities,
        progress=progress,
        **audience,
    )
    place = os.fspath(out)
    if not is_bucket(place):
        place = os.path.abspath(place)
    was_begun = False
    try:
        plan.keep(place)
        was_begun = True
        _run(spark, plan, place, threads or int(spark.conf.get("spark.task.cpus", "1") or 1))
        return opened.commit(plan, place, if_exists=if_exists, progress=progress)
    except BaseException:
        # The first error is the one to tell; what stays ends when the plan expires.
        with suppress(ProfileExportError):
            opened.abort(plan, place if was_begun else None)
        raise


def ingest(
    frame: DataFrame,
    store: PathLike,
    *,
    dataset: str,
    staging: PathLike,
    org: str | None = None,
    sandbox: str | None = None,
    **options: Any,
) -> LoadReport:
    """Loads a DataFrame into a dataset of a store: all of it, or nothing.

    Spark's executors write it as Parquet into a folder of its own below ``staging``, which goes in the end; then the driver
    loads that, in one load and on its own cores: it is the loading, not the writing, that takes long.

    Parameters
    ----------
    frame : DataFrame
        A column for each top-level XDM field, a row a record.
    store : path-like
        The store, on the driver's disk; it is made where it is missing.
    dataset : str
        The name or ID of the dataset, which is made where it is missing.
    staging : path-like
        A folder that the driver and all executors see under this name.
    org, sandbox : str, optional
        As for `Store`.
    **options
        As for `Store.ingest`: ``dataset_class``, ``primary_identity``, ``ingested_at``, ``on_bad_record`` …

    Returns
    -------
    LoadReport
        As of `Store.ingest`.
    """
    check_folder("staging", os.fspath(staging))
    folder = os.path.join(os.path.abspath(staging), f".ingest-{uuid.uuid4().hex}")
    try:
        # No as_uri(): Hadoop's paths look like addresses and are none, so that %20 would be in the folder's name.
        frame.write.option("compression", "zstd").parquet(f"file://{folder}")
        files = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".parquet"))
        return Store(store, org=org, sandbox=sandbox, create=True).ingest(files, dataset=dataset, **options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _shards(spark: SparkSession, shards: int | None) -> int:
    if shards is not None:
        return shards
    try:
        return SHARDS_PER_CORE * int(spark.sparkContext.defaultParallelism)
    except Exception:
        raise refused("shards", "missing, and this session does not say how many cores it has (Spark Connect)") from None


def _run(spark: SparkSession, plan: ShardPlan, out: str, threads: int) -> None:
    """Makes all shards, a task each."""
    text = plan.to_json()

    def make(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        # Read once in a task, in its own process.
        plan = ShardPlan.from_json(text)
        for batch in batches:
            for shard in batch.column(0).to_pylist():
                yield _told(plan.run_shard(shard, out, attempt=_attempt(), threads=threads))

    numbers = spark.range(0, len(plan), 1, numPartitions=len(plan))
    numbers.mapInArrow(make, TOLD).collect()


def _attempt() -> str:
    """What Spark calls the attempt that this is."""
    context = TaskContext.get()
    if context is None:
        return "0"
    return f"{context.stageId()}.{context.attemptNumber()}-{context.taskAttemptId()}"


def _told(made: dict[str, Any]) -> pyarrow.RecordBatch:
    files = made["batches"]
    told = {
        "shard": made["shard"],
        "attempt": made["attempt"],
        "profiles": sum(file["rows"] for file in files),
        "bytes": sum(file["bytes"] for file in files),
    }
    return pyarrow.RecordBatch.from_pylist([told])


class ProfileExport(DataSource):
    """The rows of an export as a DataFrame: ``spark.read.format("profile_export")``, once it is registered.

    ``spark.dataSource.register(ProfileExport)`` does that. The options:

    ``store``
        The store, which the driver and all executors see under this name.
    ``request``
        The body of the platform's ``POST /export/jobs`` as JSON; everybody with all fields where it is missing.
    ``shards``
        How many partitions there are; 16 where it is missing.
    ``threads``
        How many threads a task has; 1 where it is missing.
    ``keepForHours``
        How long the store keeps what the DataFrame reads; a day where it is missing. A read behind that may find runs gone,
        and says so.
    ``plan``
        A plan's file, instead of all of these but ``threads``: `Store.plan` makes one, `Store.abort` ends it.
    ``org``, ``sandbox``
        As for `Store`.

    A DataFrame has the rows of the store as it was when it was made, however often it is read.
    """

    _KNOWN = {"store", "request", "shards", "threads", "keepforhours", "plan", "org", "sandbox"}

    def __init__(self, options: dict[str, str]) -> None:
        super().__init__(options)
        # Spark keeps options in lower case.
        self._given = {name.lower(): value for name, value in dict(options).items()}
        self._plan: ShardPlan | None = None

    @classmethod
    def name(cls) -> str:
        return "profile_export"

    def schema(self) -> StructType:
        return from_arrow_schema(pyarrow.schema(self._planned().schema))

    def reader(self, schema: StructType) -> DataSourceReader:
        # Fields that may be null are told otherwise by those who write a schema down; names and types count.
        if schema.simpleString() != self.schema().simpleString():
            raise refused("schema", "the request says the columns; choose among them with its fields, or with select behind load")
        return _Reader(self._planned(), self._number("threads", 1), schema)

    def _planned(self) -> ShardPlan:
        """The plan: one for all that Spark asks."""
        if self._plan is None:
            self._plan = self._make_plan()
        return self._plan

    def _make_plan(self) -> ShardPlan:
        given = self._given
        for name in given:
            if name not in self._KNOWN:
                raise refused(name, f"no option; there are {', '.join(sorted(self._KNOWN))}")
        if "plan" in given:
            beside = sorted(set(given) - {"plan", "threads"})
            if beside:
                raise refused(beside[0], "the plan says it already; beside plan there is threads alone")
            plan = ShardPlan.load(given["plan"])
        elif "store" in given:
            opened = Store(given["store"], org=given.get("org"), sandbox=given.get("sandbox"))
            request = self._request()
            destination = request.get("destination")
            if isinstance(destination, dict) and destination.get("segmentPerBatch"):
                raise _several()
            plan = opened.plan(
                request, shards=self._number("shards", 16), keep_for=3600 * self._hours()
            )
        else:
            raise refused("store", "missing; the store's folder, or plan, a plan's file")
        if plan.batch_count != 1:
            raise _several()
        return plan

    def _request(self) -> dict[str, Any]:
        if "request" not in self._given:
            return {"schema": {"name": "_xdm.context.profile"}}
        try:
            request = json.loads(self._given["request"])
        except ValueError as error:
            raise refused("request", f"no JSON: {error}") from None
        if not isinstance(request, dict):
            raise refused("request", f"found {type(request).__name__}; allowed is a JSON object")
        return request

    def _number(self, name: str, otherwise: int) -> int:
        value = self._given.get(name)
        if value is not None and not (value.isdecimal() and int(value) > 0):
            raise refused(name, f"found {value!r}; allowed is 1 or more")
        return otherwise if value is None else int(value)

    def _hours(self) -> float:
        value = self._given.get("keepforhours", str(HOURS))
        try:
            return float(value)
        except ValueError:
            raise refused("keepForHours", f"found {value!r}; allowed is a number") from None


def _several() -> ProfileExportError:
    return refused(
        "request.destination.segmentPerBatch", "found true; a DataFrame has the rows of one batch: one for each segment"
    )


class _Shard(InputPartition):
    def __init__(self, number: int) -> None:
        self.number = number


class _Reader(DataSourceReader):
    def __init__(self, plan: ShardPlan, threads: int, schema: StructType) -> None:
        self._plan = plan
        self._threads = threads
        self._schema = to_arrow_schema(schema, timezone="UTC")

    def partitions(self) -> list[InputPartition]:
        return [_Shard(number) for number in range(len(self._plan))]

    def read(self, partition: InputPartition) -> Iterator[pyarrow.RecordBatch]:
        assert isinstance(partition, _Shard)
        for rows in self._plan.record_batches(partition.number, threads=self._threads):
            # The same values; Spark has its own names for the items of lists and maps.
            yield pyarrow.record_batch(rows).cast(self._schema)
