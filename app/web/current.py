"""The context of the running application, and the identity of the request at hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

from flask import Flask, current_app, g

from app.config import Settings
from app.use_cases.context import Context
from app.use_cases.upkeep.heartbeat import Heartbeat

_EXTENSION = "awase"
_MIGRATION = "awase-migration"

Migration = Callable[[Settings], None]
"""Brings the database of these settings to the newest schema."""


def attach_context(app: Flask, ctx: Context, *, migration: Migration) -> None:
    app.extensions[_EXTENSION] = ctx
    app.extensions[_MIGRATION] = migration


def current_migration() -> Migration:
    return cast(Migration, current_app.extensions[_MIGRATION])


def current_context() -> Context:
    return cast(Context, current_app.extensions[_EXTENSION])


def announce(app: Any) -> AbstractContextManager[object]:
    """While this lasts the web process tells that it lives, and which keys it knows. Nothing for another application
    than ours, which the benchmarks serve."""
    ctx: Context | None = getattr(app, "extensions", {}).get(_EXTENSION)
    return Heartbeat(ctx, "web") if ctx is not None else nullcontext()


def request_id() -> str:
    """The id in `X-Request-ID`, in the log line and in a problem document; "" outside a request."""
    return cast(str, g.get("request_id", ""))
