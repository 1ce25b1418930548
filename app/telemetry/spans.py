"""The seam: code tells what it does and how long that took. Without a collector each call is one comparison.

A span stands under the one that is open in the same thread, as the job of an item stands around its vendor calls. Spans
are told only when they have ended, so a process that dies tells nothing of what was under way.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.telemetry.allowed import Value, allowed
from app.telemetry.places import Place, anywhere


@dataclass(slots=True)
class Span:
    """A piece of work. `started`, `ended`: nanoseconds since 1970. `attributes`: by the collector's names."""

    name: str
    place: Place
    parent: Place | None
    started: int
    attributes: dict[str, Value]
    links: tuple[Place, ...] = ()
    ended: int = 0
    failed: bool = False

    def tell(self, *, failed: bool = False, **attributes: object) -> None:
        """Add what has become known meanwhile."""
        self.attributes |= allowed(attributes)
        self.failed = self.failed or failed


class Sink(Protocol):
    """Takes spans that have ended, without ever waiting."""

    def take(self, span: Span) -> None: ...


class _Open(threading.local):
    """The spans that are open in this thread, the innermost last."""

    def __init__(self) -> None:
        self.spans: list[Span] = []


class _State:
    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.open = _Open()


_state = _State()


def _begin_anew() -> None:
    """A forked child has neither the parent's sending thread nor its connection: it tells nothing until it is asked."""
    global _state
    _state = _State()


os.register_at_fork(after_in_child=_begin_anew)


def lead_to(sink: Sink | None) -> None:
    """From now on spans of this process go there. None: nowhere."""
    _state.sink = sink


def is_on() -> bool:
    """Whether anybody is told anything. For callers that would have to read something first."""
    return _state.sink is not None


@contextmanager
def span(
    name: str,
    *,
    under: Place | None = None,
    at: Place | None = None,
    links: Sequence[Place] = (),
    calm: tuple[type[BaseException], ...] = (),
    **attributes: object,
) -> Iterator[None]:
    """Tell of the work of this block. `under`: the span around it, else the one open in this thread. `at`: its own
    place, where others have to find it. An exception counts as failed, with its code if it has one; those of `calm` are
    no failures."""
    if _state.sink is None:
        yield
        return
    begun = _begin(name, under=under, at=at, links=tuple(links), attributes=attributes)
    try:
        yield
    except BaseException as error:
        begun.tell(failed=not isinstance(error, calm), code=getattr(error, "code", None))
        raise
    finally:
        _end(begun)


def begin(name: str, **attributes: object) -> None:
    """Open a span that `end` closes, or the end of the one around it."""
    if _state.sink is not None:
        _begin(name, under=None, at=None, links=(), attributes=attributes)


def end(name: str, *, failed: bool = False, **attributes: object) -> None:
    """Close the innermost span of this thread, if it has this name."""
    inner = _state.open.spans[-1] if _state.sink is not None and _state.open.spans else None
    if inner is not None and inner.name == name:
        inner.tell(failed=failed, **attributes)
        _end(inner)


def tell(*, failed: bool = False, **attributes: object) -> None:
    """Add to the innermost span of this thread what has become known."""
    if _state.sink is not None and _state.open.spans:
        _state.open.spans[-1].tell(failed=failed, **attributes)


def just_ended(
    name: str,
    *,
    seconds: float,
    under: Place | None = None,
    at: Place | None = None,
    links: Sequence[Place] = (),
    failed: bool = False,
    **attributes: object,
) -> None:
    """Tell of work of so many seconds that ends now and had nothing inside; places as in `span`."""
    if _state.sink is not None:
        begun = _made(name, under=under, at=at, links=tuple(links), attributes=attributes)
        begun.started -= int(seconds * 1e9)
        begun.failed = failed
        _tell(begun)


def whole(
    name: str, *, at: Place, began: datetime, ended: datetime, failed: bool = False, **attributes: object
) -> None:
    """Tell of something that began long ago, perhaps elsewhere, and is over."""
    if _state.sink is not None:
        started, over = (int(moment.timestamp() * 1e9) for moment in (began, ended))
        _state.sink.take(Span(name, at, None, started, allowed(attributes), ended=max(started, over), failed=failed))


def _begin(
    name: str, *, under: Place | None, at: Place | None, links: tuple[Place, ...], attributes: dict[str, object]
) -> Span:
    begun = _made(name, under=under, at=at, links=links, attributes=attributes)
    _state.open.spans.append(begun)
    return begun


def _made(
    name: str, *, under: Place | None, at: Place | None, links: tuple[Place, ...], attributes: dict[str, object]
) -> Span:
    around = _state.open.spans
    parent = under or (around[-1].place if around and at is None else None)
    place = at or anywhere(parent.trace_id if parent else None)
    return Span(name, place, parent, time.time_ns(), allowed(attributes), links)


def _end(over: Span) -> None:
    """Close a span, and those that were opened in it and left open by an exception."""
    spans = _state.open.spans
    while over in spans:
        inner = spans.pop()
        inner.failed = inner.failed or (inner is not over)
        _tell(inner)


def _tell(over: Span) -> None:
    over.ended = max(time.time_ns(), over.started)
    if _state.sink is not None:
        _state.sink.take(over)
