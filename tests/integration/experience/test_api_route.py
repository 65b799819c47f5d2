"""The route of every public API: what it serves, what it refuses, and as what."""

import pytest
from pydantic import BaseModel

from foundations.declarations import service, soa_api
from foundations.rooms import Room
from tests.support.small_city import SmallCity

PAINT = "/api/painting/painting_service/paint"


class Sound(BaseModel):
    text: str


@service
class LateService:
    @soa_api(public=True)
    async def get_sound(self) -> Sound:
        """A sound."""
        return Sound(text="knock")


def test_public_api_is_called_and_answers_with_an_outcome(city: SmallCity) -> None:
    answer = city.client.post(PAINT, json={"colour": {"name": "blue"}})

    assert answer.status_code == 200
    body = answer.json()
    assert body["success"] is True
    assert body["trace_id"] == answer.headers["X-Trace-ID"] == body["result"]["trace_id"]
    assert body["result"]["colour"] == {"name": "blue", "parts": []}
    assert body["result"]["tenant"] == "local"


def test_session_id_of_the_header_goes_with_the_request(city: SmallCity) -> None:
    city.client.post(PAINT, json={"colour": {"name": "blue"}}, headers={"X-Session-ID": "s1"})

    assert [request.session_id for request in city.road.requests] == ["s1"]


def test_session_id_that_is_too_long_is_refused(city: SmallCity) -> None:
    answer = city.client.post(PAINT, json={}, headers={"X-Session-ID": "s" * 201})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/header/x-session-id"


def test_figure_that_is_no_number_is_null(city: SmallCity) -> None:
    answer = city.client.post("/api/painting/painting_service/get_share")

    assert answer.json()["result"]["share"] is None


def test_service_registered_late_is_served(city: SmallCity) -> None:
    path = "/api/sounds/late_service/get_sound"
    assert city.client.post(path).status_code == 404

    city.registry.register(LateService(), Room("sounds", "sounds"))

    assert city.client.post(path).json()["result"] == {"text": "knock"}
    assert path in city.client.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/api/painting/painting_service/pain", PAINT),
        ("/api/painting/panting_service/paint", PAINT),
        ("/api/curator/service", "/api/curator/services"),
        ("/readyzz", "/readyz"),
        ("/nothing/like/this/at/all", "GET / tells what is where"),
        ("/" + "x" * 5000, "GET / tells what is where"),
    ],
)
def test_unknown_path_is_told_with_the_nearest_right_one(
    city: SmallCity, path: str, hint: str
) -> None:
    answer = city.client.post(path)

    assert answer.status_code == 404
    assert hint in answer.json()["hint"]


def test_api_that_is_not_public_is_not_there(city: SmallCity) -> None:
    answer = city.client.post("/api/painting/painting_service/get_recipe")

    assert answer.status_code == 404
    assert answer.json()["code"] == "no_such_path"
    assert city.road.requests == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"])
def test_other_methods_are_not_allowed_whatever_an_override_header_says(
    city: SmallCity, method: str
) -> None:
    answer = city.client.request(method, PAINT, headers={"X-HTTP-Method-Override": "POST"})

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"
    assert answer.json()["code"] == "method_not_allowed"


def test_hand_made_route_tells_its_method_too(city: SmallCity) -> None:
    answer = city.client.post("/livez")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_websocket_is_closed_where_none_is_served(city: SmallCity) -> None:
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), city.client.websocket_connect("/api/live"):
        raise AssertionError("accepted")
