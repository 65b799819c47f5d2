"""A route made by hand. Every public API is served without one, at /api/{{name}}/..."""

from fastapi import APIRouter
from starlette.responses import Response

from foundations.experience.edge import Call, answers
from realms.{{name}}.api import WordCount

router = APIRouter()


@router.get(
    "/api/{{name}}/words",
    tags=["{{name}}"],
    summary="Count the words of a text",
)
@answers(WordCount)
async def count_words(call: Call, text: str) -> Response:
    return await call("{{Name}}Service", "count_words", text=text)
