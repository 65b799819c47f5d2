"""Models that are built when they are first used."""

import pytest
from pydantic import BaseModel, ValidationError

from utilities.models import FrozenModel


class Point(FrozenModel):
    x: int


def is_built(model: type[BaseModel]) -> bool:
    return model.__pydantic_complete__


def test_frozen_model_is_built_by_its_first_use() -> None:
    assert not is_built(Point)

    point = Point(x=1)

    assert is_built(Point)
    with pytest.raises(ValidationError, match="frozen"):
        point.x = 2
