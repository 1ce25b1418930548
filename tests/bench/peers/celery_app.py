"""The jobs on Celery: `celery --app tests.bench.peers.celery_app worker --pool threads`."""

from __future__ import annotations

import os
from typing import Any

import redis
from celery import Celery

from tests.bench.peers.errand import DATABASE, SOCKET, carry_out

app = Celery("bench", broker=f"redis+socket://{os.environ[SOCKET]}?virtual_host={DATABASE}")
app.conf.update(
    task_acks_late=True,  # as ours: a job whose worker dies is done again
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
)
_done = redis.Redis(unix_socket_path=os.environ[SOCKET], db=DATABASE)


@app.task
def bring(errand: dict[str, Any]) -> None:
    _done.incr(f"bench:{carry_out(errand)}")
