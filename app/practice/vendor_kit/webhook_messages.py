"""What the practice vendors send: where to, one notification on its way, one line of the log; the sending itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests
from urllib3.exceptions import HTTPError

Record = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """Where a receiver's notifications go. The headers hold its secret."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass
class Notification:
    """One body on its way to one receiver. `receiver` is a registration's id, "" where there is only one."""

    seq: int
    event: str
    people: tuple[str, ...]
    receiver: str
    body: str = field(repr=False)
    copy: int = 0
    attempts: int = 0
    due: float = 0.0
    """When the next attempt is due, by the clock `time.monotonic`."""


@dataclass(frozen=True)
class Attempt:
    """A line of the log. `done`: no further attempt follows. `status` None: no answer, and `error` says why.

    `attempt` 0 = lost on purpose; error "gone" = the registration was deleted or is disabled.
    """

    seq: int
    at: float
    event: str
    people: tuple[str, ...]
    receiver: str
    copy: int
    attempt: int
    status: int | None
    error: str
    seconds: float
    done: bool

    def as_json(self) -> Record:
        moment = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="microseconds")
        return {**asdict(self), "people": list(self.people), "at": moment, "epoch": self.at}


def is_success(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def posted(session: requests.Session, target: Target, body: str, *, timeout: float) -> tuple[int | None, str]:
    """Status and error of one POST. Redirects are not followed."""
    headers = {"Content-Type": "application/json", **target.headers}
    raw = {name: value.encode() for name, value in headers.items()}  # a secret may hold any characters
    try:
        answer = session.post(target.url, data=body.encode(), headers=raw, timeout=timeout, allow_redirects=False)
    except (requests.RequestException, HTTPError, ValueError) as error:  # the latter two: no valid address
        return None, type(error).__name__
    return answer.status_code, ""


def packed(notification: Notification, now: float) -> Record:
    told = {**asdict(notification), "pause": max(0.0, notification.due - now)}
    del told["due"]
    return told


@dataclass(frozen=True)
class Queue:
    """A kept queue: the last number given, and notifications with the seconds until their next attempt."""

    seq: int = 0
    open: tuple[tuple[Notification, float], ...] = ()

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Queue:
        """The queue that `Deliverer.kept` returned. Raises KeyError, TypeError, ValueError."""
        return cls(int(kept["seq"]), tuple(_unpacked(each) for each in kept["open"]))


def _unpacked(told: Mapping[str, Any]) -> tuple[Notification, float]:
    rest = {name: value for name, value in told.items() if name != "pause"}
    return Notification(**{**rest, "people": tuple(rest["people"])}), float(told["pause"])
