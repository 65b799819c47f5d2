"""The base of what crosses a border as data."""

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """Data that nobody changes.

    What checks it is built when it is first used: of two hundred models a boot uses few. Models
    that children read files with are none of these: built before, they are there in every child.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)
