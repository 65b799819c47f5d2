"""Where the time of a child goes."""

import cProfile
import pstats
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_SHOWN = 25


@contextmanager
def profiled(out: TextIO | None) -> Iterator[None]:
    """Profile the block and print its most expensive functions to `out`; with None do nothing."""
    if out is None:
        yield
        return
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        pstats.Stats(profile, stream=out).sort_stats("tottime").print_stats(_SHOWN)
