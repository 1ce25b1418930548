"""The threads of one worker process. A job is taken out of the queue only once a thread is free for it, so that no job
lies in a busy process while another one has nothing to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from app.domain.runs.queues import JOB_SECONDS


class Crew:
    """So many threads, each with one job at a time. A thread cannot be broken off: time-outs of everything that a job
    waits for end it. A job that outlives its longest time all the same is stuck, and only the end of the process ends
    it."""

    def __init__(self, size: int) -> None:
        self._free = threading.Semaphore(size)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="job")
        self._ends: dict[object, float] = {}
        """When each job that is under way counts as stuck."""
        self._changed = threading.Condition()

    def thread_is_free(self, seconds: float) -> bool:
        """Keep one thread for the next job, waiting for it up to so many seconds. False: all of them are at work."""
        return self._free.acquire(timeout=seconds)

    def let_go(self) -> None:
        """There is no job for the thread that was kept."""
        self._free.release()

    def begin(self, work: Callable[[], None], *, longest: float = JOB_SECONDS) -> None:
        """Let the thread that was kept do this work, which is stuck after `longest` seconds."""
        token = object()
        with self._changed:
            self._ends[token] = time.monotonic() + longest
        self._threads.submit(self._do, token, work)

    def _do(self, token: object, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            with self._changed:
                del self._ends[token]
                self._changed.notify_all()
            self._free.release()

    @property
    def busy(self) -> int:
        return len(self._ends)

    @property
    def has_stuck_job(self) -> bool:
        with self._changed:
            return any(self._stuck())

    def wait(self) -> bool:
        """Wait until every job has ended. False: nothing is left but jobs that are stuck."""
        with self._changed:
            while self._ends:
                if all(self._stuck()):
                    return False
                self._changed.wait(1.0)
        return True

    def _stuck(self) -> list[bool]:
        now = time.monotonic()
        return [end < now for end in self._ends.values()]
