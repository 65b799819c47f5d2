"""How the words of the journey language are spelled: what stands where, and its JSON Schema.

Each kind of word is an annotation of the models in `language`: the strict loader reads by it, and
editors get their JSON Schema from it, so that neither can know a word that the other does not.
"""

import re
import unicodedata
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from realms.journey.plans.schemas import JSON_TYPES

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
TOPIC = re.compile(r"[a-z][a-z0-9_]{0,63}(\.[a-z0-9_]{1,64}){0,2}")
REFERENCE = re.compile(r"[a-z][a-z0-9_]{0,63}(@[A-Za-z0-9._+-]{1,64})?")
CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
SHARE = re.compile(r"(100|[0-9]{1,2})(\.[0-9]{1,3})?%")
MAX_TEXT = 4096

JsonSchema = dict[str, Any]


class Spelling(StrEnum):
    """What a word's value must look like, where its Python type alone does not say."""

    NAME = "snake_case"
    FIELD = "field"
    CLASS = "class"
    REFERENCE = "name@version"
    TOPIC = "topic"
    TEXT = "text"
    DURATION = "duration"
    EXPRESSION = "expression"
    VALUE = "value"
    CONSTANT = "constant"
    SCHEMA = "schema"
    SHARE = "share"
    CONTRACT_FIELDS = "contract fields"


def _text(pattern: str, example: str, **more: Any) -> WithJsonSchema:
    schema = {"type": "string", "pattern": f"^({pattern})$", "examples": [example], **more}
    return WithJsonSchema(schema)


_DURATION = (
    r"[0-9]{1,15}(ms|[smhd])"
    r"|P(?=[0-9T])([0-9]{1,9}W|([0-9]{1,9}D)?"
    r"(T(?=[0-9])([0-9]{1,9}H)?([0-9]{1,9}M)?([0-9]{1,12}(\.[0-9]{1,6})?S)?)?)"
)
_ANY_VALUE = {
    "description": 'JSON in which texts may hold expressions, such as "${input.file_id}".'
}
_SCHEMA = {
    "anyOf": [
        {"enum": list(JSON_TYPES)},
        {"type": "object", "title": "JSON Schema (2020-12), without references to outside"},
    ]
}
_SECRET = {
    "type": "object",
    "title": "Secret",
    "description": "The secret of this name, put in at the call and written nowhere.",
    "properties": {"secret": {"type": "string", "pattern": f"^{NAME.pattern}$"}},
    "required": ["secret"],
    "additionalProperties": False,
}
FIELDS_SCHEMA: JsonSchema = {
    "anyOf": [
        {
            "type": "string",
            "description": "Names with commas between.",
            "examples": ["file_id, storage_location"],
        },
        {
            "type": "object",
            "description": "Names with their types.",
            "propertyNames": {"pattern": f"^{FIELD.pattern}$"},
            "additionalProperties": _SCHEMA,
        },
    ]
}
"""The fields that a contract names."""

Name = Annotated[str, Spelling.NAME, _text(NAME.pattern, "file_parsed")]
Known = Annotated[
    str, Spelling.TEXT, Field(max_length=64), _text(NAME.pattern, "file_parsed", maxLength=64)
]
"""A name that is looked up, so that it need not be told how names are spelled."""
ApiName = Annotated[str, Spelling.TEXT, Field(max_length=128)]
FieldName = Annotated[str, Spelling.FIELD, _text(FIELD.pattern, "file_id")]
ClassName = Annotated[str, Spelling.CLASS, _text(CLASS.pattern, "ContentAnalysisOrchestrator")]
Reference = Annotated[str, Spelling.REFERENCE, _text(REFERENCE.pattern, "send_notice@1")]
Topic = Annotated[str, Spelling.TOPIC, _text(TOPIC.pattern, "files.stored")]
Words = Annotated[str, Spelling.TEXT, Field(max_length=MAX_TEXT)]
Version = Annotated[str, Spelling.TEXT, Field(max_length=64)]
Duration = Annotated[timedelta, Spelling.DURATION, _text(_DURATION, "30s")]
Condition = Annotated[str, Spelling.EXPRESSION, _text(r"\$\{[\s\S]+\}", "${input.size > 0}")]
Value = Annotated[Any, Spelling.VALUE, WithJsonSchema(_ANY_VALUE)]
Argument = Annotated[
    Any, Spelling.VALUE, WithJsonSchema({"anyOf": [_SECRET, _ANY_VALUE]}, mode="validation")
]
Json = Annotated[Any, Spelling.CONSTANT, WithJsonSchema({"description": "Any JSON."})]
Schema = Annotated[JsonSchema, Spelling.SCHEMA, WithJsonSchema(_SCHEMA)]
Share = Annotated[
    str,
    Spelling.SHARE,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 10_000},
                {"type": "string", "pattern": f"^{SHARE.pattern}$", "examples": ["2%"]},
            ]
        }
    ),
]
"""A count, or a percentage of what there is."""


def in_snake_case(name: str) -> str:
    """The nearest name that is spelled as names are, as far as there is one."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def shown(text: str) -> str:
    """A text as it may stand in a message: printable, and cut."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= 64 else f"{clean[:61]}..."
