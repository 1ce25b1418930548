"""要対応 on the page, on home, over the API, on the command line and as a metric: one list, one number, and its
buttons."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask

from app.domain.access.roles import Role
from app.domain.enums import Direction, System, Trigger
from app.domain.planning.attention import Told
from app.domain.runs.run_state import ItemState, RunState
from app.storage.links.attention import Ended
from app.use_cases.intake import attention_acts
from app.use_cases.queries.attention import Which, list_attention, see_attention
from app.use_cases.queries.attention_views import Kind
from tests.statements import statements
from tests.web.made import add_run
from tests.web.visitor import Visitor
from tests.web.world import KEY, NOW, World

Visit = Callable[..., Visitor]
TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
TODAY = date(2026, 11, 22)


def waits(world: World, *people: Ended) -> None:
    with world.ctx.unit_of_work() as uow:
        uow.attention.ended(people)


def person(nth: int = 1, code: str = "E1", state: ItemState = ItemState.FAILED, **more: Any) -> Ended:
    keys: Sequence[str] = more.pop("keys", ())
    given: dict[str, Any] = {
        "connection_id": 1,
        "direction": TO_FREEE,
        "source_id": f"crew-{nth}",
        "target_id": None,
        "number": f"{nth:04}",
        "state": state,
        "code": code,
        "notes": [Told(code, "review", key) for key in keys],
        "trigger": Trigger.MANUAL,
        "run_id": 1,
        "item_id": None,
        "at": NOW - timedelta(hours=nth),
        "name": f"見本 {nth}",
    }
    return Ended(**(given | more))


@pytest.fixture
def three(world: World) -> World:
    """Two who fail with one cause, one whose two sides differ; the conflict is found by both directions."""
    waits(world, person(1), person(2))
    conflict = {"code": "conflict", "state": ItemState.CONFLICT, "keys": ("title",)}
    waits(world, person(3, target_id="7", **conflict))
    waits(world, person(3, direction=TO_SMARTHR, source_id="7", target_id="crew-3", **conflict))
    return world


def pause(world: World) -> None:
    with world.ctx.unit_of_work() as uow:
        uow.connections.set_paused(1, True)
        uow.audit.add(actor="user:1", action="connection_paused", subject=f"connection:{KEY}", now=NOW)


# ── one list, one number ──


def test_page_home_api_command_line_and_metric_tell_one_number(
    three: World, visit: Visit, app: Flask, bearer: Callable[..., dict[str, str]]
) -> None:
    pause(three)
    number = see_attention(three.ctx).total
    assert number == 4
    member = visit(Role.MEMBER)
    member.open("/")
    assert f"{number}件、対応が必要です。" in member.words
    member.open("/attention")
    assert f"{number}件、対応が必要です。" in member.words
    answer = app.test_client().get("/api/v1/attention", headers=bearer("runs:read")).get_json()
    assert (answer["total"], len(answer["items"])) == (number, number)
    told = app.test_cli_runner().invoke(args=["attention", "list", "--json"])
    assert json.loads(told.stdout)["total"] == number
    plain = app.test_cli_runner().invoke(args=["attention", "list"])
    assert plain.stdout.startswith(f"{number}件、対応が必要です。")
    metrics = app.test_client().get("/metrics", headers=bearer("ops:read")).text
    lines = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line.startswith("awase_attention{"))
    assert float(lines['awase_attention{cause="any",connection="1"}']) == number
    assert float(lines['awase_attention{cause="E1",connection="1"}']) == 2
    assert float(lines['awase_attention{cause="connection_paused",connection="1"}']) == 1


def test_causes_are_grouped_what_stops_everybody_first_then_the_oldest(three: World) -> None:
    pause(three)
    groups = see_attention(three.ctx).groups
    assert [(group.code, group.count) for group in groups] == [("connection_paused", 1), ("conflict", 1), ("E1", 2)]
    assert [entry.number for entry in groups[2].entries] == ["0001", "0002"]
    (conflict,) = groups[1].entries
    assert (conflict.kind, conflict.items, conflict.direction) == (Kind.CONFLICT, ("title",), TO_FREEE)
    assert conflict.ids == {System.SMARTHR: "crew-3", System.FREEE: "7"}


def test_pages_of_the_list_hold_everybody_once(world: World) -> None:
    waits(world, *(person(nth) for nth in range(1, 8)))
    seen, after = [], None
    while True:
        page = list_attention(world.ctx, Which(), after=after, limit=3)
        seen += [entry.number for entry in page.items]
        if (after := page.next_after) is None:
            break
    assert sorted(seen) == [f"{nth:04}" for nth in range(1, 8)] and len(seen) == 7


def test_an_ordinary_preview_waits_for_nobody_and_a_held_one_does(world: World, visit: Visit) -> None:
    shown = add_run(world, ItemState.WAITING, ItemState.WAITING, state=RunState.PREVIEWED)
    assert see_attention(world.ctx).total == 0, "it waits for nobody but whoever asked for it"
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(shown)
        assert run is not None
        uow.second_persons.ask(run.id, first=["user:1"], until=NOW + timedelta(hours=72))
    (group,) = see_attention(world.ctx).groups
    (entry,) = group.entries
    assert (entry.kind, entry.people, entry.run) == (Kind.SECOND_PERSON, 2, shown)
    member = visit(Role.MEMBER)
    member.open("/attention")
    assert "2人目の承認待ち" in member.words and f"/runs/{shown}" in member.text


def test_with_nothing_on_the_list_home_claims_only_what_was_compared(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open("/")
    assert "対応が必要なことはありません" in member.words and "すべてそろっています" not in member.words
    add_run(world, ItemState.UNCHANGED, ItemState.SUCCEEDED)
    member.open("/")
    assert "すべてそろっています（最終確認 2026年11月22日" in member.words
    waits(world, person(1))
    member.open("/")
    assert "すべてそろっています" not in member.words and "1件、対応が必要です。" in member.words


# ── who sees what ──


def test_viewers_see_without_buttons_and_operators_without_people(three: World, visit: Visit) -> None:
    viewer = visit(Role.VIEWER)
    viewer.open("/attention")
    assert "見本 1" in viewer.words and "もう一度同期する" not in viewer.words
    assert "今回は見送る" not in viewer.words
    operator = visit(Role.OPS)
    operator.open("/attention")
    assert "見本" not in operator.words and "0001" not in operator.words
    assert "従業員1人" in operator.words
    assert visit(Role.ADMIN).open("/attention").count("直した・もう一度同期する") >= 2


def test_it_stands_first_in_the_menu(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    text = member.open("/")
    assert text.index(">要対応</a>") < text.index(">ホーム</a>")


# ── acts ──


def test_left_for_now_it_is_away_until_its_day_and_back_then(three: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open("/attention")
    entry = next(e.id for g in see_attention(three.ctx).groups for e in g.entries if e.number == "0001")
    until = (TODAY + timedelta(days=3)).isoformat()
    member.send("/attention", press=("act", "waive"), entry=entry, reason="産休のため", until=until)
    assert "見送りました" in member.words and "2件、対応が必要です。" in member.words
    member.open("/attention/people?waived=1")
    assert "見本 1" in member.words and "産休のため" in member.words
    three.clock.turn(days=3)
    assert see_attention(three.ctx).total == 3


def test_left_for_now_it_is_back_when_its_cause_changes(three: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open("/attention")
    entry = next(e.id for g in see_attention(three.ctx).groups for e in g.entries if e.number == "0001")
    until = (TODAY + timedelta(days=30)).isoformat()
    member.send("/attention", press=("act", "waive"), entry=entry, reason="確認中", until=until)
    waits(three, person(1, at=NOW))
    assert (see_attention(three.ctx).total, see_attention(three.ctx).waived) == (2, 1)
    waits(three, person(1, code="E2", at=NOW))
    assert (see_attention(three.ctx).total, see_attention(three.ctx).waived) == (3, 0)


def test_left_for_now_it_stays_so_when_the_other_direction_finds_it_too(world: World) -> None:
    conflict = {"code": "conflict", "state": ItemState.CONFLICT, "keys": ("title",)}
    waits(world, person(3, direction=TO_SMARTHR, source_id="7", target_id="crew-3", **conflict))
    (entry,) = (e for g in see_attention(world.ctx).groups for e in g.entries)
    attention_acts.waive(world.ctx, entry.id, reason="確認中", until=TODAY + timedelta(days=3), by="user:1")
    waits(world, person(3, target_id="7", **conflict))
    assert (see_attention(world.ctx).total, see_attention(world.ctx).waived) == (0, 1)
    (left,) = list_attention(world.ctx, Which(waived=True)).items
    assert left.waiver is not None and (left.direction, left.waiver.reason) == (TO_FREEE, "確認中")
    waits(world, person(3, target_id="7", at=NOW, **{**conflict, "keys": ("title", "phone")}))
    assert (see_attention(world.ctx).total, see_attention(world.ctx).waived) == (1, 0), "another cause by now"


@pytest.mark.parametrize(("reason", "days"), [("", 3), ("理由", 0), ("理由", 400), ("改\n行", 3), ("あ" * 201, 3)])
def test_a_waiver_without_reason_or_day_is_refused(three: World, visit: Visit, reason: str, days: int) -> None:
    member = visit(Role.MEMBER)
    member.open("/attention")
    entry = next(e.id for g in see_attention(three.ctx).groups for e in g.entries)
    until = (TODAY + timedelta(days=days)).isoformat()
    member.send("/attention", press=("act", "waive"), entry=entry, reason=reason, until=until)
    assert "見送る理由と日付を確認してください。" in member.words
    assert see_attention(three.ctx).waived == 0


def test_both_waivers_leave_their_line_in_the_audit_trail(three: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open("/attention")
    entry = next(e.id for g in see_attention(three.ctx).groups for e in g.entries)
    until = (TODAY + timedelta(days=3)).isoformat()
    member.send("/attention", press=("act", "waive"), entry=entry, reason="産休のため", until=until)
    member.open("/attention/people?waived=1")
    member.send("/attention", press=("act", "take_up"), entry=entry)
    assert see_attention(three.ctx).waived == 0
    with three.ctx.unit_of_work().reading() as uow:
        found = [row for row in uow.audit.page(limit=50) if row.action.startswith("attention_")]
    assert [row.action for row in found] == ["attention_taken_up", "attention_waived"]
    assert all(row.actor.startswith("user:") for row in found)
    assert "産休" not in str(found), "the reason stands encrypted with the entry"


def test_what_does_not_wait_any_more_is_told_kindly(three: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open("/attention")
    member.send("/attention", press=("act", "again"), entry="person:999")
    assert "対応は、もう必要ありません。" in member.words


def test_a_paused_connection_is_resumed_from_the_list(world: World, visit: Visit) -> None:
    pause(world)
    admin = visit(Role.ADMIN)
    admin.open("/attention")
    admin.send(f"/attention/resume/{KEY}")
    assert "接続を再開しました。" in admin.words
    with world.ctx.unit_of_work().reading() as uow:
        assert uow.audit.page(limit=5)[0].action == "connection_resumed"
    assert see_attention(world.ctx).total == 0


# ── the API ──


def test_the_api_pages_and_narrows(three: World, app: Flask, bearer: Callable[..., dict[str, str]]) -> None:
    headers = bearer("runs:read")
    client = app.test_client()
    first = client.get("/api/v1/attention?limit=2", headers=headers).get_json()
    assert (len(first["items"]), first["next_after"] is not None) == (2, True)
    rest = client.get(f"/api/v1/attention?limit=2&after={first['next_after']}", headers=headers).get_json()
    assert (len(rest["items"]), rest["next_after"]) == (1, None)
    only = client.get("/api/v1/attention?cause=conflict", headers=headers).get_json()
    (entry,) = only["items"]
    assert (entry["code"], entry["item_keys"], entry["smarthr_id"]) == ("conflict", ["title"], "crew-3")
    assert "見本" not in json.dumps(first, ensure_ascii=False), "no names over the API"
    assert client.get("/api/v1/attention?connection=unknown", headers=headers).status_code == 404
    assert client.get("/api/v1/attention", headers=bearer("ops:read")).status_code == 403


# ── large ──


def test_ten_thousand_people_cost_no_more_queries_than_ten(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)

    def queries(address: str) -> int:
        member.open(address)
        with statements(world.database.engine) as seen:
            member.open(address)
        return len(seen)

    pause(world)
    waits(world, *(person(nth) for nth in range(1, 4)))
    few = {address: queries(address) for address in ("/attention", "/attention/people?cause=E1", "/")}
    with world.ctx.unit_of_work() as uow:
        uow.attention.ended([person(nth, code=("E1", "E2", "E17")[nth % 3]) for nth in range(10, 3_010)])
    many = {address: queries(address) for address in few}
    assert many == few
    assert few["/attention"] <= 12 and few["/attention/people?cause=E1"] <= 12
