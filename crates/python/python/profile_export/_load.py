"""What a load is told of bad records, and what it tells."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ._request import refused

#: Bad records that a report shows; the file of rejects has all.
MOST_REJECTS = 1000


@dataclass(frozen=True)
class LoadReport:
    """What a load did.

    Attributes
    ----------
    read : int
        Records read, bad ones among them.
    loaded : int
        Fragments or events that are new in the store.
    dropped : int
        Records that a later one of the same load replaces, and events that were there already.
    bad : int
        Bad records, skipped.
    merged : int
        Runs of the store that were merged into larger ones behind the load.
    not_merged : str or None
        Why runs that should have been merged were not. The load holds all the same, and the next one tries again.
    rejects : tuple of dict
        The first 1,000 bad records: ``dataset``, ``file``, ``line`` (or row, counted from 1), ``reason``, and ``record``,
        its text, where it came from a text.
    """

    read: int
    loaded: int
    dropped: int
    bad: int
    merged: int
    not_merged: str | None
    rejects: tuple[dict[str, Any], ...] = field(default=(), repr=False)


def limits(most: int | str | None) -> dict[str, Any]:
    """How many bad records are too many, for the Rust side."""
    if most is None:
        return {"most": None, "most_percent": None}
    try:
        if isinstance(most, str) and most.endswith("%"):
            percent = float(most[:-1])
            if 0.0 <= percent <= 100.0:
                return {"most": None, "most_percent": percent}
        elif isinstance(most, (int, str)) and not isinstance(most, bool) and int(most) >= 0:
            return {"most": int(most), "most_percent": None}
    except ValueError:
        pass
    raise refused("max_bad_records", f"found {most!r}; expected a number of records, or a percentage such as 5%")


def read_rejects(file: str) -> tuple[dict[str, Any], ...]:
    """The first bad records of a file of rejects."""
    with open(file, encoding="utf-8") as lines:
        return tuple(json.loads(line) for line in islice(lines, MOST_REJECTS))
