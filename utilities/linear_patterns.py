"""Patterns that others write, matched by an engine of linear time: none can keep us busy.

It has no look-around and no back references.
"""

from functools import lru_cache

from pydantic_core import SchemaError as BadPattern
from pydantic_core import SchemaValidator, ValidationError, core_schema

__all__ = ["BadPattern", "linear_pattern", "matches"]


@lru_cache(maxsize=1024)
def linear_pattern(text: str) -> SchemaValidator:
    """A pattern matched in linear time, anywhere in a text.

    Raises:
        BadPattern: it is none of this engine's.
    """
    return SchemaValidator(core_schema.str_schema(pattern=text, regex_engine="rust-regex"))


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern fits the whole of a text."""
    try:
        linear_pattern(rf"^(?:{pattern})$").validate_python(text)
    except ValidationError:
        return False
    return True
