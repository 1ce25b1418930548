"""Somebody who was mended while automatic sync is off: the list offers to send them again, and never does by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from app.domain.access.roles import Role
from app.use_cases.queries.attention import see_attention
from tests.web.test_attention_screen import TO_FREEE, person, waits
from tests.web.visitor import Visitor
from tests.web.world import World

Visit = Callable[..., Visitor]


@pytest.fixture
def mended(world: World) -> World:
    """One who waits, and whose blamed item a comparison has found changed."""
    waits(world, person(1, keys=("phone",)))
    with world.ctx.unit_of_work() as uow:
        (row,) = uow.healing.standing(1, TO_FREEE).values()
        uow.healing.mended({row.id: ["phone", "setting:consent"]}, {row.id: row})
    return world


def test_the_offer_names_what_was_changed_and_has_its_button(mended: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open("/attention")
    assert "直ったようです（直された項目: 電話番号, freeeの認可）。" in member.words
    assert "もう一度送る" in member.words and "今すぐ確認" in member.words
    viewer = visit(Role.VIEWER)
    viewer.open("/attention")
    assert "直ったようです" in viewer.words
    assert "もう一度送る" not in viewer.words and "今すぐ確認" not in viewer.words


def test_an_offer_goes_with_the_next_outcome(mended: World) -> None:
    (entry,) = (each for group in see_attention(mended.ctx).groups for each in group.entries)
    assert entry.mended == ("phone", "setting:consent")
    waits(mended, person(1, keys=("phone",)))
    (entry,) = (each for group in see_attention(mended.ctx).groups for each in group.entries)
    assert entry.mended == ()


def test_a_check_that_cannot_begin_says_so(world: World, visit: Visit) -> None:
    waits(world, person(1))
    with world.ctx.unit_of_work() as uow:
        uow.connections.set_paused(1, True)
    member = visit(Role.MEMBER)
    member.open("/attention")
    member.send("/attention", press=("act", "check"))
    assert "いま確認しているか、確認できる接続がありません。" in member.words


def test_a_check_begins_a_comparison_that_writes_nothing(world: World, visit: Visit) -> None:
    waits(world, person(1))
    member = visit(Role.MEMBER)
    member.open("/attention")
    member.send("/attention", press=("act", "check"))
    assert "確認しています。" in member.words
    with world.ctx.unit_of_work().reading() as uow:
        assert uow.healing.is_being_checked(1)


def test_the_command_line_begins_the_same_comparison_once(world: World, app: Flask) -> None:
    waits(world, person(1))
    command = app.test_cli_runner()
    told = command.invoke(args=["attention", "look"])
    assert told.exit_code == 0 and "確認を始めました(1件の比較)。何も書き込みません。" in told.stdout
    with world.ctx.unit_of_work().reading() as uow:
        (run,) = uow.runs.page(after=None, limit=10)
        (entry,) = [row for row in uow.audit.page(limit=10) if row.action == "run_started"]
    assert (run.dry_run, run.scope, run.direction, run.started_by) == (True, None, TO_FREEE, "cli")
    assert (entry.actor, entry.door) == ("cli", "cli")
    again = command.invoke(args=["attention", "look"])
    assert again.exit_code == 2 and "いま確認しているか、確認できる接続がありません。" in again.stderr
