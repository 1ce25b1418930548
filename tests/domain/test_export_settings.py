"""What the export settings take and refuse."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.employee import EmployeeRecord, Person
from app.domain.enums import System
from app.domain.errors import Refused
from app.domain.settings.connection_settings import Connection, ExportSettings, PayType
from app.domain.settings.export_settings import check_export_sets, check_export_settings, complete, doubts, settings_for
from app.web.i18n import wording

GOOD: dict[str, Any] = {
    "working_hours_system_name": "固定時間",
    "pay_schedule_name": "正社員",
    "pay_type": "monthly",
    "base_pay": 250000,
}


def check(**changes: Any) -> ExportSettings:
    return check_export_settings({**GOOD, **changes})


def refused_fields(raw: dict[str, Any]) -> set[str]:
    with pytest.raises(Refused) as caught:
        check_export_settings(raw)
    assert caught.value.code == "invalid_export_settings"
    assert caught.value.status == 422
    assert all(wording("ja").faults(caught.value).values())
    return set(caught.value.fields)


def test_good_settings() -> None:
    assert check() == ExportSettings("固定時間", "正社員", PayType.MONTHLY, 250000)


@pytest.mark.parametrize(
    ("word", "pay_type"),
    [
        ("monthly", PayType.MONTHLY),
        ("daily", PayType.DAILY),
        ("hourly", PayType.HOURLY),
        ("月給", PayType.MONTHLY),
        ("日給", PayType.DAILY),
        ("時給", PayType.HOURLY),
        (PayType.HOURLY, PayType.HOURLY),
    ],
)
def test_pay_type_in_both_languages(word: str, pay_type: PayType) -> None:
    assert check(pay_type=word).pay_type is pay_type


@pytest.mark.parametrize(
    ("typed", "amount"),
    [(0, 0), (99_999_999, 99_999_999), ("250000", 250000), ("250,000", 250000), ("２５０，０００", 250000), (" 1 ", 1)],
)
def test_base_pay_as_people_type_it(typed: Any, amount: int) -> None:
    assert check(base_pay=typed).base_pay == amount


@pytest.mark.parametrize("typed", [-1, 100_000_000, "-1", "1.5", 1.5, True, "", None, "二十万", "9" * 5000, "²", []])
def test_base_pay_refused(typed: Any) -> None:
    assert refused_fields({**GOOD, "base_pay": typed}) == {"base_pay"}


@pytest.mark.parametrize("typed", ["yearly", "月", "", None, 1, ["monthly"]])
def test_pay_type_refused(typed: Any) -> None:
    assert refused_fields({**GOOD, "pay_type": typed}) == {"pay_type"}


@pytest.mark.parametrize(("field", "limit"), [("working_hours_system_name", 30), ("pay_schedule_name", 15)])
def test_names_have_the_limits_of_the_interface(field: str, limit: int) -> None:
    assert getattr(check(**{field: "あ" * limit}), field) == "あ" * limit
    assert refused_fields({**GOOD, field: "あ" * (limit + 1)}) == {field}


@pytest.mark.parametrize("typed", ["", "  ", "　", None, 5, "正\n社員", "正\x00"])
@pytest.mark.parametrize("field", ["working_hours_system_name", "pay_schedule_name"])
def test_names_refused(field: str, typed: Any) -> None:
    assert refused_fields({**GOOD, field: typed}) == {field}


def test_blanks_around_a_name_go() -> None:
    assert check(pay_schedule_name="　正社員 ").pay_schedule_name == "正社員"


def test_every_fault_is_named_at_once() -> None:
    assert refused_fields({}) == set(GOOD)


def test_flextime_without_monthly_pay_is_doubted_not_refused() -> None:
    assert doubts(check(working_hours_system_name="フレックスタイム制", pay_type="時給")) == ("E6",)
    assert doubts(check(working_hours_system_name="ﾌﾚｯｸｽ本社", pay_type="日給")) == ("E6",)
    assert doubts(check(working_hours_system_name="フレックスタイム制", pay_type="月給")) == ()
    assert doubts(check(pay_type="時給")) == ()


def test_complete() -> None:
    assert not complete(None)
    assert complete(check())
    assert not complete(ExportSettings("", "正社員", PayType.MONTHLY, 0))
    assert not complete(ExportSettings("固定時間", "", PayType.MONTHLY, 0))


# ── sets by 雇用形態 ──────────────────────────────────────────────────────────────────────────────────────────────────

DEFAULT = ExportSettings("固定時間", "正社員", PayType.MONTHLY, 250_000)
PART_TIME = ExportSettings("シフト", "アルバイト", PayType.HOURLY, 1_200)


def connection(by_type: dict[str, ExportSettings]) -> Connection:
    return Connection(1, "k", "n", "s", 2, export_settings=DEFAULT, export_settings_by_type=by_type)


def crew(kind: object, system: System = System.SMARTHR) -> EmployeeRecord:
    return EmployeeRecord(Person(system, "1", "0001"), {"employment_type": kind})


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ({"name": "アルバイト・パート"}, PART_TIME),
        ({"name": " ｱﾙﾊﾞｲﾄ・ﾊﾟｰﾄ "}, PART_TIME),
        ({"name": "正社員"}, DEFAULT),
        ({"name": None}, DEFAULT),
        (None, DEFAULT),
        ("アルバイト・パート", DEFAULT),
    ],
)
def test_the_employment_type_chooses_the_set(kind: object, settings: ExportSettings) -> None:
    assert settings_for(connection({"アルバイト・パート": PART_TIME}), crew(kind)) == settings


def test_without_sets_everybody_gets_the_default() -> None:
    assert settings_for(connection({}), crew({"name": "アルバイト・パート"})) == DEFAULT
    assert settings_for(connection({}), EmployeeRecord(Person(System.SMARTHR, "1", ""), None)) == DEFAULT


def test_a_set_is_for_people_of_smarthr_only() -> None:
    by_type = connection({"アルバイト・パート": PART_TIME})
    assert settings_for(by_type, crew({"name": "アルバイト・パート"}, System.FREEE)) == DEFAULT


SETTINGS = ("invalid_export_settings", "エクスポート設定を確認してください。")


def test_a_refusal_says_what_is_wrong_with_each_field() -> None:
    with pytest.raises(Refused) as caught:
        check_export_settings({**GOOD, "working_hours_system_name": "", "pay_schedule_name": "あ" * 16, "base_pay": ""})
    assert (caught.value.code, wording("ja").refusal(caught.value)) == SETTINGS
    assert wording("ja").faults(caught.value) == {
        "working_hours_system_name": "勤務・賃金設定名を入力してください。",
        "pay_schedule_name": "締め日支払い日グループ名は15文字以内で入力してください。",
        "base_pay": "基本給は0から99,999,999までの整数で入力してください。",
    }
    with pytest.raises(Refused) as caught:
        check_export_settings({**GOOD, "working_hours_system_name": "固定\n時間", "pay_type": "x"})
    assert wording("ja").faults(caught.value) == {
        "working_hours_system_name": "勤務・賃金設定名に改行、制御文字、見えない文字は使えません。",
        "pay_type": "給与方式は月給・日給・時給から選んでください。",
    }


def test_sets_are_refused_with_all_their_faults() -> None:
    with pytest.raises(Refused) as caught:
        check_export_sets({"あ" * 101: GOOD, "役員": {**GOOD, "pay_type": "x"}})
    assert (caught.value.code, wording("ja").refusal(caught.value)) == SETTINGS
    assert wording("ja").faults(caught.value) == {
        "0.employment_type": "雇用形態は100文字以内で入力してください。",
        "1.pay_type": "給与方式は月給・日給・時給から選んでください。",
    }


def test_as_many_sets_and_as_long_names_as_are_allowed() -> None:
    assert len(check_export_sets({str(number): GOOD for number in range(20)})) == 20
    assert set(check_export_sets({"あ" * 100: GOOD})) == {"あ" * 100}
    with pytest.raises(Refused) as caught:
        check_export_sets({str(number): GOOD for number in range(21)})
    assert caught.value.code == SETTINGS[0]
    assert wording("ja").refusal(caught.value) == "雇用形態ごとの設定は20件までです。"


def test_sets_are_checked_like_the_default_and_named_by_their_position() -> None:
    assert check_export_sets({"パート": {**GOOD, "base_pay": "1,200"}})["パート"].base_pay == 1_200
    with pytest.raises(Refused) as caught:
        check_export_sets({"パート": GOOD, "役員": {**GOOD, "pay_type": "x", "base_pay": ""}, "あ" * 101: GOOD})
    assert set(caught.value.fields) == {"1.pay_type", "1.base_pay", "2.employment_type"}
    with pytest.raises(Refused):
        check_export_sets({str(number): GOOD for number in range(21)})
