"""Before anything is written: reading, choosing, searching, the plan, the question, and what comes of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction, System, Trigger
from app.domain.runs.run_state import ItemState, RunState
from tests.statements import statements
from tests.web.made import add_run
from tests.web.previewed import (
    CHANGED,
    DOUBTFUL,
    EQUAL,
    HOPELESS,
    NEW,
    Somebody,
    audited,
    chosen_in,
    items_of,
    preview_of,
    runs_of,
    state_of,
    waiting_preview,
)
from tests.web.visitor import Visitor
from tests.web.world import KEY, NOW, World

pytestmark = pytest.mark.reach("test")  # long journeys

Visit = Callable[..., Visitor]
ALL_KINDS = (NEW, CHANGED, CHANGED, EQUAL, DOUBTFUL, HOPELESS)


def numbers(visitor: Visitor) -> list[str]:
    """Who is listed, in the order of the page."""
    return re.findall(r'<td class="preview-number"><span class="number">([^<]*)<', visitor.text)


def counts(visitor: Visitor) -> dict[str, int]:
    """Filter → people."""
    chips = visitor.text.split('<ul class="chips">')[1].split("</ul>")[0]
    return {name.strip(): int(n.replace(",", "")) for name, n in re.findall(r">([^<>]+)<b>([\d,]+)</b>", chips)}


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_survey_on_its_way_tells_how_far_it_is(world: World, visit: Visit) -> None:
    run_id = waiting_preview(world)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    assert f'data-live="/runs/{run_id}/reading"' in member.text
    assert '<noscript><meta http-equiv="refresh"' in member.text
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(run_id)
        assert run is not None
        uow.runs.claim_survey(run.id, now=NOW, lease_until=NOW + timedelta(seconds=30))
        for seq in range(3):
            uow.survey_pages.add(run.id, System.SMARTHR, seq=seq, rows=[], next_cursor=str(seq + 2))
    assert "SmartHR 300人を読み込み中" in member.open(f"/runs/{run_id}/reading")
    with world.ctx.unit_of_work() as uow:
        uow.survey_pages.add(run.id, System.SMARTHR, seq=3, rows=[], next_cursor=None)
    part = member.open(f"/runs/{run_id}/reading")
    assert "SmartHRの読み込みが終わりました" in part and "<html" not in part


def test_once_it_is_read_the_part_leads_on(world: World, visit: Visit) -> None:
    run_id = preview_of(world, CHANGED)
    part = visit(Role.MEMBER).open(f"/runs/{run_id}/reading")
    assert f'data-then="/runs/{run_id}/people"' in part and "data-live" not in part


def test_reading_can_be_stopped(world: World, visit: Visit) -> None:
    run_id = waiting_preview(world)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    member.send("/discard", confirmed="yes")
    assert state_of(world, run_id) is RunState.CANCELLED
    assert "何も書き込んでいません" in member.words
    member.open(f"/runs/{run_id}/people")
    assert "取り消されました" in member.words


def test_a_survey_that_failed_tells_the_cause_and_can_be_tried_again(world: World, visit: Visit) -> None:
    run_id = waiting_preview(world, scope=("0001",), as_of_date=date(2026, 11, 30))
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(run_id)
        assert run is not None
        uow.runs.fail(run.id, "E3", NOW)
    with world.ctx.unit_of_work() as uow:
        uow.runs.close(run.id, now=NOW)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    assert "IPアドレスがfreee人事労務で許可されていません" in member.words and "許可リスト" in member.words
    member.send("/again")
    again = runs_of(world)[0]
    assert again.public_id != run_id
    assert (again.scope, again.as_of_date, again.dry_run) == (["0001"], date(2026, 11, 30), True)


# ── choosing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_those_who_would_be_written_come_first_and_the_rest_by_filter(world: World, visit: Visit) -> None:
    run_id = preview_of(world, *ALL_KINDS)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    assert numbers(member) == ["0001", "0002", "0003"]
    assert counts(member) == {"新規・差分あり": 3, "新規": 1, "差分あり": 2, "差分なし": 1, "要確認": 2, "すべて": 6}
    expected = {"new": ["0001"], "changed": ["0002", "0003"], "equal": ["0004"], "review": ["0005", "0006"]}
    for name, listed in expected.items():
        member.open(f"/runs/{run_id}/people?show={name}")
        assert numbers(member) == listed
    member.open(f"/runs/{run_id}/people?show=review")
    assert "同じ人と思われる従業員" in member.words and "入社年月日が入力されていません" in member.words
    assert 'name="chosen"' not in member.text
    member.open(f"/runs/{run_id}/people?show=all")
    assert member.text.count('name="chosen"') == 3


def test_marks_of_a_person(world: World, visit: Visit) -> None:
    run_id = preview_of(world, NEW, CHANGED)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people?show=new")
    assert "★" not in member.words and "1件" in member.words
    member.open(f"/runs/{run_id}/people?show=changed")
    for told in ("★ 過去の月にも反映", "一部は伝わりません", "4件", "2026年12月", "優先順位の低い役職"):
        assert told in member.words


def test_only_freee_has_months_that_matter(world: World, visit: Visit) -> None:
    run_id = preview_of(world, CHANGED, direction=Direction.FREEE_TO_SMARTHR)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    assert "★" not in member.words and "読み込んだ支払月" in member.words
    member.open(f"/runs/{run_id}/confirm")
    assert "★" not in member.words and "freee人事労務の2026年12月支払分の情報" in member.words


@pytest.mark.parametrize("typed", ["0003", "カトウ", "かとう", "ｶﾄｳ ﾊﾅｺ", "加藤花", "加藤　花子", "花子", "はな"])
def test_search_by_number_name_and_kana_in_any_writing(world: World, visit: Visit, typed: str) -> None:
    people = [replace(EQUAL, name=f"佐藤 {n}", kana="サトウ タロウ") for n in range(2)]
    run_id = preview_of(world, *people, replace(CHANGED, name="加藤 花子", kana="カトウ ハナコ"))
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    member.send("/people", q=typed)
    assert numbers(member) == ["0003"]
    assert counts(member)["すべて"] == 1 and counts(member)["差分あり"] == 1


def test_nobody_found_is_said(world: World, visit: Visit) -> None:
    run_id = preview_of(world, CHANGED)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people?q=%00%E3%81%82%1e")
    assert "条件に合う従業員はいません" in member.words


def test_ticks_without_scripts_are_kept_for_the_page(world: World, visit: Visit) -> None:
    run_id = preview_of(world, NEW, CHANGED, CHANGED)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    member.send("/choose", chosen=["0", "2"])
    assert chosen_in(world, run_id) == ["0001", "0003"]
    assert "選択を保存しました" in member.words and "2人を選択中" in member.words


def test_going_on_keeps_the_ticks_first(world: World, visit: Visit) -> None:
    run_id = preview_of(world, NEW, CHANGED, CHANGED)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    member.send("/choose", chosen=["1"], press=("go", "confirm"))
    assert member.page is not None and member.page.request.path == f"/runs/{run_id}/confirm"
    assert chosen_in(world, run_id) == ["0002"]


def test_nobody_chosen_leads_back(world: World, visit: Visit) -> None:
    run_id = preview_of(world, CHANGED)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    member.send("/choose", chosen=None, press=("go", "confirm"))
    assert member.page is not None and member.page.request.path == f"/runs/{run_id}/people"
    assert "1人以上選んでください" in member.words


def test_everybody_of_a_filter_also_beyond_the_page(world: World, visit: Visit) -> None:
    run_id = preview_of(world, NEW, NEW, *[CHANGED] * 60, EQUAL)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people?show=changed")
    assert len(numbers(member)) == 50
    member.send("/choose", press=("all", "off"))
    assert chosen_in(world, run_id) == ["0001", "0002"]
    member.open(f"/runs/{run_id}/people?show=changed&q=006")
    member.send("/choose", press=("all", "on"))
    assert chosen_in(world, run_id) == ["0001", "0002", "0060", "0061", "0062"]
    member.open(f"/runs/{run_id}/people?show=all")
    member.send("/choose", press=("all", "on"))
    assert len(chosen_in(world, run_id)) == 62


def test_pages_forward_and_back_show_everybody_once(world: World, visit: Visit) -> None:
    run_id = preview_of(world, *[CHANGED, EQUAL] * 60)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    first = numbers(member)
    following = re.search(r'rel="next" href="([^"]+)"', member.text)
    assert following and 'rel="prev"' not in member.text
    member.open(following[1].replace("&amp;", "&"))
    assert first + numbers(member) == [f"{n:04d}" for n in range(1, 120, 2)]
    back = re.search(r'rel="prev" href="([^"]+)"', member.text)
    assert back and 'rel="next"' not in member.text
    member.open(back[1].replace("&amp;", "&"))
    assert numbers(member) == first


def test_a_single_tick_is_kept_at_once(world: World, visit: Visit) -> None:
    run_id = preview_of(world, CHANGED, CHANGED, EQUAL)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    headers = {"X-CSRFToken": member.token}
    address = f"/runs/{run_id}/choose"
    answer = member.client.post(address, json={"position": 1, "chosen": False}, headers=headers)
    assert answer.get_json() == {"chosen": 1, "text": "1人を選択中"}
    assert chosen_in(world, run_id) == ["0001"]
    equal = member.client.post(address, json={"position": 2, "chosen": True}, headers=headers)
    assert equal.get_json()["chosen"] == 1 and chosen_in(world, run_id) == ["0001"]
    assert member.client.post(address, json={"position": 0, "chosen": True}).status_code == 400


@pytest.mark.parametrize("sent", [[], {}, {"position": "1", "chosen": True}, {"position": 2**40, "chosen": True}])
def test_a_tick_that_is_none(world: World, visit: Visit, sent: object) -> None:
    run_id = preview_of(world, CHANGED)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    headers = {"X-CSRFToken": member.token}
    assert member.client.post(f"/runs/{run_id}/choose", json=sent, headers=headers).status_code == 422


def test_after_the_decision_no_tick_is_kept(world: World, visit: Visit) -> None:
    run_id = preview_of(world, CHANGED, CHANGED)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    headers = {"X-CSRFToken": member.token}
    member.send("/discard", confirmed="yes")
    answer = member.client.post(f"/runs/{run_id}/choose", json={"position": 0, "chosen": False}, headers=headers)
    assert answer.status_code == 409


def test_reading_anew_starts_another_preview_and_discards_this_one(world: World, visit: Visit) -> None:
    run_id = preview_of(world, CHANGED, scope=("0001",))
    world.clock.turn(minutes=20)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    assert "20分前" in member.words
    form = member.form("/again")
    first, second = (member.client.post(form.action, data=dict(form.fields)) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    assert len(runs_of(world)) == 2
    assert state_of(world, run_id) is RunState.CANCELLED
    assert runs_of(world)[0].scope == ["0001"]


def test_without_differences_there_is_nothing_to_choose(world: World, visit: Visit) -> None:
    run_id = preview_of(world, EQUAL, EQUAL)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people?show=all")
    assert "差分はありません" in member.words and len(numbers(member)) == 2
    assert "確認へ進む" not in member.words


def test_a_run_that_was_no_preview_has_its_own_page(world: World, visit: Visit) -> None:
    run_id = add_run(world, ItemState.SUCCEEDED)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    assert member.page is not None and member.page.request.path == f"/runs/{run_id}"


def test_a_run_that_writes_without_asking_is_no_preview_while_it_reads(world: World, visit: Visit) -> None:
    run_id = waiting_preview(world, dry_run=False, trigger=Trigger.API)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    assert member.page is not None and member.page.request.path == f"/runs/{run_id}"


def test_changes_that_a_guard_has_stopped_wait_like_a_preview(world: World, visit: Visit) -> None:
    run_id = preview_of(world, *[NEW] * 7, dry_run=False, trigger=Trigger.HELD)
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(run_id)
        assert run is not None
        uow.runs.show_stopped(run.id, total=7, alarms=[{"code": "many_creates", "count": 7, "limit": 5}], now=NOW)
    member = visit(Role.MEMBER)
    member.open("/")
    assert "1日に書き込める人数を超えて止めた変更が、承認を待っています" in member.words
    member.open(f"/runs/{run_id}/people")
    assert "書き込みの前に止めた変更です" in member.words
    member.open(f"/runs/{run_id}/confirm/ask")
    member.send("/approve", acknowledged="yes")
    assert state_of(world, run_id) is RunState.RUNNING


# ── the plan ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_plan_field_by_field(world: World, visit: Visit) -> None:
    run_id = preview_of(world, NEW, CHANGED, replace(CHANGED, name="載らない人"))
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    member.send("/choose", chosen=["0", "1"], press=("go", "confirm"))
    words = member.words
    assert "1 人を新規作成" in words and "1 人を更新" in words and "1 人は選択していません" in words
    assert "載らない人" not in words
    assert "変更前: 鈴木 → 変更後: 佐藤" in words
    assert "生年月日 ★ 1人" in words
    assert "（空欄にする）" in words and "2026年12月支払分から" in words
    assert "要確認 役職・肩書 : " in words.replace("肩書:", "肩書 :")
    for setting in ("標準", "月末締め", "月給", "200,000円"):
        assert setting in words


def test_export_settings_are_shown_only_where_freee_gets_somebody_new(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open(f"/runs/{preview_of(world, CHANGED)}/confirm")
    assert "エクスポート設定" not in member.words


@pytest.mark.parametrize(("role", "seen"), [(Role.MEMBER, True), (Role.ADMIN, True), (Role.VIEWER, False)])
def test_masked_values_only_for_those_who_may(world: World, visit: Visit, role: Role, seen: bool) -> None:
    run_id = preview_of(world, CHANGED)
    somebody = visit(role)
    somebody.open(f"/runs/{run_id}/confirm")
    assert "佐藤" in somebody.words
    assert ("7654321" in somebody.text) is seen and ("••••" in somebody.words) is not seen


def test_a_viewer_looks_and_cannot_decide(world: World, visit: Visit) -> None:
    run_id = preview_of(world, CHANGED)
    viewer = visit(Role.VIEWER)
    viewer.open(f"/runs/{run_id}/people")
    assert 'name="chosen"' not in viewer.text and "同期を取り消す" not in viewer.words
    assert f"/runs/{run_id}/confirm" in viewer.text
    viewer.open(f"/runs/{run_id}/confirm")
    assert "<dialog" not in viewer.text
    token = viewer.token
    for action in ("choose", "approve", "again", "discard"):
        answer = viewer.client.post(f"/runs/{run_id}/{action}", data={"csrf_token": token, "all": "off", "shown": "0"})
        assert answer.status_code == 403, action
    viewer.open(f"/runs/{run_id}/confirm/ask", status=403)
    assert chosen_in(world, run_id) == ["0001"] and state_of(world, run_id) is RunState.PREVIEWED


@pytest.mark.parametrize("page", ["people", "confirm", "confirm/ask", "reading"])
def test_operations_see_nobody(world: World, visit: Visit, page: str) -> None:
    visit(Role.OPS).open(f"/runs/{preview_of(world, CHANGED)}/{page}", status=403)


@pytest.mark.parametrize("page", ["people", "confirm", "reading"])
def test_a_run_that_is_not_there(visit: Visit, page: str) -> None:
    visit(Role.MEMBER).open(f"/runs/no-such-run/{page}", status=404)


# ── the decision ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_approving_writes_the_chosen_and_nobody_else(world: World, visit: Visit) -> None:
    run_id = preview_of(world, NEW, CHANGED, CHANGED, EQUAL, DOUBTFUL)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    member.send("/choose", chosen=["1"], press=("go", "confirm"))
    member.open(f"/runs/{run_id}/confirm/ask")
    assert "従業員を同期しますか？" in member.words and "2人には何も書き込みません" in member.words
    member.send("/approve")
    assert member.page is not None and member.page.request.path == f"/runs/{run_id}"
    assert state_of(world, run_id) is RunState.RUNNING
    assert [item.employee_number for item in items_of(world, run_id)] == ["0002", "0004", "0005"]
    assert ("run_approved", f"run:{run_id}") in audited(world)


def test_the_dialog_asks_what_the_page_asks(world: World, visit: Visit) -> None:
    run_id = preview_of(world, CHANGED)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/confirm")
    assert 'data-opens="question"' in member.text and '<dialog id="question"' in member.text
    member.send("/approve")
    assert state_of(world, run_id) is RunState.RUNNING


def test_a_mass_change_needs_a_word(world: World, visit: Visit) -> None:
    run_id = preview_of(world, *[NEW] * 7)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/confirm")
    assert "新しく登録する人が7人います" in member.words and "1日に5人まで" in member.words
    member.open(f"/runs/{run_id}/confirm/ask")
    assert re.search(r'name="acknowledged"[^>]* required', member.text)
    member.send("/approve")
    assert state_of(world, run_id) is RunState.PREVIEWED
    assert "チェックを入れてください" in member.words
    member.send("/approve", acknowledged="yes")
    assert state_of(world, run_id) is RunState.RUNNING


def test_fewer_chosen_raise_no_alarm(world: World, visit: Visit) -> None:
    run_id = preview_of(world, *[NEW] * 7)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/people")
    member.send("/choose", chosen=["0", "1"], press=("go", "confirm"))
    assert "acknowledged" not in member.text
    member.send("/approve")
    assert state_of(world, run_id) is RunState.RUNNING


def test_a_preview_is_decided_once(world: World, visit: Visit) -> None:
    run_id = preview_of(world, CHANGED)
    member, other = visit(Role.MEMBER), visit(Role.ADMIN)
    for each in (member, other):
        each.open(f"/runs/{run_id}/confirm")
    member.send("/approve")
    other.send("/approve")
    assert "すでに始まっています" in other.words
    other.open(f"/runs/{run_id}/people")
    assert other.page is not None and other.page.request.path == f"/runs/{run_id}"


@pytest.mark.parametrize(("hold", "told"), [("set_paused", "一時停止中"), ("set_needs_consent", "認可が必要")])
def test_a_held_connection_is_said(world: World, visit: Visit, hold: str, told: str) -> None:
    run_id = preview_of(world, CHANGED)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/confirm")
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection is not None
        getattr(uow.connections, hold)(connection.id, True)
    assert member.send("/approve").status_code == 409
    assert told in member.words and state_of(world, run_id) is RunState.PREVIEWED


def test_a_preview_of_an_undo_is_not_read_anew(world: World, visit: Visit) -> None:
    run_id = preview_of(world, CHANGED, trigger=Trigger.UNDO)
    member = visit(Role.MEMBER)
    assert "/again" not in member.open(f"/runs/{run_id}/people")
    token = member.token
    assert member.client.post(f"/runs/{run_id}/again", data={"csrf_token": token}).status_code == 409
    assert state_of(world, run_id) is RunState.PREVIEWED


# ── size ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("page", ["people?show=all", "people?q=%E8%A6%8B%E6%9C%AC&show=all", "confirm", "confirm/ask"])
def test_300_people_cost_few_queries(world: World, visit: Visit, page: str) -> None:
    many: list[Somebody] = [NEW, CHANGED, EQUAL] * 100
    run_id = preview_of(world, *many)
    member = visit(Role.MEMBER)
    world.clock.turn(minutes=5)  # the session is touched, too
    with statements(world.database.engine) as sent:
        member.open(f"/runs/{run_id}/{page}")
    assert len(sent) <= 12, sent
