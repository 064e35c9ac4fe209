"""Stores: records in; exports, jobs and segments out."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Union, overload

from ._definitions import Definitions
from ._errors import NotFound
from ._export import Export, batch_form
from ._jobs import Jobs
from ._load import LoadReport, limits, read_rejects
from ._profile_export import Store as _Store
from ._profile_export import is_bucket
from ._profiles import Profiles
from ._progress import ProgressArgument, Watcher, watching
from ._request import Moment, Texts, refused, start, text
from ._shards import ShardPlan, counted
from ._unknown import warn_of_unknown
from ._upkeep import Upkeep

if TYPE_CHECKING:
    PathLike = Union[str, os.PathLike[str]]


class Store(Jobs, Definitions, Profiles, Upkeep):
    """A folder that keeps what was loaded, sorted and indexed, so that an export touches only what it needs.

    Parameters
    ----------
    path : path-like
        The folder, on a local disk.
    org, sandbox : str, optional
        Whose part of the store: tenants don't see each other's data. As the program's ``--org`` and ``--sandbox``, with the
        same defaults.
    create : bool
        Make the store where it is missing. Without it a store that isn't there is an error: mostly its name is mistyped.
    threads : int, optional
        How many threads do its work, from 1 to 1024; one a core where it is missing.

    Raises
    ------
    NotFound
        There is no store, and it is not to be made.
    Damaged, StorageError
        It can't be opened.
    """

    def __init__(
        self,
        path: PathLike,
        *,
        org: str | None = None,
        sandbox: str | None = None,
        create: bool = False,
        threads: int | None = None,
    ) -> None:
        path = os.fspath(path)
        if not create and not os.path.isfile(os.path.join(path, "catalog.sqlite")):
            raise NotFound(f"{path}: no store; make one with: Store({path!r}, create=True)", "PE-0003")
        self._store = _Store(path, org, sandbox, threads)

    @property
    def path(self) -> str:
        """The store's folder."""
        return os.fspath(self._store.path)

    def __repr__(self) -> str:
        return f"Store({self.path!r})"

    def ingest(
        self,
        source: Any,
        *,
        dataset: str | None = None,
        dataset_class: str | None = None,
        primary_identity: str | None = None,
        ingested_at_field: str | None = None,
        schema: Mapping[str, Any] | None = None,
        ingested_at: Moment = None,
        on_bad_record: str = "fail",
        rejects: PathLike | None = None,
        max_bad_records: int | str | None = None,
        progress: ProgressArgument = None,
    ) -> LoadReport:
        """Loads records, all of them or none. What is loaded twice changes nothing.

        Parameters
        ----------
        source : path-like, list of path-like, or Arrow data
            Without ``dataset`` a source folder: a folder for each dataset with a ``dataset.json`` and data files, merge
            policies and segments beside them. With ``dataset`` files or globs (NDJSON, JSON or Parquet, plain, ``.gz`` or
            ``.zst``), or Arrow data: what has ``__arrow_c_stream__`` or ``__arrow_c_array__``, such as a
            ``pyarrow.Table`` or ``RecordBatchReader``, ``polars.DataFrame`` or ``pandas.DataFrame``, with a column for each
            top-level XDM field and a row a record. A reader is read a batch at a time.
        dataset : str, optional
            The name or ID of the dataset that the records go into; it is made where it is missing.
        dataset_class : {"profile", "event"}, optional
            The class of a dataset that is made: XDM Individual Profile, or XDM ExperienceEvent; profile where it is missing.
        primary_identity : str, optional
            Where the primary identity of a dataset that is made stands, as ``"personalEmail.address=Email"``; without it,
            the entry of ``identityMap`` with ``primary``.
        ingested_at_field : str, optional
            The path of the field that says when a record came in, for a dataset that is made.
        schema : dict, optional
            The XDM schema of a dataset that is made, as JSON Schema; without one, types come from the data.
        ingested_at : str, datetime or date, optional
            When the records came in, if not now and no field says so.
        on_bad_record : {"fail", "skip"}
            Whether a bad record fails the load, or is skipped and reported.
        rejects : path-like, optional
            The file that skipped records go to, NDJSON; without it they are in the report alone.
        max_bad_records : int or str, optional
            How many may be skipped, as a number or in percent (``"5%"``); more fail the load.
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.

        Returns
        -------
        LoadReport
            What was read, loaded and rejected.

        Raises
        ------
        Rejected
            A bad record, or too many. The store is as it was.
        BadInput
            A file, or a column's type, can't be read.
        BadRequest
            A dataset that was made with something else than is said here.
        """
        if on_bad_record not in ("fail", "skip"):
            raise refused("on_bad_record", f"found {on_bad_record!r}; allowed: fail, skip")
        if on_bad_record == "fail" and (rejects is not None or max_bad_records is not None):
            raise refused("on_bad_record", "found 'fail'; rejects and max_bad_records are for 'skip'")
        target = {
            "name": dataset,
            "class": dataset_class,
            "primary_identity": primary_identity,
            "ingested_at_field": ingested_at_field,
            "schema": None if schema is None else json.dumps(schema),
            "ingested_at": start("ingested_at", ingested_at),
        }
        most = limits(max_bad_records)
        with watching(progress) as watcher:
            if on_bad_record == "fail":
                return LoadReport(**self._ingest(source, target, {"rejects": None, **most}, watcher))
            with tempfile.TemporaryDirectory(prefix="profile-export-") as folder:
                file = os.path.join(folder, "rejects.ndjson") if rejects is None else os.fspath(rejects)
                done = self._ingest(source, target, {"rejects": file, **most}, watcher)
                return LoadReport(**done, rejects=read_rejects(file) if done["bad"] else ())

    def _ingest(
        self, source: Any, target: dict[str, Any], bad_records: dict[str, Any], watcher: Watcher
    ) -> dict[str, Any]:
        is_path = isinstance(source, (str, os.PathLike))
        if target["name"] is None:
            given = [name for name, value in target.items() if value is not None]
            if given or not is_path:
                what = ", ".join(given) or f"a {type(source).__name__}"
                raise refused("dataset", f"missing; only a source folder says itself what its datasets are (found {what})")
            return self._store.ingest_folder(os.fspath(source), bad_records, watcher)
        if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
            return self._store.ingest_data(source, target, bad_records, watcher)
        if not is_path and not isinstance(source, Iterable):
            raise refused("source", f"found {type(source).__name__}; expected paths, or Arrow data")
        files = [source] if is_path else list(source)
        wrong = next((one for one in files if not isinstance(one, (str, os.PathLike))), None)
        if wrong is not None:
            raise refused("source", f"found a {type(wrong).__name__} in a list; expected paths")
        return self._store.ingest_files([os.fspath(one) for one in files], target, bad_records, watcher)

    def export(
        self,
        request: Mapping[str, Any] | str | None = None,
        *,
        segments: str | Mapping[str, Any] | Iterable[str | Mapping[str, Any]] | None = None,
        segment_ns: str | None = None,
        statuses: Texts = None,
        qualified_since: Moment = None,
        qualified_until: Moment = None,
        ingested_since: Moment = None,
        empty_profiles: bool | None = None,
        fields: Texts = None,
        require: Texts = None,
        dedupe: Texts = None,
        row_per_identity: str | None = None,
        events: bool | Texts = None,
        events_since: Moment = None,
        events_until: Moment = None,
        merge_policy: str | None = None,
        segment_per_batch: bool | None = None,
        evaluate: bool = False,
        max_identities: int | None = None,
        progress: ProgressArgument = None,
    ) -> Export:
        """Prepares an export of the store as it is now. Every refusal happens here; no row is made yet.

        Parameters
        ----------
        request : dict or str, optional
            The body of the platform's ``POST /export/jobs``, instead of the arguments below. It may leave ``destination``
            out: rows go to the caller.
        segments : str, dict or list of them, optional
            Members of these segments, by ID or name; of one of several. A dict is as in a request. Everybody where it is
            missing.
        segment_ns : str, optional
            The namespace of the segments; any where it is missing.
        statuses : str or list of str, optional
            The membership's status: ``realized``, ``existing``, ``exited``; realized and existing where it is missing.
        qualified_since, qualified_until : str, datetime or date, optional
            When the membership was qualified, both ends included. A date is its first moment in UTC, or its last.
        ingested_since : str, datetime or date, optional
            Profiles that were updated strictly later.
        empty_profiles : bool, optional
            Profiles that have events alone, too.
        fields : str or list of str, optional
            Field paths, as a list or separated by commas; all where it is missing.
        require : str or list of str, optional
            Paths of fields without which a profile is left out.
        dedupe : str or list of str, optional
            Of the profiles with the same values of these, one stays.
        row_per_identity : str, optional
            A namespace: a row for each identity of it.
        events : bool or str or list of str, optional
            Events with these fields, True for all; none where it is missing.
        events_since, events_until : str, datetime or date, optional
            Events that came in strictly later, and not later.
        merge_policy : str, optional
            The ID or name of a merge policy; the one that the segments' definitions name where it is missing, else the
            default.
        segment_per_batch : bool, optional
            A batch for each segment: `Export.batches`.
        evaluate : bool
            Evaluate the segments first, and write who is in them into the store.
        max_identities : int, optional
            Leave out profiles of more identities, where the merge policy has an identity graph.
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm, for what is evaluated and prepared.

        Returns
        -------
        Export
            Its rows may be taken as often as you like, and later: they are of the store as it is now.

        Raises
        ------
        BadRequest
            The request can't be done as asked; ``path`` says where.
        NotFound
            There is no such merge policy.
        Damaged
            A file of the store is damaged.
        """
        arguments = {
            "segments": segments,
            "segment_ns": segment_ns,
            "statuses": statuses,
            "qualified_since": qualified_since,
            "qualified_until": qualified_until,
            "ingested_since": ingested_since,
            "empty_profiles": empty_profiles,
            "fields": fields,
            "require": require,
            "dedupe": dedupe,
            "row_per_identity": row_per_identity,
            "events": events,
            "events_since": events_since,
            "events_until": events_until,
            "merge_policy": merge_policy,
            "segment_per_batch": segment_per_batch,
            "evaluate": evaluate,
        }
        return self._export(text(request, arguments), max_identities, False, progress)

    def _export(self, request: str, max_identities: int | None, only_looks: bool, progress: ProgressArgument) -> Export:
        with watching(progress) as watcher:
            return Export(self._store.export(request, max_identities, only_looks, watcher))

    def _to_look(
        self, request: Mapping[str, Any] | str | None, max_identities: int | None, audience: dict[str, Any]
    ) -> Export:
        return self._export(text(request, audience), max_identities, True, None)

    @overload
    def plan(
        self,
        request: Mapping[str, Any] | str | None = None,
        *,
        shards: None = None,
        max_identities: int | None = None,
        progress: ProgressArgument = None,
        **audience: Any,
    ) -> dict[str, Any]: ...

    @overload
    def plan(
        self,
        request: Mapping[str, Any] | str | None = None,
        *,
        shards: int,
        format: str = "parquet",
        compression: str | None = None,
        compatible: bool = False,
        keep_for: float | None = None,
        max_identities: int | None = None,
        progress: ProgressArgument = None,
        **audience: Any,
    ) -> ShardPlan: ...

    def plan(
        self,
        request: Mapping[str, Any] | str | None = None,
        *,
        shards: int | None = None,
        format: str = "parquet",
        compression: str | None = None,
        compatible: bool = False,
        keep_for: float | None = None,
        max_identities: int | None = None,
        progress: ProgressArgument = None,
        **audience: Any,
    ) -> dict[str, Any] | ShardPlan:
        """What an export would give: see `Export.plan`; or with ``shards`` all that it takes to make it in parts.

        Parameters
        ----------
        request : dict or str, optional
            The body of the platform's ``POST /export/jobs``.
        shards : int, optional
            Cut the export into so many parts, which other processes and machines make. Segments are evaluated where the
            request asks for that; without ``shards`` nothing is.
        format, compression, compatible
            How the files of shards are written, as for `run`.
        keep_for : float, optional
            How long the store keeps what the shards read, in seconds, if the plan is not committed or aborted sooner; a week
            where it is missing.
        max_identities : int, optional
            Leave out profiles of more identities, where the merge policy has an identity graph.
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.
        **audience
            What is exported, as for `export`, where there is no request.

        Returns
        -------
        dict or ShardPlan
            With ``shards`` a plan, to be given to `commit` or `abort` at last.
        """
        if shards is None:
            of_shards = {"format": format != "parquet", "compression": compression, "compatible": compatible,
                         "keep_for": keep_for is not None}
            for name, is_given in of_shards.items():
                if is_given:
                    raise refused(name, "it is of a plan in shards: without shards nothing is written or kept")
            return self._to_look(request, max_identities, audience).plan(progress=progress)
        form = batch_form(format, compression, compatible)
        with watching(progress) as watcher:
            plan = self._store.plan_shards(text(request, audience), counted("shards", shards), form, max_identities, keep_for, watcher)
        warn_of_unknown(plan.unknown_segments)
        return ShardPlan(plan)

    def commit(
        self, plan: ShardPlan, out: PathLike, *, if_exists: str = "fail", progress: ProgressArgument = None
    ) -> dict[str, Any]:
        """Shows the export of a plan whose shards are all made in ``out``: at once and as a job, or below an address, where it
        is no job and its manifest comes last.

        Of each shard one attempt that came to its end counts. It may be done again where it broke off.

        Parameters
        ----------
        plan : ShardPlan
            What `plan` made.
        out : path-like or str
            The folder that the shards were made in, or the address of an object store (``"s3://…"``).
        if_exists : {"fail", "replace", "append"}
            What becomes of exports that are there already.
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.

        Returns
        -------
        dict
            The job object, also where the plan was committed to that folder before; an empty one where the store has
            forgotten the job since. Of an address, ``address`` and ``batches``, as `Export.to_bucket` tells them.

        Raises
        ------
        Conflict
            Shards are missing, or the plan was aborted.
        """
        with watching(progress) as watcher:
            return self._store.commit(plan._plan, os.fspath(out), if_exists, watcher) or {}

    def preview(
        self,
        request: Mapping[str, Any] | str | None = None,
        *,
        limit: int = 10,
        max_identities: int | None = None,
        **audience: Any,
    ) -> list[dict[str, Any]]:
        """The first profiles of an export: see `Export.preview`. Arguments are as for `export`; nothing is evaluated."""
        return self._to_look(request, max_identities, audience).preview(limit)

    def explain(
        self,
        identity: str,
        request: Mapping[str, Any] | str | None = None,
        *,
        max_identities: int | None = None,
        **audience: Any,
    ) -> dict[str, Any]:
        """Why somebody is in an export, or is not: see `Export.explain`. Arguments are as for `export`."""
        return self._to_look(request, max_identities, audience).explain(identity)

    def run(
        self,
        request: Mapping[str, Any] | str | None = None,
        *,
        out: PathLike | None = None,
        if_exists: str = "fail",
        name_template: str | None = None,
        format: str = "parquet",
        compression: str | None = None,
        compatible: bool = False,
        max_rows_per_file: int | None = None,
        max_identities: int | None = None,
        progress: ProgressArgument = None,
        **audience: Any,
    ) -> dict[str, Any]:
        """Runs a request as a job, as the platform does: its batches are visible all at once, and the catalog keeps the job.

        Parameters
        ----------
        request : dict or str, optional
            The body of the platform's ``POST /export/jobs``. Where it names no dataset, batches go to the one called
            "Profile exports".
        out : path-like, optional
            A folder for the batches, with a manifest; without it they are in the store: `batch_files`. An export below the
            address of an object store is no job: `Export.to_bucket`.
        if_exists : {"fail", "replace", "append"}
            What becomes of exports that are in ``out`` already.
        name_template : str, optional
            What files are called from ``out`` on, ``{segment.name}/{date}/part-{n}.{ext}``; the page of outputs lists what
            braces may hold. It ends in ``.{ext}`` or as the format does.
        format : {"parquet", "ndjson", "csv"}
            What files are; those in the store are Parquet.
        compression : str, optional
            ``zstd`` (of Parquet the default), ``gzip``, and of Parquet ``snappy`` and ``none``.
        compatible : bool
            Parquet for readers that know no other encodings than dictionaries and plain values.
        max_rows_per_file : int, optional
            Rows after which a batch's next file begins.
        max_identities : int, optional
            Leave out profiles of more identities, where the merge policy has an identity graph.
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.
        **audience
            What is exported, as for `export`, where there is no request.

        Returns
        -------
        dict
            The job object: ``id``, ``status``, ``batches``, ``metrics`` …

        Raises
        ------
        BadRequest, NotFound, Conflict
            The request can't be done as asked.
        JobFailed
            The job failed; ``job`` has its errors.
        StorageError
            The job succeeded, where the exception has a ``job``, but the manifest of ``out`` can't be written.
        """
        if out is not None and is_bucket(os.fspath(out)):
            raise refused("out", f"found {out!r}; an export there is no job: export(…).to_bucket({os.fspath(out)!r})")
        form = batch_form(format, compression, compatible)
        folder = None if out is None else os.fspath(out)
        with watching(progress) as watcher:
            job = self._store.run(
                text(request, audience),
                folder,
                if_exists,
                name_template,
                form,
                max_rows_per_file,
                max_identities,
                watcher,
            )
        warn_of_unknown(job["metrics"].get("unknownSegments", []))
        return job
