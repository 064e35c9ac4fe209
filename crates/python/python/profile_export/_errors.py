"""The exceptions: a small tree, with the codes of docs/errors.md."""

from __future__ import annotations

from typing import Any


class ProfileExportError(Exception):
    """Something can't be done; what it says names what was found, where, and what would be right.

    Attributes
    ----------
    code : str
        The stable code of docs/errors.md, such as ``"PE-0001"``.
    job : dict or None
        The job that it is about, where there is one: one that failed, or that succeeded and of which no manifest could be
        written.
    """

    code: str
    job: dict[str, Any] | None = None

    def __init__(self, message: str, code: str = "PE-0000") -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> Any:
        # So that it crosses processes with all that it has.
        return type(self), (str(self), self.code), self.__dict__


class BadRequest(ProfileExportError, ValueError):
    """The request, or an argument, can't be done as asked; nothing was changed.

    Attributes
    ----------
    path : str
        Where in the request, such as ``filter.segments[0].status``; ``"."`` for all of it.
    """

    path: str = "."


class NotFound(ProfileExportError, LookupError):
    """There is no such store, dataset, job, batch, segment or person."""


class Conflict(ProfileExportError):
    """What is asked for contradicts what there is."""


class BadInput(ProfileExportError, ValueError):
    """A source folder, a file, Arrow data or a dataset's description can't be read."""


class Rejected(ProfileExportError, ValueError):
    """A record can't be loaded, or too many can't: the load is not in the store."""


class Damaged(ProfileExportError):
    """A file of the store is not as it was written, or is of a newer program."""


class StorageError(ProfileExportError):
    """The operating system refused to read or write: no space, no rights."""


class Cancelled(ProfileExportError):
    """Somebody else cancelled the work. Ctrl-C raises ``KeyboardInterrupt``."""


class JobFailed(ProfileExportError):
    """A job failed.

    Attributes
    ----------
    job : dict
        The job object, with its ``errors``.
    """

    job: dict[str, Any]
