"""Celery as a doorbell: how it is set, for those who ring and those who are rung."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from foundations.public_works.dispatch import URGENT, Road

if TYPE_CHECKING:
    from celery import Celery as Celery  # noqa: PLC0414 - the type, for those who hold one
    from kombu import Queue

NAME = "civitas"
OVERTAKING = "civitas.urgent"
HANDS = 8
"""Messages that a worker has in hand at a time; they are answered on its event loop."""
_PATIENCE = 4.0


def make_app(broker_url: str) -> "Celery":
    """The Celery application of a city.

    JSON only, no results, no ETA, no remote control. On RabbitMQ messages go to quorum queues and
    each is confirmed; on Redis a message may be lost, which the sweeper makes up for.
    """
    from celery import Celery

    rabbit = urlsplit(broker_url).scheme.startswith("amqp")
    app = Celery(NAME, broker=broker_url, set_as_current=False)
    if not rabbit:
        app.conf.broker_transport = f"{__package__}.celery_redis:PatientTransport"
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_backend=None,
        task_ignore_result=True,
        task_queues=[queue_of(name, rabbit=rabbit) for name in (NAME, OVERTAKING)],
        task_default_queue=NAME,
        task_default_queue_type="quorum" if rabbit else "classic",
        task_create_missing_queue_type="quorum" if rabbit else "classic",
        task_publish_retry=False,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        worker_pool="threads",
        worker_concurrency=HANDS,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=5.0,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=_PATIENCE,
        broker_transport_options={}
        if rabbit
        else {"socket_connect_timeout": _PATIENCE, "socket_timeout": 30.0},
    )
    return app


def queue_of(name: str, *, rabbit: bool) -> "Queue":
    """A queue as it is declared by whoever comes first."""
    from kombu import Exchange, Queue

    arguments = {"x-queue-type": "quorum"} if rabbit else None
    return Queue(name, Exchange(name, type="direct"), name, queue_arguments=arguments)


def queue_by(road: Road) -> str:
    """The broker's queue for a road: that of its name, or the urgent or the plain one."""
    if road.queue:
        return f"{NAME}.q.{road.queue}"
    return OVERTAKING if road.priority >= URGENT else NAME


def consumed(names: Sequence[str]) -> list[str]:
    """The broker's queues for a worker that takes those of these names, `default` for the plain."""
    plain = [NAME, OVERTAKING] if "default" in names else []
    return plain + [queue_by(Road(queue=name)) for name in names if name != "default"]
