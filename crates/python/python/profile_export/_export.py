"""Exports: their rows as Arrow data, and in files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ._errors import BadRequest, NotFound
from ._profile_export import Export as _Export
from ._profile_export import RecordBatch, Schema
from ._progress import ProgressArgument, watching
from ._request import identity_of, refused
from ._unknown import warn_of_unknown

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    PathLike = str | os.PathLike[str]


class Written(NamedTuple):
    """What a file got.

    Attributes
    ----------
    path : str
        The file.
    profiles : int
        Rows.
    events : int
        Events in the rows.
    bytes : int
        The file's length.
    """

    path: str
    profiles: int
    events: int
    bytes: int


class ExportBatch:
    """The rows of one batch, as often as they are asked for: each pass makes them anew, a few thousand at a time.

    It has Arrow's stream interface (``__arrow_c_stream__``), so what takes Arrow data takes it as it is, without copies:
    ``pyarrow.table(batch)``, ``polars.DataFrame(batch)``, ``duckdb.sql("FROM batch")``.

    Attributes
    ----------
    segment : dict or None
        The segment that it is of, as the request has it, where each has a batch.
    schema : Schema
        The columns, known before the first row: ``pyarrow.schema(batch.schema)``.
    """

    def __init__(self, export: _Export, number: int, segment: dict[str, Any] | None) -> None:
        self._export = export
        self._number = number
        self.segment = segment

    @property
    def schema(self) -> Schema:
        """The columns, known before the first row."""
        return self._export.schema

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        # The interface lets producers ignore which schema is asked for; consumers cast.
        return self._export.stream(self._number)

    def record_batches(self, *, progress: ProgressArgument = None) -> Iterator[RecordBatch]:
        """Iterates over the rows, a few thousand at a time, in the order of their persons' keys.

        Parameters
        ----------
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.

        Yields
        ------
        RecordBatch
            With ``__arrow_c_array__``: ``pyarrow.record_batch(rows)`` takes it.

        Raises
        ------
        Damaged
            A file of the store is damaged.
        """
        with watching(progress) as watcher:
            yield from self._export.rows(self._number, watcher)

    def __iter__(self) -> Iterator[RecordBatch]:
        return self.record_batches()

    def to_arrow(self, *, progress: ProgressArgument = None) -> pyarrow.Table:
        """All rows as a ``pyarrow.Table``, which must be installed; see `record_batches`."""
        import pyarrow

        batches = [pyarrow.record_batch(rows) for rows in self.record_batches(progress=progress)]
        return pyarrow.Table.from_batches(batches, pyarrow.schema(self.schema))

    def to_pandas(self, *, progress: ProgressArgument = None, **options: Any) -> pandas.DataFrame:
        """All rows as a ``pandas.DataFrame``; ``options`` go to ``pyarrow.Table.to_pandas``."""
        return self.to_arrow(progress=progress).to_pandas(**options)

    def to_polars(self) -> polars.DataFrame:
        """All rows as a ``polars.DataFrame``, which must be installed."""
        import polars

        return polars.DataFrame(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.schema.names)})"


class Export(ExportBatch):
    """What a request asks for, of the records as they were when it was made: `Store.export` and `export_batches` make it.

    Where each segment has a batch (``segment_per_batch=True``), `batches` has their rows; else those of the export itself
    are the rows.

    Attributes
    ----------
    request : dict
        The request, with IDs where it had names.
    merge_policy : dict
        The merge policy that it uses.
    generation : int
        The state of the store that it reads; 0 without one.
    batches : list of ExportBatch
        One, or one for each segment, in the order of the request.
    """

    def __init__(self, export: _Export) -> None:
        super().__init__(export, 0, None)
        warn_of_unknown(export.unknown_segments())
        self.batches = [ExportBatch(export, i, segment) for i, segment in enumerate(export.batch_segments)]

    @property
    def request(self) -> dict[str, Any]:
        """The request, with IDs where it had names."""
        return self._export.request

    @property
    def merge_policy(self) -> dict[str, Any]:
        """The merge policy that it uses."""
        return self._export.merge_policy

    @property
    def generation(self) -> int:
        """The state of the store that it reads; 0 without one."""
        return self._export.generation

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        self._check_single("its .batches")
        return super().__arrow_c_stream__(requested_schema)

    def record_batches(self, *, progress: ProgressArgument = None) -> Iterator[RecordBatch]:
        self._check_single("its .batches")
        return super().record_batches(progress=progress)

    record_batches.__doc__ = ExportBatch.record_batches.__doc__

    def to_parquet(
        self,
        path: PathLike,
        *,
        compression: str | None = "zstd",
        compatible: bool = False,
        if_exists: str = "fail",
        progress: ProgressArgument = None,
    ) -> Written:
        """Writes one Parquet file; it is there whole, or not at all.

        Parameters
        ----------
        path : path-like
            The file.
        compression : {"zstd", "snappy", "gzip", None}
            How its pages are compressed.
        compatible : bool
            Dictionaries and plain values alone, for readers that know no other encodings.
        if_exists : {"fail", "replace"}
            What becomes of a file that is there already.
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.

        Returns
        -------
        Written
            Its profiles, events and bytes.

        Raises
        ------
        BadRequest
            Each segment has a batch; the file exists.
        StorageError
            It can't be written.
        """
        form = file_form("parquet", compression or "none", compatible=compatible)
        return self._write(path, form, if_exists, progress)

    def to_ndjson(
        self,
        path: PathLike,
        *,
        compression: str | None = None,
        if_exists: str = "fail",
        progress: ProgressArgument = None,
    ) -> Written:
        """Writes one file with a JSON object a line; fields that are null are left out.

        Parameters
        ----------
        path : path-like
            The file.
        compression : {"gzip", "zstd", None}
            How it is compressed; where it is not said, as its name says (``.gz``, ``.zst``).
        if_exists, progress
            As for `to_parquet`.

        Returns
        -------
        Written
            Its profiles, events and bytes.
        """
        return self._write(path, file_form("ndjson", compression or _packing_of(path)), if_exists, progress)

    def to_csv(
        self,
        path: PathLike,
        *,
        compression: str | None = None,
        delimiter: str | None = None,
        null: str | None = None,
        headers: Mapping[str, str] | None = None,
        if_exists: str = "fail",
        progress: ProgressArgument = None,
    ) -> Written:
        """Writes one CSV file, a column for each leaf.

        Parameters
        ----------
        path : path-like
            The file.
        compression : {"gzip", "zstd", None}
            How it is compressed; where it is not said, as its name says (``.gz``, ``.zst``).
        delimiter : str, optional
            What stands between values; a comma where it is missing.
        null : str, optional
            What stands for null; ``null`` where it is missing.
        headers : mapping, optional
            Other names for columns, by the path of a leaf.
        if_exists, progress
            As for `to_parquet`.

        Returns
        -------
        Written
            Its profiles, events and bytes.
        """
        form = file_form(
            "csv", compression or _packing_of(path), delimiter=delimiter, null=null, headers=headers
        )
        return self._write(path, form, if_exists, progress)

    def to_bucket(
        self,
        address: str,
        *,
        if_exists: str = "fail",
        format: str = "parquet",
        compression: str | None = None,
        compatible: bool = False,
        progress: ProgressArgument = None,
    ) -> dict[str, Any]:
        """Writes its batches below an address of an object store, all of them or none: nothing lies on a disk of this machine.

        It is no job. What is there is what `Store.run` makes in a folder, a file a batch: ``batchId=…/segmentId=…`` and
        below that ``part-00000.parquet``; ``_manifest.json`` comes last, and ``_SUCCESS`` behind it. Keys and endpoints are
        those of the clouds' own tools: ``AWS_…``, ``GOOGLE_…`` and ``AZURE_…`` in the environment, AWS's files with profiles,
        the machine's role.

        Parameters
        ----------
        address : str
            Such as ``"s3://exports/holiday"``; ``gs://``, ``az://`` and ``abfss://``, too.
        if_exists : {"fail", "replace", "append"}
            What becomes of exports that are there already.
        format, compression, compatible
            How files are written, as for `Store.run`.
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.

        Returns
        -------
        dict
            ``address``, and ``batches`` as the manifest has them: ``id``, ``profiles``, ``events``, ``files`` …

        Raises
        ------
        BadRequest
            No such address; what is there already.
        Conflict
            Another export went there meanwhile.
        StorageError
            The object store takes no more, or can't be reached.
        """
        form = batch_form(format, compression, compatible)
        with watching(progress) as watcher:
            return self._export.write_to_bucket(address, if_exists, form, watcher)

    def plan(self, *, progress: ProgressArgument = None) -> dict[str, Any]:
        """What it would give: all rows are made, and none is kept.

        Returns
        -------
        dict
            ``request``, ``mergePolicy`` (with ``why``), ``fields``, ``unknownSegments`` (segments that no record names), and
            for each of ``batches`` its ``profiles``, ``events``, ``bytes`` as Parquet, and the profiles that are left out: ``lacking``
            a mandatory field, ``duplicates`` by a key.
        """
        with watching(progress) as watcher:
            return self._export.plan(watcher)

    def preview(self, limit: int = 10) -> list[dict[str, Any]]:
        """Its first profiles, at the most so many, as JSON has them; no more are made than are near."""
        if limit < 0:
            raise refused("limit", f"found {limit}; allowed is 0 or more")
        return self._export.preview(limit, None)

    def explain(self, identity: str) -> dict[str, Any]:
        """Why somebody is in it, or is not.

        Parameters
        ----------
        identity : str
            A namespace and an id, such as ``"Email:ann@example.com"``: a primary identity, or with a merge policy that
            has an identity graph any that records link.

        Returns
        -------
        dict
            ``mergePolicy``, and ``explanation``: which filter decided, which fragment won each field, which memberships
            and events were looked at.

        Raises
        ------
        NotFound
            No profile has it.
        """
        found = self._export.explain(identity_of(identity), None)
        if found is None:
            raise NotFound(
                f"no profile has {identity}: without an identity graph (merge_policy) only primary identities are known; "
                "the case of an id counts, that of a namespace does not; of whom there are only events, events=True and empty_profiles=True tell",
                "PE-0003",
            )
        return found

    def _write(self, path: PathLike, form: dict[str, Any], if_exists: str, progress: ProgressArgument) -> Written:
        self._check_single("Store.run(…, out=FOLDER)")
        if if_exists not in ("fail", "replace"):
            raise refused("if_exists", f"found {if_exists!r}; allowed: fail, replace")
        path = os.fspath(path)
        with watching(progress) as watcher:
            counts = self._export.write_file(path, if_exists == "replace", form, watcher)
        return Written(path, *counts)

    def _check_single(self, other: str) -> None:
        if len(self.batches) != 1:
            raise BadRequest(
                f"each segment has a batch, {len(self.batches)} in all; take {other}, or leave segment_per_batch out",
                "PE-0001",
            )


def file_form(
    format: str,
    compression: str | None,
    *,
    compatible: bool = False,
    delimiter: str | None = None,
    null: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """How files are written, for the Rust side."""
    if delimiter is not None and len(delimiter) != 1:
        raise refused("delimiter", f"found {delimiter!r}; expected one character")
    return {
        "format": format,
        "compression": compression,
        "compatible": compatible,
        "delimiter": delimiter,
        "null": null,
        "headers": list((headers or {}).items()),
    }


def batch_form(format: str, compression: str | None, compatible: bool) -> dict[str, Any]:
    """How the files of batches are written: Parquet by zstd, where nothing else is said."""
    if compression is None and format == "parquet" and not compatible:
        compression = "zstd"
    return file_form(format, compression, compatible=compatible)


def _packing_of(path: PathLike) -> str | None:
    name = os.fspath(path).lower()
    if name.endswith(".gz"):
        return "gzip"
    return "zstd" if name.endswith((".zst", ".zstd")) else None
