"""Sends wakes to the broker from a thread of its own; nobody waits for it."""

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from loguru import logger

from foundations.public_works.adapters.celery_messages import TASK, TRACES, packed
from foundations.public_works.dispatch import Road
from utilities.errors import PlatformError

if TYPE_CHECKING:
    from celery import Celery

_REST_SECONDS = 1.0
"""After the broker failed, what is to be sent is let go for so long: the sweeper rings again."""
_END_SECONDS = 5.0
"""So long an end waits for what is still to be sent."""
_WAITING = 1_000
"""So many messages may wait to be sent; more are let go."""
_TOGETHER = 64
"""So many messages are sent before the broker's word for them is waited for."""
_CONFIRM_SECONDS = 30.0

Keys = Mapping[str, Mapping[str, str]]
"""Keys of a message, each with the headers of its trace."""


class _Message(NamedTuple):
    queue: str
    keys: Keys
    road: Road


class Sender:
    """Publishes in the order in which it was asked; what waits meanwhile goes out together."""

    def __init__(self, broker_url: str) -> None:
        self._broker_url = broker_url
        self._messages: queue.Queue[_Message | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, name="doorbell", daemon=True)
        self._resting_until = 0.0
        self._line: _Line | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send what is there, and end."""
        if self._thread.is_alive():
            self._messages.put(None)
            self._thread.join(_END_SECONDS)

    def send(self, name: str, keys: Keys, road: Road) -> None:
        """Have a message sent, or lost."""
        try:
            self._messages.put_nowait(_Message(name, keys, road))
        except queue.Full:
            logger.warning("{} wakes were not sent: the broker is slow", len(keys))

    def _work(self) -> None:
        ending = False
        while not ending:
            messages = self._waiting()
            ending = messages[-1] is None
            if time.monotonic() >= self._resting_until:
                self._sent([message for message in messages if message is not None])
        self._hang_up()

    def _waiting(self) -> list[_Message | None]:
        """What there is to send, once there is something; None, at its end, says to stop."""
        messages = [self._messages.get()]
        while messages[-1] is not None and len(messages) < _TOGETHER:
            try:
                messages.append(self._messages.get_nowait())
            except queue.Empty:
                break
        return messages

    def _sent(self, messages: Sequence[_Message]) -> None:
        try:
            if self._line is None:
                self._line = _Line(self._broker_url)
            for message in messages:
                self._publish(self._line, message)
            self._line.confirmed()
        except Exception as error:  # noqa: BLE001 - the task runner's edge: whatever a broker's client raises
            logger.error(
                "the broker takes no wakes ({}); the scheduler rings again once it does",
                type(error).__name__,
            )
            self._resting_until = time.monotonic() + _REST_SECONDS
            self._hang_up()

    def _publish(self, line: "_Line", message: _Message) -> None:
        try:
            line.publish(message)
        except PlatformError as error:
            logger.error("a wake cannot be sent: {}", error.detail)

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()


class _Line:
    """One connection to the broker; on RabbitMQ each message is confirmed."""

    def __init__(self, broker_url: str) -> None:
        from foundations.public_works.adapters.celery_app import make_app

        self._app: Celery = make_app(broker_url)
        self._connection = self._app.connection_for_write()
        self._connection.connect()  # once; a channel would try for ever
        channel: Any = self._connection.default_channel
        self._producer = self._app.amqp.Producer(channel, auto_declare=False)
        self._published = 0
        self._unconfirmed: set[int] = set()
        """Messages by their number on this connection."""
        self._confirms = hasattr(channel, "confirm_select")
        if self._confirms:
            channel.confirm_select()
            channel.events["basic_ack"].add(self._acknowledged)
            channel.events["basic_nack"].add(self._refused)

    def publish(self, message: _Message) -> None:
        """Hand a message to the broker.

        Raises:
            MessageTooLarge: it is not sent.
        """
        from foundations.public_works.adapters.celery_app import queue_by

        name, keys, road = message
        traces = {key: dict(trace) for key, trace in keys.items() if trace}
        self._app.send_task(
            TASK,
            kwargs=packed(name, list(keys)),
            queue=queue_by(road),
            headers={TRACES: traces} if traces else None,
            ignore_result=True,
            producer=self._producer,
            argsrepr="",  # for people who watch Celery: what it says is in the message too
            kwargsrepr="",
        )
        self._published += 1
        if self._confirms:
            self._unconfirmed.add(self._published)

    def confirmed(self) -> None:
        """Wait until the broker has what was published.

        Raises:
            TimeoutError: it does not say so.
        """
        while self._unconfirmed:
            self._connection.drain_events(timeout=_CONFIRM_SECONDS)

    def close(self) -> None:
        try:
            self._connection.close()
        except Exception as error:  # noqa: BLE001 - the task runner's edge: it is gone in any case
            logger.debug("a connection to the broker did not end well: {}", type(error).__name__)
        self._app.close()

    def _acknowledged(self, delivery_tag: int, multiple: bool) -> None:
        if multiple:
            self._unconfirmed = {tag for tag in self._unconfirmed if tag > delivery_tag}
        else:
            self._unconfirmed.discard(delivery_tag)

    def _refused(self, _delivery_tag: int, _multiple: bool) -> None:
        raise ConnectionRefusedError("the broker refuses a message")
