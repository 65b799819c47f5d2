"""How a child is talked with: a length, then so many bytes, over its one socket."""

import os
import struct

HEAD = struct.Struct("!I")


def framed(message: bytes) -> bytes:
    """A message as it goes over the socket."""
    return HEAD.pack(len(message)) + message


def receive(descriptor: int) -> bytes | None:
    """The next message; None when the other end has hung up."""
    head = _exactly(descriptor, HEAD.size)
    return None if head is None else _exactly(descriptor, HEAD.unpack(head)[0])


def send(descriptor: int, message: bytes) -> None:
    """Send a message, waiting until all of it is taken."""
    left = memoryview(framed(message))
    while left:
        left = left[os.write(descriptor, left) :]


def _exactly(descriptor: int, size: int) -> bytes | None:
    held = bytearray()
    while len(held) < size:
        chunk = os.read(descriptor, min(size - len(held), 1024 * 1024))
        if not chunk:
            return None
        held += chunk
    return bytes(held)
