"""A city with an access token: who bears it may ask, from wherever; nobody else may."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from foundations.experience import serving
from tests.support.oracle import check_problem
from tests.support.small_city import SmallCity, small_city

TOKEN = "q7Zk2-Vw9sXe4Rt6Yu8Io0Pl3Mn5Bv1Cx"
BEARING = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def guarded() -> Iterator[SmallCity]:
    yield from small_city(access_token=TOKEN, host="0.0.0.0")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_who_bears_the_token_may_ask(guarded: SmallCity, scheme: str) -> None:
    answer = guarded.client.get("/", headers={"Authorization": f"{scheme} {TOKEN}"})

    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_is_told_to_all(guarded: SmallCity, path: str) -> None:
    assert guarded.client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/openapi.json"),
        ("GET", "/api/curator/apis"),
        ("POST", "/api/painting/painting_service/get_share"),
        ("GET", "/no/such/path"),
        ("DELETE", "/livez/"),
        ("GET", "//livez"),
        ("GET", "/livez/../api/curator/apis"),
        ("OPTIONS", "/api/files"),
    ],
)
def test_everything_else_needs_it(guarded: SmallCity, method: str, path: str) -> None:
    answer = guarded.client.request(method, path)

    problem = check_problem(answer, 401, "access_token_needed")
    assert problem["kind"] == "unauthenticated"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="civitas"'


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.lower()}",
        f"Bearer {TOKEN} {TOKEN}",
        "Bearer " + "x" * 20_000,
        "Bearer eyJhbGciOiJub25lIn0.e30.",
    ],
)
def test_r19_wrong_token_is_refused_and_not_repeated(guarded: SmallCity, header: str) -> None:
    answer = guarded.client.get("/", headers={"Authorization": header})

    check_problem(answer, 401, "access_token_wrong")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert TOKEN not in answer.text
    assert not any(TOKEN in line for line in guarded.log)


def test_two_tokens_are_none(guarded: SmallCity) -> None:
    headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer other")]

    assert guarded.client.get("/", headers=headers).status_code == 401


def test_token_in_the_query_is_no_token(guarded: SmallCity) -> None:
    assert guarded.client.get(f"/?access_token={TOKEN}").status_code == 401
    assert guarded.client.get("/", headers={"Cookie": f"access_token={TOKEN}"}).status_code == 401


def test_s7_websocket_without_a_token_is_refused_before_it_is_accepted(guarded: SmallCity) -> None:
    with (
        pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)) as refused,
        guarded.client.websocket_connect("/events"),
    ):
        pytest.fail("nobody may enter")

    assert getattr(refused.value, "code", 1008) == 1008


@pytest.mark.parametrize("host", ["city.example", "10.0.0.5:8000", "localhost"])
def test_city_with_a_token_may_have_any_name(guarded: SmallCity, host: str) -> None:
    assert guarded.client.get("/", headers=BEARING | {"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://city.example", 200),
        ("http://localhost:3000", 200),
        ("https://pages.example", 403),
        ("https://city.example.pages.example", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_page_may_ask_only_the_city_it_came_from(
    guarded: SmallCity, origin: str, status: int
) -> None:
    headers = BEARING | {"Host": "city.example", "Origin": origin}

    assert guarded.client.get("/", headers=headers).status_code == status


def test_forwarded_headers_open_nothing(guarded: SmallCity) -> None:
    headers = {
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": "localhost",
        "Forwarded": "for=::1",
    }

    assert guarded.client.get("/", headers=headers).status_code == 401


def test_openapi_says_that_a_token_is_needed(guarded: SmallCity, city: SmallCity) -> None:
    document = guarded.client.get("/openapi.json", headers=BEARING).json()

    assert document["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert document["paths"]["/livez"]["get"]["security"] == []
    assert "security" not in city.client.get("/openapi.json").json()


@pytest.mark.parametrize(
    ("server", "status"),
    [("127.0.0.1", 200), ("::1", 200), ("192.0.2.1", 403), ("2001:db8::1", 403), ("/run/x", 200)],
)
def test_city_without_a_token_answers_only_on_loopback(
    city: SmallCity, server: str, status: int
) -> None:
    async def reached(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "server": (server, 8000)}
        await city.application.asgi(scope, receive, send)

    with TestClient(reached, base_url="http://localhost") as client:
        answer = client.get("/livez")

    assert answer.status_code == status
    if status == 403:
        check_problem(answer, 403, "open_to_all")


@pytest.mark.parametrize(
    ("bound", "url"),
    [
        (("0.0.0.0", 80), "http://127.0.0.1:80"),
        (("::", 80, 0, 0), "http://[::1]:80"),
        (("10.0.0.5", 80), "http://10.0.0.5:80"),
    ],
)
def test_url_is_one_that_this_machine_reaches(bound: tuple[Any, ...], url: str) -> None:
    class Listener:
        def getsockname(self) -> tuple[Any, ...]:
            return bound

    listener: Any = Listener()

    assert serving._url(listener) == url
