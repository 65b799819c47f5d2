"""A model client that follows a script: for tests of agents, without a model."""

from collections.abc import Iterable

from foundations.agentic.model_client import Message, ModelClient, Tool
from utilities.errors import ErrorKind, PlatformError


class ScriptEnded(PlatformError):
    """The agent asked for more replies than the script has."""

    kind = ErrorKind.INVALID


class ScriptedModelClient(ModelClient):
    """Answers with the given messages in order, and keeps what it was asked in `asked`."""

    def __init__(self, script: Iterable[Message] = ()) -> None:
        self._script = iter(tuple(script))
        self.asked: list[tuple[tuple[Message, ...], tuple[Tool, ...]]] = []

    async def reply(self, messages: tuple[Message, ...], tools: tuple[Tool, ...]) -> Message:
        self.asked.append((messages, tools))
        reply = next(self._script, None)
        if reply is None:
            raise ScriptEnded(
                f"no reply left for request {len(self.asked)}", hint="add a message to the script"
            )
        return reply
