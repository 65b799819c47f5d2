"""What a command exits with."""

from collections.abc import Iterable

from utilities.errors import ErrorKind, PlatformError

DONE, FAILED, USAGE, REFUSED, CONFIGURATION, INTERRUPTED = 0, 1, 2, 3, 78, 130

_BY_KIND = {
    ErrorKind.REFUSED: REFUSED,
    ErrorKind.UNAUTHENTICATED: REFUSED,
    ErrorKind.UNSUPPORTED: REFUSED,
    ErrorKind.CONFLICT: REFUSED,
    ErrorKind.CONFIGURATION: CONFIGURATION,
}


def exit_code(error: PlatformError) -> int:
    """3 when the city would not, 78 when it is set up wrongly, else 1."""
    return _BY_KIND.get(error.kind, FAILED)


def worst(codes: Iterable[int]) -> int:
    """One code for several: a plain failure outweighs a refusal, which outweighs success."""
    seen = set(codes) - {DONE}
    return seen.pop() if len(seen) == 1 else FAILED if seen else DONE
