"""Every way to change something leaves an entry in the audit trail: a walk over every form, every operation of the API
and every command, through the door that people use. A new one that is not in these tables is named here.

What is tried: the entry, who it names and through which door; `test_audit_chain` tries that it stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.domain.access.origin import Door, Origin, coming_from
from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState, RunState
from app.factory import create_app
from app.logs import configure_logging
from app.practice.staff.practice_company import SMARTHR_TOKEN
from app.storage.access.rows import AuditRow
from app.use_cases.accounts import invitations, refusals
from app.use_cases.accounts.api_keys import add_key, add_user, verify_key
from app.use_cases.accounts.sign_in import SignedIn
from app.use_cases.context import Context
from app.use_cases.finish.notices import RECONNECT, reconnect_token
from app.web.http.bearer_auth import FAILURES
from app.web.screens.connections.connections import _SECTIONS
from tests.use_cases.test_one_connection_per_pair import doubled_connection
from tests.web.made import add_delivery, add_run
from tests.web.test_cli_matrix import ADD, SECRETS
from tests.web.test_deliveries_cli import trouble
from tests.web.test_undo_page import written_run
from tests.web.visitor import PASSWORD, Visitor, visitor
from tests.web.wizard_house import EXPORT, Wizarding, wizard_house
from tests.web.world import KEY, World, impatient_database, locked

pytestmark = pytest.mark.database("sqlite")

TESTS = Path(__file__).resolve().parents[1]
Step = Callable[[], object]

CHANGES_NOTHING: Mapping[str, str] = {
    "screens.choose_language": "a cookie of a visitor who is not signed in",
    "screens.choose": "ticks of a preview write nothing; the approval's entry says how many were chosen",
    "section attributes": "reads what the token shows",
    "section check": "asks both systems whether they answer",
    **{
        f"flask {name}": "reads"
        for name in (
            *("sync show", "queue status", "delivery list", "delivery show", "trouble list", "link list", "user list"),
            *(
                "key list",
                "connection list",
                "connection show",
                "audit verify",
                "secrets status",
                "house show",
                "backup create",
                "backup check",
                "attention list",
            ),
        )
    },
}
TRIED_ELSEWHERE: Mapping[str, tuple[str, str]] = {
    "screens.overwrite": ("web/test_overwrite.py", "overwrite_ticked"),
    "screens.approve_alone": ("use_cases/test_two_persons.py", "decided_alone"),
    "flask sync approve-alone": ("use_cases/test_two_persons.py", "decided_alone"),
    "screens.links_decide": ("web/test_screen_links.py", "link_joined"),
    "flask attention look": ("web/test_attention_offer.py", "run_started"),
    "screens.attention_act": ("web/test_attention_screen.py", "attention_waived"),
    "screens.attention_resume": ("web/test_attention_screen.py", "connection_resumed"),
    "flask link join": ("use_cases/test_link_decisions.py", "link_joined"),
    "flask link release": ("web/test_screen_links.py", "link_released"),
    "flask link cut": ("use_cases/test_link_decisions.py", "link_cut"),
    "section cleared": ("web/test_unreadable_items.py", "attribute_cleared"),
    "flask connection cleared": ("web/test_unreadable_items.py", "attribute_cleared"),
    "screens.end_own_session": ("web/test_sessions.py", "session_ended"),
    "screens.end_other_sessions": ("web/test_sessions.py", "other_sessions_ended"),
    "screens.end_user_session": ("web/test_sessions.py", "session_ended"),
    "screens.end_user_sessions": ("web/test_sessions.py", "sessions_ended"),
    "screens.delete_connection": ("web/test_deleted_connection.py", "connection_deleted"),
    "screens.choose_password": ("web/test_proof.py", "password_changed"),
    "flask house adopt": ("use_cases/test_law_a_copy_rests.py", "house_adopted"),
    "flask secrets forget": ("web/test_locked_values.py", "key_forgotten"),
}
"""What needs a state that is long to make: (test, action it finds)."""


def entries_of(ctx: Context) -> list[AuditRow]:
    with ctx.unit_of_work().reading() as uow:
        return list(reversed(uow.audit.page(limit=10_000)))


def walked(ctx: Context, steps: Mapping[str, tuple[str, Step]], *, door: str, actor: str) -> None:
    """Do each step, and find its entry. Names every one without."""
    missing = []
    for name, (action, step) in steps.items():
        before = len(entries_of(ctx))
        step()
        new = entries_of(ctx)[before:]
        if not any((row.action, row.door) == (action, door) and row.actor in (actor, "nobody") for row in new):
            missing.append((name, action, [(row.action, row.actor, row.door) for row in new]))
    assert missing == []


# ── the tables are complete ───────────────────────────────────────────────────────────────────────────────────────


def ways(app: Flask) -> set[str]:
    """Every form, operation and command there is."""
    sent = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if set(rule.methods or ()) & {"POST", "PUT", "PATCH", "DELETE"}
    }
    groups = {name: group for name, group in app.cli.commands.items() if isinstance(group, click.Group)}
    ours = {name: group for name, group in groups.items() if type(group).__module__.startswith("app.")}
    commands = {f"flask {name} {each}" for name, group in ours.items() for each in group.commands}
    sections = {f"section {name}" for name in _SECTIONS}
    return (sent - {"screens.change_connection"}) | commands | sections | {"connect.freee_callback", "screens.run_csv"}


def test_every_way_to_change_something_is_walked(app: Flask) -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    walked_here = set(
        re.findall(r'^ +"([a-z]+\.\w+|section \w+|flask [a-z-]+ [a-z-]+)": \(\s*"', source, flags=re.MULTILINE)
    )
    known = walked_here | set(CHANGES_NOTHING) | set(TRIED_ELSEWHERE)
    assert sorted(ways(app) - known) == [], "leaves no entry that anybody has looked for"
    assert sorted(known - ways(app)) == [], "no longer there"
    assert sorted(walked_here & set(CHANGES_NOTHING)) == []
    for file, action in TRIED_ELSEWHERE.values():
        assert f'"{action}"' in (TESTS / file).read_text(encoding="utf-8"), (file, action)


# ── the API ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.reach("test")
def test_every_operation_of_the_api(world: World, app: Flask, bearer: Callable[..., dict[str, str]]) -> None:
    headers, client = bearer(), app.test_client()
    add_delivery(world, "crew-1")
    assert [row.action for row in entries_of(world.ctx)] == ["key_added"], "webhooks leave none"

    def post(address: str, **body: Any) -> Step:
        def step() -> None:
            answer = client.post(f"/api/v1{address}", json=body, headers=headers)
            assert answer.status_code == 202, (address, answer.text)

        return step

    preview = add_run(world, ItemState.WAITING, state=RunState.PREVIEWED)
    other = add_run(world, ItemState.WAITING, state=RunState.PREVIEWED)
    failed, written = add_run(world, ItemState.FAILED), written_run(world)
    start = {"connection": KEY, "direction": "smarthr_to_freee", "as_of_date": "2026-11-22", "employees": "all"}
    steps = {
        "runs.start_run": ("run_started", post("/runs", **start, dry_run=True)),
        "runs.approve": ("run_approved", post(f"/runs/{preview}/approve", acknowledge_mass_change=True)),
        "runs.retry": ("run_retried", post(f"/runs/{failed}/retry")),
        "runs.undo": ("undo_started", post(f"/runs/{written}/undo")),
        "runs.cancel": ("run_cancelled", post(f"/runs/{other}/cancel")),
        "ops.requeue": ("queue_requeued", post("/queue/requeue")),
        "ops.replay_delivery": ("delivery_replayed", post("/deliveries/1/replay")),
        "ops.replay_deliveries": ("deliveries_replayed", post("/deliveries/replay", since="2026-11-01T00:00:00Z")),
        "ops.pause": ("connection_paused", post(f"/connections/{KEY}/pause")),
        "ops.resume": ("connection_resumed", post(f"/connections/{KEY}/resume")),
    }
    prefix = headers["Authorization"].split("_")[1]
    walked(world.ctx, steps, door="api", actor=f"key:{prefix}")
    mine = [row for row in entries_of(world.ctx) if row.actor == f"key:{prefix}"]
    assert [row.action for row in mine].count("key_used") == 1, "once per address and day"
    assert {(row.address, (row.via or {}).get("key_name")) for row in mine if row.action != "key_used"} == {
        ("127.0.0.1", "テスト")
    }


def test_the_use_of_a_key_is_noted_once_per_address_and_day(
    world: World, app: Flask, bearer: Callable[..., dict[str, str]]
) -> None:
    headers, client = bearer(), app.test_client()
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        client.get("/api/v1/runs", headers=headers, environ_base={"REMOTE_ADDR": address})
    world.clock.turn(days=1)
    client.get("/api/v1/runs", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    used = [row.address for row in entries_of(world.ctx) if row.action == "key_used"]
    assert used == ["192.0.2.1", "192.0.2.2", "192.0.2.1"]


def test_the_use_of_a_key_that_could_not_be_stored_is_noted_the_next_time(world: World) -> None:
    token = add_key(world.ctx, "テスト", ["runs:read"])
    database = impatient_database(world.ctx.settings)
    ctx = replace(world.ctx, unit_of_work=database.unit_of_work)
    with locked(world.ctx.settings), pytest.raises(OperationalError):
        verify_key(ctx, token)
    for _ in range(2):
        assert verify_key(ctx, token) is not None
    database.dispose()
    assert [row.action for row in entries_of(world.ctx)] == ["key_added", "key_used"]


# ── the command line ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.reach("test")
def test_every_command(world: World, app: Flask) -> None:
    def run(*arguments: str, code: int = 0, **more: Any) -> Step:
        def step() -> None:
            done = app.test_cli_runner().invoke(args=list(arguments), **more)
            assert done.exit_code == code, (arguments, done.output, done.exception)

        return step

    add_delivery(world, "crew-1")
    trouble(world, "crew-1", "0001")
    preview = add_run(world, ItemState.WAITING, state=RunState.PREVIEWED)
    other = add_run(world, ItemState.WAITING, state=RunState.PREVIEWED)
    failed, written = add_run(world, ItemState.FAILED), written_run(world)
    prefix = add_key(world.ctx, "人事", ["runs:read"]).split("_")[1]
    for login in ("a@example.invalid", "b@example.invalid"):
        add_user(world.ctx, login, PASSWORD, role="admin")
    start = ["--connection", KEY, "--direction", "smarthr_to_freee", "--employees", "all", "--dry-run"]
    token = {"env": {"AWASE_SMARTHR_TOKEN": "an-invented-other-token"}}
    export = ["--base-pay", "250000"]
    steps = {
        "flask sync start": ("run_started", run("sync", "start", *start)),
        "flask sync approve": ("run_approved", run("sync", "approve", preview, "--acknowledge")),
        "flask sync retry": ("run_retried", run("sync", "retry", failed)),
        "flask sync undo": ("undo_started", run("sync", "undo", written)),
        "flask sync cancel": ("run_cancelled", run("sync", "cancel", other)),
        "flask queue requeue": ("queue_requeued", run("queue", "requeue")),
        "flask queue pause": ("connection_paused", run("queue", "pause", "--connection", KEY)),
        "flask queue resume": ("connection_resumed", run("queue", "resume", "--connection", KEY)),
        "flask delivery replay": ("delivery_replayed", run("delivery", "replay", "--id", "1")),
        "flask trouble lift": ("troubles_lifted", run("trouble", "lift", KEY)),
        "flask user add": ("user_added", run("user", "add", "c@example.invalid", env={"AWASE_PASSWORD": PASSWORD})),
        "flask user set-role": ("role_changed", run("user", "set-role", "b@example.invalid", "viewer")),
        "flask user disable": ("user_disabled", run("user", "disable", "b@example.invalid")),
        "flask user enable": ("user_enabled", run("user", "enable", "b@example.invalid")),
        "flask user reset-password": ("password_reset", run("user", "reset-password", "b@example.invalid")),
        "flask key add": ("key_added", run("key", "add", "--name", "二つ目", "--scope", "runs:read")),
        "flask key revoke": ("key_revoked", run("key", "revoke", prefix)),
        "flask audit export": ("audit_exported", run("audit", "export", "--from", "2026-11-01", "--to", "2026-11-30")),
        "flask secrets rotate": ("secrets_rotated", run("secrets", "rotate")),
        "flask connection add": ("connection_added", run(*ADD, env=SECRETS)),
        "flask connection authorise": ("consent_begun", run("connection", "authorise", KEY)),
        "flask connection set-export-settings": (
            "export_settings_changed",
            run("connection", "set-export-settings", KEY, *export),
        ),
        "flask connection set-smarthr-token": (
            "smarthr_token_replaced",
            run("connection", "set-smarthr-token", KEY, **token),
        ),
        "flask connection set-two-persons": (
            "two_persons_changed",
            run("connection", "set-two-persons", KEY, "accounts"),
        ),
        "flask connection set-automatic": (
            "automatic_changed",
            run("connection", "set-automatic", KEY, "--policy", "smarthr_wins", "--mail", "always"),
        ),
        "flask connection look-now": ("beginning_looked_at", run("connection", "look-now", KEY)),
    }
    add_user(world.ctx, "d@example.invalid", PASSWORD, role="member")
    walked(world.ctx, steps, door="cli", actor="cli")
    rows = {row.action: row for row in entries_of(world.ctx) if row.door == "cli"}
    assert all((row.via or {}).get("os_user") for row in rows.values())
    assert rows["export_settings_changed"].detail["changes"] == {"export_settings.base_pay": [200_000, 250_000]}
    assert rows["automatic_changed"].detail["changes"]["conflict_policy"] == ["hold", "smarthr_wins"]
    assert rows["role_changed"].detail == {"changes": {"role": ["admin", "viewer"]}}
    told = repr([row.detail for row in entries_of(world.ctx)])
    for secret in (PASSWORD, "an-invented-other-token", "example.invalid", *SECRETS.values()):
        assert secret not in told, secret


def test_the_first_administrator_and_an_upgrade(unmigrated: World, tmp_path: Path) -> None:
    cli = create_app(unmigrated.ctx).test_cli_runner()
    steps = {
        "flask db upgrade": ("database_upgraded", lambda: None),
        "flask user first": ("user_added", lambda: cli.invoke(args=["user", "first"])),
    }
    assert cli.invoke(args=["db", "upgrade"]).exit_code == 0
    assert [row.action for row in entries_of(unmigrated.ctx)] == ["database_upgraded"]
    walked(unmigrated.ctx, dict(list(steps.items())[1:]), door="cli", actor="cli")
    assert cli.invoke(args=["db", "upgrade"]).exit_code == 0
    assert [row.action for row in entries_of(unmigrated.ctx)] == ["database_upgraded", "user_added"]


@pytest.mark.reach("test")
def test_what_removes_a_doubled_connection(open_practice: Callable[..., Any]) -> None:
    house = open_practice()
    cli = create_app(house.ctx).test_cli_runner()
    steps = {}
    for name, action in (("merge", "connection_merged"), ("remove", "connection_removed")):
        arguments = ["connection", name, *(["--yes"] if name == "remove" else []), "doubled"]

        def step(arguments: list[str] = arguments) -> None:
            doubled_connection(house)
            assert cli.invoke(args=arguments).exit_code == 0
            with house.database.engine.begin() as connection:
                connection.exec_driver_sql("UPDATE connections SET key = key || id WHERE key = 'doubled'")

        steps[name] = (action, step)
    walked(house.ctx, steps, door="cli", actor="cli")


WALKED_APART = {
    "flask connection merge": ("connection_merged", test_what_removes_a_doubled_connection),
    "flask connection remove": ("connection_removed", test_what_removes_a_doubled_connection),
}


# ── the screens ───────────────────────────────────────────────────────────────────────────────────────────────────


class Clicks:
    """An administrator who opens a page and sends one of its forms."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    def __call__(self, page: str, action: str | None = None, **sent: Any) -> Step:
        def step() -> None:
            self._visitor.open(page)
            answer = self._visitor.send(action, **sent)
            assert answer.status_code == 200, (page, action, self._visitor.words[:500])

        return step

    def post(self, address: str, **sent: Any) -> Step:
        """Without a page before: for forms that stand behind a script or a question."""

        def step() -> None:
            self._visitor.open("/account")
            answer = self._visitor.client.post(address, data={"csrf_token": self._visitor.token, **sent})
            assert answer.status_code in (200, 303), (address, answer.status_code, answer.text[:500])

        return step


@pytest.mark.reach("test")
def test_every_form_of_runs_and_people(world: World, app: Flask, visit: Callable[..., Visitor]) -> None:
    admin = visit(Role.ADMIN)
    click_on = Clicks(admin)
    add_delivery(world, "crew-1")
    trouble(world, "crew-1", "0001")
    previews = [add_run(world, ItemState.WAITING, state=RunState.PREVIEWED) for _ in range(5)]
    failed, written = add_run(world, ItemState.FAILED), written_run(world)
    add_user(world.ctx, "b@example.invalid", PASSWORD, role="viewer")
    prefix = add_key(world.ctx, "人事", ["runs:read"]).split("_")[1]
    steps = {
        "screens.read_again": ("run_started", click_on.post(f"/runs/{previews[2]}/again", key="k")),
        "screens.begin_sync": ("run_started", click_on(f"/sync/{KEY}/{Direction.FREEE_TO_SMARTHR.value}")),
        "screens.approve": ("run_approved", click_on.post(f"/runs/{previews[0]}/approve", acknowledged="on")),
        "screens.discard": ("run_cancelled", click_on.post(f"/runs/{previews[1]}/discard", confirmed="yes")),
        "screens.cancel_run": ("run_cancelled", click_on.post(f"/runs/{previews[3]}/cancel")),
        "screens.retry_run": ("run_retried", click_on.post(f"/runs/{failed}/retry")),
        "screens.begin_undo": ("undo_started", click_on(f"/runs/{written}/undo", "/undo")),
        "screens.run_csv": ("results_downloaded", lambda: admin.client.get(f"/runs/{failed}.csv")),
        "screens.engine_act": ("queue_requeued", click_on.post("/engine/act", action="requeue")),
        "screens.replay_delivery": ("delivery_replayed", click_on("/engine/deliveries/1", "/replay")),
        "screens.replay_deliveries": (
            "deliveries_replayed",
            click_on.post("/engine/deliveries/replay", since="2026-11-01T00:00"),
        ),
        "screens.users_invite": ("user_invited", click_on("/users", "/invitations", mail="c@example.invalid")),
        "screens.users_revoke": ("invitation_revoked", click_on("/users", "/invitations/1/revoke", confirmed="yes")),
        "screens.users_role": ("role_changed", click_on("/users", "/users/2/role", role="member")),
        "screens.users_disable": ("user_disabled", click_on("/users", "/users/2/disable", confirmed="yes")),
        "screens.users_enable": ("user_enabled", click_on("/users", "/users/2/enable")),
        "screens.users_password": ("password_reset", click_on("/users", "/users/2/password", confirmed="yes")),
        "screens.keys_add": ("key_added", click_on("/keys", "/keys", name="連携", scope=["runs:read"])),
        "screens.keys_revoke": ("key_revoked", click_on(f"/keys/{prefix}/revoke", "/revoke")),
        "screens.audit_file": ("audit_exported", click_on("/audit/export", "/audit/export")),
        "screens.change_language": ("locale_changed", click_on("/account", "/account/language", locale="en")),
        "screens.change_password": (
            "password_changed",
            click_on("/account", "/password", current=PASSWORD, password=PASSWORD[::-1], again=PASSWORD[::-1]),
        ),
        "screens.sign_out": ("signed_out", click_on("/account", "/sign-out")),
        "screens.begin": ("signed_in", lambda: admin.sign_in("admin@example.invalid", PASSWORD[::-1])),
        "screens.sign_out_everywhere": (
            "signed_out_everywhere",
            click_on("/account", "/sign-out-everywhere", confirmed="yes"),
        ),
    }
    walked(world.ctx, steps, door="screen", actor="user:1")
    assert {row.address for row in entries_of(world.ctx) if row.door == "screen"} == {"127.0.0.1"}


@pytest.mark.reach("test")
def test_an_invitation_that_is_accepted(world: World, app: Flask) -> None:
    add_user(world.ctx, "a@example.invalid", PASSWORD, role="admin")
    invitations.invite(world.ctx, "c@example.invalid", "viewer", by=SignedIn(1, "a", Role.ADMIN, "ja"))
    with world.ctx.unit_of_work() as uow:
        mail = uow.mails.get(1)
    link = re.search(r"/invitation/\S+", (mail.body if mail else "") or "")
    assert link
    invited = Clicks(Visitor(app.test_client()))
    answer = invited(link[0], None, password=PASSWORD, again=PASSWORD)
    steps = {
        "screens.accept_invitation": ("invitation_accepted", answer),
    }
    walked(world.ctx, steps, door="screen", actor="user:2")


@pytest.fixture
def wizarding(tmp_path: Path) -> Iterator[Wizarding]:
    with wizard_house(tmp_path) as made:
        yield made


@pytest.mark.reach("test")
def test_every_step_of_the_wizard_and_every_section_of_a_connection(wizarding: Wizarding) -> None:
    """Against the practice vendors."""
    admin, ctx = wizarding.admin, wizarding.house.ctx
    click_on, key = Clicks(admin), ""

    def begin() -> None:
        nonlocal key
        wizarding.begin()
        key = wizarding.key
        admin.open(f"/connections/new/{key}/freee")

    def at(step: str, action: str, **sent: Any) -> Step:
        return lambda: click_on(f"/connections/new/{key}/{step}", action, **sent)()

    steps: dict[str, tuple[str, Step]] = {
        "screens.begin_setup": ("setup_begun", begin),
        "screens.setup_consent": ("consent_begun", wizarding.to_freee),
        "screens.setup_company": ("connection_added", at("freee", "/company", press=("answer", "confirm"))),
        "screens.setup_export": (
            "export_settings_changed",
            at("export", "/export", press=("answer", "save"), **EXPORT),
        ),
        "screens.setup_webhook": ("webhook_registered", at("webhook", "/webhook", press=("answer", "register"))),
        "screens.end_setup": ("setup_ended", at("done", "/end")),
    }
    walked(ctx, steps, door="screen", actor="user:1")
    assert [row.action for row in entries_of(ctx)].count("consent_given") == 1
    for login in ("b@example.invalid", "c@example.invalid"):
        add_user(ctx, login, PASSWORD, role="admin")

    def section(of: str, **sent: Any) -> Step:
        return click_on(f"/connections/{key}", f"/connections/{key}/{of}", **sent)

    def to_freee() -> None:
        admin.open(f"/connections/{key}")
        wizarding.to_freee(action=f"/connections/{key}/freee")

    def reconnect() -> None:
        Visitor(wizarding.app.test_client()).client.post(f"{RECONNECT}/{reconnect_token(ctx.keys.signing, key)}")

    changed = {**EXPORT, "base_pay": "240,000"}
    token = {"smarthr_token": SMARTHR_TOKEN}
    steps = {
        "section names": ("connection_renamed", section("names", name="あたらしい名前", mail_to="x@example.com")),
        "section token": ("smarthr_token_replaced", section("token", **token)),
        "section export": ("export_settings_changed", section("export", press=("answer", "save"), **changed)),
        "section automatic": ("automatic_changed", section("automatic", directions="both", policy="smarthr_wins")),
        "section beginning": ("beginning_looked_at", section("beginning")),
        "section items": ("items_changed", section("items", create_positions="on")),
        "section two_persons": ("two_persons_changed", section("two_persons", two_persons="accounts")),
        "section webhook": ("webhook_secret_rotated", section("webhook", press=("answer", "rotate"))),
        "section pause": ("connection_paused", section("pause", press=("answer", "pause"), confirmed="yes")),
        "section freee": ("consent_begun", to_freee),
        "connect.freee_callback": ("consent_given", to_freee),
        "connect.begin": ("consent_begun", reconnect),
    }
    walked(ctx, steps, door="screen", actor="user:1")
    cli = wizarding.app.test_cli_runner()

    def broken_and_checked() -> None:
        for each in wizarding.house.smarthr.state.webhooks.values():
            each["disabled_at"] = "2026-11-10T01:02:03.000Z"
        cli.invoke(args=["connection", "check", key, "--repair"])

    def command(*arguments: str) -> Step:
        return lambda: cli.invoke(args=["connection", *arguments])

    steps = {
        "flask connection register-webhook": ("webhook_registered", command("register-webhook", key)),
        "flask connection check": ("webhook_repaired", broken_and_checked),
        "flask connection rotate-webhook-secret": ("webhook_secret_rotated", command("rotate-webhook-secret", key)),
        "flask connection remove-webhook": ("webhook_removed", command("remove-webhook", key)),
    }
    walked(ctx, steps, door="cli", actor="cli")
    rows = {row.action: row for row in entries_of(ctx)}
    assert rows["connection_renamed"].detail["changes"] == {
        "mail_to": ["", "changed"],
        "name": ["合わせ商事", "あたらしい名前"],
    }
    told = repr([row.detail for row in rows.values()])
    assert SMARTHR_TOKEN not in told and "x@example.com" not in told


# ── what is refused ───────────────────────────────────────────────────────────────────────────────────────────────


def test_refusals_say_who_from_where(world: World, app: Flask, bearer: Callable[..., dict[str, str]]) -> None:
    member = visitor(world.ctx, app.test_client(), Role.VIEWER)
    here = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
    assert member.client.get("/users", **here).status_code == 403  # type: ignore[arg-type]
    headers = bearer("runs:read")
    assert app.test_client().post("/api/v1/queue/requeue", json={}, headers=headers, **here).status_code == 403  # type: ignore[arg-type]
    with world.ctx.unit_of_work() as uow:
        uow.keys.revoke(headers["Authorization"].split("_")[1], now=world.clock.now())
    assert app.test_client().get("/api/v1/runs", headers=headers, **here).status_code == 401  # type: ignore[arg-type]
    found = [
        (row.action, row.actor.partition(":")[0], row.subject.partition(":")[0], row.address, row.detail)
        for row in entries_of(world.ctx)
        if row.action.endswith("refused")
    ]
    assert found == [
        ("right_refused", "user", "page", "192.0.2.7", {"permission": "manage_people"}),
        ("right_refused", "key", "operation", "192.0.2.7", {"scope": "ops:write"}),
        ("key_refused", "key", "key", "192.0.2.7", {}),
    ]


@pytest.mark.parametrize("address", ["/api/v1/runs", "/metrics", "/health/ready"])
def test_a_key_comes_through_the_door_of_programs(
    address: str, world: World, app: Flask, bearer: Callable[..., dict[str, str]]
) -> None:
    app.test_client().get(address, headers=bearer("runs:read", "ops:read"))
    assert [row.door for row in entries_of(world.ctx) if row.action == "key_used"] == ["api"]


def test_a_flood_of_refusals_has_a_bound(world: World) -> None:
    """Per caller, and of all callers together; the last entry says that more were left out."""

    def refuse(times: int, address: str) -> None:
        with coming_from(Origin(Door.SCREEN, "nobody", address)):
            for _ in range(times):
                refusals.note_refused(world.ctx, action="sign_in_failed", subject="user:0")

    refuse(refusals.MOST_PER_CALLER + 5, "192.0.2.1")
    assert len(entries_of(world.ctx)) == refusals.MOST_PER_CALLER
    with world.ctx.unit_of_work() as uow:  # of many other callers
        for _ in range(refusals.MOST_PER_HOUR - refusals.MOST_PER_CALLER - 1):
            uow.audit.add(action="sign_in_braked", subject="user:0", now=world.clock.now())
    refuse(5, "192.0.2.2")
    rows = entries_of(world.ctx)
    assert len(rows) == refusals.MOST_PER_HOUR + 1
    assert [row.action for row in rows[-2:]] == ["sign_in_failed", refusals.LEFT_OUT]
    world.clock.turn(hours=1, seconds=1)
    refuse(1, "192.0.2.1")
    assert entries_of(world.ctx)[-1].action == "sign_in_failed"


@pytest.mark.parametrize("over", [0, 1, 2])
def test_what_is_left_out_is_told_also_when_several_reach_the_bound_at_once(world: World, over: int) -> None:
    with world.ctx.unit_of_work() as uow:
        for _ in range(refusals.MOST_PER_HOUR + over):
            uow.audit.add(action="sign_in_failed", subject="user:0", now=world.clock.now())
    for _ in range(3):
        refusals.note_refused(world.ctx, action="sign_in_braked", subject="user:0")
    rows = entries_of(world.ctx)
    assert len(rows) == refusals.MOST_PER_HOUR + over + 1
    assert rows[-1].action == refusals.LEFT_OUT


def test_log_lines_of_refusals_carry_the_address_and_others_do_not(
    world: World, app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    client, here = app.test_client(), {"REMOTE_ADDR": "192.0.2.7"}
    member = visitor(world.ctx, app.test_client(), Role.VIEWER)
    capsys.readouterr()
    configure_logging("INFO")
    client.get("/api/v1/runs", environ_base=here)
    client.post(f"/webhooks/smarthr/{KEY}", data=b"{}", headers={"X-SmartHR-Token": "wrong"}, environ_base=here)
    client.post("/webhooks/freee", data=b"{}", environ_base=here)
    member.client.get("/users", environ_base=here)
    for _ in range(FAILURES.amount):
        client.get("/api/v1/runs", environ_base=here)
    member.client.get("/account", environ_base=here)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = [(line["status"], line.get("address")) for line in lines if line["event"] == "request"]
    assert told[:4] == [(401, "192.0.2.7"), (401, "192.0.2.7"), (401, "192.0.2.7"), (403, "192.0.2.7")]
    assert told[-2:] == [(429, "192.0.2.7"), (200, None)]
