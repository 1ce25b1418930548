"""The threads of a worker process: as many jobs as there are threads, and none that waits for a thread."""

from __future__ import annotations

import threading
import time

from tests.workers.test_worker import wait_for
from workers.crew import Crew


def test_nobody_is_kept_for_a_job_while_all_threads_are_at_work() -> None:
    crew, go_on = Crew(2), threading.Event()
    for _ in range(2):
        assert crew.thread_is_free(1)
        crew.begin(lambda: go_on.wait(10) and None)
    assert not crew.thread_is_free(0.05)
    assert crew.busy == 2
    go_on.set()
    assert crew.thread_is_free(5)
    crew.let_go()
    assert crew.wait()
    assert crew.busy == 0


def test_a_job_that_fails_gives_its_thread_back() -> None:
    crew = Crew(1)

    def fail() -> None:
        raise SystemExit

    assert crew.thread_is_free(1)
    crew.begin(fail)
    assert crew.thread_is_free(5)
    crew.let_go()
    assert crew.wait()


def test_stuck_jobs_are_not_waited_for_and_honest_ones_are() -> None:
    crew, go_on, done = Crew(2), threading.Event(), threading.Event()
    assert crew.thread_is_free(1)
    crew.begin(lambda: go_on.wait(20) and None, longest=0.3)
    time.sleep(0.35)
    assert crew.has_stuck_job
    assert crew.thread_is_free(1)
    crew.begin(done.set)
    assert not crew.wait()
    assert done.is_set()
    go_on.set()


def test_a_job_that_may_take_longer_is_not_stuck_where_another_one_is() -> None:
    crew, go_on = Crew(2), threading.Event()
    assert crew.thread_is_free(1)
    crew.begin(lambda: go_on.wait(20) and None, longest=60)
    time.sleep(0.05)
    assert not crew.has_stuck_job
    assert crew.thread_is_free(1)
    crew.begin(lambda: go_on.wait(20) and None, longest=0.01)
    time.sleep(0.05)
    assert crew.has_stuck_job
    go_on.set()
    wait_for(crew.wait, "both to end: the stuck one may be the last")
