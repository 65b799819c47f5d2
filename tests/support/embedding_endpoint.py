"""A stand-in for an OpenAI-compatible embedding endpoint, on a free port of this machine."""

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

KEY = "sk-a-key-that-must-not-be-seen"


@dataclass
class Endpoint:
    """What it was asked, and what it is to do. `faults` are answered first, one a request."""

    dimensions: int = 64
    faults: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    answer: Any = None
    url: str = ""

    def vector(self, model: str, text: str, dimensions: int) -> list[float]:
        """The words of a text, each at a place of its own, which differs from model to model."""
        vector = [0.0] * dimensions
        for word in text.casefold().replace(".", " ").split():
            vector[zlib.crc32(f"{model} {word}".encode()) % dimensions] += 2.0
        return vector

    def texts(self) -> list[str]:
        return [text for one in self.asked for text in one["input"]]


@contextmanager
def embedding_endpoint(**given: Any) -> Iterator[Endpoint]:
    """Serve while the block lasts; keys other than `KEY` are refused."""
    endpoint = Endpoint(**given)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if endpoint.faults:
                self._reply(*endpoint.faults.pop(0))
            elif self.headers.get("authorization") != f"Bearer {KEY}":
                said = f"Incorrect API key provided: {self.headers.get('authorization')}"
                self._reply(401, {}, said)
            else:
                endpoint.asked.append(body)
                self._reply(200, {}, json.dumps(endpoint.answer or self._vectors(body)))

        def _vectors(self, body: dict[str, Any]) -> dict[str, Any]:
            dimensions = body.get("dimensions", endpoint.dimensions)
            data = [
                {"index": at, "embedding": endpoint.vector(body["model"], text, dimensions)}
                for at, text in enumerate(body["input"])
            ]
            return {"data": data[::-1], "model": body["model"]}

        def _reply(self, status: int, headers: dict[str, str], body: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
