"""The port to a language model: a conversation and tools in, one reply out."""

from enum import StrEnum
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field


class Speaker(StrEnum):
    """Who said a message."""

    SYSTEM = "system"
    USER = "user"
    MODEL = "model"
    TOOL = "tool"


class ToolCall(BaseModel):
    """A model's wish to call a tool."""

    model_config = ConfigDict(frozen=True)

    id: str
    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Message(BaseModel):
    """One message of a conversation; `answers` is the id of the tool call a tool answers."""

    model_config = ConfigDict(frozen=True)

    speaker: Speaker
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    answers: str = ""


class Tool(BaseModel):
    """A tool as a model sees it."""

    model_config = ConfigDict(frozen=True)

    name: str
    description: str
    input_schema: dict[str, Any]


class ModelClient(Protocol):
    """Asks a language model for its next message."""

    async def reply(self, messages: tuple[Message, ...], tools: tuple[Tool, ...]) -> Message:
        """The model's next message: text, or calls of the given tools."""
        ...
