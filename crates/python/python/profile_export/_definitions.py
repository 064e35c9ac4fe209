"""What a store keeps beside records: datasets, merge policies, segments, and whom these take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from . import _profile_export as _rust
from ._errors import NotFound
from ._progress import ProgressArgument, watching
from ._request import Moment, identity_of, start


class Definitions:
    """What a store does with datasets, merge policies and segments."""

    _store: _rust.Store

    def evaluate(self, *segments: str, now: Moment = None, progress: ProgressArgument = None) -> dict[str, Any]:
        """Evaluates segment definitions and writes who is in them into the store, all of it or nothing.

        Parameters
        ----------
        *segments : str
            IDs or names; all definitions with an expression where none is given.
        now : str, datetime or date, optional
            The moment that expressions call now; this one where it is missing.
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.

        Returns
        -------
        dict
            The segment job: ``metrics`` has who is in, entered and left, by segment.
        """
        with watching(progress) as watcher:
            return _rust.evaluate(self._store, list(segments), start("now", now), watcher)

    def estimate(
        self,
        expression: str,
        *,
        merge_policy: str | None = None,
        now: Moment = None,
        progress: ProgressArgument = None,
    ) -> dict[str, Any]:
        """Counts whom an expression of PQL takes, with nothing written.

        Parameters
        ----------
        expression : str
            Such as ``'personalEmail.address and homeAddress.city = "Oslo"'``.
        merge_policy : str, optional
            The ID or name of a merge policy; the default where it is missing.
        now : str, datetime or date, optional
            The moment that expressions call now; this one where it is missing.
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.

        Returns
        -------
        dict
            ``members`` of ``profiles`` in all, ``optedOut``, ``mergePolicyId``, ``now``.
        """
        with watching(progress) as watcher:
            return _rust.estimate(self._store, expression, merge_policy, start("now", now), watcher)

    def segments(self, *, counts: bool = False, progress: ProgressArgument = None) -> list[dict[str, Any]]:
        """The segment definitions.

        Parameters
        ----------
        counts : bool
            Each with its ``members``: how many are ``realized``, ``existing`` and ``exited``, as memberships stand.
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.
        """
        with watching(progress) as watcher:
            return _rust.segments(self._store, counts, watcher)

    def segment(self, segment: str) -> dict[str, Any]:
        """A segment definition, by its ID or name."""
        return _rust.segment(self._store, segment)

    def put_segment(self, definition: Mapping[str, Any]) -> dict[str, Any]:
        """Keeps a segment definition, in the place of the one with its ``id``; its expression is checked.

        Parameters
        ----------
        definition : dict
            As the platform has it: ``id``, ``name``, ``expression`` (``{"type": "PQL", "format": "pql/text", "value": …}``),
            ``mergePolicyId``.

        Returns
        -------
        dict
            The definition as it is kept, with an ID.
        """
        return _rust.put_segment(self._store, json.dumps(definition))

    def delete_segment(self, segment: str) -> None:
        """Deletes a segment definition, by its ID or name. Who is in the segment stays in it.

        Raises
        ------
        NotFound, Conflict
            There is no such definition; another one asks for it.
        """
        _rust.delete_segment(self._store, segment)

    def explain_segment(
        self,
        segment: str,
        identity: str,
        *,
        merge_policy: str | None = None,
        now: Moment = None,
        progress: ProgressArgument = None,
    ) -> dict[str, Any]:
        """Why the expression of a segment takes somebody, or does not.

        Parameters
        ----------
        segment : str
            The ID or name of a definition.
        identity : str
            A primary identity: a namespace and an id, such as ``"Email:ann@example.com"``.
        merge_policy : str, optional
            The ID or name of a merge policy; the one that the definition names where it is missing, else the default.
        now : str, datetime or date, optional
            The moment that expressions call now; this one where it is missing.
        progress : callable or bool, optional
            A function that is called with a `Progress`, or True for a bar of tqdm.

        Returns
        -------
        dict
            ``isIn``, ``stored`` (the membership that is kept), and ``expression``: its parts, and which of them hold.

        Raises
        ------
        NotFound
            There is no such definition; no record has that as its primary identity.
        """
        with watching(progress) as watcher:
            wanted = (segment, identity_of(identity))
            found = _rust.explain_segment(self._store, wanted, merge_policy, start("now", now), watcher)
        if found is None:
            raise NotFound(
                f"no record has {identity} as its primary identity; the case of an id counts, that of a namespace does not",
                "PE-0003",
            )
        return found

    def merge_policies(self) -> list[dict[str, Any]]:
        """The merge policies, those that every store has among them."""
        return _rust.merge_policies(self._store)

    def put_merge_policy(self, policy: Mapping[str, Any]) -> dict[str, Any]:
        """Keeps a merge policy, as the next version of the one with its ``id``.

        Parameters
        ----------
        policy : dict
            As the platform has it: ``name``, ``identityGraph`` (``{"type": "pdg"}``), ``attributeMerge``
            (``{"type": "dataSetPrecedence", "order": […]}``) …

        Returns
        -------
        dict
            The policy as it is kept, with an ID and a version.
        """
        return _rust.put_merge_policy(self._store, json.dumps(policy))

    def delete_merge_policy(self, policy: str) -> None:
        """Deletes a merge policy with all its versions, by its ID or name.

        Raises
        ------
        NotFound, Conflict
            There is no such policy; it can't go.
        """
        _rust.delete_merge_policy(self._store, policy)

    def datasets(self) -> list[dict[str, Any]]:
        """The datasets, as ``dataset.json`` has them."""
        return _rust.datasets(self._store)

    def delete_dataset(self, dataset: str) -> None:
        """Deletes a dataset with its records or batches, by its name or ID.

        Raises
        ------
        NotFound
            There is no such dataset.
        """
        _rust.delete_dataset(self._store, dataset)
