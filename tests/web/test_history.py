"""連携履歴: what each line tells, what is found by which filter, pages, the last success beside the last attempt."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction, Trigger
from app.domain.runs.run_state import ItemState, RunState
from app.storage.runs.rows import RunRow
from app.use_cases.finish.finalise import close_run_if_done
from tests.storage.databases import add_connection, end_item, new_item, running_run
from tests.web.visitor import Visitor
from tests.web.world import NOW, World

pytestmark = pytest.mark.reach("test")  # long journeys

Visit = Callable[..., Visitor]


def made(world: World, *states: ItemState, days_ago: int = 0, **changes: object) -> RunRow:
    """A finished run whose people ended like this."""
    connection = changes.pop("connection", None)
    if connection is None:
        with world.ctx.unit_of_work() as uow:
            connection = uow.connections.get_by_key("renshu")
    at = NOW - timedelta(days=days_ago)
    run, ids = running_run(world.database, connection, items=len(states), created_at=at, **changes)  # type: ignore[arg-type]
    for item_id, state in zip(ids, states, strict=True):
        end_item(world.database, item_id, state=state, error_code="E1" if state is ItemState.FAILED else None)
    close_run_if_done(world.ctx, run.id)
    with world.database.unit_of_work() as uow:
        ended = uow.runs.get(run.id)
    assert ended is not None and ended.finished_at is not None
    return ended


def lines(page: str) -> list[str]:
    """The public ids of the runs on it, as they stand below each other in the table."""
    body = page.split("<tbody>")[1] if "<tbody>" in page else ""
    return re.findall(r'href="/runs/([^"/?]+)"', body)


def test_nothing_yet(visit: Visit) -> None:
    viewer = visit(Role.VIEWER)
    viewer.open("/runs")
    assert "連携履歴はまだありません" in viewer.words


def test_a_line_tells_start_end_result_and_counts(visit: Visit, world: World) -> None:
    member = visit(Role.MEMBER)
    run = made(world, ItemState.SUCCEEDED, ItemState.FAILED, ItemState.SUCCEEDED, started_by="user:1")
    page = member.open("/runs")
    assert lines(page) == [run.public_id]
    row = re.sub(r"<[^>]+>", " ", page.split("<tbody>")[1].split("</tbody>")[0])
    words = " ".join(row.split())
    assert "従業員情報同期開始 2026年11月22日 12:00 従業員情報同期終了 2026年11月22日 12:00" in words
    assert "SmartHRからfreee人事労務へ 手動 member@example.invalid 一部失敗" in words
    assert "成功 2 失敗 1" in words


def test_a_run_under_way_has_no_end(visit: Visit, world: World) -> None:
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key("renshu")
    assert connection is not None
    _, ids = running_run(world.database, connection, items=3)
    end_item(world.database, ids[0])
    member = visit(Role.MEMBER)
    member.open("/runs")
    assert "従業員情報同期終了" not in member.words and "処理中 1 / 3 人" in member.words


def test_filters(visit: Visit, world: World) -> None:
    good = made(world, ItemState.SUCCEEDED, days_ago=3)
    bad = made(world, ItemState.FAILED, days_ago=2, trigger=Trigger.WEBHOOK)
    back = made(world, ItemState.UNCHANGED, days_ago=1, direction=Direction.FREEE_TO_SMARTHR)
    other = made(world, ItemState.SUCCEEDED, connection=add_connection(world.database, key="other", name="別の会社"))
    viewer = visit(Role.VIEWER)

    def found(query: str) -> list[str]:
        return lines(viewer.open(f"/runs?{query}"))

    assert found("") == [run.public_id for run in (other, back, bad, good)]
    assert found("direction=freee_to_smarthr") == [back.public_id]
    assert found("result=failed") == [bad.public_id]
    assert found("trigger=webhook") == [bad.public_id]
    assert found("connection=other") == [other.public_id]
    assert found("from=2026-11-20&to=2026-11-21") == [back.public_id, bad.public_id]
    assert found("result=succeeded&connection=renshu") == [back.public_id, good.public_id]
    assert found("connection=nobody") == []
    assert "条件に合う履歴がありません" in viewer.words
    assert len(found("direction=up&result=%00&from=never&to=9999-99-99&after=x")) == 4


def test_the_form_keeps_what_was_chosen(visit: Visit, world: World) -> None:
    made(world, ItemState.SUCCEEDED)
    viewer = visit(Role.VIEWER)
    viewer.open("/runs")
    viewer.send("/runs", result="succeeded", **{"from": "2026-11-22"})
    assert len(lines(viewer.text)) == 1
    assert '<option value="succeeded" selected>' in viewer.text and 'value="2026-11-22"' in viewer.text


def test_days_are_those_of_japan(visit: Visit, world: World) -> None:
    run = made(world, ItemState.SUCCEEDED)
    viewer = visit(Role.VIEWER)
    assert lines(viewer.open("/runs?from=2026-11-22&to=2026-11-22")) == [run.public_id]  # 12:00 in Japan
    assert lines(viewer.open("/runs?to=2026-11-21")) == []
    assert lines(viewer.open("/runs?from=2026-11-23")) == []


def test_pages_hold_every_run_once(visit: Visit, world: World) -> None:
    runs = [made(world, ItemState.UNCHANGED).public_id for _ in range(53)]
    viewer = visit(Role.VIEWER)
    first = viewer.open("/runs?result=succeeded")
    onward = re.search(r'rel="next" href="([^"]+)"', first)
    assert onward is not None and len(lines(first)) == 50
    rest = viewer.open(onward.group(1).replace("&amp;", "&"))
    assert [*lines(first), *lines(rest)] == runs[::-1]
    assert 'rel="next"' not in rest and "最新の履歴へ" in rest


def test_last_success_beside_last_attempt(visit: Visit, world: World) -> None:
    made(world, ItemState.SUCCEEDED, days_ago=2)
    tried = made(world, ItemState.FAILED, days_ago=1)
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key("renshu")
    assert connection is not None
    running_run(world.database, connection, state=RunState.PREVIEWED, dry_run=True)  # was to write nothing
    viewer = visit(Role.VIEWER)
    page = viewer.open("/runs")
    panel = page.split('class="panel"')[1].split("</div>")[0]
    assert f'href="/runs/{tried.public_id}"' in panel and "失敗" in panel
    assert "2026年11月21日 12:00" in panel and "2026年11月22日" in panel  # began, and when the good one ended


def test_what_was_found_equal_counts_and_a_finished_run_counts_no_items(visit: Visit, world: World) -> None:
    run = made(world, ItemState.SUCCEEDED)
    with world.database.unit_of_work() as uow:
        uow.items.add_many([new_item(run, 5, state=ItemState.FAILED, holds_slot=False)])  # nobody asks them any more
    viewer = visit(Role.VIEWER)
    viewer.open("/runs")
    assert "成功 1" in viewer.words and "失敗 1" not in viewer.words


def test_a_run_from_before_has_no_counts_of_its_own(visit: Visit, world: World) -> None:
    run = made(world, ItemState.SUCCEEDED, ItemState.SUCCEEDED)
    with world.database.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE runs SET counts = NULL WHERE id = {run.id}")
    viewer = visit(Role.VIEWER)
    viewer.open("/runs")
    assert "成功 2" in viewer.words


def test_operations_do_not_see_who(visit: Visit, world: World) -> None:
    visit(Role.MEMBER)
    made(world, ItemState.SUCCEEDED, started_by="user:1")
    ops = visit(Role.OPS)
    assert "member@example.invalid" not in ops.open("/runs") and "利用者" in ops.words
