"""The compiled road of a journey: an immutable plan in which nothing is left to look up."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol

from foundations.declarations import Effect
from realms.journey.expressions.compiled import Expression
from realms.journey.expressions.values import Value
from realms.journey.plans.binding import Binding, FromInput, FromResult, Secret
from realms.journey.plans.contracts import Check, Checks, Fits
from realms.journey.plans.retries import DEFAULT_RETRY, RetryPolicy

JsonSchema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ParameterShape:
    """One parameter of an API."""

    required: bool
    schema: JsonSchema


@dataclass(frozen=True, slots=True)
class Signature:
    """What a plan must know of an API."""

    service: str
    api: str
    effect: Effect | None
    parameters: Mapping[str, ParameterShape]
    output: Mapping[str, JsonSchema]


class Signatures(Protocol):
    """The services a template may name."""

    def services(self) -> Collection[str]: ...

    def apis(self, service: str) -> Collection[str]: ...

    def signature(self, service: str, api: str) -> Signature:
        """The signature of an API that exists."""
        ...

    def agents(self) -> Collection[str]:
        """The agents a template may name."""
        ...


# what a milestone does


@dataclass(frozen=True, slots=True)
class Call:
    """Call an SOA API."""

    service: str
    api: str
    effect: Effect
    bindings: tuple[Binding, ...] = ()


@dataclass(frozen=True, slots=True)
class SubJourney:
    """Run another journey and take its result; its version is pinned when this run begins."""

    template: str
    version: str = ""
    bindings: tuple[Binding, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentWork:
    """Let an agent do it."""

    agent: str
    bindings: tuple[Binding, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask people; the answers that fit the form are counted until there are `quorum`."""

    form: JsonSchema
    fits: Fits
    role: str = ""
    quorum: int = 1
    due: timedelta | None = None
    escalate_to: str = ""
    push_back_to: str = ""


@dataclass(frozen=True, slots=True)
class Timer:
    """Let time pass."""

    duration: timedelta


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Wait for a signal; it may have come already."""

    signal: str
    timeout: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Emit:
    """Publish an event."""

    event: str
    bindings: tuple[Binding, ...] = ()


@dataclass(frozen=True, slots=True)
class Race:
    """Begin all branches; the first to succeed wins, the rest are cancelled."""

    branches: tuple[str, ...]


Work = Call | SubJourney | AgentWork | Ask | Timer | WaitFor | Emit | Race


@dataclass(frozen=True, slots=True)
class ForEach:
    """Reach the milestone once for every item; results are gathered in order."""

    items: Expression
    name: str = "item"
    max_parallel: int = 10
    tolerated: int = 0
    """So many items may fail."""
    tolerated_share: float = 0.0
    """This share of the items may fail, in [0, 1]."""

    def tolerates(self, failed: int, *, of: int) -> bool:
        return failed <= max(self.tolerated, int(self.tolerated_share * of + 1e-9))


class OnExhausted(StrEnum):
    """What a loop does that came to its last iteration and does not hold."""

    FAIL = "fail"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True)
class Loop:
    """Reach the milestone again until it holds."""

    until: Expression
    most: int
    on_exhausted: OnExhausted = OnExhausted.FAIL


@dataclass(frozen=True, slots=True)
class Memoize:
    """A result that was given under the same key is taken instead of calling again."""

    key: Value
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One milestone, ready to be reached."""

    path: str
    work: Work
    phase: str = ""
    description: str = ""
    needs: tuple[str, ...] = ()
    condition: Expression | None = None
    each: ForEach | None = None
    loop: Loop | None = None
    retry: RetryPolicy = DEFAULT_RETRY
    timeout: timedelta | None = None
    heartbeat: timedelta | None = None
    compensate: Call | None = None
    continue_on_error: bool = False
    memoize: Memoize | None = None
    queue: str = ""
    priority: int = 0
    branch_of: str = ""
    """The race whose branch it is; a branch is begun by its race and by nothing else."""
    output: Mapping[str, JsonSchema] = field(default_factory=dict)
    on_entry: tuple[Check, ...] = ()
    """Contract fields that must be there, as promised, when this milestone begins."""
    on_done: tuple[Check, ...] = ()
    """Contract fields that this milestone produces."""
    trace_required_by: tuple[str, ...] = ()
    promised: frozenset[str] = frozenset()
    """Fields of the output that a later milestone or a contract needs."""
    checks: Checks | None = field(init=False, repr=False, compare=False)
    """`on_done`, ready to be made."""
    door: Checks | None = field(init=False, repr=False, compare=False)
    """Those of `on_entry` that look at the run's input."""
    feeds: tuple[tuple[str, str, str], ...] | None = field(init=False, repr=False, compare=False)
    """Parameter, producer (none: the run's input) and field, where that is all there is to bind."""
    straight: bool = field(init=False, repr=False, compare=False)
    """It begins as soon as the one it needs has succeeded; nothing else is looked at."""
    plain: bool = field(init=False, repr=False, compare=False)
    """It calls an API and asks for nothing around the call."""

    def __post_init__(self) -> None:
        done = () if self.each else self.on_done
        object.__setattr__(self, "checks", Checks(done) if done else None)
        given = [check for check in self.on_entry if not check.producer]
        object.__setattr__(self, "door", Checks(given) if given else None)
        object.__setattr__(self, "feeds", self._feeds())
        object.__setattr__(self, "straight", self._is_straight())
        object.__setattr__(self, "plain", self._is_plain())

    def _is_straight(self) -> bool:
        looked_at = (self.condition, self.each, self.door, self.branch_of or None)
        return (
            len(self.needs) == 1
            and isinstance(self.work, Call)
            and all(thing is None for thing in looked_at)
        )

    def _feeds(self) -> tuple[tuple[str, str, str], ...] | None:
        feeds: list[tuple[str, str, str]] = []
        for binding in getattr(self.work, "bindings", ()):
            match binding.source:
                case FromResult(producer, name):
                    feeds.append((binding.parameter, producer, name))
                case FromInput(name):
                    feeds.append((binding.parameter, "", name))
                case _:
                    return None
        return tuple(feeds)

    def _is_plain(self) -> bool:
        limits = (self.timeout, self.heartbeat, self.memoize)
        return (
            isinstance(self.work, Call)
            and self.work.effect is not Effect.TRANSACTIONAL
            and all(limit is None for limit in limits)
            and not any(isinstance(b.source, Secret) for b in self.work.bindings)
        )


class OnFailure(StrEnum):
    """What a run does when a milestone was given up and everything else has come to its end."""

    FAIL = "fail"
    PAUSE = "pause"
    COMPENSATE = "compensate"


class WhenFull(StrEnum):
    """What becomes of a run whose lane is full."""

    QUEUE = "queue"
    REJECT = "reject"
    REPLACE = "replace"


class Overlap(StrEnum):
    """What a schedule does while the run before is not done."""

    SKIP = "skip"
    QUEUE = "queue"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class Concurrency:
    """Runs with the same key share a lane in which at most `limit` move."""

    limit: int
    key: Value | None = None
    when_full: WhenFull = WhenFull.QUEUE


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `limit` runs begin in `per`, evenly spaced, for each key."""

    limit: int
    per: timedelta
    key: Value | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When runs begin by themselves: by cron expression or every so often."""

    cron: str = ""
    every: timedelta | None = None
    timezone: str = "UTC"
    overlap: Overlap = Overlap.SKIP
    catch_up: timedelta | None = None
    """How far back missed times are made up for; none when not stated."""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A template, compiled: its nodes in an order in which each stands after what it needs."""

    name: str
    version: str
    text_hash: str
    description: str
    inputs: Mapping[str, JsonSchema]
    nodes: Mapping[str, Node]
    """Every milestone, branches of races too."""
    checks: Mapping[str, Fits] = field(default_factory=dict)
    """What each input must fit."""
    roots: tuple[str, ...] = ()
    """Milestones that need nothing and are neither branches nor in `closing`."""
    followers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each milestone those that need it."""
    closing: tuple[str, ...] = ()
    """`finally`: begun when all else has ended."""
    output: Value | None = None
    timeout: timedelta = timedelta(hours=24)
    on_failure: OnFailure = OnFailure.FAIL
    concurrency: Concurrency | None = None
    rate_limit: RateLimit | None = None
    priority: int = 0
    schedule: Schedule | None = None
    retention: timedelta | None = None
    """How long a finished run is kept; the city's own default when not stated."""

    forgiving: bool = field(init=False, repr=False, compare=False)
    """Whether a milestone may fail without the run doing so."""
    onward: Mapping[str, str] = field(init=False, repr=False, compare=False)
    """For each milestone that leads to one other and nothing else, and there straight: that one."""

    def __post_init__(self) -> None:
        forgives = any(node.continue_on_error for node in self.nodes.values())
        object.__setattr__(self, "forgiving", forgives)
        object.__setattr__(self, "onward", dict(self._onward()))

    def _onward(self) -> Iterator[tuple[str, str]]:
        for path, followers in self.followers.items():
            if len(followers) == 1 and not self.nodes[path].branch_of:
                (following,) = followers
                if self.nodes[following].straight and following not in self.closing:
                    yield path, following

    def descendants(self, path: str) -> frozenset[str]:
        """Every milestone that needs `path`, directly or by others."""
        found: set[str] = set()
        open_ = [path]
        while open_:
            for follower in self.followers.get(open_.pop(), ()):
                if follower not in found:
                    found.add(follower)
                    open_.append(follower)
        return frozenset(found)
