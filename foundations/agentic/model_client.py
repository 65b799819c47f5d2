"""The port to a language model: a conversation and tools in, one reply out."""

from enum import StrEnum
from typing import Any, Protocol

from pydantic import Field

from utilities.models import FrozenModel


class Speaker(StrEnum):
    """Who said a message."""

    SYSTEM = "system"
    USER = "user"
    MODEL = "model"
    TOOL = "tool"


class ToolCall(FrozenModel):
    """A model's wish to call a tool."""

    id: str
    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Message(FrozenModel):
    """One message of a conversation; `answers` is the id of the tool call a tool answers."""

    speaker: Speaker
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    answers: str = ""


class Tool(FrozenModel):
    """A tool as a model sees it."""

    name: str
    description: str
    input_schema: dict[str, Any]


class ModelClient(Protocol):
    """Asks a language model for its next message."""

    async def reply(self, messages: tuple[Message, ...], tools: tuple[Tool, ...]) -> Message:
        """The model's next message: text, or calls of the given tools."""
        ...
