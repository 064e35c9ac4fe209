"""Segments that nobody is in because no record names them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Mapping
from typing import Any


class UnknownSegmentWarning(UserWarning):
    """No record names a segment that is asked for: perhaps it is mistyped, or was not evaluated yet."""


def warn_of_unknown(segments: Iterable[Mapping[str, Any]]) -> None:
    """Warns whoever calls the package of each segment, as a job tells them in ``metrics.unknownSegments``."""
    for segment in segments:
        name = ":".join(filter(None, (segment.get("segmentNs"), segment["segmentId"])))
        near = segment.get("didYouMean")
        hint = f"; did you mean {near!r}?" if near else ""
        warnings.warn(f"no record names segment {name!r}: nobody is in it{hint}", UnknownSegmentWarning, _callers_level())


def _callers_level() -> int:
    """The level of the first frame outside of the package, counted from `warn_of_unknown`."""
    level, frame = 1, sys._getframe(1)
    package = __name__.partition(".")[0]
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    return level
