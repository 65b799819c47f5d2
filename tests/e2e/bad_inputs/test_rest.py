"""Bad requests, by their numbers in the list of bad inputs."""

import json
import re
import socket
from typing import Any

import httpx2
import pytest

from tests.support.oracle import check_problem
from tests.support.processes import Server

pytestmark = pytest.mark.slow

MASH = "/api/solution/data-mash"
START = "/api/solution/data_mash_solution_orchestrator_service/start_data_mash"
RELEASE = "/api/quarantine/nope/release"
JSON = {"Content-Type": "application/json"}
UNKNOWN = b'{"file_id": "nope"}'
DEEP = b'{"file_id":' * 20_000
MILLION_KEYS = b"{%b}" % b",".join(b'"%d":1' % n for n in range(1_000_000))

bodies = pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b'{"file_id": ', 400, id="R1-malformed"),
        pytest.param(b'{"file_id": "x",}', 400, id="R1-trailing-comma"),
        pytest.param(b"", 422, id="R1-empty"),
        pytest.param(b"null", 422, id="R1-null"),
        pytest.param(b"[1]", 422, id="R1-array"),
        pytest.param(b'{"file_id": NaN}', 422, id="R2-nan"),
        pytest.param(b'{"file_id": Infinity}', 422, id="R2-infinity"),
        pytest.param(b'{"file_id": 1e400}', 422, id="R2-1e400"),
        pytest.param(b'{"file_id": 9223372036854775808}', 422, id="R2-2**63"),
        pytest.param(b'{"file_id": ' + b"1" * 4301 + b"}", 422, id="R2-4301-digits"),
        pytest.param(b"[" * 100_000, 400, id="R4-100000-deep"),
        pytest.param(DEEP, 400, id="R4-deep-objects"),
        pytest.param(b'{"' + b"k" * 10_000_000 + b'":1}', 413, id="R4-10-MB-key"),
        pytest.param(MILLION_KEYS, 413, id="R4-million-keys"),
        pytest.param(b'{"file_id": "a", "file_id": "b"}', 400, id="R5-duplicate"),
    ],
)


@bodies
@pytest.mark.parametrize("path", [MASH, START, RELEASE])
def test_bad_body(client: httpx2.Client, path: str, body: bytes, status: int) -> None:
    answer = client.post(path, content=body, headers=JSON)

    problem = check_problem(answer, status)
    assert status == 413 or problem["errors"]


@pytest.mark.parametrize("path", [MASH, START, RELEASE])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Content-Type": "text/xml"}, id="R7-xml"),
        pytest.param({}, id="R7-missing"),
        pytest.param({"Content-Type": "application/json; charset=utf-7"}, id="R7-utf-7"),
        pytest.param({**JSON, "Content-Encoding": "gzip"}, id="R7-gzip"),
    ],
)
def test_body_of_another_type(client: httpx2.Client, path: str, headers: dict[str, str]) -> None:
    check_problem(client.post(path, content=UNKNOWN, headers=headers), 415, "not_json")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", MASH),
        ("TRACE", "/livez"),
        ("GET", START),
        ("PUT", "/api/files"),
        ("PUT", "/api/uploads"),
        ("GET", RELEASE),
        ("DELETE", "/api/data/policy"),
        ("PUT", "/api/journey/runs"),
        ("POST", "/api/journey/runs/some_run"),
    ],
)
def test_r8_method_that_is_not_served(client: httpx2.Client, method: str, path: str) -> None:
    answer = client.request(method, path, headers={"X-HTTP-Method-Override": "POST"})

    check_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/files", "GET, POST"),
        ("/api/files/none", "GET, DELETE"),
        ("/api/uploads/none", "HEAD, PATCH, DELETE, OPTIONS"),
        ("/api/journey/templates/none", "GET, PUT"),
    ],
)
def test_r8_every_method_that_is_served_is_named(
    client: httpx2.Client, path: str, allowed: str
) -> None:
    answer = client.request("TRACE", path)

    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


def test_r8_method_in_lower_case_is_no_http(server: Server) -> None:
    assert raw(server, b"get /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(
        b"HTTP/1.1 400 "
    )


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=0",
        "limit=1000000000",
        "limit=1e3",
        "limit=99999999999999999999999999",
        "sort=password_hash",
        "cursor=" + "x" * 5000,
    ],
)
@pytest.mark.parametrize(
    "path", ["/api/files", "/api/quarantine", "/api/journey/runs", "/api/search"]
)
def test_r11_page_that_cannot_be(client: httpx2.Client, path: str, query: str) -> None:
    question = "q=rain&" if path.endswith("search") else ""

    problem = check_problem(client.get(f"{path}?{question}{query}"), 422, "invalid_request")

    assert problem["errors"][0]["pointer"] == f"/query/{query.split('=', maxsplit=1)[0]}"


@pytest.mark.parametrize("path", ["files/none?", "mentions?entity=none&"])
def test_r2_offset_beyond_what_a_database_counts_to(client: httpx2.Client, path: str) -> None:
    asked = f"/api/knowledge/{path}offset="

    check_problem(client.get(f"{asked}{2**63}"), 422, "invalid_request")
    check_problem(client.get(f"{asked}{2**63 - 1}"), 404)


@pytest.mark.parametrize("cursor", ["forged", "' OR 1=1 --", "%00"])
def test_r11_cursor_that_nobody_gave_shows_nothing(client: httpx2.Client, cursor: str) -> None:
    answer = client.get("/api/files", params={"cursor": cursor})

    check_problem(answer, 422)


def test_r14_thousand_headers(client: httpx2.Client) -> None:
    answer = client.get("/livez", headers={f"X-{i}": "1" for i in range(1000)})

    check_problem(answer, 431, "head_too_large")
    assert answer.headers["Connection"] == "close"


def test_r14_header_of_64_kb(client: httpx2.Client) -> None:
    check_problem(client.get("/livez", headers={"X-Long": "x" * 65_536}), 431, "head_too_large")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"X-A: 1\rX-B: 2\r\n", id="CR-in-header"),
        pytest.param(b"X-A: a\0b\r\n", id="NUL-in-header"),
        pytest.param(b"X A: 1\r\n", id="space-in-name"),
        pytest.param(b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", id="CL-and-TE"),
        pytest.param(b"Content-Length: 4\r\nContent-Length: 5\r\n", id="two-lengths"),
        pytest.param(b"Content-Length: -1\r\n", id="negative-length"),
        pytest.param(b"Transfer-Encoding: xchunked\r\n", id="unknown-coding"),
    ],
)
def test_r14_head_that_is_no_http_is_refused_and_the_connection_closed(
    server: Server, head: bytes
) -> None:
    smuggled = b"0\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"

    answer = raw(server, b"POST " + START.encode() + b" HTTP/1.1\r\n" + head + b"\r\n" + smuggled)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "q",
    [
        "'; DROP TABLE files; --",
        '" OR 1=1',
        "(a+)+$" * 100,
        "%_%_",
        "NEAR(a b) AND NOT *",
        '"unclosed',
        "a\x00b",
        "\U0001f600",
        "*",
        "-",
        "col:val^2",
        "words " * 150,
    ],
)
def test_r26_question_is_text_and_nothing_else(client: httpx2.Client, q: str) -> None:
    answer = client.get("/api/search", params={"q": q})

    if answer.status_code != 200:
        check_problem(answer, 422)
    else:
        assert answer.json()["success"] is True


@pytest.mark.parametrize("q", ["x" * 1001, "x" * 30_000])
def test_r26_question_that_is_too_long(client: httpx2.Client, q: str) -> None:
    check_problem(client.get("/api/search", params={"q": q}), 422)


def test_r26_question_of_100_kb_does_not_fit_into_a_request(server: Server) -> None:
    answer = raw(
        server, b"GET /api/search?q=" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )

    assert answer.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("wait", ["-1s", "1e9", "30 s", "PT30S", "s", "1d", "NaN"])
def test_wait_that_is_no_duration(client: httpx2.Client, wait: str) -> None:
    answer = client.post(MASH, params={"wait": wait}, json={"file_id": "nope"})

    problem = check_problem(answer, 422)
    assert problem["errors"][0]["pointer"] == "/query/wait"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"file_id": 7}, "/file_id"),
        ({"file_id": ""}, "/file_id"),
        ({"file_id": "x" * 129}, "/file_id"),
        ({"file_id": "x", "rerun": "yes"}, "/rerun"),
        ({"file_id": "x", "tenant": "other"}, "/tenant"),
        ({"file_id": "x", "trace_id": "forged"}, "/trace_id"),
    ],
)
def test_data_mash_of_something_else(
    client: httpx2.Client, body: dict[str, Any], pointer: str
) -> None:
    problem = check_problem(client.post(MASH, json=body), 422)

    assert [error["pointer"] for error in problem["errors"]] == [pointer]


@pytest.mark.parametrize("wait", ["", "10s"])
def test_data_mash_of_an_unknown_file(client: httpx2.Client, wait: str) -> None:
    answer = client.post(MASH, params={"wait": wait} if wait else {}, json={"file_id": "nope"})

    check_problem(answer, 404, "file_unknown")
    assert client.get("/api/journey/runs").json()["result"]["runs"] == []


@pytest.mark.parametrize(
    "path", ["/api/journey/runs/nope", f"{MASH}/nope", "/api/journey/templates/nope"]
)
def test_unknown_run_or_template(client: httpx2.Client, path: str) -> None:
    check_problem(client.get(path), 404)


@pytest.mark.parametrize(
    "api", ["register_upload", "register_internal", "process_internal_file", "get_internal_file"]
)
def test_what_is_not_public_is_not_there(client: httpx2.Client, api: str) -> None:
    path = f"/api/smart_city/content_steward_service/{api}"

    check_problem(client.post(path, json={"spool": "x", "name": "y"}), 404)


@pytest.mark.parametrize(
    "text", ["line\nbreak", "\x1b[31mred", "{level}{extra}", '","level":"ERROR', "%s%d"]
)
def test_k5_users_text_stays_inside_its_log_line(
    server: Server, client: httpx2.Client, text: str
) -> None:
    before = len(server.log)
    client.get("/api/" + "".join(f"%{byte:02x}" for byte in text.encode()))
    client.get("/api/search", params={"q": text})
    client.post(MASH, json={"file_id": text})
    client.post(
        "/api/files",
        content=b"x",
        headers={"Content-Type": "multipart/form-data; boundary=" + re.sub(r"[^!-~]", "", text)},
    )

    lines = [json.loads(line) for line in server.log[before:].splitlines()]
    assert {line["level"] for line in lines} <= {"INFO", "WARNING"}
    stderr = server.stderr
    assert "\x1b[31mred" not in stderr
    assert "\nbreak" not in stderr


def raw(server: Server, request: bytes) -> bytes:
    """What the server says to bytes, until it closes or has nothing more to say."""
    answer = b""
    with socket.create_connection(server.address, timeout=1) as connection:
        connection.sendall(request)
        try:
            while piece := connection.recv(65536):
                answer += piece
        except (TimeoutError, ConnectionResetError):
            pass
    return answer


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "pages.example"},
        {"Host": "127.0.0.1.pages.example:80"},
        {"Origin": "http://pages.example"},
        {"Origin": "null"},
        {"Host": "[::1"},
    ],
)
def test_a2_page_of_another_site_reaches_nothing(
    client: httpx2.Client, headers: dict[str, str]
) -> None:
    check_problem(client.get("/api/files", headers=headers), 403, "foreign_page")


def test_a2_page_of_this_machine_is_served(client: httpx2.Client) -> None:
    answer = client.get("/livez", headers={"Origin": "http://localhost:3000"})

    assert answer.status_code == 200
