"""Journey templates by chance: the whole language, in shapes that nobody would write by hand.

What they come to depends on nothing but their text: each service fails or not by what it is given,
each race has one branch that can win, and items are taken one by one where some of them fail. What
depends on chance in one process (which of two that fail at once is first) may do so in several.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

NEVER_SENT = "never"
_STEPS, _TRIAL = "ParityStepsService", "TrialStepsService"
_ORDER = "${input.order}"
_RETRIES = {
    "patient": {"attempts": 4, "first_delay": "5ms", "factor": 1, "max_delay": "10ms"},
    "listed": {"delays": ["5ms", "10ms"]},
}
Milestone = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Generated:
    """A template and its name, by which the same seed gives it again."""

    name: str
    text: str


def generated(seed: int, number: int) -> Generated:
    """The template of this number."""
    name = f"generated_{seed}_{number}"
    return Generated(name, _Writer(random.Random(name)).written(name))


@dataclass(slots=True)
class _Writer:
    """Writes one template, milestone after milestone."""

    chance: random.Random
    given: dict[str, set[str]] = field(default_factory=dict)
    """For each milestone those whose results are there whenever it begins."""
    sure: dict[str, str] = field(default_factory=dict)
    """Those that succeed in any case, and the field of their result that is a number."""

    def written(self, name: str) -> str:
        count = self.chance.randint(2, 9)
        milestones = [self._milestone(f"m{number}") for number in range(count)]
        template: dict[str, Any] = {
            "journey_template": name,
            "input": {"order": "string", "rows": {"type": "array", "items": {"type": "integer"}}},
            "retries": _RETRIES,
            "on_failure": self.chance.choice(("fail", "fail", "compensate")),
            "milestones": milestones,
        }
        if self.chance.random() < 0.2:
            template["priority"] = self.chance.randint(0, 9)
        if self.chance.random() < 0.15:
            template["concurrency"] = {"key": _ORDER, "limit": 1, "when_full": "queue"}
        if self.sure and self.chance.random() < 0.5:
            known = self.chance.choice(sorted(self.sure))
            template["output"] = {"known": "${" + f"{known}.{self.sure[known]}" + "}"}
        if self.chance.random() < 0.3:
            template["finally"] = ["tidy"]
            condition = self.chance.choice(("${always()}", "${failed()}", "${succeeded()}"))
            milestones.append({"milestone_id": "tidy", "if": condition, **self._count("tidy")})
        return yaml.safe_dump(template, sort_keys=False, width=1_000)

    def _milestone(self, name: str) -> Milestone:
        needs = self._needs()
        self.given[name] = set(needs).union(*(self.given[need] for need in needs))
        kind, sure = self.chance.choice(_KINDS)
        made: Milestone = {"milestone_id": name, **({"needs": needs} if needs else {})}
        condition = self._condition(name, needs) if needs else ""
        if "()" in condition or "skipped" in condition:
            self.given[name] = set()
        if condition:
            made["if"] = condition
        made |= kind(self, name)
        if not sure and self.chance.random() < 0.5:
            made["continue_on_error"] = True
            self.given[name] = set()
        if "service" in made and "for_each" not in made and "loop" not in made:
            self._undo(made, name)
        if sure and not condition and all(need in self.sure for need in needs):
            self.sure[name] = _NUMBERS.get(made.get("api", ""), "")
            if not self.sure[name] or "for_each" in made:
                del self.sure[name]
        return made

    def _needs(self) -> list[str]:
        """Mostly the one before; else any, so that branches are open and meet again."""
        earlier = list(self.given)
        if not earlier:
            return []
        if self.chance.random() < 0.4:
            return [earlier[-1]]
        most = min(3, len(earlier))
        return sorted(self.chance.sample(earlier, self.chance.randint(1, most)))

    def _condition(self, name: str, needs: list[str]) -> str:
        if self.chance.random() < 0.65:
            return ""
        known = sorted(set(self.sure) & self.given[name])
        asked = ["succeeded()", "failed()", "always()", f"skipped('{needs[0]}')"]
        asked += [f"{one}.{self.sure[one]} > {self.chance.randint(-1, 3)}" for one in known]
        return "${" + self.chance.choice(asked) + "}"

    def _undo(self, made: Milestone, name: str) -> None:
        if self.chance.random() < 0.3:
            undo = {"order": _ORDER, "step": f"{name} undone"}
            made["compensate"] = {"service": _STEPS, "api": "count", "with": undo}

    def _number(self, name: str) -> int | str:
        """A number, or one that comes from an earlier result."""
        known = sorted(set(self.sure) & self.given.get(name, set()))
        if known and self.chance.random() < 0.5:
            one = self.chance.choice(known)
            return "${" + f"{one}.{self.sure[one]} + {self.chance.randint(0, 2)}" + "}"
        return self.chance.randint(0, 3)

    # what a milestone does; those that are sure succeed whatever happens

    def _note(self, name: str) -> Milestone:
        given = {"order": _ORDER, "step": name, "n": self._number(name)}
        made: Milestone = {"service": _TRIAL, "api": "note", "with": given}
        if self.chance.random() < 0.1:
            made["memoize"] = {"key": [_ORDER, name]}
        if self.chance.random() < 0.1:
            made["timeout"] = "5m"
        return made

    def _count(self, name: str) -> Milestone:
        return {"service": _STEPS, "api": "count", "with": {"order": _ORDER, "step": name}}

    def _book(self, name: str) -> Milestone:
        return {"service": _TRIAL, "api": "book", "with": {"order": _ORDER, "step": name}}

    def _send(self, name: str) -> Milestone:
        return {"service": _TRIAL, "api": "send", "with": {"order": _ORDER, "step": name}}

    def _fill(self, name: str) -> Milestone:
        return {"service": _TRIAL, "api": "fill", "with": {"order": _ORDER}}

    def _falter(self, name: str) -> Milestone:
        given = {"step": name, "times": self.chance.randint(1, 2)}
        policy = self.chance.choice(sorted(_RETRIES))
        return {"service": _STEPS, "api": "falter", "with": given, "retry": policy}

    def _give_up(self, name: str) -> Milestone:
        given = {"step": name, "times": 9}
        policy = self.chance.choice((*sorted(_RETRIES), "none"))
        return {"service": _STEPS, "api": "falter", "with": given, "retry": policy}

    def _refuse(self, name: str) -> Milestone:
        return {"service": _STEPS, "api": "check", "with": {"step": name, "n": 2, "most": 1}}

    def _each(self, name: str) -> Milestone:
        return {
            "for_each": {"items": "${input.rows}", "max_parallel": self.chance.randint(1, 4)},
            "service": _TRIAL,
            "api": "note",
            "with": {"order": _ORDER, "step": name, "n": "${item}"},
        }

    def _each_of_some(self, name: str) -> Milestone:
        """Items of which some fail: one after the other, so that it is known which were begun."""
        rows = [self.chance.randint(0, 4) for _ in range(self.chance.randint(0, 5))]
        tolerate = self.chance.choice((0, 1, "50%"))
        return {
            "for_each": {"items": "${" + str(rows) + "}", "max_parallel": 1, "tolerate": tolerate},
            "service": _STEPS,
            "api": "check",
            "with": {"step": name, "n": "${item}", "most": 2},
        }

    def _loop(self, name: str) -> Milestone:
        until = "${" + f"{name}.n >= {self.chance.randint(1, 4)}" + "}"
        exhausted = self.chance.choice(("fail", "continue"))
        return {
            "loop": {"until": until, "max": 3, "on_exhausted": exhausted},
            **self._count(name),
        }

    def _race(self, name: str) -> Milestone:
        wins: Milestone = self.chance.choice((self._count(f"{name} runs"), {"wait": "5ms"}))
        loses: Milestone = self.chance.choice(({"wait": "10h"}, {"wait_for": NEVER_SENT}))
        branches = [
            {"milestone_id": f"{name}_wins", **wins},
            {"milestone_id": f"{name}_loses", **loses},
        ]
        self.chance.shuffle(branches)
        return {"race": branches}

    def _wait(self, name: str) -> Milestone:
        return {"wait": f"{self.chance.randint(1, 20)}ms"}

    def _signal(self, name: str) -> Milestone:
        return {"wait_for": f"of_{name}"}

    def _silence(self, name: str) -> Milestone:
        return {"wait_for": {"signal": NEVER_SENT, "timeout": "10ms"}}

    def _ask(self, name: str) -> Milestone:
        form = {
            "type": "object",
            "required": ["approve"],
            "properties": {"approve": {"type": "boolean"}},
        }
        return {"ask": {"form": form}}

    def _journey(self, name: str) -> Milestone:
        which = self.chance.choice(("trial_child", "parity_waits"))
        return {"journey": which, "with": {"order": f"{_ORDER} {name}"}}

    def _failing_journey(self, name: str) -> Milestone:
        return {"journey": "parity_fails", "with": {"order": f"{_ORDER} {name}"}}

    def _emit(self, name: str) -> Milestone:
        return {"emit": f"parity_{name}", "with": {"order": _ORDER}}


_NUMBERS: Mapping[str, str] = {"note": "n", "count": "n", "falter": "n"}

_KINDS: tuple[tuple[Callable[[_Writer, str], Milestone], bool], ...] = (
    (_Writer._note, True),
    (_Writer._note, True),
    (_Writer._note, True),
    (_Writer._count, True),
    (_Writer._book, True),
    (_Writer._send, True),
    (_Writer._fill, True),
    (_Writer._falter, True),
    (_Writer._each, True),
    (_Writer._race, True),
    (_Writer._wait, True),
    (_Writer._signal, True),
    (_Writer._ask, True),
    (_Writer._journey, True),
    (_Writer._emit, True),
    (_Writer._give_up, False),
    (_Writer._refuse, False),
    (_Writer._each_of_some, False),
    (_Writer._loop, False),
    (_Writer._silence, False),
    (_Writer._failing_journey, False),
)
