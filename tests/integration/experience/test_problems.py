"""Every failure is a problem document, and none says more than its reader may know."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Query
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from foundations.experience.problems import STATUS
from tests.support.small_city import SmallCity
from utilities.errors import ErrorKind, PlatformError

SERVICE = "/api/painting/painting_service"


class Wall(BaseModel):
    width: int


router = APIRouter()


@router.get("/by-hand/{status}")
async def raise_by_hand(status: int) -> None:
    raise HTTPException(status, "as you wish", headers={"X-Wish": "granted"})


@router.post("/walls")
async def build(wall: Annotated[Wall, Body()], height: Annotated[int, Query(ge=1)] = 1) -> Wall:
    return wall


@router.get("/gone")
async def leave() -> None:
    raise ClientDisconnect


@router.get("/breaks-off")
async def break_off() -> StreamingResponse:
    async def content() -> Any:
        yield b"half"
        raise ZeroDivisionError("the secret")

    return StreamingResponse(content())


@pytest.fixture
def walls(city: SmallCity) -> SmallCity:
    city.application.asgi.include_router(router)
    return city


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_each_kind_of_error_has_its_status(city: SmallCity, kind: ErrorKind) -> None:
    answer = city.client.post(f"{SERVICE}/check_kind", json={"kind": kind.value})

    assert answer.status_code == STATUS[kind]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert ("Retry-After" in answer.headers) is (kind in {"too_many", "unavailable"})
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["success"] is False
    assert problem["trace_id"] == answer.headers["X-Trace-ID"]
    assert problem["instance"] == f"{SERVICE}/check_kind"
    if answer.status_code != 500:
        assert problem["type"] == "urn:civitas:problem:out_of_paint"
        assert (problem["code"], problem["kind"]) == ("out_of_paint", kind.value)
        assert problem["title"] == "There is no paint."
        assert problem["hint"] == "buy some"
    else:
        assert problem["code"] == "unexpected"
        assert "secret" not in answer.text


def test_unforeseen_error_tells_nothing_outside_and_all_in_the_log(city: SmallCity) -> None:
    answer = city.client.post(f"{SERVICE}/check_fault", headers={"X-Trace-ID": "abc"})

    assert answer.status_code == 500
    assert answer.json()["code"] == "unexpected"
    assert answer.json()["trace_id"] == "abc"
    assert "SELECT" not in answer.text
    assert "secret" not in answer.text
    assert any("ZeroDivisionError: SELECT" in line for line in city.log)


def test_faulty_arguments_are_pointed_at(city: SmallCity) -> None:
    answer = city.client.post(
        f"{SERVICE}/paint", json={"colour": {"parts": [1, "x"]}, "coats": 0, "colur": 1}
    )

    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {
        "/coats",
        "/colour/name",
        "/colour/parts/1",
        "/colur",
    }


def test_hand_made_route_points_into_body_and_query(walls: SmallCity) -> None:
    answer = walls.client.post("/walls?height=0", json={"width": "wide"})

    assert answer.status_code == 422
    pointers = [error["pointer"] for error in answer.json()["errors"]]
    assert sorted(pointers) == ["/query/height", "/width"]


def test_hand_made_route_refuses_what_is_no_json(walls: SmallCity) -> None:
    answer = walls.client.post(
        "/walls", content=b"{,}", headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


def test_hand_made_route_refuses_a_body_beyond_the_limit(walls: SmallCity) -> None:
    content = b"[" * 100_001

    answer = walls.client.post(
        "/walls", content=iter([content]), headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(("status", "code"), [(418, "im_a_teapot"), (404, "no_such_path")])
def test_exception_raised_by_hand_becomes_a_problem_too(
    walls: SmallCity, status: int, code: str
) -> None:
    answer = walls.client.get(f"/by-hand/{status}")

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["X-Wish"] == "granted"


def test_city_that_takes_no_requests_says_when_to_come_back(city: SmallCity) -> None:
    city.socket.plug(None)

    answer = city.client.post(f"{SERVICE}/get_share")

    assert (answer.status_code, answer.json()["code"]) == (503, "road_closed")
    assert answer.headers["Retry-After"] == "5"


def test_client_that_went_away_is_no_fault_of_the_city(walls: SmallCity) -> None:
    answer = walls.client.get("/gone")

    assert (answer.status_code, answer.json()["code"]) == (499, "client_went_away")


def test_answer_that_breaks_off_is_logged_and_not_mended(walls: SmallCity) -> None:
    answer = walls.client.get("/breaks-off")

    assert "secret" not in answer.text
    assert any("ZeroDivisionError" in line for line in walls.log)


def test_every_status_has_exactly_one_kind_to_say_it() -> None:
    assert set(STATUS) == set(ErrorKind)
    assert PlatformError.kind in STATUS
