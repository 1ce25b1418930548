"""The file of results: read back by a CSV reader, safe in a spreadsheet, numbers stay text, as much as one may see."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.enums import Step, System
from app.domain.runs.run_state import ItemState
from app.domain.vendors.answer import VendorAnswer
from app.use_cases.queries.person_results import ChangeResult, Holds, PersonResult, Shown, Visibility
from app.web.i18n import wording
from app.web.screens.runs.results_file import lines

pytestmark = pytest.mark.sql

EVERYTHING, VALUES, NOTHING = (
    Visibility(people=True, masked=True),
    Visibility(people=True, masked=False),
    Visibility(False, False),
)


def person(**changes: Any) -> PersonResult:
    given: dict[str, Any] = {
        "position": 7,
        "number": "00123",
        "name": "見本 花子",
        "state": ItemState.SUCCEEDED,
        "kind": "update",
        "error_code": None,
        "answers": (),
        "pay_month": "2026-12",
        "attempts": 1,
        "changes": (),
        "notes": (),
        "steps": (),
        "pages": (),
        "doubtful_link": False,
        "started_at": None,
        "finished_at": datetime(2026, 11, 22, tzinfo=UTC),
    }
    return PersonResult(**(given | changes))


def written(*people: PersonResult, visibility: Visibility = EVERYTHING, locale: str = "ja") -> str:
    content = b"".join(lines(people, wording(locale), visibility))
    assert content.startswith(b"\xef\xbb\xbf")
    return content.decode("utf-8-sig")


def rows(*people: PersonResult, **how: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(written(*people, **how), newline=""), strict=True))


def test_columns_and_a_row() -> None:
    change = ChangeResult("title", Shown(Holds.BLANK), Shown(Holds.VALUE, "課長"), retroactive=False, written=True)
    hidden = Shown(Holds.MASKED, "••••")
    account = ChangeResult("bank_account_number", hidden, hidden, retroactive=False, written=True)
    head, row = rows(person(changes=(change, account)))
    assert head[:7] == ["従業員番号", "氏名", "結果", "理由", "原因", "対処", "対応する人"]
    assert head[7:] == ["変更した項目", "支払月", "変更前 → 変更後"]
    assert row[:7] == ['="00123"', "見本 花子", "成功", "", "", "", ""]
    assert row[7:9] == ["役職・肩書、口座番号", "2026年12月"]
    assert row[9] == "役職・肩書: （空欄） → 課長\n口座番号: •••• → ••••"


def test_every_line_ends_as_the_standard_says() -> None:
    told = written(person(), person())
    assert told.count("\r\n") == 3 and told.endswith("\r\n")


@pytest.mark.parametrize("number", ["00123", "1-2", "1E5", '=cmd|" /C calc"!A0', 'A"&1+1&"', "-1", "１２３"])
def test_a_number_stays_the_text_it_is(number: str) -> None:
    """As Excel reads it: a formula that is one quoted text, whatever stands in it."""
    (cell, *_rest) = rows(person(number=number))[1]
    assert cell.startswith('="') and cell.endswith('"')
    inside = cell[2:-1]
    assert inside.replace('""', "").count('"') == 0
    assert inside.replace('""', '"') == number


def test_somebody_without_a_number_has_an_empty_cell() -> None:
    assert rows(person(number=""))[1][0] == ""


@pytest.mark.parametrize("name", ["=1+1", "+81", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "\n=1"])
def test_what_begins_like_a_formula_is_none(name: str) -> None:
    assert rows(person(name=name))[1][1] == "'" + name


@pytest.mark.parametrize("name", ['見本 "花" 子', "見本,花子", "見本\n花子", "O'Hara"])
def test_other_signs_come_back_as_they_are(name: str) -> None:
    assert rows(person(name=name))[1][1] == name


def test_cause_and_remedy_with_the_vendors_words() -> None:
    answer = VendorAnswer(System.FREEE, "電話番号が不正です", step=Step.PROFILE, named=("phone",))
    row = rows(person(state=ItemState.FAILED, error_code="E17", answers=(answer,)))[1]
    assert row[2] == "失敗" and row[3].endswith("\nfreee人事労務の返答（本人情報、電話番号）: 電話番号が不正です")
    assert row[4] and row[5] and row[6] == "人事労務担当者"


def test_without_sight_of_people_there_are_places_and_causes_only() -> None:
    head, row = rows(person(state=ItemState.FAILED, error_code="E1", number="", name=""), visibility=NOTHING)
    assert head == ["順番", "結果", "理由", "原因", "対処", "対応する人"]
    assert row[:2] == ["7", "失敗"] and "入社年月日" in row[2]


def test_in_english() -> None:
    head, row = rows(person(), visibility=VALUES, locale="en")
    assert head[:3] == ["Employee number", "Name", "Result"] and row[2] == "Succeeded" and row[8] == "Dec 2026"


def test_many_people_come_in_pieces() -> None:
    pieces = list(lines((person() for _ in range(1000)), wording("ja"), EVERYTHING))
    assert len(pieces) > 5
    assert b"".join(pieces).count(b"\r\n") == 1001
