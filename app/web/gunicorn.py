"""gunicorn's settings: one process with many threads, because SQLite has one writer and waiting is most of the work.

On PostgreSQL an operator can start more of these processes with WEB_CONCURRENCY, which gunicorn reads itself.
"""

from __future__ import annotations

import os
from typing import Any

from app.config import Settings
from app.logs import gather_lines
from app.web.current import announce

_settings = Settings.from_env()

bind = f"{_settings.bind}:{_settings.port}"
worker_class = "gthread"
threads = _settings.web_threads
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
timeout = 60
graceful_timeout = 15
keepalive = 15
limit_request_line = 8190
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    gather_lines()
    worker.heartbeat = announce(worker.wsgi)


def worker_exit(_server: object, worker: Any) -> None:
    heartbeat = getattr(worker, "heartbeat", None)
    if heartbeat is not None:
        heartbeat.end()
