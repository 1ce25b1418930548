"""The pool of one queue's worker processes, and how a worker belongs to it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from types import FrameType
from typing import Any

from rq.worker_pool import WorkerData, WorkerPool

from app.supervision import Watchdog

_PARENT_CHECK_SECONDS = 1.0


class OneQueuePool(WorkerPool):
    """A pool that stops each of its workers once: a second signal would make RQ break off running jobs.

    It does so by SIGTERM, where RQ uses SIGINT: a shell starts what stands before `&` with SIGINT ignored, and a worker
    that has just been forked would never hear of the end. SIGTERM ends such a worker, which has begun nothing yet.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._process = os.getpid()
        self._told: set[int | None] = set()
        self._watchdog = Watchdog()

    def check_workers(self, respawn: bool = True) -> None:
        """Once a second. Beside RQ's own look it tells the service manager that the pool lives."""
        super().check_workers(respawn)
        self._watchdog.went_round()

    def request_stop(self, signum: int | None = None, frame: FrameType | None = None) -> None:
        if os.getpid() != self._process:
            raise SystemExit  # a worker that has not begun yet: it is a fork, and has inherited this handler
        if self.status != self.Status.STOPPED:
            super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def all_workers_have_stopped(self) -> bool:
        """Once a second, while the pool ends. Tells those who were just being started when it was told so itself."""
        self.stop_workers()  # type: ignore[no-untyped-call]
        return super().all_workers_have_stopped()

    def stop_worker(self, worker_data: WorkerData, sig: signal.Signals = signal.SIGTERM) -> None:
        if worker_data.pid not in self._told:
            self._told.add(worker_data.pid)
            super().stop_worker(worker_data, sig)


def end_with_pool() -> None:
    """Give the worker its own process group and let it watch the pool.

    With its own group, Ctrl-C reaches only the pool, which asks each worker once. A worker whose pool is gone finishes
    its jobs and ends, instead of working on beside the pool that replaces the old one. The pool may be gone before the
    worker gets here, so it is not the present parent that is watched.
    """
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    pool = multiprocessing.parent_process()
    parent = pool.pid if pool is not None else os.getppid()
    gone = threading.Event()

    def watch() -> None:
        while os.getppid() == parent:
            gone.wait(_PARENT_CHECK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
