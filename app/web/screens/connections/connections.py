"""Connections: the list, and the settings page whose sections are forms of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response, flash, redirect, request
from flask import url_for as url

from app.domain.access.roles import Permission
from app.domain.errors import AwaseError, Refused
from app.domain.settings.connection_settings import Automatic, BlankPolicy, Connection, MailPolicy, PayType
from app.domain.settings.two_persons import TwoPersons
from app.use_cases.connections import (
    attributes,
    automatic_settings,
    connection_settings,
    connection_wizard,
    connections,
    deletion,
    pause_resume,
    trials,
    two_persons,
    webhook_registration,
)
from app.use_cases.connections.automatic_settings import BANK, DEFAULT, POLICIES, POLICY_ITEMS
from app.use_cases.connections.connection_settings import ItemChoice
from app.use_cases.connections.trials import Trial
from app.use_cases.shared.connection_lookup import find_connection
from app.web.callback_address import callback_url
from app.web.current import current_context
from app.web.http.kept_forms import PROOF
from app.web.http.vendor_turns import ask_vendor
from app.web.plain_pages import origin_of
from app.web.screens.base import (
    ask_first,
    ask_for_proof,
    me,
    needs,
    render,
    screens,
    session_secret,
    wording_here,
)
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
from app.web.screens.connections.trials import begin, shown_trial


@dataclass
class Sent:
    """What a person typed into a form of the settings page, and what is wrong with it: its section shows both again."""

    section: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)
    sets: tuple[dict[str, str], list[dict[str, str]]] | None = None
    faults: Mapping[str, str] = field(default_factory=dict)
    told: str = ""
    status: int = 200
    doubtful: bool = False
    """A name was typed that nobody at freee has."""
    shown: Connection | None = None
    """With the items and blank rules as they were sent."""


@screens.get("/connections", endpoint="connections")
@needs(Permission.SET_UP)
def connection_list() -> Response:
    ctx = current_context()
    unconnected = [each for each in connection_wizard.open_setups(ctx) if not each.connected]
    listed, leaving = connection_settings.listed_connections(ctx), deletion.being_deleted(ctx)
    return render("connections/list.html", listed=listed, setups=unconnected, leaving=leaving)


@screens.get("/connections/<key>", endpoint="connection")
@needs(Permission.SET_UP)
def connection_page(key: str) -> Response:
    return _page(key, Sent(), trial=shown_trial(key))


@screens.post("/connections/<key>/<section>")
@needs(Permission.SET_UP)
def change_connection(key: str, section: str) -> Any:
    """Change what one section's form sends; a wrong value is shown in its place, and then nothing has changed."""
    change = _SECTIONS.get(section)
    if change is None:
        raise Refused("unknown_section", status=404)
    try:
        told = change(key)
    except Refused as refused:
        if refused.code == "unknown_connection":
            raise
        return _page(key, _sent(key, section, refused))
    except AwaseError as error:
        return _page(key, Sent(section, told=error_words(error), status=503))
    if not isinstance(told, str):
        return told
    place = _PLACES.get(section, section)
    flash(told, f"good@{place}")
    return redirect(url("screens.connection", key=key, _anchor=f"told-{place}"), code=303)


# ── the sections ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _names(key: str) -> str:
    japanese, english = (addresses(request.form.get(name, "")) for name in ("mail_to", "mail_english"))
    connection_settings.set_names(current_context(), key, name=text("name"), mail_to=japanese, mail_english=english)
    return wording_here()("connections.saved")


def _token(key: str) -> str:
    ctx, token = current_context(), text("smarthr_token")
    ask_vendor(lambda: connection_settings.set_smarthr_token(ctx, key, token))
    return wording_here()("connections.token_replaced")


def _attributes(key: str) -> str:
    ctx = current_context()
    check = ask_vendor(lambda: attributes.check_token_again(ctx, key))
    return wording_here()("connections.attributes_checked", n=check.people)


def _cleared(key: str) -> Any:
    attributes.answer_cleared(current_context(), me().actor, key, text("attribute"))
    flash(wording_here()("connections.cleared_told"), "good")
    return redirect(url("screens.connection", key=key), code=303)


def _freee(key: str) -> Any:
    ctx = current_context()
    address = connections.begin_consent(ctx, key, redirect_uri=callback_url(ctx.settings), browser=session_secret())
    return redirect(address, code=303)


def _export(key: str) -> Any:
    default, sets = typed_export()
    if request.form.get("answer") == "more":
        return _page(key, Sent("export", sets=(default, [*sets, {}])))
    ctx = current_context()
    connection_settings.check_export(default, sets)
    looked = look_up(key, default, sets)
    if looked.faults:
        return _page(key, Sent("export", sets=(default, sets), faults=looked.faults, status=422, doubtful=True))
    connection_settings.set_export_settings(ctx, key, default, sets)
    saved = wording_here()("connections.saved")
    return f"{saved} {wording_here()('connections.held.not_looked')}" if looked.away else saved


def _automatic(key: str) -> Any:
    ctx = current_context()
    changes: dict[str, Any] = {name: text(name) for name in ("directions", "policy", "mail")}
    changes |= {name: text(name) or DEFAULT for name in ("quiet_seconds", "sweep_minutes")}
    named = {item: request.form.get(f"policy-{item}", "") for item in POLICY_ITEMS}
    changes["item_policies"] = {item: policy or DEFAULT for item, policy in named.items()}
    if request.form.get("answer") == "try":
        by = me().actor
        return begin(key, lambda way: trials.try_automatic(ctx, key, changes, direction=way, by=by))
    automatic_settings.set_automatic(ctx, key, changes=changes)
    trials.end_trials(ctx, key)
    return wording_here()("connections.saved")


def _two_persons(key: str) -> Any:
    if (asked := ask_for_proof()) is not None:
        return asked
    hours = text("hours") or "default"
    two_persons.set_two_persons(current_context(), key, mode=text("two_persons"), hours=hours, by=me().actor)
    return wording_here()("connections.saved")


def _beginning(key: str) -> str:
    automatic_settings.look_now(current_context(), me().actor, key)
    return wording_here()("connections.looking_now")


def _items(key: str) -> Any:
    ctx, choice = current_context(), _item_choice()
    if request.form.get("answer") == "try":
        by = me().actor
        return begin(key, lambda way: trials.try_items(ctx, key, choice, direction=way, by=by))
    connection_settings.set_items(ctx, key, choice)
    trials.end_trials(ctx, key)
    return wording_here()("connections.saved")


def _webhook(key: str) -> Any:
    ctx, words = current_context(), wording_here()
    answer = request.form.get("answer")
    if answer == "remove":
        return _remove_webhook(key)
    if answer == "rotate":
        until = ask_vendor(lambda: webhook_registration.rotate_webhook_secret(ctx, key))
        return words("connections.webhook_rotated", until=words.instant(until))
    if answer == "check":
        state = ask_vendor(lambda: connection_settings.check_webhook(ctx, key))
        return words("connections.webhook_checked", state=words.label(state))
    ask_vendor(lambda: webhook_registration.register_webhook(ctx, key))
    return words("connections.webhook_registered")


def _item_choice() -> ItemChoice:
    exchanged = set(request.form.getlist("exchanged"))
    return ItemChoice(
        excluded=[row.key for row in connection_settings.ITEMS if (row.group or row.key) not in exchanged],
        blank_policies={row.key: request.form.get(f"blank-{row.key}", "") for row in connection_settings.ITEMS},
        include_building="include_building" in request.form,
        create_positions="create_positions" in request.form,
    )


def _remove_webhook(key: str) -> Any:
    ctx = current_context()
    if (asked := _ask("webhook_remove", key, "webhook")) is not None:
        return asked
    ask_vendor(lambda: webhook_registration.remove_webhook(ctx, key))
    return wording_here()("connections.webhook_removed")


def _pause(key: str) -> Any:
    paused = request.form.get("answer") == "pause"
    if paused and (asked := _ask("pause", key, "pause")) is not None:
        return asked
    act = pause_resume.pause if paused else pause_resume.resume
    act(current_context(), key)
    return wording_here()("connections.paused" if paused else "connections.resumed")


def _ask(what: str, key: str, section: str) -> Response | None:
    name = find_connection(current_context(), key).name
    return ask_first(what, back=url("screens.connection", key=key, _anchor=section), connection=name)


def _check(key: str) -> Any:
    """Check both sides now; the page shows each answer, because only one side may have failed."""
    ctx = current_context()
    checks = ask_vendor(lambda: connections.check_connection(ctx, key))
    for check in checks:
        words = wording_here()
        side = words.label(check.system)
        answers = "connections.answers_gone" if check.gone else "connections.answers"
        told = words(answers, side=side) if check.ok else _failed(check)
        flash(told, "good" if check.ok and not check.gone else "bad")
    return redirect(url("screens.connection", key=key), code=303)


def _failed(check: connections.SystemCheck) -> str:
    words = wording_here()
    code = check.code or "unexpected"
    return words(
        "connections.answers_not", side=words.label(check.system), why=words.message(code), remedy=words.remedy(code)
    )


_SECTIONS: Mapping[str, Callable[[str], Any]] = {
    "names": _names,
    "token": _token,
    "attributes": _attributes,
    "cleared": _cleared,
    "freee": _freee,
    "export": _export,
    "automatic": _automatic,
    "beginning": _beginning,
    "items": _items,
    "two_persons": _two_persons,
    "webhook": _webhook,
    "pause": _pause,
    "check": _check,
}


_PLACES = {"attributes": "token", "beginning": "automatic"}
"""Sections whose button stands in the panel of another one."""


# ── the page ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sent(key: str, section: str, refused: Refused) -> Sent:
    typed = {name: value for name, value in request.form.items() if name not in ("smarthr_token", "csrf_token", PROOF)}
    sets = typed_export() if section == "export" else None
    told = "" if refused.fields else error_words(refused)
    shown = None
    if section == "items" and refused.code != "invalid_items":
        shown = connection_settings.with_items(find_connection(current_context(), key), _item_choice())
    return Sent(section, typed, sets, fault_words(refused), told, refused.status, shown=shown)


def _page(key: str, sent: Sent, *, trial: Trial | None = None) -> Response:
    ctx = current_context()
    view = connection_settings.show_settings(ctx, key)
    default, sets = sent.sets or kept_export(view.connection)
    return render(
        "connections/settings.html",
        status=sent.status,
        forms_to=origin_of(ctx.settings.freee_accounts_url),
        view=view,
        connection=view.connection,
        state=state_of(view.connection),
        sent=sent,
        trial=trial,
        held=asked_held(key),
        doubtful=sent.doubtful,
        default=default,
        sets=sets,
        doubts=export_doubts(view.connection),
        items=[row for row in connection_settings.ITEMS if row.group != BANK],
        account=[row for row in connection_settings.ITEMS if row.group == BANK],
        settings=ctx.settings,
        freee_address=f"{ctx.settings.base_url}/webhooks/freee",
        freee_token_set=bool(ctx.settings.freee_webhook_token),
        item_policies=POLICY_ITEMS,
        policies=POLICIES,
        automatics=list(Automatic),
        two_persons=list(TwoPersons),
        mail_policies=list(MailPolicy),
        blank_policies=list(BlankPolicy),
        pay_types=list(PayType),
    )


def state_of(connection: Connection) -> str:
    """A key of `connections.states`."""
    if connection.needs_consent:
        return "needs_consent"
    return "paused" if connection.paused else "active"
