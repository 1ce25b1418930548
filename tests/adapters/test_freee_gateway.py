"""FreeeGateway writes: what the practice freee holds afterwards, under either reading of what is not documented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from app.adapters.freee.bodies import rule_object
from app.adapters.freee.directory_cache import DirectoryCache
from app.domain.employee import EmployeeRecord, PaySchedule, YearMonth
from app.domain.enums import Step
from app.domain.errors import ItemError, RunError, TemporaryError
from app.domain.planning.plan import Change
from app.domain.ports import CreateRequest
from app.domain.reading import take_snapshot
from app.domain.settings.connection_settings import PayType
from app.domain.snapshot import BLANK
from tests.adapters.freee_world import (
    CLOSES_ON_20,
    DECEMBER,
    EXPORT,
    LEFT_LAST_YEAR,
    NEXT_MONTH_PAYER,
    NOVEMBER,
    OPTIONS,
    OUTSIDE_PAYROLL,
    SAME_MONTH_PAYER,
    TODAY,
    Steps,
    World,
    change,
    freee_world,
    same_month,
)

OCTOBER = YearMonth(2026, 10)
STRICT = {"omitted_field": "clear", "null_on_non_nullable": "reject", "kana": "strict_fullwidth"}
MILD = {"omitted_field": "keep", "null_on_non_nullable": "clear", "kana": "any"}
READINGS = [STRICT, MILD, STRICT | {"omitted_field": "keep"}, MILD | {"omitted_field": "clear"}]
READING_IDS = ["strict, omitted clears", "mild, omitted stays", "strict, omitted stays", "mild, omitted clears"]

ONE_PER_STEP = (
    change("basic_pension_number", "1234567890"),
    change("title", "主任"),
    change("health_standard_income", 410_000),
    change("pension_standard_income", 410_000),
    change("bank_account_number", "0076543"),
)
STEPS = (Step.EMPLOYEE, Step.PROFILE, Step.HEALTH_INSURANCE, Step.PENSION_INSURANCE, Step.BANK_ACCOUNT)
WRITTEN = {
    "base_pension_num": "1234567890",
    "profile_rule.title": "主任",
    "health_insurance_rule.standard_monthly_remuneration": 410_000,
    "welfare_pension_insurance_rule.standard_monthly_remuneration": 410_000,
    "bank_account_rule.account_number": "0076543",
}


@pytest.fixture
def world() -> Iterator[World]:
    with freee_world() as world:
        yield world


@pytest.fixture(params=READINGS, ids=READING_IDS)
def any_world(request: pytest.FixtureRequest) -> Iterator[World]:
    with freee_world(request.param) as world:
        yield world


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"profile_rule": {"title": …}}` → `{"profile_rule.title": …}`, ids of rules left out."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif name != "id" or not prefix:
            found[prefix + name] = value
    return found


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    old, new = flat(before), flat(after)
    assert old.keys() == new.keys()
    return {name: value for name, value in new.items() if old[name] != value}


def applied(world: World, current: EmployeeRecord, *changes: Change, steps: Steps | None = None) -> EmployeeRecord:
    return world.gateway().apply(changes, current, options=OPTIONS, steps=steps or Steps())


# ── the complete object ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("person", [SAME_MONTH_PAYER, NEXT_MONTH_PAYER, CLOSES_ON_20])
def test_what_changes_changes_and_nothing_else_does(any_world: World, person: int) -> None:
    before = any_world.shown(person)
    applied(any_world, any_world.read(person), *ONE_PER_STEP)

    assert differences(before, any_world.shown(person)) == WRITTEN


def test_unset_fields_are_left_out_and_stay_unset(any_world: World) -> None:
    """Blank numbers read back as "" or null would be refused if they were echoed."""
    bare = {
        "base_pension_num": None,
        "employment_insurance_reference_number": "",
        "profile_rule": dict.fromkeys(("zipcode1", "prefecture_code", "address", "phone1", "title", "email")),
        "bank_account_rule": dict.fromkeys(("bank_name", "bank_code", "branch_code", "account_type")),
    }
    any_world.freee.edit(SAME_MONTH_PAYER, bare)
    before = any_world.shown(SAME_MONTH_PAYER)
    applied(
        any_world,
        any_world.read(SAME_MONTH_PAYER),
        change("employee_number", "A-001"),
        change("having_spouse", True),
        change("bank_account_number", "0076543"),
    )

    changed = {"num": "A-001", "profile_rule.married": True, "bank_account_rule.account_number": "0076543"}
    assert differences(before, any_world.shown(SAME_MONTH_PAYER)) == {
        name: value for name, value in changed.items() if flat(before)[name] != value
    }


def test_an_employment_type_other_is_kept_although_it_reads_as_empty_text(any_world: World) -> None:
    any_world.freee.edit(SAME_MONTH_PAYER, {"profile_rule": {"employment_type": ""}})
    applied(any_world, any_world.read(SAME_MONTH_PAYER), change("title", "主任"))

    assert any_world.shown(SAME_MONTH_PAYER)["profile_rule"]["employment_type"] == ""


def test_hokkaido_is_a_prefecture_and_not_a_blank(any_world: World) -> None:
    any_world.freee.edit(SAME_MONTH_PAYER, {"profile_rule": {"prefecture_code": 0, "residential_prefecture_code": 0}})
    applied(any_world, any_world.read(SAME_MONTH_PAYER), change("title", "主任"))
    profile = any_world.shown(SAME_MONTH_PAYER)["profile_rule"]

    assert (profile["prefecture_code"], profile["residential_prefecture_code"]) == (0, 0)


@pytest.mark.parametrize(
    ("householder", "name"), [("myself", ""), ("father", "佐藤 太郎"), (None, "")], ids=["myself", "father", "unset"]
)
def test_the_householder_stays_who_it_is(any_world: World, householder: str | None, name: str) -> None:
    any_world.freee.edit(SAME_MONTH_PAYER, {"profile_rule": {"householder": householder, "householder_name": name}})
    applied(any_world, any_world.read(SAME_MONTH_PAYER), change("title", "主任"))
    profile = any_world.shown(SAME_MONTH_PAYER)["profile_rule"]

    assert (profile["title"], profile["householder"], profile["householder_name"]) == ("主任", householder, name)


def test_manual_premiums_go_back_as_they_are(any_world: World) -> None:
    manual = {
        "health_insurance_salary_calc_type": "manual",
        "manual_health_insurance_amount_of_employee_salary": 12_345,
        "manual_health_insurance_amount_of_company_salary": 12_345.5,
        "health_insurance_qualification_required": True,
    }
    any_world.freee.edit(SAME_MONTH_PAYER, {"health_insurance_rule": manual})
    applied(any_world, any_world.read(SAME_MONTH_PAYER), change("health_insured_number", "77"))
    rule = any_world.shown(SAME_MONTH_PAYER)["health_insurance_rule"]

    assert rule["reference_num"] == "77"
    assert {name: rule[name] for name in manual} == manual


def test_the_answer_is_what_freee_then_shows(any_world: World) -> None:
    after = applied(any_world, any_world.read(SAME_MONTH_PAYER), *ONE_PER_STEP)
    fresh = any_world.read(SAME_MONTH_PAYER)

    assert after.record is not None and fresh.record is not None
    assert flat(after.record) == flat(fresh.record)
    assert take_snapshot(after, OPTIONS) == take_snapshot(fresh, OPTIONS)
    assert take_snapshot(after, OPTIONS)["title"] == "主任"


def test_a_changed_name_is_the_persons_new_name(world: World) -> None:
    survey = world.gateway().directory(as_of_date=TODAY)
    current = next(record for record in survey if record.person.id == str(SAME_MONTH_PAYER))
    after = applied(world, current, change("last_name_kana", "アオキ"), change("employee_number", "B-1"))

    assert (after.person.last_name_kana, after.person.number) == ("アオキ", "B-1")
    assert after.person.pay_schedule == same_month()


def test_blank_fields_are_not_echoed() -> None:
    """freee shows "" for some unset choices and numbers, and takes neither "" nor null for them. A blank text has
    nothing to lose, and what somebody fills in meanwhile stays."""
    held = {"account_type": "", "bank_code": "", "bank_name": "", "account_number": "1234567", "branch_code": None}
    sent = rule_object({"bank_account_rule": held}, Step.BANK_ACCOUNT, {"bank_account_rule.account_name": "ア"})

    assert sent == {"account_number": "1234567", "account_name": "ア"}


# ── blanks ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cleared_leaving_date_is_sent_as_null_and_an_unset_one_not_at_all(any_world: World) -> None:
    any_world.freee.edit(SAME_MONTH_PAYER, {"retire_date": "2026-12-31"})
    after = applied(any_world, any_world.read(SAME_MONTH_PAYER), change("resigned_on", BLANK))
    applied(any_world, after, change("employee_number", "B-1"))

    first, second = any_world.injector.sent("PUT", f"/{SAME_MONTH_PAYER}")
    assert first["employee"]["retire_date"] is None
    assert "retire_date" not in second["employee"]
    assert any_world.shown(SAME_MONTH_PAYER)["retire_date"] is None


def test_a_blank_is_sent_the_way_that_clears(any_world: World) -> None:
    blanked = ("title", "phone", "registered_zip_code", "registered_prefecture", "widow_type")
    applied(any_world, any_world.read(SAME_MONTH_PAYER), *(change(key, BLANK) for key in blanked))
    snapshot = take_snapshot(any_world.read(SAME_MONTH_PAYER), OPTIONS)

    assert {key: snapshot[key] for key in blanked} == dict.fromkeys(blanked, BLANK)


def test_a_blank_number_of_fixed_length_is_cleared_by_empty_text(any_world: World) -> None:
    applied(
        any_world,
        any_world.read(SAME_MONTH_PAYER),
        change("basic_pension_number", BLANK),
        change("employment_insurance_number", BLANK),
    )
    (sent,) = any_world.injector.sent("PUT", f"/{SAME_MONTH_PAYER}")

    assert sent["employee"]["base_pension_num"] == sent["employee"]["employment_insurance_reference_number"] == ""
    shown = any_world.shown(SAME_MONTH_PAYER)
    assert not shown["base_pension_num"]
    assert shown["employment_insurance_reference_number"] == ""


# ── months ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("person", "pay_month"), [(SAME_MONTH_PAYER, "2026-11"), (NEXT_MONTH_PAYER, "2026-12"), (CLOSES_ON_20, "2026-11")]
)
def test_a_change_holds_from_the_pay_month_on_and_not_before(world: World, person: int, pay_month: str) -> None:
    before = world.shown(person, OCTOBER)["profile_rule"]["title"]
    applied(world, world.read(person), change("title", "十一月締め"))
    dumped = next(each for each in world.freee.dump()["employees"] if each["id"] == person)

    assert world.shown(person, OCTOBER)["profile_rule"]["title"] == before
    assert world.shown(person, NOVEMBER)["profile_rule"]["title"] == "十一月締め"
    assert world.shown(person, DECEMBER)["profile_rule"]["title"] == "十一月締め"
    assert max(dumped["rules"]["profile_rule"]) == pay_month


def test_reading_is_writing_of_the_same_month(world: World) -> None:
    """A later month with a value of its own is not touched by a write to an earlier one, nor read for it."""
    world.freee.edit(SAME_MONTH_PAYER, {"profile_rule": {"title": "来月から"}}, pay_month="2026-12")
    applied(world, world.read(SAME_MONTH_PAYER), change("having_spouse", True))

    assert world.shown(SAME_MONTH_PAYER, NOVEMBER)["profile_rule"]["title"] != "来月から"
    assert world.shown(SAME_MONTH_PAYER, DECEMBER)["profile_rule"]["title"] == "来月から"


def test_every_write_names_the_month_that_was_read(world: World) -> None:
    applied(world, world.read(CLOSES_ON_20, DECEMBER), *ONE_PER_STEP)
    sent = [each.sent for each in world.injector.exchanges if each.method == "PUT"]

    assert {(body["year"], body["month"]) for body in sent} == {(2026, 12)}


def test_freee_is_not_read_without_a_month(world: World) -> None:
    with pytest.raises(ValueError, match="month"):
        world.gateway().read(str(SAME_MONTH_PAYER), month=None)


@pytest.mark.parametrize("person", [LEFT_LAST_YEAR, 999_999])
def test_who_is_not_shown_in_the_month_reads_as_none(world: World, person: int) -> None:
    assert world.gateway().read(str(person), month=NOVEMBER) is None


def test_somebody_without_a_record_cannot_be_written(world: World) -> None:
    current = replace(world.read(SAME_MONTH_PAYER), record=None)
    with pytest.raises(ItemError) as caught:
        applied(world, current, change("title", "主任"))

    assert caught.value.code == "record_hidden"
    assert world.freee.injector.calls("PUT") == 0


# ── steps ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_step_is_one_request_in_order_and_is_told_before_and_after(world: World) -> None:
    steps = Steps()
    applied(world, world.read(SAME_MONTH_PAYER), *reversed(ONE_PER_STEP), steps=steps)

    assert [each.path.rpartition("/")[2] for each in world.injector.exchanges if each.method == "PUT"] == [
        str(SAME_MONTH_PAYER),
        "profile_rule",
        "health_insurance_rule",
        "welfare_pension_insurance_rule",
        "bank_account_rule",
    ]
    assert steps.told[:4] == [
        ("sending", Step.EMPLOYEE, ("basic_pension_number",)),
        ("done", Step.EMPLOYEE),
        ("sending", Step.PROFILE, ("title",)),
        ("done", Step.PROFILE),
    ]
    assert steps.ends == [("done", step) for step in STEPS]


def test_several_items_of_one_step_are_one_request(world: World) -> None:
    steps = Steps()
    applied(world, world.read(SAME_MONTH_PAYER), change("title", "主任"), change("having_spouse", True), steps=steps)

    assert world.freee.injector.calls("PUT") == 1
    assert [(kind, step) for kind, step, *_ in steps.told] == [("sending", Step.PROFILE), ("done", Step.PROFILE)]
    assert set(steps.told[0][2]) == {"title", "having_spouse"}


def test_nothing_to_write_sends_nothing(world: World) -> None:
    current = world.read(SAME_MONTH_PAYER)

    assert applied(world, current) == current
    assert world.freee.injector.calls("PUT") == 0


def test_a_step_that_is_refused_does_not_keep_the_others_back(world: World) -> None:
    refusal = {"status_code": 400, "errors": [{"type": "bad_request", "messages": ["肩書の値が不正です"]}]}
    for path in ("profile_rule", "welfare_pension_insurance_rule"):
        world.freee.injector.fault(method="PUT", path=path, status=400, body=refusal)
    steps = Steps()
    with pytest.raises(ItemError) as caught:
        applied(world, world.read(SAME_MONTH_PAYER), *ONE_PER_STEP, steps=steps)

    assert caught.value.detail == "肩書の値が不正です"
    assert steps.ends == [
        ("done", Step.EMPLOYEE),
        ("failed", Step.PROFILE),
        ("done", Step.HEALTH_INSURANCE),
        ("failed", Step.PENSION_INSURANCE),
        ("done", Step.BANK_ACCOUNT),
    ]
    assert world.shown(SAME_MONTH_PAYER)["bank_account_rule"]["account_number"] == "0076543"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 500}, TemporaryError),
        ({"status": 429}, TemporaryError),
        ({"cut": "silent"}, TemporaryError),
        ({"status": 401, "body": {"code": "re_authorization_required"}}, RunError),
    ],
)
def test_a_fault_that_is_not_the_employees_stops_at_once(
    world: World, fault: dict[str, Any], kind: type[Exception]
) -> None:
    world.freee.injector.fault(method="PUT", path="health_insurance_rule", **fault)
    steps = Steps()
    with pytest.raises(kind):
        applied(world, world.read(SAME_MONTH_PAYER), *ONE_PER_STEP, steps=steps)

    assert [step for _, step in steps.ends] == [Step.EMPLOYEE, Step.PROFILE, Step.HEALTH_INSURANCE]
    assert steps.ends[-1][0] == "failed"
    assert world.freee.injector.calls("PUT", "health_insurance_rule") == 1


def test_a_repetition_after_a_fault_ends_where_one_run_would_have(world: World) -> None:
    expected = flat(world.shown(SAME_MONTH_PAYER)) | WRITTEN
    world.freee.injector.fault(method="PUT", path="health_insurance_rule", after=True, times=1)
    with pytest.raises(TemporaryError) as caught:
        applied(world, world.read(SAME_MONTH_PAYER), *ONE_PER_STEP)
    assert caught.value.outcome_unknown
    applied(world, world.read(SAME_MONTH_PAYER), *ONE_PER_STEP)

    assert flat(world.shown(SAME_MONTH_PAYER)) == expected


def test_an_insurance_without_an_amount_is_not_sent_and_the_others_are(world: World) -> None:
    made = created(world, pay_schedules={"正社員": same_month()})
    steps = Steps()
    with pytest.raises(ItemError) as caught:
        applied(world, made, change("health_insured_number", "5"), change("title", "主任"), steps=steps)

    assert caught.value.code == "standard_income_missing"
    assert steps.ends == [("done", Step.PROFILE)]
    assert world.freee.injector.calls("PUT", "health_insurance_rule") == 0


def test_a_value_that_cannot_be_written_keeps_back_only_its_own_step(world: World) -> None:
    steps = Steps()
    with pytest.raises(ItemError) as caught:
        applied(
            world,
            world.read(SAME_MONTH_PAYER),
            change("basic_pension_number", "12"),
            change("title", "主任"),
            steps=steps,
        )

    assert caught.value.code == "digit_count"
    assert steps.ends == [("done", Step.PROFILE)]


# ── outside payroll ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("profile", ["null", "object"])
def test_outside_payroll_only_the_persons_own_line_is_written(profile: str) -> None:
    with freee_world(STRICT | {"outside_payroll_profile": profile}) as world:
        before = world.shown(OUTSIDE_PAYROLL)
        steps = Steps()
        with pytest.raises(ItemError) as caught:
            applied(
                world,
                world.read(OUTSIDE_PAYROLL),
                change("employee_number", "V-9"),
                change("employment_insurance_number", "12345678901"),
                change("title", "顧問"),
                change("bank_account_number", "0076543"),
                steps=steps,
            )

        assert caught.value.code == "E14"
        assert steps.told == [("sending", Step.EMPLOYEE, ("employee_number",)), ("done", Step.EMPLOYEE)]
        (sent,) = [each.sent for each in world.injector.exchanges if each.method == "PUT"]
        assert sent.keys() == {"company_id", "employee"}
        assert sent["employee"]["display_name"] == before["display_name"]
        assert "employment_insurance_reference_number" not in sent["employee"]
        assert differences(before, world.shown(OUTSIDE_PAYROLL)) == {"num": "V-9"}


def test_outside_payroll_an_insurance_number_that_freee_holds_is_not_sent_back(world: World) -> None:
    world.freee.edit(OUTSIDE_PAYROLL, {"employment_insurance_reference_number": "12345678901"})
    applied(world, world.read(OUTSIDE_PAYROLL), change("employee_number", "V-9"))

    assert world.shown(OUTSIDE_PAYROLL)["num"] == "V-9"


def test_outside_payroll_a_writable_change_alone_succeeds(world: World) -> None:
    after = applied(world, world.read(OUTSIDE_PAYROLL), change("resigned_on", date(2026, 12, 31)))

    assert world.shown(OUTSIDE_PAYROLL)["retire_date"] == "2026-12-31"
    assert after.person.resigned_on == date(2026, 12, 31)
    assert not after.person.in_payroll


# ── creating ──────────────────────────────────────────────────────────────────────────────────────────────────────

NEWCOMER = (
    change("last_name", "新田"),
    change("first_name", "葵"),
    change("last_name_kana", "ニッタ"),
    change("first_name_kana", "アオイ"),
    change("birth_date", date(2001, 2, 3)),
    change("hired_on", date(2026, 11, 1)),
    change("gender", "female"),
    change("having_spouse", False),
    change("employee_number", "0900"),
    change("title", "主任"),
    change("phone", "090-1234-5678"),
    change("health_standard_income", 260_000),
)


def request(*changes: Change, **settings: Any) -> CreateRequest:
    terms: dict[str, Any] = {"as_of_date": TODAY, "options": OPTIONS, "export_settings": EXPORT} | settings
    return CreateRequest(changes=changes or NEWCOMER, **terms)


def created(world: World, *changes: Change, steps: Steps | None = None, **settings: Any) -> EmployeeRecord:
    return world.gateway().create(request(*changes, **settings), steps or Steps())


def test_a_create_sends_what_the_call_takes_and_the_four_settings(world: World) -> None:
    steps = Steps()
    created(world, steps=steps)
    (sent,) = world.injector.sent("POST", "/api/v1/employees")

    assert sent["employee"] == {
        "num": "0900",
        "last_name": "新田",
        "first_name": "葵",
        "last_name_kana": "ニッタ",
        "first_name_kana": "アオイ",
        "birth_date": "2001-02-03",
        "entry_date": "2026-11-01",
        "gender": "female",
        "married": False,
        "working_hours_system_name": "固定時間制",
        "company_reference_date_rule_name": "正社員",
        "pay_calc_type": "monthly",
        "pay_amount": 250_000,
    }
    kind, step, keys = steps.told[0]
    assert (kind, step, set(keys)) == ("sending", Step.CREATE, {c.key for c in NEWCOMER[:9]})
    assert steps.told[1:] == [("done", Step.CREATE)]


def test_what_the_source_does_not_hold_is_left_to_freees_own_default(world: World) -> None:
    without = [c for c in NEWCOMER if c.key not in ("gender", "having_spouse", "employee_number")]
    made = created(world, *without)
    (sent,) = world.injector.sent("POST", "/api/v1/employees")

    assert sent["employee"].keys().isdisjoint({"num", "gender", "married"})
    assert made.person.number == ""


@pytest.mark.parametrize("learned", [True, False], ids=["group known", "group not known"])
@pytest.mark.parametrize(
    ("group", "as_of_date", "month", "schedule"),
    [
        ("正社員", TODAY, NOVEMBER, PaySchedule(31, 25, False, "正社員")),
        ("アルバイト", TODAY, NOVEMBER, PaySchedule(31, 15, True, "アルバイト")),
        ("役員", TODAY, NOVEMBER, PaySchedule(20, 25, False, "役員")),
        ("役員", date(2026, 11, 21), DECEMBER, PaySchedule(20, 25, False, "役員")),
    ],
)
def test_the_new_person_is_read_in_the_month_of_their_group(
    world: World, learned: bool, group: str, as_of_date: date, month: YearMonth, schedule: PaySchedule
) -> None:
    made = created(
        world,
        export_settings=replace(EXPORT, pay_schedule_name=group),
        as_of_date=as_of_date,
        pay_schedules={group: schedule} if learned else {},
    )

    assert (made.month, made.person.pay_schedule) == (month, schedule)
    assert made.record is not None
    assert made.record["company_reference_date_rule_name"] == group
    assert world.freee.injector.calls("GET", "/companies/") == (0 if learned else 1)


@pytest.mark.parametrize("rules", ["empty", "null"])
def test_the_rest_of_a_new_person_goes_out_as_an_update(rules: str) -> None:
    with freee_world(STRICT | {"rules_of_new_employee": rules}) as world:
        made = created(world)
        rest = [c for c in NEWCOMER if c.key in ("title", "phone", "health_standard_income")]
        bank = {
            "bank_code": "0001",
            "bank_branch_code": "002",
            "bank_account_type": "futsu",
            "bank_account_number": "1234567",
            "bank_account_holder": "ニッタ アオイ",
        }
        applied(world, made, *rest, *(change(key, value) for key, value in bank.items()))
        snapshot = take_snapshot(world.read(int(made.person.id)), OPTIONS)

        assert (snapshot["title"], snapshot["health_standard_income"]) == ("主任", 260_000)
        assert snapshot["phone"] not in (BLANK, None)
        assert {key: snapshot[key] for key in ("bank_code", "bank_account_number")} == {
            "bank_code": "0001",
            "bank_account_number": "1234567",
        }


def test_without_export_settings_nobody_is_created(world: World) -> None:
    with pytest.raises(RunError) as caught:
        created(world, export_settings=None)

    assert caught.value.code == "export_settings_missing"
    assert world.freee.injector.calls("POST") == 0


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (replace(EXPORT, pay_schedule_name="ない組"), "E4"),
        (replace(EXPORT, working_hours_system_name="ない設定"), "E5"),
        (replace(EXPORT, working_hours_system_name="フレックスタイム制", pay_type=PayType.HOURLY), "E6"),
    ],
)
def test_settings_that_freee_does_not_know_are_named(world: World, settings: Any, code: str) -> None:
    steps = Steps()
    with pytest.raises(ItemError) as caught:
        created(world, export_settings=settings, steps=steps)

    assert caught.value.code == code
    assert steps.told[1:] == [("failed", Step.CREATE, code)]


def test_a_create_whose_answer_is_lost_is_sent_once_and_found_by_a_fresh_look(world: World) -> None:
    world.cache = DirectoryCache(world.clock)
    gateway = world.gateway()
    assert gateway.ids_by_number("0900", fresh=False) == []
    world.freee.injector.fault(method="POST", path="/employees$", after=True, times=1)
    steps = Steps()
    with pytest.raises(TemporaryError) as caught:
        gateway.create(request(), steps)

    assert caught.value.outcome_unknown
    assert steps.told[1:] == [("failed", Step.CREATE, "unreachable")]
    assert world.freee.injector.calls("POST", "/employees$") == 1
    # The minute-old list was dropped with the doubt.
    assert len(gateway.ids_by_number("0900", fresh=False)) == 1


def test_who_was_just_created_is_found_without_a_new_list(world: World) -> None:
    world.cache = DirectoryCache(world.clock)
    gateway = world.gateway()
    gateway.ids_by_number("0900", fresh=False)
    made = gateway.create(request(pay_schedules={"正社員": same_month()}), Steps())
    calls = gateway.calls

    assert gateway.ids_by_number("0900", fresh=False) == [made.person.id]
    assert gateway.calls == calls


def test_a_new_person_not_yet_employed_in_the_month_comes_back_without_a_record(world: World) -> None:
    later = [c for c in NEWCOMER if c.key != "hired_on"]
    made = created(world, *later, change("hired_on", date(2026, 12, 1)))

    assert (made.record, made.month) == (None, NOVEMBER)
    assert made.person.number == "0900"


def test_titles_are_free_text_in_freee(world: World) -> None:
    assert world.gateway().known_positions() is None
