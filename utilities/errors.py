"""The one family of errors the city raises, and the closed set of their kinds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from utilities.names import snake_case


class ErrorKind(StrEnum):
    """What a caller can do about an error; edges map it to a status or an exit code."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    REFUSED = "refused"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    TOO_MANY = "too_many"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    STORAGE_FULL = "storage_full"
    CONFIGURATION = "configuration"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault inside a request: `pointer` is an RFC 6901 JSON pointer into its body."""

    pointer: str
    detail: str


class PlatformError(Exception):
    """Something the city expected could go wrong did.

    Subclasses set `kind`; their docstring's first line is the title readers see. `detail` says what
    happened this time, `hint` what to do about it, `retry_after` (seconds) when to try again.
    """

    kind: ClassVar[ErrorKind] = ErrorKind.INTERNAL

    def __init__(
        self,
        detail: str,
        *,
        hint: str = "",
        errors: Sequence[FieldError] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.errors = tuple(errors)
        self.retry_after = retry_after

    def retell(self, tell: Callable[[str], str]) -> None:
        """Say all of it as `tell` gives each text back: so it may leave for another reader."""
        self.detail, self.hint = tell(self.detail), tell(self.hint)
        self.errors = tuple(FieldError(tell(one.pointer), tell(one.detail)) for one in self.errors)
        self.args = (self.detail,)

    @property
    def code(self) -> str:
        """The stable, machine-readable name of this fault, from the class name."""
        return snake_case(type(self).__name__)

    @property
    def title(self) -> str:
        """The first line of the class's docstring."""
        return (type(self).__doc__ or type(self).__name__).strip().splitlines()[0]
