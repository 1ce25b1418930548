"""The broker: whether it answers, takes writes, throws nothing away, and has our time."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import redis

from app.config import Settings
from app.doctor.clocks import compare
from app.safety.findings import Finding, bad, notice, ok
from app.wiring import connect_broker

WAIT_SECONDS = 3.0
_KEEPS = "noeviction"


def look_at_broker(settings: Settings) -> Iterator[Finding]:
    with closing(connect_broker(settings, timeout=WAIT_SECONDS)) as broker:
        try:
            broker.ping()
        except (redis.RedisError, OSError) as error:
            yield _away(error)
            return
        yield ok("broker_ok", "ブローカーは応答しています。")
        try:
            yield _writes(broker)
            yield from _memory(broker)
            yield from compare("broker", "ブローカー", _clock(broker))
        except (redis.ConnectionError, redis.TimeoutError) as error:
            yield _away(error)


def _away(error: Exception) -> Finding:
    if isinstance(error, redis.AuthenticationError):
        return bad("broker_refuses", "ブローカーが名前かパスワードを受け付けません。", "REDIS_URL を確認してください。")
    return bad("broker_away", f"ブローカーに接続できません({type(error).__name__})。受け付けは続いています。",
               "ブローカーの動作と REDIS_URL を確認してください。")  # fmt: skip


def _writes(broker: redis.Redis) -> Finding:
    key = f"awase:doctor:{secrets.token_hex(8)}"
    try:
        broker.set(key, "1", ex=5)
        broker.delete(key)
    except redis.ResponseError as error:
        # The library's own class, or the server's code in front of its words, such as MISCONF.
        plain = type(error) is redis.ResponseError
        reason = str(error).partition(" ")[0] if plain else type(error).__name__
        return bad("broker_refuses_writes", f"ブローカーが書き込みを断ります({reason})。",
                   "メモリーの上限、ディスク、レプリカかどうか、権限を確認してください。")  # fmt: skip
    return ok("broker_writes_ok", "ブローカーは書き込みを受け付けます。")


def _memory(broker: redis.Redis) -> Iterator[Finding]:
    """`maxmemory-policy`: any other than noeviction lets jobs vanish; they come back, but late."""
    try:
        told = broker.info("memory")
    except redis.ResponseError:
        yield notice("broker_memory_unknown", "ブローカーのメモリーの設定を読めません。", "INFO を許可してください。")
        return
    policy = told.get("maxmemory_policy", _KEEPS)
    if policy == _KEEPS:
        yield ok("broker_memory_ok", "ブローカーは、メモリーが足りなくてもジョブを捨てません。")
    else:
        yield notice("broker_evicts", f"ブローカーは、メモリーが足りないとジョブを捨てます({policy})。",
                     f"maxmemory-policy を {_KEEPS} にしてください。")  # fmt: skip


def _clock(broker: redis.Redis) -> datetime | None:
    try:
        seconds, micro = broker.time()
    except redis.ResponseError:
        return None
    return datetime.fromtimestamp(seconds + micro / 1e6, UTC)
