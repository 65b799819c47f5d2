"""What was found that milestones must give, and the contract checks that wait for them."""

from dataclasses import dataclass, field

from realms.journey.expressions.compiled import Expression
from realms.journey.expressions.values import Value
from realms.journey.plans.contracts import Check

Key = tuple[str, ...]


@dataclass(slots=True)
class Due:
    """Checks, and promised fields, found so far for one milestone."""

    on_entry: dict[Key, Check] = field(default_factory=dict)
    on_done: dict[Key, Check] = field(default_factory=dict)
    traced: dict[str, None] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)


class Promises:
    """Collects, while a template is compiled, what each milestone owes the others."""

    def __init__(self) -> None:
        self._due: dict[str, Due] = {}

    def of(self, path: str) -> Due:
        """What one milestone owes."""
        return self._due.setdefault(path, Due())

    def field(self, path: str, name: str) -> None:
        """A later milestone or a contract needs this field of what `path` gives."""
        self.of(path).fields.add(name)

    def read(self, found: Expression | Value) -> None:
        """An expression needs the fields that it reads."""
        for path, names in found.fields.items():
            self.of(path).fields.update(names)
