"""The tables of results and of a confirmation: sorted, searched and turned by the server; what is the same is no
change; how a value came about; and one person across all runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from app.domain.access.roles import Role
from app.domain.codecs.steps import TraceStep
from app.domain.mapping import FIELDS
from app.domain.planning.plan import PlanKind, Trace
from app.domain.planning.trace import BLANKED
from app.domain.runs.run_state import ItemState
from app.domain.snapshot import BLANK, Unconvertible
from app.storage.runs.rows import NewChange
from app.web.i18n import LOCALES, catalogue
from tests.web.made import add_run
from tests.web.previewed import CHANGED, NEW, Somebody, preview_of
from tests.web.visitor import Visitor
from tests.web.world import KEY, World

Visit = Callable[..., Visitor]

PHONE = NewChange(
    "phone",
    before=BLANK,
    after="03-1234-5678",
    trace=Trace(
        ("０３（１２３４）５６７８",),
        (TraceStep("rule_width", ("03(1234)5678",)), TraceStep("rule_phone_plan", ("03-1234-5678",))),
        (TraceStep("phone_split", ("03", "1234", "5678")),),
    ),
)
TITLE = NewChange("title", before="主任", after="課長", trace=Trace(({"name": "課長"},), lost=("other_positions",)))
NAME = NewChange("last_name", before="鈴木", after="佐藤", trace=Trace(("佐藤",)))
BANK = NewChange("bank_code", before="0001", after="0001", trace=Trace(("0001",)))
NUMBER = NewChange(
    "bank_account_number",
    before="1234567",
    after="7654321",
    trace=Trace(("７６５４３２１",), (TraceStep("rule_width", ("7654321",)),)),
)
DONE = Somebody(ItemState.SUCCEEDED, PlanKind.UPDATE, name="佐藤 花子", kana="サトウ ハナコ", changes=(NAME, PHONE))
FAILED = Somebody(
    ItemState.FAILED, PlanKind.UPDATE, code="E1", name="鈴木 一郎", kana="スズキ イチロウ", changes=(NAME,)
)
ASKED = Somebody(ItemState.NEEDS_REVIEW, code="link_ambiguous", name="高橋 次郎", kana="タカハシ ジロウ")
SAME = Somebody(ItemState.SUCCEEDED, PlanKind.UPDATE, name="田中 三郎", kana="タナカ サブロウ", changes=(BANK, NUMBER))


def listed(visitor: Visitor) -> list[str]:
    """Numbers in the order of the page."""
    rows = re.findall(r'<tr id="(?:person-|p)\d+".*?</tr>', visitor.text, re.DOTALL)
    return [str(re.findall(r'<span class="number[^"]*">([^<]*)<', row)[0]) for row in rows]


def sorted_by(visitor: Visitor) -> dict[str, str]:
    """Heading → how the table is sorted by it."""
    heads = re.findall(r'<th scope="col"[^>]* aria-sort="(\w+)"><a class="sort"[^>]*>([^<]*)<', visitor.text)
    return {text: way for way, text in heads}


def follow(visitor: Visitor, heading: str) -> None:
    """A click on a heading."""
    (address,) = re.findall(rf'<a class="sort" href="([^"#]*)[^"]*">{heading}<', visitor.text)
    visitor.open(address.replace("&amp;", "&"))


# ── results ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_failures_come_first_then_what_has_to_be_decided(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open(f"/runs/{preview_of(world, DONE, ASKED, SAME, FAILED)}")
    assert listed(member) == ["0004", "0002", "0001", "0003"]
    assert sorted_by(member) == {"結果と対処": "ascending"}


def test_headings_sort_one_way_and_the_other(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open(f"/runs/{preview_of(world, DONE, FAILED, ASKED, SAME)}")
    follow(member, "従業員番号")
    assert (listed(member), sorted_by(member)) == (["0001", "0002", "0003", "0004"], {"従業員番号": "ascending"})
    follow(member, "従業員番号")
    assert (listed(member), sorted_by(member)) == (["0004", "0003", "0002", "0001"], {"従業員番号": "descending"})
    follow(member, "変わった項目")
    assert listed(member) == ["0003", "0002", "0004", "0001"]  # 0, 1, 1 (and one that is the same), 2


@pytest.mark.parametrize("typed", ["0001", "佐藤", "さとう", "ﾊﾅｺ", "花子"])
def test_results_are_searched_by_number_name_and_kana(world: World, visit: Visit, typed: str) -> None:
    member = visit(Role.MEMBER)
    member.open(f"/runs/{preview_of(world, DONE, FAILED, ASKED)}?q={typed}")
    assert listed(member) == ["0001"]


def test_the_search_keeps_the_order_and_the_order_the_search(world: World, visit: Visit) -> None:
    people = [replace(DONE, name=f"佐藤 {n}") for n in range(3)]
    member = visit(Role.MEMBER)
    member.open(f"/runs/{preview_of(world, *people, FAILED)}?q=佐藤&sort=-number")
    assert listed(member) == ["0003", "0002", "0001"]
    assert 'name="sort" value="-number"' in member.text and "q=%E4%BD%90%E8%97%A4" in member.text


def test_pages_are_turned_in_the_order_of_the_table(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    run_id = preview_of(world, *[DONE] * 35, FAILED)
    member.open(f"/runs/{run_id}")
    assert listed(member)[:2] == ["0036", "0001"] and "1〜30 / 36 人" in member.words
    member.open(f"/runs/{run_id}?page=2")
    assert listed(member) == [f"{n:04d}" for n in range(30, 36)] and "31〜36 / 36 人" in member.words
    member.open(f"/runs/{run_id}?page=99999999999999")
    assert listed(member) == [f"{n:04d}" for n in range(30, 36)]


def test_cause_and_remedy_stand_open_at_a_failure(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open(f"/runs/{preview_of(world, FAILED)}")
    row = member.text.split('<tr id="person-1"')[1].split("</tr>")[0]
    before_folds = re.sub(r"<details.*?</details>", "", row, flags=re.DOTALL)
    assert "原因" in before_folds and "対処" in before_folds and "入社年月日" in before_folds


def test_what_the_target_holds_already_is_neither_struck_through_nor_counted(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open(f"/runs/{preview_of(world, SAME)}")
    assert "1 項目" in member.words and "2 項目" not in member.words
    assert "ほか 1 項目は、反映先と同じ値です" in member.words
    assert "0001" not in "".join(re.findall(r'<span class="before.*?</span></span>', member.text))


def test_a_viewer_is_not_told_that_a_hidden_difference_is_none(world: World, visit: Visit) -> None:
    viewer = visit(Role.VIEWER)
    viewer.open(f"/runs/{preview_of(world, SAME)}")
    assert "7654321" not in viewer.text and "同じ値）" not in viewer.words
    assert "値は違います（伏せています）" in viewer.words


def test_operations_find_nobody_by_name(world: World, visit: Visit) -> None:
    ops = visit(Role.OPS)
    ops.open(f"/runs/{preview_of(world, DONE, FAILED)}?q=佐藤")
    assert "1 番目" in ops.words and "2 番目" in ops.words and "佐藤" not in ops.words


# ── the confirmation ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_confirmation_is_sorted_and_searched(world: World, visit: Visit) -> None:
    run_id = preview_of(
        world,
        replace(CHANGED, name="佐藤 花子", kana="サトウ ハナコ"),
        replace(NEW, name="鈴木 一郎", kana="スズキ イチロウ"),
    )
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/confirm?sort=kind")
    assert listed(member) == ["0002", "0001"]
    member.open(f"/runs/{run_id}/confirm?sort=-items")
    assert listed(member) == ["0001", "0002"]
    member.open(f"/runs/{run_id}/confirm?q=すず")
    assert listed(member) == ["0002"] and "1 人を更新" in member.words


def test_who_has_something_to_decide_comes_first(world: World, visit: Visit) -> None:
    held = NewChange(
        "phone",
        before=Unconvertible("unsplittable_phone"),
        after="03-1234-5678",
        raw={"profile_rule.phone1": "内線"},
        held=True,
    )
    run_id = preview_of(world, CHANGED, replace(CHANGED, changes=(NAME, held)))
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}/confirm")
    assert listed(member) == ["0002", "0001"]


def test_a_confirmation_counts_only_what_changes(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open(f"/runs/{preview_of(world, replace(CHANGED, changes=(BANK, NUMBER), notes=()))}/confirm")
    assert "銀行コード" not in member.words and "口座番号 1人" in member.words


# ── how a value came about ────────────────────────────────────────────────────────────────────────────────────────


def test_a_value_is_followed_step_by_step(world: World, visit: Visit) -> None:
    run_id = preview_of(world, DONE)
    member = visit(Role.MEMBER)
    member.open(f"/runs/{run_id}")
    assert f'href="/runs/{run_id}/people/1"' in member.text
    member.open(f"/runs/{run_id}/people/1")
    words = member.words
    steps = ["０３（１２３４）５６７８", "03(1234)5678", "03-1234-5678", "03 1234 5678"]
    place = words.index("SmartHRの値 ０３")
    for step in steps:
        place = words.index(step, place)  # each behind the one before
    assert "全角・半角を、項目の決まりにそろえました。" in words and "電話番号を三つの欄に分けました。" in words
    assert "そのまま伝わります" in words  # the name


def test_only_what_loses_something_is_marked(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open(f"/runs/{preview_of(world, replace(DONE, changes=(NAME, TITLE, PHONE)))}/people/1")
    marked = [row for row in member.text.split('<tr id="') if "一部は伝わりません" in row]
    assert [row.split('"')[0] for row in marked] == ["title"]
    assert "ほかの役職はfreee人事労務に伝わりません。" in member.words


def test_why_a_value_is_held(world: World, visit: Visit) -> None:
    held = NewChange(
        "phone",
        before=Unconvertible("unsplittable_phone"),
        after="03-1234-5678",
        raw={"profile_rule.phone1": "内線"},
        held=True,
        trace=Trace(("0312345678",), (TraceStep("rule_phone_plan", ("03-1234-5678",)),), held="unsplittable_phone"),
    )
    member = visit(Role.MEMBER)
    run_id = preview_of(world, replace(CHANGED, changes=(NAME, held), notes=()))
    member.open(f"/runs/{run_id}/people/1")
    assert "freee人事労務の値はSmartHRへ反映できない値のため" in member.words and "電話番号" in member.words
    assert f'href="/runs/{run_id}/confirm"' in member.text


def test_the_steps_of_a_hidden_value_are_hidden(world: World, visit: Visit) -> None:
    run_id = preview_of(world, SAME)
    viewer, member = visit(Role.VIEWER), visit(Role.MEMBER)
    viewer.open(f"/runs/{run_id}/people/1")
    assert "7654321" not in viewer.text and "７６５４３２１" not in viewer.text and "••••" in viewer.words
    assert "全角・半角を、項目の決まりにそろえました。" in viewer.words
    member.open(f"/runs/{run_id}/people/1")
    assert "７６５４３２１" in member.words
    visit(Role.OPS).open(f"/runs/{run_id}/people/1", status=403)


@pytest.mark.parametrize("place", ["0", "2", "99999999999999999999"])
def test_nobody_stands_there(world: World, visit: Visit, place: str) -> None:
    visit(Role.MEMBER).open(f"/runs/{preview_of(world, DONE)}/people/{place}", status=404)


def test_a_value_nobody_has_followed_says_so(world: World, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open(f"/runs/{preview_of(world, replace(DONE, changes=(replace(NAME, trace=None),)))}/people/1")
    assert "経過の記録はありません" in member.words


@pytest.mark.parametrize("locale", LOCALES)
def test_every_step_and_every_loss_has_words(locale: str) -> None:
    codecs = [place.codec for row in FIELDS for place in (row.smarthr, row.freee)]
    names = {getattr(codec, what, "") for codec in codecs for what in ("reads", "writes")} - {""} | {BLANKED}
    lost = {"other_positions", "building", "last_digit", "leading_zeros", "own_form"}
    told = catalogue(locale)
    assert names == {key.removeprefix("tables.step.") for key in told if key.startswith("tables.step.")}
    assert lost == {key.removeprefix("tables.lost.") for key in told if key.startswith("tables.lost.")}


# ── one person across all runs ────────────────────────────────────────────────────────────────────────────────────


def test_the_history_of_a_person_is_found_by_name_and_by_number(world: World, visit: Visit) -> None:
    first = preview_of(world, DONE, ASKED)
    second = preview_of(world, FAILED, ASKED)
    member = visit(Role.MEMBER)
    for typed in ("0001", "すずき"):  # as the last listing has them
        member.open("/runs")
        member.send("/people", q=typed)
        assert member.page is not None and member.page.request.path == f"/people/{KEY}/history"
        runs = re.findall(r'href="/runs/([^"/]+)/people/1"', member.text)
        assert runs == [second, first]
        assert "入社年月日が入力されていません。" in member.words and "姓、電話番号" in member.words


def test_several_people_are_offered_and_nobody_is_said(world: World, visit: Visit) -> None:
    preview_of(world, DONE, replace(DONE, name="佐藤 太郎"))
    member = visit(Role.MEMBER)
    member.open(f"/people/{KEY}?q=佐藤")
    assert len(re.findall(r'href="/people/[^"]*/history[^"]*smarthr=crew-', member.text)) == 2
    member.open(f"/people/{KEY}?q=誰でもない")
    assert "該当する従業員がいません" in member.words
    visit(Role.OPS).open(f"/people/{KEY}?q=佐藤", status=403)


def test_a_person_is_not_taken_for_another_of_the_same_id_elsewhere(world: World, visit: Visit) -> None:
    add_run(world, ItemState.SUCCEEDED)
    member = visit(Role.MEMBER)
    member.open(f"/people/{KEY}/history?freee=crew-0")  # an id of SmartHR
    assert "この従業員の同期は、まだありません" in member.words
