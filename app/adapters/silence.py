"""Silence: a vendor that takes requests of one connection and answers none. Whoever asks it waits for nothing, and
holds a thread meanwhile; so nobody asks for a while, and then one asks first.

Time-outs in a row close the key, whichever process has seen them; the time grows with every probe that finds silence,
with jitter. After it one request goes as the probe: an answer of any kind opens the key, another time-out closes it for
longer. All of it goes by Redis's clock. Without Redis a process knows what it has seen itself.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import redis
import structlog

from app.domain.ports import Silence

MOST_TIMEOUTS = 3
"""So many in a row, and the vendor counts as silent."""
FIRST_SECONDS, LONGEST_SECONDS = 15.0, 300.0
PROBE_SECONDS = 30.0
"""How long the others wait for the answer to a probe: as long as its request may take."""
EARLY_SECONDS, EARLY_CALLS = 8.0, 3
"""So many requests of one process that have waited so long, with no answer meanwhile, are silence as well."""
FORGOTTEN_SECONDS = 3600.0

SILENT_KEY = "awase:silent"
"""Key of a limit → until when it is closed, in microseconds of Redis's clock: all that are closed or on trial."""

log = structlog.get_logger(__name__)

# KEYS: state. ARGV: most, span in microseconds for the first closing, longest, share for jitter in per mille.
# Returns for how many microseconds this time-out closes the key; 0 when it does not.
_TIMED_OUT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local state = redis.call('HMGET', KEYS[1], 'times', 'till')
local times, till = tonumber(state[1] or 0), tonumber(state[2] or 0)
redis.call('PEXPIRE', KEYS[1], 3600000)
if till > now then return '0' end
local fails = redis.call('HINCRBY', KEYS[1], 'fails', 1)
redis.call('PEXPIRE', KEYS[1], 3600000)
if times == 0 and fails < tonumber(ARGV[1]) then return '0' end
local span = math.min(ARGV[2] * 2 ^ times, tonumber(ARGV[3])) * ARGV[4] / 1000
redis.call('HSET', KEYS[1], 'fails', 0, 'times', times + 1, 'till', string.format('%.0f', now + span), 'probe', 0)
return string.format('%.0f', span)
"""

# In front of the script that books a permit. KEYS[3]: state. Refuses (second number 2) while the key is closed or a
# probe is under way; marks whoever comes first afterwards as the probe. The second number is 1 where something is in
# doubt, so that the answer has to be told.
ADMIT = f"""
local state = redis.call('HMGET', KEYS[3], 'fails', 'times', 'till', 'probe')
local doubt, probing = 0, false
if state[1] then
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  doubt = 1
  if tonumber(state[2] or 0) > 0 then
    local free = math.max(tonumber(state[3] or 0), tonumber(state[4] or 0))
    if free > now then return {{string.format('%.0f', now - free), 2}} end
    probing = true
  end
end
local function admitted(wait)
  if probing then
    local time = redis.call('TIME')
    local till = time[1] * 1000000 + time[2] + wait + {PROBE_SECONDS * 1e6:.0f}
    redis.call('HSET', KEYS[3], 'probe', string.format('%.0f', till))
  end
  return {{string.format('%.0f', wait), doubt}}
end
"""

_SILENT_FOR = """
local time = redis.call('TIME')
local state = redis.call('HMGET', KEYS[1], 'times', 'till', 'probe')
if tonumber(state[1] or 0) == 0 then return '0' end
local free = math.max(tonumber(state[2] or 0), tonumber(state[3] or 0))
return string.format('%.0f', math.max(free - time[1] * 1000000 - time[2], 0))
"""


def state_key(key: str) -> str:
    return f"awase:limit:{{{key}}}:silence"


class Silences:
    """What the rate limiter knows of silent vendors. `ask` runs a script and gives None while Redis is away."""

    def __init__(self, broker: redis.Redis, ask: Callable[..., float | None], *, early_seconds: float) -> None:
        self._broker = broker
        self._ask = ask
        self._timed_out = broker.register_script(_TIMED_OUT)
        self._silent_for = broker.register_script(_SILENT_FOR)
        self._waiting = _Waiting(self.timed_out, early_seconds)
        self._in_doubt: set[str] = set()
        self.local = LocalSilences()

    def note_doubt(self, key: str, *, in_doubt: bool) -> None:
        """What the booking of a permit has said of the key."""
        (self._in_doubt.add if in_doubt else self._in_doubt.discard)(key)

    def sent(self, key: str) -> object:
        return self._waiting.begin(key)

    def ended(self, key: str, request: object, *, answered: bool | None) -> None:
        self._waiting.end(key, request, answered=bool(answered))
        if answered:
            self._answered(key)
        elif answered is False:
            self.timed_out(key)

    def timed_out(self, key: str, *, number: int = 1) -> None:
        """`number`: how many time-outs in a row this one stands for."""
        self._in_doubt.add(key)
        share = random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret
        most = 1 if number >= MOST_TIMEOUTS else MOST_TIMEOUTS
        spans = [most, round(FIRST_SECONDS * 1e6), round(LONGEST_SECONDS * 1e6), round(share * 1000)]
        answer = self._ask(self._timed_out, [state_key(key)], spans)
        closed = self.local.timed_out(key, most=most, share=share) if answer is None else answer / 1e6
        if closed:
            log.warning("vendor_silent", code="vendor_silent", key=key, seconds=round(closed, 1))
            if answer is not None:
                self._list(key, closed)

    def _answered(self, key: str) -> None:
        self.local.answered(key)
        if key in self._in_doubt:
            self._in_doubt.discard(key)
            try:
                with self._broker.pipeline(transaction=False) as pipe:
                    pipe.hget(state_key(key), "times")
                    pipe.delete(state_key(key))
                    pipe.zrem(SILENT_KEY, key)
                    times, *_ = pipe.execute()
            except redis.RedisError:
                self._in_doubt.add(key)
                return
            if int(times or 0):
                log.info("vendor_answers_again", key=key)

    def _list(self, key: str, seconds: float) -> None:
        try:
            now, fraction = self._broker.time()
            self._broker.zadd(SILENT_KEY, {key: now * 1e6 + fraction + seconds * 1e6})
        except redis.RedisError as error:
            log.warning("limiter without redis", fault=type(error).__name__)

    def silent_for(self, key: str) -> float:
        answer = self._ask(self._silent_for, [state_key(key)], [])
        return self.local.silent_for(key) if answer is None else answer / 1e6

    def all(self) -> list[Silence]:
        """Every key that is closed or on trial; [] while Redis is away, because then this process knows only its own
        part."""
        try:
            (now, fraction), listed = self._look()
        except redis.RedisError:
            return []
        moment = now * 1e6 + fraction
        return [Silence(key.decode(), max(till - moment, 0.0) / 1e6) for key, till in listed]

    def _look(self) -> tuple[tuple[int, int], list[tuple[bytes, float]]]:
        with self._broker.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.zrange(SILENT_KEY, 0, -1, withscores=True)
            moment, listed = pipe.execute()
        old = [key for key, till in listed if moment[0] * 1e6 - till > FORGOTTEN_SECONDS * 1e6]
        if old:
            self._broker.zrem(SILENT_KEY, *old)
        return moment, [(key, till) for key, till in listed if key not in old]


@dataclass
class _Known:
    fails: int = 0
    times: int = 0
    till: float = 0.0
    probe: float = 0.0


class LocalSilences:
    """The same rule inside one process, for the time when Redis is gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}

    def admit(self, key: str) -> float:
        """Seconds to wait; 0.0: go on, as the probe if one is due."""
        with self._lock:
            known, now = self._known.get(key), time.monotonic()
            if known is None or not known.times:
                return 0.0
            free = max(known.till, known.probe)
            if free <= now:
                known.probe = now + PROBE_SECONDS
            return max(free - now, 0.0)

    def timed_out(self, key: str, *, most: int, share: float) -> float:
        with self._lock:
            known, now = self._known.setdefault(key, _Known()), time.monotonic()
            if known.till > now:
                return 0.0
            known.fails += 1
            if not known.times and known.fails < most:
                return 0.0
            span = min(FIRST_SECONDS * 2**known.times, LONGEST_SECONDS) * share
            self._known[key] = _Known(times=known.times + 1, till=now + span)
            return float(span)

    def answered(self, key: str) -> None:
        with self._lock:
            self._known.pop(key, None)

    def silent_for(self, key: str) -> float:
        with self._lock:
            known = self._known.get(key)
            return max(max(known.till, known.probe) - time.monotonic(), 0.0) if known and known.times else 0.0


@dataclass
class _Requests:
    since: dict[object, float] = field(default_factory=dict)
    heard_at: float = 0.0
    watched: bool = False


class _Waiting:
    """The requests of this process that wait for an answer. Sees silence before the first of them times out."""

    def __init__(self, silent: Callable[..., None], early_seconds: float) -> None:
        self._silent = silent
        self._early_seconds = early_seconds
        self._lock = threading.Lock()
        self._keys: dict[str, _Requests] = defaultdict(_Requests)

    def begin(self, key: str) -> object:
        request = object()
        with self._lock:
            requests = self._keys[key]
            requests.since[request] = time.monotonic()
            if len(requests.since) >= EARLY_CALLS and not requests.watched:
                requests.watched = True
                self._look_later(key)
        return request

    def end(self, key: str, request: object, *, answered: bool) -> None:
        with self._lock:
            requests = self._keys[key]
            requests.since.pop(request, None)
            if answered:
                requests.heard_at = time.monotonic()
            if not requests.since and not requests.watched:
                del self._keys[key]

    def _look_later(self, key: str) -> None:
        timer = threading.Timer(self._early_seconds, self._look, [key])
        timer.daemon = True
        timer.start()

    def _look(self, key: str) -> None:
        with self._lock:
            requests, now = self._keys[key], time.monotonic()
            long = [since for since in requests.since.values() if now - since >= self._early_seconds]
            silent = len(long) >= EARLY_CALLS and requests.heard_at < min(long)
            requests.watched = not silent and len(requests.since) >= EARLY_CALLS
            if requests.watched:
                self._look_later(key)
        if silent:
            self._silent(key, number=MOST_TIMEOUTS)
