"""One profile: looked up, or deleted."""

from __future__ import annotations

from typing import Any

from . import _profile_export as _rust
from ._errors import NotFound
from ._progress import ProgressArgument, watching
from ._request import Texts, identity_of, paths


class Profiles:
    """What a store does with one profile."""

    _store: _rust.Store

    def profile(
        self,
        identity: str,
        *,
        fields: Texts = None,
        events: bool | Texts = None,
        merge_policy: str | None = None,
    ) -> dict[str, Any]:
        """One profile, as it is merged.

        Parameters
        ----------
        identity : str
            A namespace and an id, such as ``"Email:ann@example.com"``. With an identity graph any that the profile has, else
            its primary one.
        fields : str or list of str, optional
            Field paths, as a list or separated by commas; all where it is missing.
        events : bool or str or list of str, optional
            Events with these fields, True for all; none where it is missing.
        merge_policy : str, optional
            The ID or name of a merge policy; the default where it is missing.

        Returns
        -------
        dict
            ``entity``, the profile; ``identities``, the primary ones that it is; ``sources``, its datasets, best first;
            ``lastModifiedAt``.

        Raises
        ------
        NotFound
            Nobody has it.
        BadRequest
            A path that the union schema does not have.
        """
        # Blank are all of them.
        of_events = "" if events is True else None if events is False else paths("events", events)
        wanted = paths("fields", fields)
        found = _rust.profile(self._store, identity_of(identity), wanted, of_events, merge_policy)
        if found is None:
            raise NotFound(
                f"no profile has {identity}: without an identity graph (merge_policy=) only primary identities are known; the "
                "case of an id counts, that of a namespace does not",
                "PE-0003",
            )
        return found

    def delete_profile(
        self, identity: str, *, merge_policy: str | None = None, progress: ProgressArgument = None
    ) -> dict[str, Any]:
        """Deletes the records that bear an identity, as the primary one or in ``identityMap``: fragments and events.

        Batches that have them stay: the program's ``profiles delete --everywhere`` looks for these, too.

        Parameters
        ----------
        identity : str
            A namespace and an id, such as ``"Email:ann@example.com"``.
        merge_policy : str, optional
            With an identity graph, those of all identities of the profile go.
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.

        Returns
        -------
        dict
            ``identities``, ``datasets`` with what went of each, and how many ``runs`` were written anew.

        Raises
        ------
        NotFound
            No record bears it.
        """
        with watching(progress) as watcher:
            deleted = _rust.delete_profile(self._store, identity_of(identity), merge_policy, watcher)
        if not deleted["datasets"]:
            raise NotFound(f"no record bears {identity}; nothing is deleted", "PE-0003")
        return deleted
