"""Errors that came up in another process: told as problem documents, and raised again here."""

from collections.abc import Mapping
from typing import Any

from utilities.errors import ErrorKind, FieldError, PlatformError


class RemoteFault(PlatformError):
    """Another process refused."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        errors = [FieldError(e.get("pointer", ""), e["detail"]) for e in problem.get("errors", [])]
        detail = problem.get("detail") or problem.get("title") or "no reason was given"
        super().__init__(
            detail,
            hint=problem.get("hint", ""),
            errors=errors,
            retry_after=problem.get("retry_after"),
        )
        self._problem = problem

    @property
    def code(self) -> str:
        return str(self._problem.get("code", "remote_fault"))

    @property
    def title(self) -> str:
        return str(self._problem.get("title", "The server refused."))


_BY_KIND = {
    kind: type("RemoteFault", (RemoteFault,), {"kind": kind, "__doc__": RemoteFault.__doc__})
    for kind in ErrorKind
}


def fault_of(problem: Mapping[str, Any]) -> PlatformError:
    """The error that a problem document (RFC 9457) stands for; `kind` says which sort it is."""
    try:
        kind = ErrorKind(problem.get("kind", ErrorKind.INTERNAL))
    except ValueError:
        kind = ErrorKind.INTERNAL
    fault: PlatformError = _BY_KIND[kind](problem)
    return fault


def problem_of(error: PlatformError) -> dict[str, Any]:
    """What another process needs to raise the same error."""
    return {
        "kind": error.kind.value,
        "code": error.code,
        "title": error.title,
        "detail": error.detail,
        "hint": error.hint,
        "errors": [{"pointer": e.pointer, "detail": e.detail} for e in error.errors],
        "retry_after": error.retry_after,
    }
