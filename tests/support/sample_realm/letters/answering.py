"""An agent that answers with the help of a tool, and the script its model follows here."""

from foundations.agentic.model_client import Message, ModelClient, Speaker, ToolCall
from foundations.agentic.scripted_model import ScriptedModelClient
from foundations.agentic.toolbox import Toolbox
from foundations.declarations import AgentDeclaration, Effect, agent, agent_of, soa_api
from letters.api import Said

_COUNT = ToolCall(
    id="1",
    tool="letter_service__count_letter",
    arguments={"word": "strawberry", "letter": "r"},
)


class Script(ScriptedModelClient):
    """First asks for the tool, then answers."""

    def __init__(self) -> None:
        super().__init__(
            [
                Message(speaker=Speaker.MODEL, tool_calls=(_COUNT,)),
                Message(speaker=Speaker.MODEL, text="There are three."),
            ]
        )


@agent(
    instructions="Answer questions about letters; count with the tool.",
    tools=("LetterService.count_letter",),
)
class SpellingAgent:
    """Is asked about letters."""

    def __init__(self, *, model: ModelClient, toolbox: Toolbox) -> None:
        self._model = model
        self._toolbox = toolbox

    @soa_api(public=True, effect=Effect.GUARDED)
    async def answer(self, question: str) -> Said:
        """Ask the model until it answers in words."""
        declared = agent_of(type(self))
        assert declared is not None
        messages: tuple[Message, ...] = (
            Message(speaker=Speaker.SYSTEM, text=declared.instructions),
            Message(speaker=Speaker.USER, text=question),
        )
        while True:
            reply = await self._model.reply(messages, self._toolbox.tools_of(declared))
            if not reply.tool_calls:
                return Said(text=reply.text)
            messages += (
                reply,
                *[await self._answered(call, declared) for call in reply.tool_calls],
            )

    async def _answered(self, call: ToolCall, declared: AgentDeclaration) -> Message:
        found = await self._toolbox.call(declared, call.tool, call.arguments)
        return Message(speaker=Speaker.TOOL, text=str(found), answers=call.id)
