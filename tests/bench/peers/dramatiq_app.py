"""The jobs on dramatiq: `dramatiq tests.bench.peers.dramatiq_app`."""

from __future__ import annotations

import os
from typing import Any

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from tests.bench.peers.errand import DATABASE, SOCKET, carry_out

dramatiq.set_broker(RedisBroker(url=f"unix://{os.environ[SOCKET]}?db={DATABASE}"))
_done = redis.Redis(unix_socket_path=os.environ[SOCKET], db=DATABASE)


@dramatiq.actor(max_retries=0)
def bring(errand: dict[str, Any]) -> None:
    _done.incr(f"bench:{carry_out(errand)}")
