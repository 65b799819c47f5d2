"""The Celery application of the peer: one task, results in PostgreSQL."""

import os
from typing import Any

from celery import Celery

app = Celery(
    "benchmark",
    broker=os.environ["BENCHMARK_BROKER"],
    backend="db+" + os.environ["BENCHMARK_DATABASE"].replace("postgresql:", "postgresql+psycopg:"),
)
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_send_task_events=False,
    worker_prefetch_multiplier=4,
    worker_hijack_root_logger=False,
    broker_transport_options={"confirm_publish": True},
)


@app.task
def step(given: dict[str, Any]) -> dict[str, Any]:
    return {"n": given["n"] + 1, "text": given["text"]}
