"""Export jobs and their batches."""

from __future__ import annotations

import os
from typing import Any

from . import _profile_export as _rust
from ._progress import ProgressArgument, watching
from ._unknown import warn_of_unknown


class Jobs:
    """What a store does with jobs and batches."""

    _store: _rust.Store

    def jobs(self, *, limit: int | None = None, status: str | None = None) -> list[dict[str, Any]]:
        """The export jobs, newest first; at the most so many, only those with a status."""
        return _rust.jobs(self._store, limit, status)

    def job(self, id: int) -> dict[str, Any]:
        """An export job."""
        return _rust.job(self._store, id)

    def cancel_job(self, id: int) -> dict[str, Any]:
        """Cancels a job that waits or runs, in whatever process: nothing of it is left.

        Returns
        -------
        dict
            The job. One that runs stops within a second; where it did not yet, its ``status`` is ``PROCESSING``.

        Raises
        ------
        NotFound, Conflict
            There is no such job; it has ended.
        """
        return _rust.cancel_job(self._store, id)

    def retry_job(
        self, id: int, *, max_identities: int | None = None, progress: ProgressArgument = None
    ) -> dict[str, Any]:
        """Runs the request of a job that has ended again, into the store.

        Parameters
        ----------
        id : int
            The job.
        max_identities : int, optional
            Leave out profiles of more identities; to be said where that job did.
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.

        Returns
        -------
        dict
            The new job, as of `run`.

        Raises
        ------
        NotFound, Conflict
            There is no such job; it has not ended.
        JobFailed
            The new job failed; ``job`` has its errors.
        """
        with watching(progress) as watcher:
            job = _rust.retry_job(self._store, id, max_identities, watcher)
        warn_of_unknown(job["metrics"].get("unknownSegments", []))
        return job

    def delete_job(self, id: int) -> None:
        """Deletes a job that has ended, with its batches. Their files in a folder of yours stay there.

        Raises
        ------
        NotFound, Conflict
            There is no such job; it has not ended.
        """
        _rust.delete_job(self._store, id)

    def batches(self, *, dataset: str | None = None) -> list[dict[str, Any]]:
        """The batches, newest first; only those of a dataset, by name or ID."""
        return _rust.batches(self._store, dataset)

    def batch(self, id: str) -> dict[str, Any]:
        """A batch."""
        return _rust.batch(self._store, id)

    def batch_files(self, id: str) -> list[str]:
        """Where the files of a batch are."""
        return [os.fspath(path) for path in _rust.batch_files(self._store, id)]

    def delete_batch(self, id: str) -> None:
        """Deletes a batch with its files, also in a folder of yours, of which nothing says any more that all is there.

        Raises
        ------
        NotFound
            There is no such batch.
        """
        _rust.delete_batch(self._store, id)
