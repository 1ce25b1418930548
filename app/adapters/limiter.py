"""RedisRateLimiter: permits shared by all workers of all machines, booked in one Lua call on Redis's clock.

One list of grant times per key serves every window at once: with a window of n permits, a new permit may not come
earlier than the window's length after the n-th last grant. So one atomic script books in all windows, and it answers
how long to wait, not yes or no. Permits of windows under ten seconds are also spaced evenly, because a burst at the
head of a second, sent a little late, would fall into the next second's burst (measured).

Not chosen: pyrate-limiter (its waiters poll, and instances race), limits (spends one window although the other
refuses), throttled-py (its burst comes on top of the rate).
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis
import structlog

from app.adapters.silence import ADMIT, EARLY_SECONDS, Silences, state_key
from app.config import Window
from app.domain.ports import Outlook, Silence

SPACED_BELOW = 10.0
"""Permits of windows shorter than this many seconds are spaced evenly; longer windows allow bursts."""
FALLBACK_SHARE = 10
"""Without Redis a process takes one part in this many of every window, because it does not see the other processes."""
REDIS_REST_SECONDS = 5.0
"""How long the limiter leaves Redis alone after a failure, so that not every call waits for its timeout."""

log = structlog.get_logger(__name__)

# KEYS: grants, closed-until, silence. ARGV: patience, then permits, length, gap per window; all times in microseconds.
# Returns the microseconds to wait, negative when nothing was booked, and what `ADMIT` says.
_RESERVE = (
    ADMIT
    + """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local at = math.max(now, tonumber(redis.call('GET', KEYS[2]) or 0))
local longest, most = 0, 0
local last = tonumber(redis.call('LINDEX', KEYS[1], 0) or 0)
for i = 2, #ARGV, 3 do
  local permits, length, gap = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local earlier = redis.call('LINDEX', KEYS[1], permits - 1)
  if earlier then at = math.max(at, earlier + length) end
  if gap > 0 then at = math.max(at, last + gap) end
  longest, most = math.max(longest, length), math.max(most, permits)
end
at = math.max(at, math.min(last, now + longest))
local wait = at - now
if wait > tonumber(ARGV[1]) then return {string.format('%.0f', -wait), doubt} end
if most > 0 then
  redis.call('LPUSH', KEYS[1], string.format('%.0f', at))
  redis.call('LTRIM', KEYS[1], 0, most - 1)
  redis.call('PEXPIRE', KEYS[1], math.ceil((longest + wait) / 1000) + 1000)
end
return admitted(wait)
"""
)

# KEYS: closed-until. ARGV: microseconds. A longer closing that is already there stays.
_CLOSE = """
local time = redis.call('TIME')
local till = time[1] * 1000000 + time[2] + ARGV[1]
if till > tonumber(redis.call('GET', KEYS[1]) or 0) then
  redis.call('SET', KEYS[1], string.format('%.0f', till), 'PX', math.ceil(ARGV[1] / 1000) + 1)
end
return 'OK'
"""

# KEYS: grants. ARGV: permits, length in microseconds. The newest grant comes first; returns how many permits are free.
_REMAINING = """
local time = redis.call('TIME')
local since = time[1] * 1000000 + time[2] - ARGV[2]
local low, high = 0, redis.call('LLEN', KEYS[1])
while low < high do
  local middle = math.floor((low + high) / 2)
  if tonumber(redis.call('LINDEX', KEYS[1], middle)) > since then low = middle + 1 else high = middle end
end
return string.format('%.0f', math.max(ARGV[1] - low, 0))
"""

# KEYS: grants and closed-until of one key after the other. ARGV: patience, most, then permits, length, gap per window.
# Returns how many permits each key could be given within the patience, up to `most`. Spaced ones follow the last grant
# one by one; the k-th next permit of another window comes when the one so many before it leaves the window.
_OUTLOOK = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local till, found = now + ARGV[1], {}
for place = 1, #KEYS, 2 do
  local number = tonumber(ARGV[2])
  if tonumber(redis.call('GET', KEYS[place + 1]) or 0) > till then number = 0 end
  local last = tonumber(redis.call('LINDEX', KEYS[place], 0) or 0)
  for i = 3, #ARGV, 3 do
    local permits, length, gap = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
    if gap > 0 then
      number = math.min(number, math.max(math.floor((till - math.max(now, last + gap)) / gap) + 1, 0))
    else
      local low, high = 0, math.min(number, permits)
      while low < high do
        local middle = math.ceil((low + high) / 2)
        local earlier = redis.call('LINDEX', KEYS[place], permits - middle)
        if earlier and earlier + length > till then high = middle - 1 else low = middle end
      end
      number = low
    end
  end
  found[#found + 1] = number
end
return found
"""

_CLOSED_FOR = """
local time = redis.call('TIME')
return string.format('%.0f', tonumber(redis.call('GET', KEYS[1]) or 0) - time[1] * 1000000 - time[2])
"""


class RedisRateLimiter:
    """The port RateLimiter. `limits`: system → its windows; `patience`: longest wait that is booked, in seconds."""

    def __init__(
        self,
        broker: redis.Redis,
        limits: Mapping[str, Sequence[Window]],
        patience: float,
        *,
        rest_seconds: float = REDIS_REST_SECONDS,
        early_seconds: float = EARLY_SECONDS,
    ) -> None:
        self._limits = {str(system): tuple(windows) for system, windows in limits.items()}
        self._patience = patience
        self._reserve = broker.register_script(_RESERVE)
        self._close = broker.register_script(_CLOSE)
        self._closed_for = broker.register_script(_CLOSED_FOR)
        self._remaining = broker.register_script(_REMAINING)
        self._outlook = broker.register_script(_OUTLOOK)
        self._silences = Silences(broker, self._ask, early_seconds=early_seconds)
        self._local = _LocalPermits(patience)
        self._rest_seconds = rest_seconds
        self._redis_rests_until = 0.0

    def reserve(self, key: str) -> float:
        """Book the next permit: seconds to wait before using it, negative (nothing booked) beyond the patience, and
        while the vendor is silent."""
        windows = self._windows(key)
        keys = [_grants(key), _closed(key), state_key(key)]
        answer = self._answer(self._reserve, keys, [_micro(self._patience), *_arguments(windows)])
        if answer is None:
            silent = self._silences.local.admit(key)
            return -silent if silent else self._local.reserve(key, windows)
        wait, doubt = answer
        self._silences.note_doubt(key, in_doubt=int(doubt) > 0)
        return float(wait) / 1e6

    def sent(self, key: str) -> object:
        return self._silences.sent(key)

    def ended(self, key: str, request: object, *, answered: bool | None) -> None:
        self._silences.ended(key, request, answered=answered)

    def silent_for(self, key: str) -> float:
        return self._silences.silent_for(key)

    def silences(self) -> list[Silence]:
        return self._silences.all()

    def close(self, key: str, seconds: float) -> None:
        """No worker gets a permit for this key for that long. This process keeps it too, for the time without Redis."""
        self._local.close(key, seconds)
        self._ask(self._close, [_closed(key)], [_micro(seconds)])
        log.warning("vendor closed", key=key, seconds=round(seconds, 1))

    def closed_for(self, key: str) -> float:
        """Seconds this key is still closed, 0.0 when it is open."""
        answer = self._ask(self._closed_for, [_closed(key)], [])
        return self._local.closed_for(key) if answer is None else max(answer / 1e6, 0.0)

    def pace(self, key: str) -> float:
        """Permits per second in the long run; infinite without limits."""
        return min((w.permits / w.seconds for w in self._windows(key)), default=float("inf"))

    def remaining(self, key: str) -> int:
        """Permits left in the longest window; permits booked for later count as used. Without Redis the number is that
        of this process's share."""
        windows = self._windows(key)
        if not windows:
            return sys.maxsize
        longest = max(windows, key=lambda window: window.seconds)
        answer = self._ask(self._remaining, [_grants(key)], [longest.permits, _micro(longest.seconds)])
        return self._local.remaining(key, longest) if answer is None else int(answer)

    def outlook(self, keys: Collection[str], *, most: int) -> dict[str, Outlook]:
        found: dict[str, Outlook] = {}
        for system, windows in self._limits.items():
            mine = [key for key in keys if key.partition(":")[0] == system] if windows else []
            names = [name for key in mine for name in (_grants(key), _closed(key))]
            asked = [_micro(self._patience), most, *_arguments(windows)]
            answer = self._answer(self._outlook, names, asked) if mine else None
            at_best = min([most, *(self._at_best(window) for window in windows)])
            found |= {key: Outlook(int(number), at_best) for key, number in zip(mine, answer or (), strict=False)}
        return found

    def _at_best(self, window: Window) -> int:
        gap = _gap(window)
        return int(_micro(self._patience) / gap) + 1 if gap else window.permits

    def _windows(self, key: str) -> tuple[Window, ...]:
        return self._limits[key.partition(":")[0]]

    def _ask(self, script: redis.commands.core.Script, keys: list[str], arguments: list[int]) -> float | None:
        """The number that the script returns; None when Redis does not answer."""
        answer = self._answer(script, keys, arguments)
        return answer if answer is None else 0.0 if answer in (b"OK", "OK") else float(answer)

    def _answer(self, script: redis.commands.core.Script, keys: list[str], arguments: list[int]) -> Any:
        """What the script returns; None when Redis does not answer (then it is left alone for a while)."""
        if time.monotonic() < self._redis_rests_until:
            return None
        try:
            return script(keys=keys, args=arguments)
        except redis.RedisError as error:
            self._redis_rests_until = time.monotonic() + self._rest_seconds
            log.warning("limiter without redis", fault=type(error).__name__, share=f"1/{FALLBACK_SHARE}")
            return None


@dataclass
class _Key:
    grants: deque[float] = field(default_factory=deque)
    closed_until: float = 0.0


class _LocalPermits:
    """The same rule inside one process, on a share of the budget, for the time when Redis is gone."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._keys: dict[str, _Key] = {}
        self._lock = threading.Lock()

    def reserve(self, key: str, windows: Sequence[Window]) -> float:
        with self._lock:
            state, now = self._keys.setdefault(key, _Key()), time.monotonic()
            shares = [_share(window) for window in windows]
            at = max(now, state.closed_until)
            for permits, seconds in shares:
                if len(state.grants) >= permits:
                    at = max(at, state.grants[-permits] + seconds)
            if at - now > self._patience:
                return now - at
            state.grants.append(at)
            while len(state.grants) > max((permits for permits, _ in shares), default=0):
                state.grants.popleft()
            return at - now

    def close(self, key: str, seconds: float) -> None:
        with self._lock:
            state = self._keys.setdefault(key, _Key())
            state.closed_until = max(state.closed_until, time.monotonic() + seconds)

    def closed_for(self, key: str) -> float:
        with self._lock:
            return max(self._keys.setdefault(key, _Key()).closed_until - time.monotonic(), 0.0)

    def remaining(self, key: str, window: Window) -> int:
        permits, seconds = _share(window)
        with self._lock:
            since = time.monotonic() - seconds
            return max(permits - sum(at > since for at in self._keys.setdefault(key, _Key()).grants), 0)


def _share(window: Window) -> Window:
    """One part in FALLBACK_SHARE of a window: fewer permits, or one permit in a longer time."""
    permits = window.permits // FALLBACK_SHARE
    return Window(permits, window.seconds) if permits else Window(1, window.seconds * FALLBACK_SHARE / window.permits)


def _arguments(windows: Sequence[Window]) -> list[int]:
    """Permits, length and gap of each window, as the scripts take them."""
    return [number for window in windows for number in (window.permits, _micro(window.seconds), _gap(window))]


def _gap(window: Window) -> int:
    """The time between two permits of a window whose permits are spaced, else 0."""
    return _micro(window.seconds / window.permits) if window.seconds < SPACED_BELOW else 0


def _grants(key: str) -> str:
    # The braces keep both keys in one slot of a cluster.
    return f"awase:limit:{{{key}}}:grants"


def _closed(key: str) -> str:
    return f"awase:limit:{{{key}}}:closed"


def _micro(seconds: float) -> int:
    return round(seconds * 1_000_000)
