"""The dashboard: what ran last, what waits for somebody, and who sees which button."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic
from app.storage.enums import UnlinkReason, WebhookState
from app.storage.tables.models import ConnectionTable
from tests.statements import statements
from tests.web.made import add_run
from tests.web.previewed import CHANGED, EQUAL, preview_of, waiting_preview
from tests.web.visitor import Visitor
from tests.web.world import KEY, NOW, World

pytestmark = pytest.mark.reach("test")  # long journeys

Visit = Callable[..., Visitor]
TO_FREEE = f"/sync/{KEY}/smarthr_to_freee"
TO_SMARTHR = f"/sync/{KEY}/freee_to_smarthr"


def panel(visitor: Visitor, direction: str) -> str:
    """The words of one panel."""
    found = [part for part in visitor.text.split("<article") if direction in part.split("</h2>")[0]]
    assert len(found) == 1, direction
    return " ".join(found[0].split("</article>")[0].split())


def change_connection(world: World, **changes: object) -> None:
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection is not None
        uow.connections.set_options(replace(connection, **changes))  # type: ignore[arg-type]


def test_both_panels_in_the_order_people_know(visit: Visit) -> None:
    member = visit(Role.MEMBER)
    text = member.open("/")
    assert text.index("freee人事労務からSmartHRへ") < text.index("SmartHRからfreee人事労務へ")
    assert TO_FREEE in panel(member, "SmartHRからfreee人事労務へ")
    assert TO_SMARTHR in panel(member, "freee人事労務からSmartHRへ")
    assert member.words.count("まだありません") == 4


def test_the_last_success_stands_beside_the_last_attempt(world: World, visit: Visit) -> None:
    add_run(world, ItemState.SUCCEEDED, ItemState.UNCHANGED)
    world.clock.turn(hours=3)
    failed = add_run(world, ItemState.SUCCEEDED, ItemState.FAILED, ItemState.CONFLICT, ItemState.NEEDS_REVIEW)
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(failed)
    assert run is not None and run.finished_at is not None
    member = visit(Role.MEMBER)
    member.open("/")
    shown = panel(member, "SmartHRからfreee人事労務へ")
    assert "一部失敗" in shown and f"/runs/{failed}" in shown
    assert "3人が対応を待っています" in shown
    assert shown.count("<time") == 2
    assert "<b>1</b><span>失敗" in shown and "<b>2</b><span>要確認" in shown


def test_a_preview_that_was_thrown_away_was_no_attempt(world: World, visit: Visit) -> None:
    run_id = preview_of(world, CHANGED)
    member = visit(Role.MEMBER)
    assert f"/runs/{run_id}/people" in member.open("/")
    member.open(f"/runs/{run_id}/people")
    member.send("/discard", confirmed="yes")
    assert f"/runs/{run_id}" not in panel(member, "SmartHRからfreee人事労務へ")
    assert member.words.count("まだありません") == 4


def test_everybody_equal_counts_as_a_success(world: World, visit: Visit) -> None:
    preview_of(world, EQUAL, EQUAL)
    member = visit(Role.MEMBER)
    member.open("/")
    assert panel(member, "SmartHRからfreee人事労務へ").count("<time") == 2


def test_while_something_runs_the_panels_follow_by_themselves(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    assert "data-live" not in member.open("/")
    run_id = waiting_preview(world)
    assert f'data-live="/panels/{KEY}"' in member.open("/")
    part = member.open(f"/panels/{KEY}")
    assert "<html" not in part and f"/runs/{run_id}/people" in part


def test_what_waits_for_somebody_is_told(world: World, visit: Visit) -> None:
    change_connection(world, automatic=Automatic.BOTH)
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection is not None
        link = uow.links.create(connection.id, "crew-1", "1", now=NOW)
        uow.links.unlink(link.id, why=UnlinkReason.FREEE_DELETED, now=NOW)
        uow.troubles.note(
            connection.id,
            Direction.SMARTHR_TO_FREEE,
            "crew-2",
            employee_number="0002",
            code="E1",
            now=NOW,
            quarantine_after=1,
        )
        uow.webhook_registrations.set_secret(connection.id, "an-invented-secret", previous_until=NOW)
        uow.webhook_registrations.found(
            connection.id, vendor_id="w", state=WebhookState.DISABLED, disabled_at=NOW, now=NOW
        )
    admin = visit(Role.ADMIN)
    admin.open("/")
    for told in ("紐付けが切れた従業員が1人", "1件、対応が必要です", "双方向"):
        assert told in admin.words


@pytest.mark.parametrize(("column", "told"), [("set_paused", "一時停止中"), ("set_needs_consent", "認可が切れて")])
def test_a_connection_that_takes_no_work_offers_none(world: World, visit: Visit, column: str, told: str) -> None:
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection is not None
        getattr(uow.connections, column)(connection.id, True)
    member = visit(Role.MEMBER)
    member.open("/")
    assert told in member.words
    assert TO_FREEE not in member.text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPS])
def test_who_may_not_run_sees_no_button(world: World, visit: Visit, role: Role) -> None:
    run_id = preview_of(world, CHANGED)
    add_run(world, ItemState.FAILED, ItemState.SUCCEEDED)
    somebody = visit(role)
    somebody.open("/")
    assert "同期を開始" not in somebody.text
    assert "一部失敗" in somebody.words
    assert (f"/runs/{run_id}/people" in somebody.text) is (role is Role.VIEWER)


@pytest.mark.parametrize(("role", "button"), [(Role.ADMIN, True), (Role.MEMBER, False), (Role.OPS, False)])
def test_without_a_connection_there_is_one_thing_to_do(world: World, visit: Visit, role: Role, button: bool) -> None:
    with world.database.engine.begin() as connection:
        connection.execute(delete(ConnectionTable))
    somebody = visit(role)
    somebody.open("/")
    assert "まだ接続がありません" in somebody.words
    assert ("接続を始める" in somebody.words) is button
    assert ("管理者が接続を登録すると" in somebody.words) is not button


def test_several_connections_are_chosen_by_name(world: World, visit: Visit) -> None:
    with world.ctx.unit_of_work() as uow:
        uow.connections.add(
            key="second",
            name="二つめの会社",
            smarthr_subdomain="second",
            smarthr_token="an-invented-token",
            freee_company_id=7,
            now=NOW + timedelta(days=1),
        )
    member = visit(Role.MEMBER)
    member.open("/")
    assert TO_FREEE in member.text
    member.send("/", connection="second")
    assert "認可が切れて" in member.words and TO_FREEE not in member.text
    assert TO_FREEE in member.open("/?connection=nobody")


def test_a_dashboard_costs_few_queries(world: World, visit: Visit) -> None:
    for _ in range(3):
        add_run(world, ItemState.SUCCEEDED, ItemState.FAILED)
        preview_of(world, CHANGED)
    change_connection(world, automatic=Automatic.BOTH)
    member = visit(Role.MEMBER)
    with statements(world.database.engine) as sent:
        member.open("/")
    assert len(sent) <= 12, sent


def test_in_english(world: World, visit: Visit) -> None:
    add_run(world, ItemState.SUCCEEDED, state=RunState.RUNNING)
    member = visit(Role.MEMBER)
    with world.ctx.unit_of_work() as uow:
        user = uow.users.by_login(f"{Role.MEMBER.value}@example.invalid")
        assert user is not None
        uow.users.change(user.id, locale="en")
    member.open("/")
    assert "Start a sync" in member.words and "Last success" in member.words and "同期" not in member.words
