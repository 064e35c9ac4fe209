"""Exports in shards: planned once, made wherever there is a core, shown all at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ._profile_export import RecordBatch, Schema
from ._profile_export import ShardPlan as _ShardPlan
from ._progress import ProgressArgument, watching
from ._request import refused

if TYPE_CHECKING:
    PathLike = str | os.PathLike[str]


class ShardPlan:
    """All that it takes to make any shard of an export, as the store stood when `Store.plan` made it.

    It crosses processes and machines, by pickle or as JSON. Who makes a shard reads the files of the store's runs, which do
    not change, and never its catalog: a shared folder does, also one that can only be read.

    Attributes
    ----------
    id : str
        Its own, 24 hex digits.
    generation : int
        The state of the store that it reads.
    expires : str
        Until when the store keeps what it reads, if it is not committed or aborted sooner: RFC 3339, UTC.
    store : str
        The store's folder, where the plan was made.
    schema : Schema
        The columns, known before the first row.
    request : dict
        The request, with IDs where it had names.
    batch_count : int
        One, or one for each segment.

    ``len(plan)`` is the number of its shards, which are counted from 0.
    """

    def __init__(self, plan: _ShardPlan) -> None:
        self._plan = plan

    @classmethod
    def from_json(cls, text: str) -> ShardPlan:
        """The plan of a text.

        Raises
        ------
        BadRequest
            It is none, was changed, or is of another version of this package.
        """
        return cls(_ShardPlan.from_json(text))

    @classmethod
    def load(cls, path: PathLike) -> ShardPlan:
        """The plan in a file, also one that the program wrote."""
        return cls(_ShardPlan.read(os.fspath(path)))

    def to_json(self) -> str:
        """Its text, in which the program takes it, too."""
        return self._plan.to_json()

    def keep(self, out: PathLike) -> None:
        """Puts its text beside what its shards will write below ``out``, a folder or an address: ``.plan-…/plan.json``.

        Whoever goes on where this process is gone finds it there; it goes when the plan is committed or aborted.
        """
        self._plan.keep(os.fspath(out))

    def save(self, path: PathLike) -> None:
        """Writes its text into a file, whole or not at all."""
        self._plan.write(os.fspath(path))

    @property
    def id(self) -> str:
        return self._plan.id

    @property
    def generation(self) -> int:
        return self._plan.generation

    @property
    def expires(self) -> str:
        return self._plan.expires

    @property
    def store(self) -> str:
        return os.fspath(self._plan.store)

    @property
    def schema(self) -> Schema:
        return self._plan.schema

    @property
    def request(self) -> dict[str, Any]:
        return self._plan.request

    @property
    def batch_count(self) -> int:
        return self._plan.batch_count

    def __len__(self) -> int:
        return len(self._plan)

    def __reduce__(self) -> Any:
        # Not the method, which Spark's pickles would take apart.
        return _plan_of, (self.to_json(),)

    def __repr__(self) -> str:
        return f"ShardPlan({self.id!r}, {len(self)} shards)"

    def run_shard(
        self,
        shard: int,
        out: PathLike,
        *,
        attempt: str = "0",
        store: PathLike | None = None,
        threads: int | None = None,
        progress: ProgressArgument = None,
    ) -> dict[str, Any]:
        """Makes a shard, under hidden names below ``out``: any number of times and anywhere, also at once.

        Parameters
        ----------
        shard : int
            Which, counted from 0.
        out : path-like or str
            The folder of the export, which all machines see, or the address of an object store (``"s3://…"``).
        attempt : str
            What this attempt is called.
        store : path-like, optional
            The store's folder as this machine sees it, where that is another one than the plan's.
        threads : int, optional
            How many threads do the work; one a core where it is missing.
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.

        Returns
        -------
        dict
            Its manifest: ``shard``, ``attempt``, and ``batches`` with ``rows``, ``bytes`` and ``counts``.

        Raises
        ------
        Conflict
            The store does not have what the plan reads any more; the plan was committed or aborted meanwhile.
        """
        if not isinstance(attempt, str):
            raise refused("attempt", f"found {attempt!r}; allowed is a text")
        folder = None if store is None else os.fspath(store)
        shard = counted("shard", shard)
        with watching(progress) as watcher:
            return self._plan.run_shard(shard, attempt, os.fspath(out), folder, threads, watcher)

    def record_batches(
        self,
        shard: int,
        *,
        batch: int = 0,
        store: PathLike | None = None,
        threads: int | None = None,
    ) -> Iterator[RecordBatch]:
        """Iterates over the rows of a shard, a few thousand at a time, with nothing written.

        Parameters
        ----------
        shard : int
            Which, counted from 0.
        batch : int
            The number of the batch, where each segment has one.
        store, threads
            As for `run_shard`.
        """
        folder = None if store is None else os.fspath(store)
        yield from self._plan.rows((counted("shard", shard), counted("batch", batch)), folder, threads, None)


def counted(name: str, number: int) -> int:
    """A number that things are counted by."""
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 1 << 63:
        raise refused(name, f"found {number!r}; allowed is a number, 0 or more")
    return number


def _plan_of(text: str) -> ShardPlan:
    return ShardPlan.from_json(text)
