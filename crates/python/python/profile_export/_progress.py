"""How far work is: told to a callback, or shown by tqdm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Union

from ._errors import BadRequest


class Progress(NamedTuple):
    """How far work is.

    Attributes
    ----------
    phase : str
        What is being done, such as ``"loading"`` or ``"exporting"``.
    done : float or None
        How much of the phase is done, between 0 and 1; None where that is not known.
    rows : int
        Records read, or rows made.
    bytes : int
        Bytes read of inputs.
    """

    phase: str
    done: float | None
    rows: int
    bytes: int


#: What ``progress=`` takes: a function that is called some twenty times a second, on the thread that waits for the work,
#: or True for a bar of tqdm. What the function raises stops the work.
ProgressArgument = Union[Callable[[Progress], object], bool, None]

Watcher = Union[Callable[[str, Union[float, None], int, int], object], None]


@contextmanager
def watching(progress: ProgressArgument) -> Iterator[Watcher]:
    """Makes of ``progress=`` what the Rust side calls."""
    if progress is None or progress is False:
        yield None
    elif progress is True:
        with _bar() as watcher:
            yield watcher
    elif callable(progress):
        yield lambda *at: progress(Progress(*at))
    else:
        raise BadRequest(f"progress: found {progress!r}; allowed: a function, True, False, None", "PE-0001")


@contextmanager
def _bar() -> Iterator[Watcher]:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        # Not worth failing for: the work is the same.
        yield None
        return
    with tqdm(total=1.0, leave=False, bar_format="{desc} {percentage:3.0f} %|{bar}| {elapsed}{postfix}") as bar:

        def show(phase: str, done: float | None, rows: int, _bytes: int) -> None:
            bar.set_description(phase, refresh=False)
            bar.set_postfix(rows=rows, refresh=False)
            bar.n = done or 0.0
            bar.refresh()

        yield show
