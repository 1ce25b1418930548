"""The wizard that makes a connection: SmartHR, freee and its company, export settings, webhooks, a last check.

Each step is a page of its own under /connections/new/<key>. Awase stores each step, so a person can go on later.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from flask import Response, flash, redirect, request
from flask import url_for as url

from app.domain.access.roles import Permission
from app.domain.errors import AwaseError, Refused
from app.domain.settings.connection_settings import PayType
from app.use_cases.connections import connection_settings, connection_wizard, webhook_registration
from app.use_cases.connections.connection_wizard import WizardView
from app.use_cases.connections.connections import check_connection
from app.web.callback_address import callback_url
from app.web.current import current_context
from app.web.http.vendor_turns import ask_vendor
from app.web.plain_pages import origin_of
from app.web.screens.base import ask_first, me, needs, render, screens, session_secret, wording_here
from app.web.screens.connections.forms import (
    addresses,
    error_words,
    export_doubts,
    fault_words,
    kept_export,
    text,
    typed_export,
)
from app.web.screens.connections.held_names import asked_held, look_up


class Stage(StrEnum):
    SMARTHR = "smarthr"
    FREEE = "freee"
    EXPORT = "export"
    WEBHOOK = "webhook"
    DONE = "done"


@screens.get("/connections/new")
@needs(Permission.SET_UP)
def connect() -> Response:
    return _begin_page({}, {})


@screens.post("/connections/new")
@needs(Permission.SET_UP)
def begin_setup() -> Any:
    typed = {name: text(name) for name in ("name", "smarthr_subdomain", "mail_to", "mail_english")}
    ctx, who, token = current_context(), me(), text("smarthr_token")
    try:
        key = ask_vendor(
            lambda: connection_wizard.begin_setup(
                ctx,
                who,
                name=typed["name"],
                smarthr_subdomain=typed["smarthr_subdomain"],
                smarthr_token=token,
                mail_to=addresses(typed["mail_to"]),
                mail_english=addresses(typed["mail_english"]),
            )
        )
    except Refused as refused:
        return _begin_page(typed, fault_words(refused), status=refused.status)
    return redirect(url("screens.setup_step", key=key, step=Stage.SMARTHR.value), code=303)


@screens.get("/connections/new/<key>")
@needs(Permission.SET_UP)
def setup(key: str) -> Any:
    """Send the browser to the first step that is not done."""
    found = connection_wizard.show_setup(current_context(), key)
    stage = Stage.FREEE if not found.connected else Stage.EXPORT
    return redirect(url("screens.setup_step", key=key, step=stage.value), code=303)


@screens.get("/connections/new/<key>/<any(smarthr, freee, export, webhook, done):step>")
@needs(Permission.SET_UP)
def setup_step(key: str, step: str) -> Any:
    found, stage = connection_wizard.show_setup(current_context(), key), Stage(step)
    if stage not in (Stage.SMARTHR, Stage.FREEE) and not found.connected:
        return redirect(url("screens.setup_step", key=key, step=Stage.FREEE.value), code=303)
    return _PAGES[stage](found)


@screens.post("/connections/new/<key>/freee")
@needs(Permission.SET_UP)
def setup_consent(key: str) -> Any:
    """Send the browser on to freee for the consent."""
    ctx = current_context()
    try:
        address = connection_wizard.begin_setup_consent(
            ctx, key, redirect_uri=callback_url(ctx.settings), browser=session_secret()
        )
    except Refused as refused:
        return _back(key, Stage.FREEE, wording_here().refusal(refused), "bad")
    return redirect(address, code=303)


@screens.post("/connections/new/<key>/company")
@needs(Permission.SET_UP)
def setup_company(key: str) -> Any:
    """The person confirms that the company is the right one, or rejects it."""
    ctx = current_context()
    try:
        if request.form.get("answer") == "confirm":
            company = request.form.get("company", 0, type=int)
            connection_wizard.confirm_company(ctx, me(), key, company_id=company)
            return _back(key, Stage.EXPORT, wording_here()("wizard.connected"), "good")
        connection_wizard.reject_company(ctx, me(), key)
    except Refused as refused:
        if refused.code == "unknown_setup":
            raise
        return _back(key, Stage.FREEE, wording_here().refusal(refused), "bad")
    return _back(key, Stage.FREEE, wording_here()("wizard.rejected"), "good")


@screens.post("/connections/new/<key>/export")
@needs(Permission.SET_UP)
def setup_export(key: str) -> Any:
    default, sets = typed_export()
    if request.form.get("answer") == "more":
        return _export(connection_wizard.show_setup(current_context(), key), typed=(default, [*sets, {}]))
    try:
        connection_settings.check_export(default, sets)
        looked = look_up(key, default, sets)
        if not looked.faults:
            connection_settings.set_export_settings(current_context(), key, default, sets)
    except Refused as refused:
        found = connection_wizard.show_setup(current_context(), key)
        return _export(found, typed=(default, sets), faults=fault_words(refused), status=refused.status)
    if looked.faults:
        found, faults = connection_wizard.show_setup(current_context(), key), dict(looked.faults)
        return _export(found, typed=(default, sets), faults=faults, status=422, doubtful=True)
    if looked.away:
        flash(wording_here()("connections.held.not_looked"), "warn")
    return _back(key, Stage.WEBHOOK, wording_here()("wizard.export_saved"), "good")


@screens.post("/connections/new/<key>/webhook")
@needs(Permission.SET_UP)
def setup_webhook(key: str) -> Any:
    ctx, words = current_context(), wording_here()
    try:
        if request.form.get("answer") == "check":
            state = ask_vendor(lambda: connection_settings.check_webhook(ctx, key))
            return _back(key, Stage.WEBHOOK, words("connections.webhook_checked", state=words.label(state)), "good")
        ask_vendor(lambda: webhook_registration.register_webhook(ctx, key))
    except AwaseError as error:
        return _back(key, Stage.WEBHOOK, error_words(error), "bad")
    return _back(key, Stage.WEBHOOK, words("connections.webhook_registered"), "good")


@screens.post("/connections/new/<key>/end")
@needs(Permission.SET_UP)
def end_setup(key: str) -> Any:
    """End the setup: it is finished, or the person gives it up while there is no connection yet."""
    found = connection_wizard.show_setup(current_context(), key)
    connected = found.connected
    asked = None if connected else ask_first("give_up", back=url("screens.connections"), connection=found.name)
    if asked is not None:
        return asked
    connection_wizard.drop_setup(current_context(), me(), key)
    flash(wording_here()("wizard.finished" if connected else "wizard.given_up"), "good")
    return redirect(url("screens.connection", key=key) if connected else url("screens.connections"), code=303)


# ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _begin_page(typed: dict[str, str], faults: dict[str, str], *, status: int = 200) -> Response:
    return render(
        "connections/begin.html", status=status, typed=typed, faults=faults, stages=Stage, stage=Stage.SMARTHR
    )


def _smarthr(found: WizardView) -> Response:
    return render("connections/smarthr.html", setup=found, stages=Stage, stage=Stage.SMARTHR)


def _freee(found: WizardView) -> Response:
    accounts = origin_of(current_context().settings.freee_accounts_url)
    return render("connections/freee.html", forms_to=accounts, setup=found, stages=Stage, stage=Stage.FREEE)


def _export(
    found: WizardView,
    *,
    typed: tuple[dict[str, str], list[dict[str, str]]] | None = None,
    faults: dict[str, str] | None = None,
    status: int = 200,
    doubtful: bool = False,
) -> Response:
    connection = connection_settings.show_settings(current_context(), found.key).connection
    default, sets = typed or kept_export(connection)
    return render(
        "connections/export.html",
        status=status,
        setup=found,
        connection=connection,
        default=default,
        sets=sets,
        faults=faults or {},
        unsaved=typed is not None,
        doubts=export_doubts(connection),
        held=asked_held(found.key),
        doubtful=doubtful,
        pay_types=list(PayType),
        stages=Stage,
        stage=Stage.EXPORT,
    )


def _webhook(found: WizardView) -> Response:
    settings = current_context().settings
    view = connection_settings.show_settings(current_context(), found.key)
    return render(
        "connections/webhook.html",
        setup=found,
        view=view,
        freee_address=f"{settings.base_url}/webhooks/freee",
        freee_token_set=bool(settings.freee_webhook_token),
        stages=Stage,
        stage=Stage.WEBHOOK,
    )


def _done(found: WizardView) -> Response:
    ctx = current_context()
    checks = ask_vendor(lambda: check_connection(ctx, found.key))
    view = connection_settings.show_settings(current_context(), found.key)
    return render("connections/done.html", setup=found, view=view, checks=checks, stages=Stage, stage=Stage.DONE)


_PAGES = {
    Stage.SMARTHR: _smarthr,
    Stage.FREEE: _freee,
    Stage.EXPORT: _export,
    Stage.WEBHOOK: _webhook,
    Stage.DONE: _done,
}


def _back(key: str, stage: Stage, told: str, tone: str) -> Any:
    flash(told, tone)
    return redirect(url("screens.setup_step", key=key, step=stage.value), code=303)
