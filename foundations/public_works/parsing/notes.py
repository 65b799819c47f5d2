"""Collects what a reader has to say about a file, so that a million faults stay a short list."""

from foundations.public_works.parsing.models import ParseWarning

_EACH = 10
_MOST = 50


class Notes:
    """Warnings, grouped by their kind: the first ten with their lines, then one for the rest."""

    def __init__(self) -> None:
        self._by_kind: dict[str, list[ParseWarning]] = {}
        self._more: dict[str, int] = {}

    def add(self, kind: str, detail: str, *, line: int = 0, code: str = "") -> None:
        """Note `detail`; `kind` says what all notes of its sort have in common."""
        noted = self._by_kind.setdefault(kind, [])
        if len(noted) < _EACH:
            noted.append(ParseWarning(detail=detail, line=line, code=code))
        else:
            self._more[kind] = self._more.get(kind, 0) + 1

    def take(self, others: "Notes", *, of: str = "") -> None:
        """Add the notes of another collection, those of a file within under its name."""
        for kind, noted in others._by_kind.items():  # noqa: SLF001 - of its own class
            mine = self._by_kind.setdefault(f"{kind} ({of})" if of else kind, [])
            mine += [_told_of(one, of) for one in noted]
        for kind, count in others._more.items():  # noqa: SLF001 - of its own class
            kind_here = f"{kind} ({of})" if of else kind
            self._more[kind_here] = self._more.get(kind_here, 0) + count

    def warnings(self) -> tuple[ParseWarning, ...]:
        """All notes, at most fifty."""
        told: list[ParseWarning] = []
        for kind, noted in self._by_kind.items():
            told += noted
            if more := self._more.get(kind):
                told.append(ParseWarning(detail=f"and {more:,} more: {kind}", count=more))
        return tuple(told[:_MOST])


def _told_of(warning: ParseWarning, name: str) -> ParseWarning:
    if not name:
        return warning
    return warning.model_copy(update={"detail": f"{name}: {warning.detail}"})
