"""How the practice vendors deliver webhooks: a queue, a few senders of its own, a log of every attempt.

`Deliverer.send` only puts a notification into the queue and may be called under a vendor's lock; the senders take no
lock of a vendor while they wait for a receiver. A notification arrives at least once: it may arrive twice, above all
after a restart. A body tells what was true when the event happened, even when it is sent again later.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable

import requests
from flask import Blueprint, Flask, Response, jsonify, request

from app.practice.vendor_kit.companies import Companies
from app.practice.vendor_kit.webhook_messages import (
    Attempt,
    Notification,
    Queue,
    Record,
    Target,
    is_success,
    packed,
    posted,
)
from app.practice.vendor_kit.webhook_schedule import Schedule

SENDERS = 8
PER_RECEIVER = 4
"""How many of the senders one receiver can keep busy, so that a slow receiver does not hold up the others."""
IDLE_SECONDS = 5.0
"""A sender without work ends after this."""


class Deliverer:
    """Delivers the notifications of one vendor. The senders call `target` and `exhausted` without any lock held."""

    def __init__(
        self,
        schedule: Schedule,
        *,
        target: Callable[[str], Target | None],
        exhausted: Callable[[str], None] = lambda _receiver: None,
        note: Callable[[Record], None] = lambda _row: None,
    ) -> None:
        self._schedule = schedule
        self._target = target
        self._exhausted = exhausted
        self._note = note
        self._changed = threading.Condition()
        self._stopped = False
        self._threads: set[threading.Thread] = set()
        self._busy: Counter[str] = Counter()
        self._ties = itertools.count()
        self._seq = 0
        self.clear()

    def clear(self) -> None:
        """Forget the queue and the log; the numbering goes on."""
        with self._changed:
            self._open: dict[int, Notification] = {}
            self._due: list[tuple[float, int, Notification]] = []
            self._parked: dict[str, deque[Notification]] = {}
            self._last: dict[tuple[str, str], int] = {}
            self._blockers: dict[int, set[int]] = {}
            self._followers: dict[int, list[int]] = {}
            self._log: list[Attempt] = []
            self._events = 0
            self._changed.notify_all()

    # ── what the vendor does ──────────────────────────────────────────────────────────────────────────────────────

    def send(self, event: str, body: str, *, people: Iterable[str], receiver: str = "") -> None:
        """Queue one notification (and its copies). `people` are ids, for the log and for the order."""
        with self._changed:
            self._events += 1
            copies = self._schedule.copies
            lost = self._schedule.loses(self._events)
            for copy in range(1 if lost else copies):
                self._seq += 1
                made = Notification(self._seq, event, tuple(people), receiver, body, copy)
                if lost:
                    self._log_attempt(made, time.time(), None, "lost", done=True)
                else:
                    self._enter(made, self._schedule.before_first())

    # ── for tests and people ──────────────────────────────────────────────────────────────────────────────────────

    @property
    def waiting(self) -> int:
        """Notifications that are neither delivered nor given up."""
        with self._changed:
            return len(self._open)

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no notification is waiting any more; False when the time is over first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, timeout=seconds)

    @property
    def log(self) -> list[Attempt]:
        with self._changed:
            return list(self._log)

    # ── with the server ───────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Go on after `stop`. Not needed before the first `send`."""
        with self._changed:
            self._stopped = False
            self._hire()

    def stop(self) -> None:
        """No attempt begins any more; the queue stays. An attempt under way is waited for only shortly."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            threads = list(self._threads)
        ends = time.monotonic() + 2
        for thread in threads:
            thread.join(timeout=max(0.0, ends - time.monotonic()))

    def kept(self) -> Record:
        """The queue in a form JSON can hold."""
        with self._changed:
            now = time.monotonic()
            return {"seq": self._seq, "open": [packed(each, now) for each in self._open.values()]}

    def resume(self, queue: Queue) -> None:
        """Go on with the queue that `kept` returned; every other waiting notification is forgotten."""
        self.clear()
        with self._changed:
            self._seq = max(self._seq, queue.seq)
            for notification, pause in queue.open:
                self._enter(notification, pause)

    # ── the queue; all with the lock held ─────────────────────────────────────────────────────────────────────────

    def _enter(self, notification: Notification, pause: float) -> None:
        """Queue a notification. Its first attempt waits for those of the same person's earlier notifications."""
        notification.due = time.monotonic() + pause
        self._open[notification.seq] = notification
        if notification.attempts == 0 and not self._schedule.shuffled:
            lanes = {(notification.receiver, person) for person in notification.people}
            blockers = {self._last[lane] for lane in lanes if lane in self._last}
            self._last |= dict.fromkeys(lanes, notification.seq)
            for each in blockers:
                self._followers.setdefault(each, []).append(notification.seq)
            if blockers:
                self._blockers[notification.seq] = blockers
                return
        self._push(notification)

    def _push(self, notification: Notification) -> None:
        heapq.heappush(self._due, (notification.due, next(self._ties), notification))
        self._hire()
        self._changed.notify_all()

    def _hire(self) -> None:
        """Start as many senders as there is work for, up to SENDERS."""
        while not self._stopped and len(self._threads) < min(SENDERS, len(self._open)):
            thread = threading.Thread(target=self._work, name="webhook-sender", daemon=True)
            self._threads.add(thread)
            thread.start()

    def _next(self) -> Notification | None:
        """Wait for the next attempt that is due and return it; None when this sender has to end."""
        with self._changed:
            while not self._stopped:
                pause = self._due[0][0] - time.monotonic() if self._due else IDLE_SECONDS
                if self._due and pause <= 0:
                    notification = heapq.heappop(self._due)[2]
                    if self._busy[notification.receiver] < PER_RECEIVER:
                        self._busy[notification.receiver] += 1
                        return notification
                    self._parked.setdefault(notification.receiver, deque()).append(notification)
                elif not self._changed.wait(timeout=pause) and not self._due:
                    break
            self._threads.discard(threading.current_thread())
            return None

    def _started(self, notification: Notification) -> None:
        """The notification's first attempt is over: the notifications that waited for it may go."""
        for person in notification.people:
            lane = (notification.receiver, person)
            if self._last.get(lane) == notification.seq:
                del self._last[lane]
        for seq in self._followers.pop(notification.seq, []):
            self._blockers[seq].discard(notification.seq)
            if not self._blockers[seq]:
                del self._blockers[seq]
                self._push(self._open[seq])

    def _log_attempt(
        self, notification: Notification, at: float, status: int | None, error: str, *, done: bool
    ) -> None:
        of = notification
        seconds = round(time.time() - at, 6)
        row = Attempt(
            of.seq, at, of.event, of.people, of.receiver, of.copy, of.attempts, status, error, seconds, done
        )  # fmt: skip
        self._log.append(row)
        self._note({"kind": "webhook", **row.as_json()})

    # ── the senders ───────────────────────────────────────────────────────────────────────────────────────────────

    def _work(self) -> None:
        with requests.Session() as session:
            session.trust_env = False  # no proxy: receivers are on this machine
            while (notification := self._next()) is not None:
                self._attempt(session, notification)

    def _attempt(self, session: requests.Session, notification: Notification) -> None:
        target, at = self._target(notification.receiver), time.time()
        if target is None:
            self._ended(notification, at, None, "gone", retries=0)
            return
        status, error = posted(session, target, notification.body, timeout=self._schedule.timeout)
        retries = self._schedule.most_retries()
        if not is_success(status) and notification.attempts >= retries:
            self._exhausted(notification.receiver)
        self._ended(notification, at, status, error, retries=retries)

    def _ended(self, notification: Notification, at: float, status: int | None, error: str, *, retries: int) -> None:
        with self._changed:
            self._busy[notification.receiver] -= 1
            if self._parked.get(notification.receiver):
                self._push(self._parked[notification.receiver].popleft())
            if notification.seq not in self._open:  # a reset came in between
                return
            done = is_success(status) or notification.attempts >= retries
            notification.attempts += 1
            self._log_attempt(notification, at, status, error, done=done)
            if notification.attempts == 1:
                self._started(notification)
            if done:
                del self._open[notification.seq]
                self._changed.notify_all()
            else:
                notification.due = time.monotonic() + self._schedule.before_retry(notification.attempts)
                self._push(notification)


def webhook_routes(deliverer: Deliverer) -> Blueprint:
    """GET /_practice/webhooks and /_practice/webhooks/idle.

    `?after=<next of the last answer>` leaves out the lines seen before.
    """
    routes = Blueprint("practice_webhooks", __name__)

    @routes.get("/webhooks")
    def deliveries() -> Response:
        after = request.args.get("after", 0, type=int)
        lines = deliverer.log
        return jsonify(deliveries=[each.as_json() for each in lines[after:]], next=len(lines))

    @routes.get("/webhooks/idle")
    def idle() -> Response:
        waiting = deliverer.waiting
        return jsonify(waiting=waiting, idle=not waiting)

    return routes


def deliverers_of(app: object) -> list[Deliverer]:
    """The deliverers behind a vendor's app, one a company; none behind any other WSGI app."""
    apps = app.apps.values() if isinstance(app, Companies) else [app]
    found = [each.extensions.get("webhooks") for each in apps if isinstance(each, Flask)]
    return [each for each in found if each is not None]
