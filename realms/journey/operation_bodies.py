"""What requests say that do something to a run."""

from typing import Any

from pydantic import AwareDatetime, ConfigDict, Field

from realms.journey.api import Reason
from utilities.models import FrozenModel


class _Body(FrozenModel):
    model_config = ConfigDict(extra="forbid")


class Started(_Body):
    """Which journey, as `name` or `name@version`, and what it is given."""

    template: str = Field(examples=["data_mash_flow"])
    input: dict[str, Any] = Field(default_factory=dict)
    alias: str = Field(default="", description="a second, unique id: asked again, the same run")
    rerun: bool = Field(default=False, description="another one, where the alias is taken")


class Noted(_Body):
    """Why."""

    note: str = ""


class Retried(_Body):
    """Which milestone (all that failed when empty), and what of its input is edited."""

    milestone_id: str = ""
    input: dict[str, Any] | None = None


class Skipped(_Body):
    """The milestone, and the result that it would have had."""

    milestone_id: str
    result: dict[str, Any] | list[dict[str, Any]]


class Rerun(_Body):
    """The milestone from which all is done anew."""

    milestone_id: str
    note: str = ""


class RolledBack(_Body):
    """The milestone whose followers are undone; everything when empty."""

    to: str = ""


class Signalled(_Body):
    """The signal's name, its data, and an id that counts once."""

    signal: str
    data: dict[str, Any] = Field(default_factory=dict)
    id: str = ""


class Answered(_Body):
    """Which question, and the answer; or that it is pushed back, and why."""

    wait_id: str
    answer: dict[str, Any] = Field(default_factory=dict)
    push_back: bool = False
    note: str = ""


class Forked(_Body):
    """From which milestone on the fork does it by itself, and what of the input changes."""

    milestone_id: str = ""
    input: dict[str, Any] | None = None
    alias: str = ""


class Migrated(_Body):
    """To which version; as it is today when empty. A dry run changes nothing."""

    version: str = ""
    dry_run: bool = True


class Settled(_Body):
    """Why, and the run that did the work in its place."""

    note: str = ""
    settled_by: str = ""


class Replayed(_Body):
    """Which dead letters, how fast, and whether as other runs. A dry run changes nothing."""

    template: str = ""
    reason: Reason | None = None
    since: AwareDatetime | None = None
    error: str = ""
    limit: int = 100
    per_second: float = 10.0
    anew: bool = False
    dry_run: bool = True
