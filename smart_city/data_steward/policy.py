"""The data policy: what each track lets in, what in it is personal, who sees that and how long."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from foundations.public_works import media_types
from smart_city.data_steward.api import (
    Classification,
    DataTrack,
    KindOfDataRefused,
    PolicyRefused,
    PolicyRule,
    PolicySubject,
    TooMuchData,
)

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Word = Annotated[str, Field(min_length=1, max_length=100)]
Days = Annotated[int, Field(ge=1, le=36_500)]
_STRICT = ConfigDict(frozen=True, extra="forbid")
_ORDER = tuple(Classification)


class TrackPolicy(BaseModel):
    """What a track lets in, and how careful one has to be with it."""

    model_config = _STRICT

    kinds: Literal["supported"] | tuple[Word, ...] = Field(
        description="media types; `supported` are all that the city can read"
    )
    most_bytes: int = Field(ge=1)
    refused_names: tuple[Word, ...] = Field(default=(), description="of files; * is any text")
    classification: Classification
    restricted_names: tuple[Word, ...] = Field(
        default=(), description="words in names of files that are restricted for that"
    )
    retention_days: Days

    @property
    def media_types(self) -> frozenset[str]:
        return media_types.SUPPORTED if self.kinds == "supported" else frozenset(self.kinds)


class DataClass(BaseModel):
    """A class of data: how careful one has to be, who may see it, how long it may be kept."""

    model_config = _STRICT

    description: str = Field(default="", max_length=1000)
    classification: Classification
    may_see: tuple[Name, ...] = Field(min_length=1, description="roles; others see a mask")
    retention_days: Days
    refuse: bool = Field(default=False, description="files that hold it are not let any further")


class Detector(BaseModel):
    """How data of a class is told, by pattern and by context.

    A column is one when its values match, and, where `columns` or `near` are given for values that
    could be many things, when its name matches too. Without `finds` and `pattern` the name and the
    type of its values decide. In a text, `near` words have to stand close by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: Name
    data_class: Name = Field(alias="class")
    finds: str = Field(default="", description="a finder of the city")
    pattern: str = Field(default="", max_length=500, description="of a whole word, linear time")
    columns: tuple[Word, ...] = Field(
        default=(), description="words in names; a * at the end is any rest of the word"
    )
    values: Literal["any", "text", "number", "date"] = "any"
    share: float = Field(default=0.5, gt=0, le=1, description="of a column's values that match")
    near: tuple[Word, ...] = ()
    not_near: tuple[Word, ...] = ()
    beside: tuple[Name, ...] = Field(
        default=(), description="detectors, one of which finds something in the same table"
    )


class DataPolicy(BaseModel):
    """A policy as its file states it."""

    model_config = _STRICT

    data_policy: Name
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z._-]{1,40}$")]
    description: str = Field(default="", max_length=2000)
    tracks: dict[DataTrack, TrackPolicy]
    classes: dict[Name, DataClass] = Field(default_factory=dict)
    detect: tuple[Detector, ...] = ()

    def hidden_from(self, roles: tuple[str, ...]) -> frozenset[str]:
        """The classes that someone with these roles may not see."""
        return frozenset(
            name for name, one in self.classes.items() if not set(one.may_see) & set(roles)
        )

    def classify(self, track: DataTrack, name: str, classes: frozenset[str]) -> Classification:
        """Of a file: the track's, or the strictest that its name or its data ask for."""
        own = self.tracks[track]
        asked = [own.classification, *(self.classes[one].classification for one in classes)]
        if _named(own.restricted_names, name):
            asked.append(Classification.RESTRICTED)
        return max(asked, key=_ORDER.index)

    def retention_days(self, track: DataTrack, classes: frozenset[str]) -> int:
        """How long a file is kept: as long as its track allows, and each class in it."""
        return min(
            self.tracks[track].retention_days,
            *(self.classes[one].retention_days for one in classes),
            36_500,
        )

    @cached_property
    def rules(self) -> tuple["Rule", ...]:
        """The rules of both tracks, in the order in which they are looked at."""
        return tuple(rule for track in DataTrack for rule in _rules(track, self.tracks[track]))


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of one track. `refusal` says why it does not let a file in, or None."""

    track: DataTrack
    name: str
    description: str
    policy: TrackPolicy

    @property
    def told(self) -> PolicyRule:
        return PolicyRule(name=self.name, track=self.track, description=self.description)

    def refusal(self, subject: PolicySubject) -> PolicyRefused | None:
        return _REFUSALS[self.name](self.policy, subject)


def _rules(track: DataTrack, policy: TrackPolicy) -> list[Rule]:
    kinds = (
        "Files are of a kind the city can read: tables, texts, archives of them."
        if policy.kinds == "supported"
        else f"Files are of a kind among {', '.join(policy.kinds)}."
    )
    rules = [
        Rule(track, "supported_kind", kinds, policy),
        Rule(track, "size_limit", f"A file has at most {policy.most_bytes:,} bytes.", policy),
    ]
    if policy.refused_names:
        told = "Files named like private keys or stores of passwords stay out."
        rules.append(Rule(track, "no_key_material", told, policy))
    return rules


def _kind(policy: TrackPolicy, subject: PolicySubject) -> PolicyRefused | None:
    if subject.media_type in policy.media_types:
        return None
    return KindOfDataRefused(
        f"files of type {subject.media_type} are not allowed here",
        hint=f"allowed are {', '.join(sorted(policy.media_types))}",
    )


def _size(policy: TrackPolicy, subject: PolicySubject) -> PolicyRefused | None:
    if subject.size <= policy.most_bytes:
        return None
    return TooMuchData(
        f"the file has {subject.size:,} bytes, allowed are {policy.most_bytes:,}",
        hint="split the file",
    )


def _key_material(policy: TrackPolicy, subject: PolicySubject) -> PolicyRefused | None:
    name = subject.name.casefold()
    if not any(fnmatchcase(name, pattern.casefold()) for pattern in policy.refused_names):
        return None
    return PolicyRefused(
        "the file is named like a key or a store of passwords",
        hint="keep secrets out of data; rename the file if it holds none",
    )


_REFUSALS = {"supported_kind": _kind, "size_limit": _size, "no_key_material": _key_material}

SEMANTIC_RULE = PolicyRule(
    name="semantic_layer_is_for_clients",
    track=DataTrack.CLIENT,
    description="Only content of client files that the policy let in is embedded and indexed.",
)


def _named(words: tuple[str, ...], name: str) -> bool:
    found = set(re.findall(r"[^\W\d_]+", name.casefold()))
    return any(word.casefold() in found for word in words)
