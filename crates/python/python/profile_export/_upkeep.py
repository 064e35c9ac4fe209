"""Looking after a store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from . import _profile_export as _rust
from ._errors import NotFound
from ._progress import ProgressArgument, watching
from ._request import refused
from ._shards import ShardPlan, counted

if TYPE_CHECKING:
    PathLike = Union[str, os.PathLike[str]]


class Verified(NamedTuple):
    """What a look at every byte of a store found.

    Attributes
    ----------
    problems : list of str
        What is not as it was written; empty where all is.
    moved : list of str
        Batches outside of the store that are gone: their owners may have moved or deleted them.
    """

    problems: list[str]
    moved: list[str]


class Upkeep:
    """What a store does with itself."""

    _store: _rust.Store

    def stats(self, *, progress: ProgressArgument = None) -> dict[str, Any]:
        """How large the store is: ``generation``, ``runs``, ``bytes``, and for each of ``datasets`` its ``records`` with those
        that are ``replaced``, ``bytes``, and the ``savings`` of a compaction in bytes.

        Raises
        ------
        Damaged
            A file of the store is damaged.
        """
        with watching(progress) as watcher:
            return _rust.stats(self._store, watcher)

    def compact(self, *, progress: ProgressArgument = None) -> dict[str, Any]:
        """Merges the runs of each dataset, without the records that later ones replaced. Exports may go on meanwhile.

        Parameters
        ----------
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.

        Returns
        -------
        dict
            The figures then, as of `stats`.

        Raises
        ------
        Damaged, StorageError
            A damaged run, a full disk: the store is as before.
        """
        with watching(progress) as watcher:
            return _rust.compact(self._store, watcher)

    def verify(self, *, progress: ProgressArgument = None) -> Verified:
        """Compares every byte of the store, and of all batches, with what was written.

        Parameters
        ----------
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.

        Returns
        -------
        Verified
            What is damaged is told here, and is no exception.
        """
        with watching(progress) as watcher:
            return Verified(*_rust.verify(self._store, watcher))

    def plans(self) -> list[dict[str, Any]]:
        """The plans in shards that were neither committed nor aborted: ``planId``, ``generation``, ``expires``, ``jobId``."""
        return _rust.plans(self._store)

    def abort(self, plan: ShardPlan | str, out: PathLike | None = None) -> bool:
        """Gives a plan up: what its shards wrote goes, and the store need not keep what it reads.

        Parameters
        ----------
        plan : ShardPlan or str
            The plan, or its ID: `plans`.
        out : path-like or str, optional
            The folder that its shards were made in, or the address; left out where none was made.

        Returns
        -------
        bool
            Whether there was something to give up.

        Raises
        ------
        Conflict
            It was committed, or is being; nothing of it is in ``out``.
        """
        if isinstance(plan, ShardPlan):
            _rust.check_plan(self._store, plan._plan)
            plan = plan.id
        return _rust.abort(self._store, plan, None if out is None else os.fspath(out))

    def forget(self, *, keep_last: int = 0, keep_daily: int = 0, dry_run: bool = False) -> list[dict[str, Any]]:
        """Forgets exports of which newer ones of the same request are kept, with their batches.

        Parameters
        ----------
        keep_last : int
            So many that succeeded are kept of each request, the newest.
        keep_daily : int
            And of each of so many days (UTC) that have one the newest.
        dry_run : bool
            Say which these are, and forget none.

        Returns
        -------
        list of dict
            The jobs that are forgotten.

        Raises
        ------
        BadRequest
            Neither number is given.
        """
        keep = (counted("keep_last", keep_last), counted("keep_daily", keep_daily))
        if keep == (0, 0):
            raise refused("keep_last", "found 0, and keep_daily is 0: nothing would be kept")
        return _rust.forget(self._store, keep, dry_run)


def verify_manifest(folder: PathLike, *, progress: ProgressArgument = None) -> list[str]:
    """Compares a folder of exports with its ``_manifest.json``, every byte. No store is needed: a copy of a bucket will do.

    Parameters
    ----------
    folder : path-like
        What `Store.run` wrote into ``out``, or `Export.to_bucket` below an address.
    progress : callable or bool, optional
        A function that is called with a `Progress`, or True for a bar of tqdm.

    Returns
    -------
    list of str
        What is wrong, one by one; empty where all is there as it was written.

    Raises
    ------
    NotFound
        It has no manifest.
    """
    folder = os.fspath(folder)
    with watching(progress) as watcher:
        problems = _rust.verify_manifest(folder, watcher)
    if problems is None:
        raise NotFound(f"{folder}: no _manifest.json; run(out=…) writes one", "PE-0003")
    return problems
