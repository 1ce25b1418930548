"""The context of the running application, and the identity of the request at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

from flask import Flask, current_app, g

from app.config import Settings
from app.use_cases.context import Context
from app.use_cases.upkeep.heartbeat import Heartbeat

_EXTENSION = "awase"
_MIGRATION = "awase-migration"
_MEANWHILE = "awase-meanwhile"

Migration = Callable[[Settings], None]
"""Brings the database of these settings to the newest schema."""


def attach_context(app: Flask, ctx: Context, *, migration: Migration) -> None:
    app.extensions[_EXTENSION] = ctx
    app.extensions[_MIGRATION] = migration


def current_migration() -> Migration:
    return cast("Migration", current_app.extensions[_MIGRATION])


def current_context() -> Context:
    return cast("Context", current_app.extensions[_EXTENSION])


def attach_meanwhile(app: Flask, meanwhile: Callable[[], AbstractContextManager[None]]) -> None:
    """Something more that goes on while the web process serves."""
    app.extensions[_MEANWHILE] = meanwhile


@contextmanager
def announce(app: Any) -> Iterator[None]:
    """While this lasts the web process tells that it lives, and which keys it knows. Nothing for another application
    than ours, which the benchmarks serve."""
    extensions = getattr(app, "extensions", {})
    if _EXTENSION not in extensions:
        yield
        return
    with Heartbeat(extensions[_EXTENSION], "web"), extensions.get(_MEANWHILE, nullcontext)():
        yield


def request_id() -> str:
    """The id in `X-Request-ID`, in the log line and in a problem document; "" outside a request."""
    return cast("str", g.get("request_id", ""))
