"""Reads a data policy from its file: strict, and with every fault at once."""

import hashlib
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import foundations
from foundations.public_works.settings import Settings
from smart_city.data_steward.api import DataTrack, Masking
from smart_city.data_steward.finders import FINDERS
from smart_city.data_steward.masking import Mask, PlainSight
from smart_city.data_steward.policy import DataPolicy, Detector
from smart_city.data_steward.sensing import Senses
from utilities.errors import ErrorKind, FieldError, PlatformError
from utilities.linear_patterns import BadPattern, linear_pattern
from utilities.marked_faults import Faults, MarkedFault
from utilities.marked_models import read_model
from utilities.observability.logs import redacted_log

_TOP = Path(foundations.__file__).parents[1]
LOG = "log"
"""The role of whoever reads the log."""
_PLAIN_SIGHT = PlainSight()
SHIPPED = _TOP / "templates" / "policies" / "data_policy.yaml"


class FaultyDataPolicy(PlatformError):
    """The data policy has faults."""

    kind = ErrorKind.CONFIGURATION

    def __init__(self, faults: Iterable[MarkedFault], *, file: str) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__(
            "\n".join(fault.line(file) for fault in self.faults),
            hint=f"mend the {len(self.faults):,} fault(s); `civitas policy lint` checks again",
            errors=[
                FieldError(
                    "/" + one.path.replace("[", "/").replace("]", "").replace(".", "/"),
                    f"{one.mark}  {one.sentence}",
                )
                for one in self.faults
            ],
        )


class UnreadableDataPolicy(PlatformError):
    """The file of the data policy cannot be read."""

    kind = ErrorKind.CONFIGURATION


@dataclass(frozen=True, slots=True)
class Stated:
    """A policy, and the version it is remembered by: its own, and the first digits of its digest.

    So a decision can be told from one by the same file with another word in it.
    """

    policy: DataPolicy
    version: str


class PolicyInForce:
    """The policy that the settings name, read when the city opens."""

    policy: DataPolicy
    version: str
    senses: Senses

    def __init__(self, *, settings: Settings) -> None:
        self._file = settings.data_policy or SHIPPED
        self._log = ExitStack()

    async def __aenter__(self) -> Self:
        """Read the policy; the log is masked by it from now on, for a reader of the role `log`.

        Raises:
            UnreadableDataPolicy, FaultyDataPolicy: see `policy_from`.
        """
        stated = policy_from(self._file)
        self.policy, self.version = stated.policy, stated.version
        self.senses = Senses.of(stated.policy)
        self._log.enter_context(redacted_log(self.mask_for((LOG,)).text))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let the log say everything again."""
        self._log.close()

    def mask_for(self, roles: tuple[str, ...]) -> Masking:
        """The mask for a reader with these roles."""
        hidden = self.policy.hidden_from(roles)
        return Mask(self.senses, hidden) if hidden else _PLAIN_SIGHT


def policy_from(path: Path) -> Stated:
    """The policy that a file states.

    Raises:
        UnreadableDataPolicy: the file is not there, or closed to us.
        FaultyDataPolicy: with every fault, each with its line and column.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UnreadableDataPolicy(
            f"{path} cannot be read: {error.strerror}",
            hint="set CIVITAS_DATA_POLICY to a file, or unset it",
        ) from error
    return read_policy(text, file=_shown(path))


def read_policy(text: bytes, *, file: str) -> Stated:
    """The policy that a text states; `file` is what its faults call it.

    Raises:
        FaultyDataPolicy: with every fault.
    """
    policy, faults = read_model(DataPolicy, text)
    if policy is not None:
        _check(policy, faults)
    if policy is None or faults.found:
        raise FaultyDataPolicy(faults.found, file=file)
    return Stated(policy, f"{policy.version}+{hashlib.sha256(text).hexdigest()[:8]}")


def _check(policy: DataPolicy, faults: Faults) -> None:
    for track in DataTrack:
        if track not in policy.tracks:
            faults.add("tracks", f'"{track.value}" is missing')
    names: set[str] = set()
    for at, one in enumerate(policy.detect):
        place = f"detect[{at}]"
        if one.name in names:
            faults.add(f"{place}.name", f'"{one.name}" is the name of two detectors')
        names.add(one.name)
        _check_detector(one, place, policy, faults)


def _check_detector(one: Detector, place: str, policy: DataPolicy, faults: Faults) -> None:
    if one.data_class not in policy.classes:
        _unknown(f"{place}.class", one.data_class, "class of data", policy.classes, faults)
    if one.finds and one.finds not in FINDERS:
        _unknown(f"{place}.finds", one.finds, "finder", FINDERS, faults)
    if one.finds and one.pattern:
        faults.add(place, '"finds" and "pattern" exclude each other')
    if not (one.finds or one.pattern or one.columns):
        faults.add(place, 'one of "finds", "pattern" and "columns" has to say what is detected')
    if one.pattern:
        try:
            linear_pattern(one.pattern)
        except BadPattern:
            faults.add(
                f"{place}.pattern",
                "is no pattern of linear time: it has no look-around and no back references",
            )
    known = [other.name for other in policy.detect]
    for number, name in enumerate(one.beside):
        if name not in known:
            _unknown(f"{place}.beside[{number}]", name, "detector", known, faults)


def _unknown(place: str, name: str, what: str, right: Iterable[str], faults: Faults) -> None:
    faults.add(place, f'"{name}" is no {what}', wrong=name, right=sorted(right))


def _shown(path: Path) -> str:
    return str(path.relative_to(_TOP)) if path.is_relative_to(_TOP) else str(path)
