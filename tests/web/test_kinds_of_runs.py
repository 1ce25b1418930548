"""Every page calls a run what it is: a sync, もう一度, 元に戻す, an approval; and says of its result what is true."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Trigger
from app.domain.runs.kinds import RunKind
from app.domain.runs.run_state import ItemState, RunState
from app.storage.runs.rows import RunRow
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.intake import approve_retry_cancel
from tests.storage.databases import end_item, running_run
from tests.web.made import add_run
from tests.web.visitor import Visitor
from tests.web.world import NOW, World

Visit = Callable[..., Visitor]

KINDS: dict[RunKind, dict[str, Any]] = {
    RunKind.SYNC: {},
    RunKind.RETRY: {"trigger": Trigger.RETRY},
    RunKind.UNDO: {"trigger": Trigger.UNDO},
    RunKind.BEGIN: {"trigger": Trigger.SCHEDULE},
    RunKind.HELD: {"trigger": Trigger.HELD, "dry_run": False},
}
WORDS = {
    RunKind.SYNC: ("従業員の選択", "従業員を同期しますか？", "同期を始めました。"),
    RunKind.RETRY: ("もう一度", "従業員をもう一度同期しますか？", "もう一度、同期を始めました。"),
    RunKind.UNDO: ("元に戻す", "従業員の値を元に戻しますか？", "元に戻し始めました。"),
    RunKind.BEGIN: ("承認", "自動同期を始めることを承認しますか？", "承認しました。自動同期を始めました。"),
    RunKind.HELD: ("承認", "止めた変更を承認しますか？", "承認しました。止めた変更を書き込んでいます。"),
}
BUTTON = {
    RunKind.SYNC: "同期",
    RunKind.RETRY: "もう一度同期する",
    RunKind.UNDO: "元に戻す",
    RunKind.BEGIN: "承認する",
    RunKind.HELD: "承認する",
}


def connection(world: World) -> Any:
    with world.ctx.unit_of_work() as uow:
        return uow.connections.get_by_key("renshu")


def preview(world: World, kind: RunKind, *, items: int = 3) -> tuple[RunRow, list[int]]:
    return running_run(
        world.database, connection(world), items=items, state=RunState.PREVIEWED, **{"dry_run": True, **KINDS[kind]}
    )


def title(page: str) -> str:
    found = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    assert found
    return found[1].strip()


def heading(page: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)
    assert found
    return found[1].strip()


@pytest.mark.parametrize("kind", KINDS)
def test_on_its_way_it_is_called_what_it_is(visit: Visit, world: World, kind: RunKind) -> None:
    member = visit(Role.MEMBER)
    run, ids = preview(world, kind)
    word, question, begun = WORDS[kind]
    pages = {name: member.open(f"/runs/{run.public_id}{name}") for name in ("", "/people", "/confirm", "/confirm/ask")}
    for name in ("", "/people", "/confirm"):
        if kind is not RunKind.SYNC:
            assert word in title(pages[name]) and word in heading(pages[name]), name
    assert question in pages["/confirm"] and title(pages["/confirm/ask"]).startswith(question)
    steps = re.search(r'<ol class="stages".*?</ol>', pages["/people"], re.DOTALL)
    assert steps and ("情報取得基準日" in steps[0]) == (kind is RunKind.SYNC)
    assert f">{BUTTON[kind]}</button>" in pages["/confirm/ask"]
    if kind is not RunKind.SYNC:
        assert ">同期</button>" not in pages["/confirm"] + pages["/confirm/ask"]
    member.send(f"/runs/{run.public_id}/approve", acknowledged="yes")
    assert begun in member.words
    assert title(member.text).startswith(heading(member.text))
    for item_id in ids:
        end_item(world.database, item_id)
    close_run_if_done(world.ctx, run.id)
    ended = member.open(f"/runs/{run.public_id}")
    if kind is not RunKind.SYNC:
        assert word in title(ended)
        row = member.open("/runs").split("<tbody>")[1]
        assert word in row


@pytest.mark.parametrize("kind", KINDS)
def test_thrown_away_it_says_so_in_its_own_words(visit: Visit, world: World, kind: RunKind) -> None:
    member = visit(Role.MEMBER)
    run, _ = preview(world, kind)
    member.open(f"/runs/{run.public_id}/people")
    member.send("/discard", confirmed="yes")
    told = {
        RunKind.UNDO: "元に戻すのを取り消しました。",
        RunKind.BEGIN: "取り下げました。",
        RunKind.HELD: "取り下げました。",
    }
    assert told.get(kind, "同期を取り消しました。") in member.words
    member.open(f"/runs/{run.public_id}")
    assert "取り消し" in member.words and "やめました" not in member.words


def test_an_undo_offers_no_new_people_and_no_sync(visit: Visit, world: World) -> None:
    member = visit(Role.MEMBER)
    run, _ = preview(world, RunKind.UNDO)
    member.open(f"/runs/{run.public_id}/confirm")
    assert "人の値を元に戻す" in member.words and "人を新規作成" not in member.words.split("従業員の値を")[0]


def test_the_dialog_of_a_repetition_says_what_is_repeated(visit: Visit, world: World) -> None:
    member = visit(Role.MEMBER)
    for trigger, button, question in (
        (Trigger.MANUAL, "失敗した人をもう一度", "もう一度、従業員を同期しますか？"),
        (Trigger.UNDO, "失敗した人をもう一度元に戻す", "もう一度、元に戻しますか？"),
    ):
        run, (bad,) = running_run(world.database, connection(world), trigger=trigger)
        end_item(world.database, bad, state=ItemState.FAILED, error_code="E1")
        close_run_if_done(world.ctx, run.id)
        member.open(f"/runs/{run.public_id}")
        assert button in member.words and question in member.words and "再実行" not in member.words
        assert title(member.open(f"/runs/{run.public_id}/retry")).startswith(question)


# ── what was chosen ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def three_of_many(world: World) -> str:
    """Three of nine were chosen and written; the survey had also found one who fails and one to look at."""
    states = [ItemState.FAILED, ItemState.CONFLICT, ItemState.UNCHANGED] + [ItemState.WAITING] * 6
    run_id = add_run(world, *states, state=RunState.PREVIEWED)
    numbers = ["0004", "0005", "0006"]
    approve_retry_cancel.approve(world.ctx, run_id, by="cli", employees=numbers, acknowledged=True)
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(run_id)
        assert run
        ids = [item.id for item in uow.items.page(run.id, after=-1, limit=9, state=ItemState.WAITING)]
    for item_id in ids:
        end_item(world.database, item_id)
    close_run_if_done(world.ctx, run.id)
    return run_id


def test_the_page_counts_the_chosen_and_has_one_line_for_the_others(
    visit: Visit, world: World, three_of_many: str
) -> None:
    member = visit(Role.MEMBER)
    page = member.open(f"/runs/{three_of_many}")
    assert "一部失敗" not in member.words and "要確認あり" not in member.words
    assert "選択していない 6 人には、何も書き込んでいません" in member.words
    assert "選ばなかった人 3 人" in member.words and "失敗 1 人" in member.words
    assert 'id="person-4"' in page and 'id="person-1"' not in page
    others = member.open(f"/runs/{three_of_many}?beside=1")
    assert 'id="person-1"' in others and 'id="person-4"' not in others
    assert "選択していない従業員" in member.words
    file = member.client.get(f"/runs/{three_of_many}.csv").get_data(as_text=True)
    assert "00123" not in file and '""0004""' in file and '""0001""' not in file
    member.open("/runs")
    assert "ほかに選択していない 6 人" in member.words
    member.open("/")
    assert "一部失敗" not in member.words


def test_the_api_counts_the_chosen_and_tells_the_others_apart(
    client: Any, bearer: Callable[..., dict[str, str]], three_of_many: str
) -> None:
    told = client.get(f"/api/v1/runs/{three_of_many}", headers=bearer("runs:read")).json
    assert (told["state"], told["state_label"], told["kind"]) == ("succeeded", "成功", "sync")
    assert (told["counts"]["succeeded"], sum(told["counts"].values())) == (3, 3)
    assert told["progress"]["done"] == told["progress"]["total"] == 3
    assert {state: n for state, n in told["looked_at"].items() if n} == {
        "failed": 1,
        "conflict": 1,
        "unchanged": 1,
        "waiting": 3,
    }


# ── what happened ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_that_asks_is_not_called_failed(visit: Visit, world: World) -> None:
    member = visit(Role.MEMBER)
    run_id = add_run(world, ItemState.SUCCEEDED, ItemState.NEEDS_REVIEW, ItemState.CONFLICT)
    failed = add_run(world, ItemState.SUCCEEDED, ItemState.FAILED)
    for page in (f"/runs/{run_id}", "/runs?result=needs_review"):
        member.open(page)
        shown = member.words.split("絞り込む")[-1] if "?" in page else member.words
        assert "要確認あり" in shown and "一部失敗" not in shown, page
    page = member.open(f"/runs/{run_id}?state=conflict")
    assert 'id="person-2"' in page and 'id="person-3"' in page, "one word, one filter"
    assert "要確認 2" in member.words
    assert failed in member.open("/runs?result=partly_failed") and run_id not in member.text


def test_a_run_cancelled_in_the_middle_is_called_cancelled(visit: Visit, world: World) -> None:
    member = visit(Role.MEMBER)
    run, (first, *_) = running_run(world.database, connection(world), items=3)
    end_item(world.database, first)
    approve_retry_cancel.cancel(world.ctx, run.public_id, by="cli")
    for page in (f"/runs/{run.public_id}", "/runs", "/"):
        member.open(page)
        shown = member.words.split("絞り込む")[-1]
        assert "取り消し" in shown and "一部失敗" not in shown, page


def test_a_run_stopped_before_it_began_says_what_happened(visit: Visit, world: World) -> None:
    """As an IP block does."""
    member = visit(Role.MEMBER)
    run, _ = running_run(world.database, connection(world), items=0)
    with world.ctx.unit_of_work() as uow:
        uow.runs.fail(run.id, "E3", NOW)
    close_run_if_done(world.ctx, run.id)
    for page in (f"/runs/{run.public_id}", "/runs", "/"):
        member.open(page)
        assert "IPアドレス" in member.words, page
        assert not re.search(r"(?:成功|失敗) 0|(?<![\d:])0 (?:成功|失敗)", member.words), page


def test_syncs_that_wrote_nothing_are_folded_and_can_be_seen(visit: Visit, world: World) -> None:
    member = visit(Role.MEMBER)
    here = connection(world)

    def ended(state: ItemState, trigger: Trigger) -> str:
        run, (item,) = running_run(world.database, here, trigger=trigger)
        end_item(world.database, item, state=state, error_code="E1" if state is ItemState.FAILED else None)
        close_run_if_done(world.ctx, run.id)
        return run.public_id

    echoes = {ended(ItemState.UNCHANGED, Trigger.WEBHOOK) for _ in range(3)}
    told = {
        ended(ItemState.UNCHANGED, Trigger.MANUAL),
        ended(ItemState.SUCCEEDED, Trigger.WEBHOOK),
        ended(ItemState.FAILED, Trigger.WEBHOOK),
        ended(ItemState.NEEDS_REVIEW, Trigger.SCHEDULE),
    }
    page = member.open("/runs")
    assert all(run in page for run in told) and not any(run in page.split("<tbody>")[1] for run in echoes)
    assert "書き込みのなかった自動の同期 3 件を省いています。" in member.words
    page = member.open("/runs?quiet=1")
    assert all(run in page for run in told | echoes) and "省いています" not in member.words


@pytest.mark.parametrize("locale", ["ja", "en"])
@pytest.mark.parametrize("kind", KINDS)
def test_in_both_languages(visit: Visit, world: World, kind: RunKind, locale: str) -> None:
    member = visit(Role.MEMBER)
    with world.ctx.unit_of_work() as uow:
        (user,) = uow.users.all()
        uow.users.change(user.id, locale=locale)
    run, _ = preview(world, kind)
    texts = [member.open(f"/runs/{run.public_id}{name}") for name in ("", "/people", "/confirm", "/confirm/ask")]
    english = {RunKind.SYNC: "Sync", RunKind.RETRY: "Retry", RunKind.UNDO: "Undo"}
    if locale == "en":
        assert f">{english.get(kind, 'Approve')}</button>" in texts[2]
        assert not any("{" in title(text) for text in texts)
