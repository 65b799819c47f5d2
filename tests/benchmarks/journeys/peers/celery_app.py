"""The Celery application of the peer: four tasks, and a result backend on SQLite."""

import os
from pathlib import Path
from typing import Any

from celery import Celery
from sqlalchemy import event
from sqlalchemy.engine import Engine

FOLDER = Path(os.environ["BENCHMARK_FOLDER"])
STORE = FOLDER / "celery.sqlite3"

app = Celery("benchmark", broker=os.environ["BENCHMARK_BROKER"], backend=f"db+sqlite:///{STORE}")
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_track_started=False,
    worker_send_task_events=False,
    worker_prefetch_multiplier=4,
    worker_hijack_root_logger=False,
    broker_transport_options={"polling_interval": 0.005} if "sqla" in app.conf.broker_url else {},
)


@event.listens_for(Engine, "connect")
def _durable(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=30000")


@app.task
def step(given: dict[str, Any]) -> dict[str, Any]:
    return {"n": given["n"] + 1, "text": given["text"]}
