"""For those who test realms with pytest: `*.tests.yaml` are tests, and `journey_city` plays others.

pytest loads this module in every project of an environment that has the city installed. It
therefore imports nothing of the city until a test of a journey is collected or the fixture is asked
for, and looks at no file but a `*.tests.yaml` beside a journey template.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from realms.journey.testing.finding import Found
    from realms.journey.testing.playing_by_hand import JourneyCity
    from realms.journey.testing.suite import CaseResult

_TESTS = ".tests.yaml"
_MOST_LOOKED_AT = 256 * 1024
_CITY = pytest.StashKey[Any]()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the tests beside a journey template."""
    if file_path.name.endswith(_TESTS) and _is_journey(_template_of(file_path)):
        file: pytest.Collector = JourneyFile.from_parent(parent, path=file_path)
        return file
    return None


class JourneyFile(pytest.File):
    """A file of tests beside a template."""

    def collect(self) -> Iterator["JourneyCase"]:
        from realms.journey.testing.finding import JourneyTests

        found = JourneyTests(_registry(self.config)).read(_template_of(self.path))
        for number, ready in enumerate(found.suite.cases):
            yield JourneyCase.from_parent(self, name=ready.case.name, found=found, number=number)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return _told(excinfo.value) or super().repr_failure(excinfo)


class JourneyCase(pytest.Item):
    """One test of a journey, with all its crashes."""

    def __init__(self, *, found: "Found", number: int, **more: Any) -> None:
        super().__init__(**more)
        self._found = found
        self._number = number

    def runtest(self) -> None:
        from realms.journey.engine.ports import Written
        from realms.journey.testing.suite import played_case

        suite = self._found.suite
        journeys = [Written(suite.plan, suite.template.text), *self._found.below]
        result = played_case(journeys, suite.cases[self._number], registry=_registry(self.config))
        if not result.passed:
            raise JourneyFailed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return _told(excinfo.value) or super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        line = self._found.suite.cases[self._number].mark.line
        return self.path, line - 1, f"journey {self._found.suite.plan.name}: {self.name}"


class JourneyFailed(AssertionError):
    """A run did otherwise than its test expects."""

    def __init__(self, result: "CaseResult") -> None:
        self.result = result
        super().__init__("\n".join(result.problems))


@pytest.fixture
def journey_city(request: pytest.FixtureRequest) -> "JourneyCity":
    """A city without a server, in which journeys are played in virtual time: see `JourneyCity`."""
    from realms.journey.testing.playing_by_hand import JourneyCity

    return JourneyCity(_registry(request.config))


def _registry(config: pytest.Config) -> Any:
    """What the services of the city say of themselves, found out once."""
    if _CITY not in config.stash:
        from importlib import import_module

        from realms.journey.testing.finding import standing

        config.stash[_CITY] = standing(import_module("main").Platform)
    return config.stash[_CITY]


def _template_of(tests: Path) -> Path:
    return tests.with_name(tests.name.removesuffix(_TESTS) + ".yaml")


def _is_journey(template: Path) -> bool:
    """Whether a file looks like a template; others may call their files as we do."""
    try:
        with template.open("rb") as file:
            text = file.read(_MOST_LOOKED_AT)
    except OSError:
        return False
    return text.startswith(b"journey_template:") or b"\njourney_template:" in text


def _told(error: BaseException) -> str:
    """The words of an expected fault, which need no traceback."""
    if isinstance(error, JourneyFailed):
        at = f"{error.result.file}:{error.result.line}"
        return "\n".join(f"{at}  {problem}" for problem in error.result.problems)
    from utilities.errors import PlatformError

    return error.detail if isinstance(error, PlatformError) else ""
