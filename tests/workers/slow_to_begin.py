"""`python -m tests.workers.slow_to_begin URL`: a pool of two workers who take a while between their fork and their
work, as on a busy machine."""

from __future__ import annotations

import sys
import time
from typing import Any

import redis
from rq.serializers import JSONSerializer

from workers.guarded_job import GuardedJob, GuardedQueue
from workers.patient_worker import PatientWorker
from workers.pool import OneQueuePool

SECONDS = 3.0


class SlowToBegin(PatientWorker):
    def work(self, *args: Any, **kwargs: Any) -> bool:
        time.sleep(SECONDS)
        return super().work(*args, **kwargs)


if __name__ == "__main__":
    OneQueuePool(
        ["interactive"],
        connection=redis.Redis.from_url(sys.argv[1]),
        num_workers=2,
        worker_class=SlowToBegin,
        job_class=GuardedJob,
        queue_class=GuardedQueue,
        serializer=JSONSerializer,
    ).start(burst=False, logging_level="WARNING")
