"""Redis as Celery's broker, but for this: what is no message in a list does not end the worker."""

from typing import Any

from kombu.transport.redis import Channel, Transport
from loguru import logger


class _PatientChannel(Channel):  # type: ignore[misc]  # kombu ships no types
    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except (ValueError, KeyError, TypeError) as error:  # it has been taken off the list by then
            logger.warning("a message is dropped: it cannot be read ({})", type(error).__name__)
            return True


class PatientTransport(Transport):  # type: ignore[misc]  # kombu ships no types
    """Drops what it cannot read."""

    Channel = _PatientChannel
