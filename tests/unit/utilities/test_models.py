"""Models that are built when they are first used."""

import pytest
from pydantic import BaseModel, ValidationError

from utilities.models import FrozenModel, built_when_used


class Point(FrozenModel):
    x: int


def test_frozen_model_is_built_by_its_first_use() -> None:
    assert not Point.__pydantic_complete__

    point = Point(x=1)

    assert Point.__pydantic_complete__
    with pytest.raises(ValidationError, match="frozen"):
        point.x = 2  # type: ignore[misc]  # the fault is the point


def test_only_models_that_are_defined_inside_wait_for_their_use() -> None:
    with built_when_used():

        class Inside(BaseModel):
            x: int

    class After(BaseModel):
        x: int

    assert not Inside.__pydantic_complete__
    assert After.__pydantic_complete__
    assert Inside(x=1).x == After(x=1).x
