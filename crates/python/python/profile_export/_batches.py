"""Exports of Arrow data that never sees a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import json

from ._export import Export
from ._profile_export import export_batches as _export_batches
from ._request import Moment, refused, start, text


@dataclass(frozen=True)
class Records:
    """The records of one dataset.

    Parameters
    ----------
    data : Arrow data
        A column for each top-level XDM field, a row a record, in the order in which they came: what has
        ``__arrow_c_stream__`` or ``__arrow_c_array__``, such as a ``pyarrow.Table``, ``polars.DataFrame`` or
        ``pandas.DataFrame``.
    name : str
        What messages call the dataset.
    primary_identity : str, optional
        Where the primary identity stands, as ``"personalEmail.address=Email"``; without it, the entry of
        ``identityMap`` with ``primary``.
    ingested_at_field : str, optional
        The path of the field that says when a record came in.
    ingested_at : str, datetime or date, optional
        When all came in, where no field says so; now where it is missing.
    id : str, optional
        The dataset's ID, 24 lower-case hex digits, by which a merge policy names it.
    schema : Arrow schema, optional
        That of all records of the dataset, of which these may be a part: what has ``__arrow_c_schema__``. Parts of one
        whole get the same columns by it.
    """

    data: Any
    name: str = "records"
    primary_identity: str | None = None
    ingested_at_field: str | None = None
    ingested_at: Moment = None
    id: str | None = None
    schema: Any = None


def export_batches(
    fragments: Any,
    event_records: Any = (),
    request: Mapping[str, Any] | str | None = None,
    *,
    merge_policy: str | Mapping[str, Any] | None = None,
    threads: int | None = None,
    **audience: Any,
) -> Export:
    """Exports Arrow data by all rules of a store, without one; the records are held in memory.

    Parameters
    ----------
    fragments : Records, Arrow data, or a list of them
        Records of profiles; several datasets as a list. Arrow data alone stands for ``Records(data)``.
    event_records : Records, Arrow data, or a list of them
        Experience events.
    request : dict or str, optional
        The body of the platform's ``POST /export/jobs``; it may leave ``destination`` out.
    merge_policy : str or dict, optional
        One that every store has, such as ``"timestampOrdered-pdg-mp"``, or one in the platform's JSON; that of the
        request where it is missing, else the latest first.
    threads : int, optional
        How many threads do the work; one a core where it is missing.
    **audience
        What is exported, as for `Store.export`, where there is no request.

    Returns
    -------
    Export
        Rows come in the order of their persons' keys.

    Raises
    ------
    BadRequest
        The request can't be done as asked.
    Rejected
        A bad record, named by its dataset and its row, counted from 1.
    BadInput
        A column of a type that no XDM field has.
    """
    records = [*_records(fragments, "profile"), *_records(event_records, "event")]
    if isinstance(merge_policy, Mapping):
        merge_policy = json.dumps(merge_policy)
    return Export(_export_batches(text(request, audience), records, merge_policy, threads))


def _records(given: Any, of_class: str) -> list[dict[str, Any]]:
    one = isinstance(given, Records) or hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__")
    if not one and not isinstance(given, Iterable):
        raise refused(
            "fragments" if of_class == "profile" else "event_records",
            f"found {type(given).__name__}; expected Records, Arrow data, or a list of them",
        )
    parts = [given] if one else list(given)
    parts = [part if isinstance(part, Records) else Records(part) for part in parts]
    return [
        {
            "data": part.data,
            "name": part.name,
            "id": part.id,
            "class": of_class,
            "primary_identity": part.primary_identity,
            "ingested_at_field": part.ingested_at_field,
            "ingested_at": start("ingested_at", part.ingested_at),
            "schema": part.schema,
        }
        for part in parts
    ]
