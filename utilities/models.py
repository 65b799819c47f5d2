"""The base of what crosses a border as data, and models of others that few processes need."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """Data that nobody changes.

    What checks it is built when it is first used: of two hundred models a boot uses few. Models
    that children read files with are none of these: built before, they are there in every child.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)


@contextmanager
def built_when_used() -> Iterator[None]:
    """Let models that are defined inside be built when they are first used, whoever defines them.

    For imports of a library whose models this process may never need.
    """
    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]
