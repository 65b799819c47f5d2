"""What a JSON body may be: named by their numbers in the list of bad inputs."""

import gzip
import json
from typing import Any

import pytest

from tests.support.small_city import SmallCity

PAINT = "/api/painting/painting_service/paint"
SHARE = "/api/painting/painting_service/get_share"
JSON = {"Content-Type": "application/json"}
GOOD = b'{"colour": {"name": "blue"}}'


def send(city: SmallCity, body: bytes, headers: dict[str, str] | None = None) -> Any:
    return city.client.post(PAINT, content=body, headers=JSON if headers is None else headers)


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        pytest.param(b'{"colour": ', 400, "", id="R1-malformed"),
        pytest.param(b'{"colour": {"name": "blue"},}', 400, "", id="R1-trailing-comma"),
        pytest.param(b"", 422, "/colour", id="R1-empty"),
        pytest.param(b"null", 422, "", id="R1-null"),
        pytest.param(b"[]", 422, "", id="R1-array"),
        pytest.param(b'"text"', 422, "", id="R1-text"),
        pytest.param(b"\xff\xfe{}", 400, "", id="R1-not-utf-8"),
        pytest.param("{}".encode("utf-16"), 400, "", id="R1-utf-16"),
        pytest.param(b'{"extra": {"a": NaN}}', 422, "/extra/a", id="R2-nan"),
        pytest.param(b'{"extra": {"a": -Infinity}}', 422, "/extra/a", id="R2-infinity"),
        pytest.param(b'{"extra": {"a": [1, 1e400]}}', 422, "/extra/a/1", id="R2-1e400"),
        pytest.param(b'{"coats": 9223372036854775808}', 422, "/coats", id="R2-2**63"),
        pytest.param(b'{"coats": ' + b"9" * 4301 + b"}", 422, "/coats", id="R2-4301-digits"),
        pytest.param(b"[" * 90_000, 400, "", id="R4-deep-and-open"),
        pytest.param(b'{"a":' * 80 + b"1" + b"}" * 80, 400, "/a" * 64, id="R4-80-deep"),
        pytest.param(b'{"' + b"k" * 200_000 + b'": 1}', 413, None, id="R4-long-key"),
        pytest.param(
            json.dumps({str(i): i for i in range(50_000)}).encode(), 413, None, id="R4-many-keys"
        ),
        pytest.param(b'{"coats": 1, "coats": 2}', 400, "/coats", id="R5-duplicate"),
        pytest.param(
            b'{"colour": {"na~me": 1, "na~me": 2}}', 400, "/colour/na~0me", id="R5-duplicate-inside"
        ),
        pytest.param(rb'{"extra": {"a": "\ud800"}}', 422, "/extra/a", id="surrogate"),
        pytest.param(rb'{"extra": {"a": "\u0000"}}', 422, "/extra/a", id="NUL"),
        pytest.param(rb'{"extra": {"\udc00": 1}}', 422, "/extra", id="surrogate-in-key"),
    ],
)
def test_bad_body_is_refused_with_its_place(
    city: SmallCity, body: bytes, status: int, pointer: str | None
) -> None:
    answer = send(city, body)

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    if pointer is not None:
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param({"Content-Type": "text/plain"}, GOOD, id="R7-text"),
        pytest.param({"Content-Type": ""}, GOOD, id="R7-missing"),
        pytest.param({"Content-Type": "application/json; charset=utf-7"}, GOOD, id="R7-utf-7"),
        pytest.param({**JSON, "Content-Encoding": "gzip"}, gzip.compress(GOOD), id="R7-gzip"),
    ],
)
def test_body_that_is_not_sent_as_json_is_refused(
    city: SmallCity, headers: dict[str, str], body: bytes
) -> None:
    answer = send(city, body, headers)

    assert (answer.status_code, answer.json()["code"]) == (415, "not_json")


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8"])
def test_json_is_known_by_its_media_type(city: SmallCity, content_type: str) -> None:
    assert send(city, GOOD, {"Content-Type": content_type}).status_code == 200


def test_no_body_is_no_arguments(city: SmallCity) -> None:
    assert city.client.post(SHARE).status_code == 200


def test_large_body_within_the_limit_is_read(city: SmallCity) -> None:
    body = json.dumps({"colour": {"name": "x" * 90_000}}).encode()

    assert send(city, body).status_code == 200


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63) + 1, 0.5, -0.0])
def test_numbers_that_fit_are_taken(city: SmallCity, number: float) -> None:
    body = json.dumps({"colour": {"name": "x"}, "extra": {"n": number}}).encode()

    assert send(city, body).status_code == 200


def test_unknown_query_parameter_is_refused_with_the_nearest_right_one(city: SmallCity) -> None:
    answer = city.client.get("/api/curator/services?patern=x&sort=password_hash")

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": "/query/patern", "detail": 'is unknown here. Did you mean "pattern"?'},
        {"pointer": "/query/sort", "detail": "is unknown here."},
    ]


def test_too_many_headers_are_refused(city: SmallCity) -> None:
    answer = city.client.get("/livez", headers={f"X-{i}": "1" for i in range(200)})

    assert (answer.status_code, answer.json()["code"]) == (431, "head_too_large")
    assert answer.headers["Connection"] == "close"
