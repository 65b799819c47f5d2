"""What every answer to a bad input has to be like."""

import re
from typing import Any

import httpx2

from tests.support.processes import ROOT

_INSIDE = re.compile(
    re.escape(str(ROOT)) + r"|Traceback|File \\?\"|site-packages|\.py\b|sqlite|SELECT |INSERT |"
    r"/tmp/|/home/|pydantic|starlette|fastapi|uvicorn|object at 0x",
    re.IGNORECASE,
)


def check_problem(answer: httpx2.Response, status: int, code: str = "") -> dict[str, Any]:
    """Assert that an answer is a problem document with this status, and tells nothing inside."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    for member in ("type", "title", "detail", "instance", "code", "trace_id"):
        assert isinstance(problem[member], str), member
        assert problem[member], member
    assert problem["status"] == status
    assert problem["success"] is False
    assert problem["trace_id"] == answer.headers["X-Trace-ID"]
    assert problem["type"].endswith(problem["code"])
    for error in problem["errors"]:
        assert error["pointer"] == "" or error["pointer"].startswith("/")
        assert error["detail"]
    assert not _INSIDE.search(answer.text), answer.text
    if code:
        assert problem["code"] == code
    return problem
