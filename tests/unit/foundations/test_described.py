"""Types that are surely described, and those of which only their schema tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    JsonValue,
    PlainSerializer,
    StringConstraints,
    TypeAdapter,
    computed_field,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic_core import core_schema

from foundations.curator.described import surely_described

T = TypeVar("T")


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    label: Annotated[str, Field(max_length=3)] = ""


class Leaf(BaseModel):
    model_config = ConfigDict(defer_build=True)

    name: str = Field(min_length=1, description="its name")
    size: int | None = Field(default=None, ge=0)
    at: AwareDatetime | None = None
    more: Mapping[str, JsonValue] = {}

    @field_validator("name")
    @classmethod
    def _trimmed(cls, name: str) -> str:
        return name.strip()


class Tree(BaseModel):
    leaves: tuple[Leaf, ...] = Field(default=(), max_length=9)
    below: "list[Tree]" = []
    colour: Literal["red"] | Colour = Colour.RED
    point: Point | None = None

    @model_validator(mode="after")
    def _grown(self) -> "Tree":
        return self


class Page(BaseModel, Generic[T]):
    items: list[T]


@pytest.mark.parametrize(
    "hint",
    [
        str,
        Colour,
        Point,
        Leaf,
        Tree,
        Page[Leaf],
        dict[str, Any] | None,
        tuple[int, ...],
        Annotated[int, Field(ge=1, le=9, description="how many")],
        Annotated[list[str] | None, Field(max_length=9)],
        Annotated[str, Field(pattern="^[a-z]{1,9}$", description="a name")],
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=3)],
    ],
)
def test_what_is_surely_described_has_schemas(hint: Any) -> None:
    assert surely_described(hint)
    made = TypeAdapter(hint)
    assert made.json_schema(mode="validation")
    assert made.json_schema(mode="serialization")


class WithCode(BaseModel):
    run: Callable[[], int]


class Nesting(BaseModel):
    model_config = ConfigDict(defer_build=True)

    inner: list[WithCode]


class Computed(BaseModel):
    @computed_field  # type: ignore[prop-decorator]  # as pydantic's documentation has it
    @property
    def size(self) -> int:
        return 1


class Serialized(BaseModel):
    size: int

    @field_serializer("size")
    def _shown(self, size: int) -> str:
        return str(size)


class OwnWay(BaseModel):
    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.is_instance_schema(cls)


class Unfinished(BaseModel):
    later: "Nowhere"  # type: ignore[name-defined]  # noqa: F821 - the fault is the point


class Wrapped(BaseModel):
    size: int

    @field_validator("size", mode="plain")
    @classmethod
    def _any(cls, size: Any) -> Any:
        return size


@pydantic_dataclass
class Checked:
    size: int


@dataclass
class Lost:
    later: "Nowhere"  # type: ignore[name-defined]  # noqa: F821 - the fault is the point


@pytest.mark.parametrize(
    "hint",
    [
        object,
        pytest.Session,
        Callable[[], int],
        T,
        WithCode,
        Nesting,
        Computed,
        Serialized,
        OwnWay,
        Unfinished,
        Wrapped,
        Page,
        Checked,
        Lost,
        list[pytest.Session],
        Annotated[int, Field(max_length=3)],
        Annotated[str, Field(ge=1)],
        Annotated[str, Field(pattern="(?=a)")],
        Annotated[int, Field(pattern="a")],
        Annotated[str, StringConstraints(pattern="(?=a)")],
        Annotated[str, AfterValidator(str.strip)],
        Annotated[str, PlainSerializer(len)],
        Annotated[str, ["unhashable"]],
    ],
)
def test_of_all_else_only_its_schema_tells(hint: Any) -> None:
    assert not surely_described(hint)
