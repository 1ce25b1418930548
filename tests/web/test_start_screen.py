"""Beginning a sync: the date, the numbers, a double click, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction, System, Trigger
from app.domain.runs.run_state import RunState
from tests.statements import statements
from tests.web.previewed import CHANGED, audited, preview_of, runs_of, state_of
from tests.web.visitor import Visitor
from tests.web.world import KEY, World

pytestmark = pytest.mark.reach("test")  # long journeys

Visit = Callable[..., Visitor]
PAGE = f"/sync/{KEY}/smarthr_to_freee"


def test_next_starts_a_preview_and_shows_how_it_is_read(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open(PAGE)
    assert 'value="2026-11-22"' in member.text  # today in Japan
    member.send(as_of_date="2026-11-30")
    (run,) = runs_of(world)
    assert (run.dry_run, run.trigger, run.scope) == (True, Trigger.MANUAL, None)
    assert (run.direction, run.as_of_date) == (Direction.SMARTHR_TO_FREEE, date(2026, 11, 30))
    assert run.started_by.startswith("user:")
    assert member.page is not None and member.page.request.path == f"/runs/{run.public_id}/people"
    assert "従業員情報を読み込んでいます" in member.words
    assert audited(world)[0] == ("run_started", f"run:{run.public_id}")


def test_pasted_numbers_in_any_form_and_each_once(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open(PAGE)
    member.send(employees="0003\r\n0001\t0002、0003\n\n, 0001")
    assert runs_of(world)[0].scope == ["0003", "0001", "0002"]


def test_a_double_click_starts_one_run(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open(PAGE)
    form = member.form()
    first, second = (member.client.post(PAGE, data=dict(form.fields)) for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert first.headers["Location"] == second.headers["Location"]
    assert len(runs_of(world)) == 1
    member.open(PAGE)
    member.send(employees="0001")
    assert len(runs_of(world)) == 2


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"as_of_date": "yesterday"}, "情報取得基準日を正しい日付で入力してください。"),
        ({"as_of_date": ""}, "情報取得基準日を正しい日付で入力してください。"),
        ({"as_of_date": "1999-01-01"}, "5年前から1年後"),
        ({"employees": "0001 9999"}, "SmartHRにいない従業員番号です: 9999"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(
    world: World, visit: Visit, typed: dict[str, str], told: str
) -> None:
    member = visit(Role.MEMBER)
    member.open(PAGE)
    answer = member.send(**{"employees": "0001", **typed})
    assert answer.status_code == 422
    assert told in member.words
    assert 'aria-invalid="true"' in member.text
    assert (typed.get("employees") or "0001") in member.text
    assert runs_of(world) == []


def test_a_paused_connection_refuses_although_the_page_was_open(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open(PAGE)
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection is not None
        uow.connections.set_paused(connection.id, True)
    assert member.send().status_code == 409
    assert "一時停止中" in member.words and runs_of(world) == []


def test_without_export_settings_only_freee_is_closed(world: World, visit: Visit) -> None:
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection is not None
        uow.connections.set_export_settings(connection.id, None)
    member = visit(Role.MEMBER)
    member.open(PAGE)
    assert "エクスポート設定がまだない" in member.words
    assert member.send().status_code == 409 and runs_of(world) == []
    member.open(f"/sync/{KEY}/freee_to_smarthr")
    assert "エクスポート設定がまだない" not in member.words
    member.send()
    assert runs_of(world)[0].direction.target is System.SMARTHR


def test_a_preview_that_waits_already_is_offered_first(world: World, visit: Visit) -> None:
    run_id = preview_of(world, CHANGED)
    member = visit(Role.MEMBER)
    assert f"/runs/{run_id}/people" in member.open(PAGE)
    assert f"/runs/{run_id}/people" not in member.open(f"/sync/{KEY}/freee_to_smarthr")
    member.send()
    assert state_of(world, run_id) is RunState.PREVIEWED


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPS])
def test_others_may_not_start(world: World, visit: Visit, role: Role) -> None:
    somebody = visit(role)
    somebody.open(PAGE, status=403)
    assert "許可されていません" in somebody.words


@pytest.mark.parametrize("address", [f"/sync/{KEY}/sideways", "/sync/nobody/smarthr_to_freee"])
def test_an_address_that_is_none(visit: Visit, address: str) -> None:
    visit(Role.MEMBER).open(address, status=404)


def test_the_page_costs_few_queries(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    with statements(world.database.engine) as sent:
        member.open(PAGE)
    assert len(sent) <= 12, sent
