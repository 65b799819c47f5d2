"""Heads that never end, over real connections."""

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from foundations.experience.patient_protocol import PatientProtocol

pytestmark = pytest.mark.slow

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Hasty(PatientProtocol):
    slowest_head = 0.2


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    message = await receive()
    assert message["type"] == "http.request"
    headers = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    config = uvicorn.Config(hello, port=0, http=Hasty, lifespan="off", log_config=None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[:2]
        server.should_exit = True
        thread.join()


def until_closed(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while piece := connection.recv(65536):
            answer += piece
    except ConnectionResetError:
        pass
    return answer


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nX-A: "])
def test_head_that_does_not_come_is_given_up(address: tuple[str, int], begun: bytes) -> None:
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(begun)

        assert until_closed(connection).startswith(b"HTTP/1.1 400 ")


def test_head_that_does_not_end_is_cut(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=5) as connection:
        try:
            for _ in range(100):
                connection.sendall(b"GET / HTTP/1.1\r\nX-A: "[: len(GET)] + b"a" * 65_536)
        except OSError:
            pass

        assert until_closed(connection)[:13] in {b"HTTP/1.1 400 ", b""}


def test_connection_serves_one_request_after_the_other(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=5) as connection:
        for _ in range(3):
            connection.sendall(GET)
            answer = b""
            while not answer.endswith(b"hello"):
                answer += connection.recv(65536)

            assert answer.startswith(b"HTTP/1.1 200 ")


def test_second_head_is_waited_for_no_longer_than_the_first(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(GET)
        answer = b""
        while not answer.endswith(b"hello"):
            answer += connection.recv(65536)
        connection.sendall(b"GET / HT")

        assert until_closed(connection).startswith(b"HTTP/1.1 400 ")
