"""create_app(): puts the Flask application together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from flask import Flask

from app.config import Settings, SettingsError
from app.domain.errors import TemporaryError
from app.logs import configure_logging
from app.safety.findings import Finding
from app.storage.keyring import SigningList
from app.storage.outages import OUTAGES, met
from app.use_cases.context import Context, of_intake
from app.web.api.attention_routes import attention
from app.web.api.docs import make_docs
from app.web.api.operation import make_api
from app.web.api.ops_routes import ops
from app.web.api.run_routes import employees, runs
from app.web.cli.commands import register_commands
from app.web.current import attach_context, attach_meanwhile
from app.web.http.bearer_auth import attach_limiter
from app.web.http.errors import log_bug, on_temporary, register_error_handlers
from app.web.http.problems import MAX_BODY_BYTES
from app.web.http.proxies import attach_proxy_watch, trust_proxies, watch_for_proxies
from app.web.http.request_log import protect_browsers, watch_requests
from app.web.http.signing import sign_with
from app.web.http.vendor_turns import attach_vendor_turns
from app.web.ops.health import health
from app.web.ops.metrics import handing_over, metrics
from app.web.ops.operators import attach_operations
from app.web.screens.all_pages import attach_screens, screens
from app.web.screens.base import signed_in
from app.web.screens.connections.consent import connect
from app.web.screens.error_pages import attach_error_pages
from app.web.webhook_receiver import WebhooksApart, attach_intake, webhooks

_INTAKE = "awase-intake-app"


class AwaseFlask(Flask):
    """Flask that logs a bug by type and place: the text of an exception may quote personal values."""

    def log_exception(self, exc_info: Any) -> None:
        log_bug(exc_info[1])

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is. Flask would ask four times a request whether it is a coroutine, but no view of ours is
        one."""
        return func


def create_app(ctx: Context | None = None) -> Flask:
    """The web application and its commands; `ctx` None builds one from the environment.

    Raises SettingsError when that is refused. On the command line the application then has commands only: `doctor`,
    and all others say what is wrong.
    """
    command = click.get_current_context(silent=True) is not None
    try:
        ctx = ctx or _context_from_environment(serving=not command)
    except SettingsError as refused:
        if not command:
            raise
        return _application_of_refused_settings(refused)
    configure_logging(ctx.settings.log_level)
    app, intake = _bare_app(), _bare_app()
    app.extensions[_INTAKE] = intake
    attach_state(app, ctx)
    intake.register_blueprint(webhooks)
    app.wsgi_app = WebhooksApart(app.wsgi_app, intake.wsgi_app)  # type: ignore[method-assign]
    for each in (app, intake):
        protect_browsers(each)
    trust_proxies(app, ctx.settings)
    watch_for_proxies(app, database_errors=OUTAGES)
    attach_screens(app, ctx.settings, without_csrf=(runs, employees, attention, ops, connect, health, metrics))
    attach_error_pages(app, database_errors=OUTAGES)
    api = make_api(app, server=ctx.settings.base_url)
    for blueprint in (runs, employees, attention, ops):
        api.register_blueprint(blueprint)
    for plain in (make_docs(api, is_signed_in=lambda: signed_in() is not None), health, metrics, connect, screens):
        app.register_blueprint(plain)
    register_commands(app, diagnose=_diagnose)
    return app


def _application_of_refused_settings(refused: SettingsError) -> Flask:
    app = Flask("app.web", static_folder=None)
    register_commands(app, diagnose=_diagnose, refused=str(refused))
    return app


def _diagnose(*, vendors: bool) -> list[Finding]:
    from app.doctor.doctor import diagnose  # imported late for the same reason as the context

    return diagnose(vendors=vendors)


def attach_state(app: Flask, ctx: Context) -> None:
    """The context, and everything that remembers something of requests: attached anew, the application knows nothing of
    the ones before."""
    intake = app.extensions[_INTAKE]
    for each in (app, intake):
        attach_context(each, ctx, migration=_migrate)
    attach_intake(app, intake, ctx=of_intake(ctx), database_errors=OUTAGES)
    sign_with(app, SigningList(ctx.keys.signing))
    attach_limiter(app)
    attach_vendor_turns(app)
    attach_operations(app, ctx)
    attach_proxy_watch(app)
    if ctx.settings.otel_exporter_otlp_endpoint:
        attach_meanwhile(app, lambda: handing_over(app))


def _bare_app() -> Flask:
    """What every application of ours has: ids and headers of requests, errors as problem documents."""
    app = AwaseFlask("app.web", template_folder="templates", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY_BYTES + 1, PROPAGATE_EXCEPTIONS=False)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    watch_requests(app)
    register_error_handlers(app)
    for error in OUTAGES:
        app.register_error_handler(error, _database_away)
    return app


def _context_from_environment(*, serving: bool) -> Context:
    from app.wiring import get_context, serving_context  # imported late: tests bring their own and load no client

    return serving_context() if serving else get_context()


def _migrate(settings: Settings) -> None:
    from app.wiring import migrate  # imported late for the same reason

    migrate(settings)


def _database_away(error: Exception) -> Any:
    """The answer while the database is locked, restarting or gone: Awase has accepted nothing. It is made here because
    the web package does not know the database's own errors."""
    met(error)
    return on_temporary(TemporaryError("database_unavailable"))
