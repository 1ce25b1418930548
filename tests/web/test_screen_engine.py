"""稼働状況 on the screen: what stands there, live and empty, what ops do about it, and that nobody is named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from app.domain.access.roles import Role
from app.domain.enums import Direction, System
from app.domain.runs.run_state import ItemState
from app.use_cases.monitoring.engine_view import engine_view
from app.use_cases.upkeep.reconcile import reconcile_once
from tests.web.hooks import listen, send_smarthr, smarthr_body
from tests.web.made import add_run
from tests.web.visitor import Visitor
from tests.web.world import KEY, World

pytestmark = pytest.mark.reach("test")  # long journeys

Visit = Callable[..., Visitor]


def audit(world: World) -> list[tuple[str, str]]:
    with world.ctx.unit_of_work() as uow:
        return [(entry.action, entry.subject) for entry in uow.audit.page() if "user:" not in entry.subject]


def troubled(world: World, *numbers: str, code: str = "E2") -> None:
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection
        for number in numbers:
            uow.troubles.note(
                connection.id,
                Direction.SMARTHR_TO_FREEE,
                f"crew-{number}",
                employee_number=number,
                code=code,
                now=world.clock.now(),
                quarantine_after=1,
            )


def test_an_engine_at_rest(visit: Visit) -> None:
    ops = visit(Role.OPS)
    ops.open("/engine")
    for told in ("終わっていない同期はありません。", "失敗も要確認もありません。", "止めている従業員はいません。"):
        assert told in ops.words
    assert "れんしゅう株式会社" in ops.words and "止まっています" in ops.words  # nobody reconciles in this world


def test_work_going_on_stands_there_as_numbers(world: World, visit: Visit) -> None:
    add_run(world, ItemState.SUCCEEDED, ItemState.FAILED, ItemState.NEEDS_REVIEW, ItemState.WAITING)
    reconcile_once(world.ctx)
    view = engine_view(world.ctx)
    assert (view.ended[-1].parts, view.ended[0].total, len(view.ended)) == ({"well": 1, "troubled": 2}, 0, 60)
    assert view.failed_today == 1 and view.reconciles
    assert [(run.done, run.total) for run in view.runs] == [(3, 4)]
    ops = visit(Role.OPS)
    ops.open("/engine")
    assert "3 / 4" in ops.words and "動いています" in ops.words
    assert 'role="img" aria-label="直近1時間に処理した人数の棒グラフ。合計 3"' in ops.text


def test_what_is_older_than_a_day_is_no_cause_any_more(world: World) -> None:
    add_run(world, ItemState.FAILED)
    assert [(cause.code, cause.total) for cause in engine_view(world.ctx).causes] == [("E1", 1)]
    world.clock.turn(hours=25)
    view = engine_view(world.ctx)
    assert view.causes == () and sum(span.total for span in view.ended) == 0


def test_webhooks_are_counted_by_the_hour(world: World, client: FlaskClient) -> None:
    listen(world)
    send_smarthr(client, smarthr_body())
    world.clock.turn(hours=2)
    send_smarthr(client, smarthr_body("crew_updated", "crew-2"))
    received = engine_view(world.ctx).received
    assert [span.parts[System.SMARTHR.value] for span in received[-3:]] == [1, 0, 1]
    assert received[-1].at + timedelta(hours=1) > world.clock.now() >= received[-1].at


def test_without_the_broker_the_page_says_so(world: World, visit: Visit) -> None:
    world.broker.away = True
    ops = visit(Role.OPS)
    ops.open("/engine")
    assert "キューに接続できません。" in ops.words and "不明" in ops.words


def test_the_live_part_is_the_page_without_its_frame(visit: Visit) -> None:
    ops = visit(Role.OPS)
    fragment = ops.open("/engine/now")
    assert "<html" not in fragment and 'data-live="/engine/now"' in fragment


def test_nobody_is_named(world: World, visit: Visit) -> None:
    add_run(world, ItemState.FAILED)
    troubled(world, "0007")
    ops = visit(Role.OPS)
    text = ops.open("/engine")
    assert "0007" not in text and "crew-0007" not in text and "0001" not in text


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER])
def test_others_have_nothing_to_do_here(visit: Visit, role: Role) -> None:
    somebody = visit(role)
    for page in ("/engine", "/engine/now", "/engine/ask?action=requeue", "/engine/deliveries", "/engine/deliveries/1"):
        somebody.open(page, status=403)


def test_pause_and_resume_are_asked_about_first(world: World, visit: Visit) -> None:
    ops = visit(Role.OPS)
    for action, state in (("pause", "一時停止中"), ("resume", "有効")):
        ops.open(f"/engine/ask?action={action}&connection={KEY}")
        assert "れんしゅう株式会社" in ops.words
        ops.send("/engine/act")
        assert state in ops.words
    assert audit(world) == [("connection_resumed", f"connection:{KEY}"), ("connection_paused", f"connection:{KEY}")]


def test_waiting_work_is_queued_again(world: World, visit: Visit) -> None:
    ops = visit(Role.OPS)
    ops.open("/engine/ask?action=requeue")
    ops.send("/engine/act")
    assert "キューに入れ直しました。" in ops.words
    assert audit(world) == [("queue_requeued", "queue")]


def test_a_quarantine_ends_for_everybody_with_this_cause(world: World, visit: Visit) -> None:
    troubled(world, "0001", "0002")
    troubled(world, "0003", code="E1")
    ops = visit(Role.OPS)
    ops.open(f"/engine/ask?action=release&connection={KEY}&code=E2")
    ops.send("/engine/act")
    assert "2人を自動同期に戻しました。" in ops.words
    with world.ctx.unit_of_work() as uow:
        assert [code for _, code, _ in uow.troubles.quarantined_causes()] == ["E1"]
    assert audit(world) == [("quarantine_released", f"connection:{KEY}")]
    ops.open(f"/engine/ask?action=release&connection={KEY}&code=E2")
    ops.send("/engine/act")
    assert "もういません" in ops.words


def test_an_action_that_is_none_is_refused(visit: Visit) -> None:
    visit(Role.OPS).open("/engine/ask?action=drop", status=422)


def test_weak_secrets_stand_there_by_name_and_never_by_value(world: World, visit: Visit) -> None:
    weak = world.ctx.settings.weaknesses
    assert {(each.variable, each.code) for each in weak} >= {("SECRET_KEY", "secret_guessable")}
    ops = visit(Role.OPS)
    ops.open("/engine")
    for each in weak:
        assert each.variable in ops.words and each.code in ops.words
    assert "弱い鍵とトークン" in ops.words and "engine.weak" not in ops.words
    for values in world.ctx.settings.secrets.values():
        assert not [value for value in values if value in ops.text]
