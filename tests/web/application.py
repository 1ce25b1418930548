"""One application for all tests of a process: to put it together and to compile its templates takes longer than most of
them. What it remembers is attached anew for each, by the function that attaches it when it is made."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from app.factory import attach_state, create_app
from app.logs import configure_logging
from app.use_cases.accounts.api_keys import Scope, add_key
from app.use_cases.context import Context

_made: dict[tuple[object, ...], Flask] = {}


def application_on(ctx: Context) -> Flask:
    """The application with this context, as if just made. Only the last one given out may be used: a test that wants
    two side by side, or adds routes of its own, makes them with `create_app`."""
    settings = ctx.settings
    key = (settings.base_url, settings.trusted_proxies, settings.log_level)  # what is built into it, not attached
    if key not in _made:
        _made[key] = create_app(ctx)
    app = _made[key]
    configure_logging(settings.log_level)
    attach_state(app, ctx)
    return app


def operator_of(app: Flask, ctx: Context) -> FlaskClient:
    """A client that sends a new key of operations with every request that names no other."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {add_key(ctx, '監視', [Scope.OPS_READ])}"
    return client
