"""The page, the API and the command that take a run back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.domain.access.roles import Role
from app.domain.enums import Step
from app.domain.runs.run_state import ItemState, RunState
from app.use_cases.queries.history import list_runs
from app.use_cases.shared.views import RunView
from tests.web.made import ACCOUNT_CHANGE, NAME_CHANGE, add_run, close
from tests.web.visitor import Visitor
from tests.web.world import NOW, World

Visit = Callable[..., Visitor]
Bearer = Callable[..., dict[str, str]]


def written_run(world: World, *, created: bool = False) -> str:
    """A finished run that has written a name and an account to one employee, and perhaps created another."""
    run_id = add_run(world, *[ItemState.WAITING] * (1 + created), changes=[NAME_CHANGE, ACCOUNT_CHANGE])
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(run_id)
        assert run is not None
        for item in uow.items.page(run.id, after=-1, limit=5):
            claimed = uow.items.claim(item.id, 0, now=NOW, lease_until=NOW, worker="test")
            assert claimed is not None
            step = Step.CREATE if item.position else Step.PROFILE
            uow.steps.sending(item.id, 1, step, keys=["last_name"], now=NOW)
            uow.steps.done(item.id, 1, step, now=NOW)
            uow.changes.mark_written(item.id, ["last_name", "bank_account_number"])
            name = "新人 花子" if item.position else None
            assert uow.items.record_outcome(item.id, 1, state=ItemState.SUCCEEDED, name=name, now=NOW)
    close(world, run_id)
    return run_id


def undo_of(world: World, run_id: str) -> RunView:
    (found,) = [run for run in list_runs(world.ctx).items if run.undone_run == run_id]
    return found


def test_the_page_tells_what_goes_back_and_what_does_not(visit: Visit, world: World) -> None:
    member = visit(Role.MEMBER)
    member.open(f"/runs/{written_run(world, created=True)}/undo")
    words = member.words
    assert "姓 1人" in words and "口座番号 1人" in words
    assert "新人 花子" in words and "削除しません" in words
    assert "自動同期はこの項目をどちらにも書き込まず" in words
    assert "佐藤" not in words and "7654321" not in words


def test_the_button_makes_a_preview_and_a_second_press_leads_to_it(visit: Visit, world: World) -> None:
    member, run_id = visit(Role.MEMBER), written_run(world)
    member.open(f"/runs/{run_id}/undo")
    member.send("/undo")
    started = undo_of(world, run_id)
    assert (started.dry_run, started.state) == (True, RunState.WAITING)
    assert member.page is not None and member.page.request.path == f"/runs/{started.id}/people"
    member.open(f"/runs/{run_id}/undo")
    assert f"/runs/{started.id}/people" in member.text
    assert 'action="/runs/' + run_id not in member.text
    with world.ctx.unit_of_work() as uow:
        (entry,) = uow.audit.page(subject=f"run:{run_id}")
    assert (entry.action, entry.detail) == ("undo_started", {"run": started.id})


def test_somebody_else_was_faster(visit: Visit, world: World) -> None:
    member, run_id = visit(Role.MEMBER), written_run(world)
    member.open(f"/runs/{run_id}/undo")
    late = member.page
    member.send("/undo")
    first = undo_of(world, run_id)
    member.page = late
    member.send("/undo")
    assert member.page is not None and member.page.request.path == f"/runs/{first.id}/people"
    assert undo_of(world, run_id) == first


def test_a_run_that_wrote_nothing_has_no_button(visit: Visit, world: World) -> None:
    member = visit(Role.MEMBER)
    run_id = add_run(world, ItemState.UNCHANGED)
    member.open(f"/runs/{run_id}/undo")
    assert "何も書き込んでいない" in member.words
    assert f'action="/runs/{run_id}/undo"' not in member.text


def test_in_english(visit: Visit, world: World) -> None:
    member, run_id = visit(Role.MEMBER), written_run(world, created=True)
    with world.ctx.unit_of_work() as uow:
        (user,) = uow.users.all()
        uow.users.change(user.id, locale="en")
    member.open(f"/runs/{run_id}/undo")
    assert "Undo a sync" in member.words
    assert "not deleted" in member.words


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPS])
def test_who_may_not_sync_may_not_take_back(visit: Visit, world: World, role: Role) -> None:
    run_id = written_run(world)
    visitor = visit(role)
    visitor.open(f"/runs/{run_id}/undo", status=403)


def test_the_api_takes_back_and_says_where(client: FlaskClient, bearer: Bearer, world: World) -> None:
    run_id = written_run(world)
    answer = client.post(f"/api/v1/runs/{run_id}/undo", json={}, headers=bearer("runs:write"))
    assert answer.status_code == 202
    assert answer.json is not None
    assert (answer.json["trigger"], answer.json["undone_run"], answer.json["alarms"]) == ("undo", run_id, [])
    again = client.post(f"/api/v1/runs/{run_id}/undo", json={}, headers=bearer("runs:write"))
    assert (again.status_code, again.json and again.json["already"]) == (202, True)
    assert (answer.json["already"], again.json and again.json["id"]) == (False, answer.json["id"])


def test_the_command_takes_back(app: Flask, world: World) -> None:
    run_id = written_run(world)
    result = app.test_cli_runner().invoke(args=["sync", "undo", run_id])
    assert result.exit_code == 0, result.output
    assert undo_of(world, run_id).id in result.stdout
