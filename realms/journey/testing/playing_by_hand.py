"""Journeys played by a test in Python, for what a file of tests cannot say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from foundations.curator.registry import Registry
from realms.journey.engine.ports import Written
from realms.journey.testing.cases import ReadyCase, Source
from realms.journey.testing.expecting import differences
from realms.journey.testing.finding import JourneyTests
from realms.journey.testing.playing import Played, play
from realms.journey.testing.suite import plays


class JourneyCity:
    """Plays journeys of the city, by name or file; each call is a city of its own."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._journeys = JourneyTests(registry)

    def play(self, journey: str | Path, **case: Any) -> Played:
        """What comes of one run; the words are those of a test: `input`, `mocks`, `signals` ...

        Raises:
            UnknownJourney, FaultyTemplate: there is no such journey, or it has faults.
            FaultyTests: a word is wrong, a name is unknown, or a mock answers as its API never
                would.
        """
        journeys, ready = self._ready(journey, {**case, "expect": {}})
        return play(journeys, ready.case, registry=self._registry, mocks=ready.mocks)

    def problems(self, journey: str | Path, **case: Any) -> list[str]:
        """What is otherwise than `expect` says, with every crash that `crash` asks for."""
        journeys, ready = self._ready(journey, case)
        return [
            problem
            for played in plays(journeys, ready, registry=self._registry)
            for problem in differences(ready.case, played)
        ]

    def _ready(
        self, journey: str | Path, case: Mapping[str, Any]
    ) -> tuple[list[Written], ReadyCase]:
        path = self._journeys.path(str(journey))
        written = orjson.dumps({"tests": [{"name": "played by hand", **case}]}).decode()
        found = self._journeys.read(path, beside=Source("the call", written))
        journeys = [Written(found.suite.plan, found.suite.template.text), *found.below]
        return journeys, found.suite.cases[-1]
