"""The base of what crosses a border as data."""

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """Data that nobody changes.

    What checks it is built when it is first used: of two hundred models a boot uses few.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)
