"""Everybody listed: which pages are asked for, whose record of which month ends up with whom."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from app.adapters.freee.client import freee_client
from app.adapters.freee.directory_cache import DirectoryCache
from app.adapters.freee.gateway import FreeeGateway
from app.adapters.freee.oauth import FixedToken
from app.adapters.freee.survey import Cursor, assemble
from app.domain.employee import EmployeeRecord, PaySchedule, YearMonth
from app.domain.errors import RunError, TemporaryError
from tests.adapters.canned import CannedServer, OpenLimiter, answer
from tests.adapters.freee_world import (
    CLOSES_ON_20,
    COMPANY_ID,
    DECEMBER,
    JOINS_LATER,
    LEFT_LAST_YEAR,
    NEXT_MONTH_PAYER,
    NOVEMBER,
    OUTSIDE_PAYROLL,
    SAME_MONTH_PAYER,
    TODAY,
    World,
    freee_world,
    settings_for,
)

AFTER_THE_20TH = date(2026, 11, 24)


@pytest.fixture
def world() -> Iterator[World]:
    with freee_world() as world:
        yield world


def surveyed(world: World, as_of_date: date = TODAY) -> dict[str, EmployeeRecord]:
    found = world.gateway().directory(as_of_date=as_of_date)
    by_id = {record.person.id: record for record in found}
    assert len(by_id) == len(found)
    assert list(by_id) == sorted(by_id, key=int)
    return by_id


def months_asked(world: World) -> list[str]:
    lists = [each for each in world.injector.exchanges if each.path == "/hr/api/v1/employees"]
    queries = [parse_qs(each.query) for each in lists]
    return [f"{query['year'][0]}-{query['month'][0]}" for query in queries]


# ── months ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_month_is_listed_where_everybody_closes_alike(world: World) -> None:
    found = surveyed(world)

    assert len(found) == 73
    assert months_asked(world) == ["2026-11"]
    assert len(world.injector.exchanges) == 2


def test_after_the_closing_day_of_one_group_its_next_month_is_listed_as_well(world: World) -> None:
    found = surveyed(world, AFTER_THE_20TH)

    assert months_asked(world) == ["2026-11", "2026-12"]
    assert found[str(CLOSES_ON_20)].month == DECEMBER
    assert found[str(SAME_MONTH_PAYER)].month == NOVEMBER


def test_everybody_gets_the_record_of_their_own_month(world: World) -> None:
    """The three groups hold other values from the payment of December on; only two of them are at that month."""
    for person in (SAME_MONTH_PAYER, NEXT_MONTH_PAYER, CLOSES_ON_20):
        world.freee.edit(person, {"profile_rule": {"title": "十二月から"}}, pay_month="2026-12")
    found = surveyed(world, AFTER_THE_20TH)
    titles = {
        person: (found[str(person)].record or {})["profile_rule"]["title"]
        for person in (SAME_MONTH_PAYER, NEXT_MONTH_PAYER, CLOSES_ON_20)
    }

    assert titles[NEXT_MONTH_PAYER] == titles[CLOSES_ON_20] == "十二月から"
    assert titles[SAME_MONTH_PAYER] != "十二月から"


def test_pay_schedules_are_learned_with_their_names(world: World) -> None:
    found = surveyed(world)

    assert found[str(SAME_MONTH_PAYER)].person.pay_schedule == PaySchedule(31, 25, False, "正社員")
    assert found[str(NEXT_MONTH_PAYER)].person.pay_schedule == PaySchedule(31, 15, True, "アルバイト")
    assert found[str(CLOSES_ON_20)].person.pay_schedule == PaySchedule(20, 25, False, "役員")


@pytest.mark.parametrize("person", [LEFT_LAST_YEAR, JOINS_LATER])
def test_who_is_not_employed_in_the_month_is_listed_without_a_record(world: World, person: int) -> None:
    found = surveyed(world)[str(person)]

    assert found.record is None
    assert found.month == NOVEMBER
    assert found.person.number
    assert found.person.hired_on is not None


def test_people_outside_payroll_are_there(world: World) -> None:
    found = surveyed(world)[str(OUTSIDE_PAYROLL)]

    assert (found.person.in_payroll, found.person.pay_schedule, found.month) == (False, None, NOVEMBER)
    assert found.record is not None


def test_a_person_is_known_by_kana_and_birth_date_for_linking(world: World) -> None:
    shown = world.shown(SAME_MONTH_PAYER)
    person = surveyed(world)[str(SAME_MONTH_PAYER)].person

    assert person.last_name_kana == shown["profile_rule"]["last_name_kana"]
    assert person.first_name_kana == shown["profile_rule"]["first_name_kana"]
    assert person.birth_date == date.fromisoformat(shown["birth_date"])
    assert person.last_name_kana not in repr(person)


def test_a_month_that_only_leavers_would_need_is_not_listed(world: World) -> None:
    for person in (CLOSES_ON_20, CLOSES_ON_20 + 1):
        world.freee.edit(person, {"retire_date": "2026-10-31"})
    surveyed(world, AFTER_THE_20TH)

    assert months_asked(world) == ["2026-11"]


def test_the_other_reading_of_who_is_employed_in_a_month_changes_nothing_for_the_rest(world: World) -> None:
    by_period = surveyed(world, AFTER_THE_20TH)
    world.freee.injector.set_switch("employment_month", "calendar")

    assert surveyed(world, AFTER_THE_20TH) == by_period


# ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("order", ["id", "reverse"])
def test_many_people_come_page_by_page_each_once_in_any_order(order: str) -> None:
    with freee_world({"list_order": order}, extra=260) as world:
        found = surveyed(world)

        assert len(found) > 300
        assert sum(record.record is not None for record in found.values()) > 290
        assert world.freee.injector.calls(path="/companies/") == 4
        assert world.freee.injector.calls(path="/employees$") == 8


def test_a_survey_goes_on_from_its_cursor_in_another_process() -> None:
    with freee_world(extra=120) as world:
        rows: list[Mapping[str, Any]] = []
        cursor: str | None = None
        while True:
            page = world.gateway().survey_page(cursor, as_of_date=AFTER_THE_20TH)
            rows += json.loads(json.dumps(page.rows, ensure_ascii=False))
            cursor = page.next_cursor
            if cursor is None:
                break

        whole = world.gateway().directory(as_of_date=AFTER_THE_20TH)
        assert world.gateway().assemble(rows, as_of_date=AFTER_THE_20TH) == whole


def gateway_of(vendor: CannedServer) -> FreeeGateway:
    return FreeeGateway(
        freee_client(settings_for(vendor.url), COMPANY_ID, FixedToken("t0ken"), OpenLimiter()), COMPANY_ID
    )


def directory_answer(number: int, *, first: int = 1, **changes: Any) -> list[dict[str, Any]]:
    row = {
        "num": "",
        "display_name": "x",
        "entry_date": "2020-04-01",
        "retire_date": None,
        "payroll_calculation": True,
        "closing_day": 31,
        "pay_day": 25,
        "month_of_pay_day": "this_month",
    } | changes
    return [{"id": first + index, **row} for index in range(number)]


def month_answer(number: int, total: int | None) -> dict[str, Any]:
    records = [{"id": 1 + index, "payroll_calculation": True} for index in range(number)]
    return {"employees": records} | ({} if total is None else {"total_count": total})


AT_NOVEMBER = Cursor("month", 0, (NOVEMBER,)).as_text()


@pytest.mark.parametrize(
    ("number", "total", "goes_on"),
    [(100, 100, False), (100, 101, True), (99, 99, False), (100, None, True), (99, None, False), (50, 120, True)],
)
def test_a_month_ends_as_soon_as_its_total_is_reached(
    vendor: CannedServer, number: int, total: int | None, goes_on: bool
) -> None:
    vendor.will(answer(month_answer(number, total)))
    page = gateway_of(vendor).survey_page(AT_NOVEMBER, as_of_date=TODAY)

    assert (page.next_cursor is not None) == goes_on


def test_a_month_that_promises_more_than_it_gives_ends(vendor: CannedServer) -> None:
    vendor.will(answer(month_answer(0, 500)))

    assert gateway_of(vendor).survey_page(AT_NOVEMBER, as_of_date=TODAY).next_cursor is None


@pytest.mark.parametrize(("number", "phase"), [(100, "directory"), (99, "month")])
def test_the_list_of_everybody_has_no_total_and_ends_with_a_short_page(
    vendor: CannedServer, number: int, phase: str
) -> None:
    vendor.will(answer(directory_answer(number)))
    page = gateway_of(vendor).survey_page(None, as_of_date=TODAY)

    assert page.next_cursor is not None
    assert json.loads(page.next_cursor)["phase"] == phase


def test_a_company_without_people_is_surveyed_with_one_call(vendor: CannedServer) -> None:
    vendor.will(answer([]))

    assert gateway_of(vendor).directory(as_of_date=TODAY) == []
    assert len(vendor.seen) == 1


@pytest.mark.parametrize("phase", ["directory", "month"])
def test_a_list_that_does_not_end_stops_the_run(vendor: CannedServer, phase: str) -> None:
    vendor.will(answer(directory_answer(100)))
    with pytest.raises(RunError) as caught:
        gateway_of(vendor).survey_page(Cursor(phase, 200_000, (NOVEMBER,)).as_text(), as_of_date=TODAY)

    assert caught.value.code == "E23"
    assert vendor.seen == []


def test_what_is_kept_between_pages_holds_nothing_that_is_not_exchanged(world: World) -> None:
    world.freee.edit(SAME_MONTH_PAYER, {"email": "login@example.com"})
    first = world.gateway().survey_page(None, as_of_date=TODAY)
    second = world.gateway().survey_page(first.next_cursor, as_of_date=TODAY)
    kept = json.dumps([*first.rows, *second.rows], ensure_ascii=False)

    assert "login@example.com" not in kept
    assert "dependent_rules" not in kept
    assert "basic_pay_rule" not in kept


# ── putting both lists together ───────────────────────────────────────────────────────────────────────────────────


def record_row(person_id: int, month: YearMonth, **changes: Any) -> dict[str, Any]:
    employee = {"id": person_id, "num": "N", "payroll_calculation": True, "profile_rule": None} | changes
    return {"kind": "record", "month": str(month), "employee": employee}


def directory_row(person_id: int, **changes: Any) -> dict[str, Any]:
    return {"kind": "directory", **directory_answer(1, first=person_id, **{"num": "N", **changes})[0]}


def test_rows_in_any_order_and_twice_over_give_each_person_once() -> None:
    rows = [record_row(2, NOVEMBER), directory_row(2), directory_row(1), directory_row(2), record_row(1, NOVEMBER)]
    found = assemble(rows, TODAY)

    assert [record.person.id for record in found] == ["1", "2"]
    assert all(record.record is not None for record in found)


def test_a_record_of_another_month_than_ones_own_is_not_taken() -> None:
    """At the 24th somebody closing on the 20th is in December; the November list shows them as well."""
    rows = [directory_row(1, closing_day=20), record_row(1, NOVEMBER, num="old")]
    (found,) = assemble(rows, AFTER_THE_20TH)

    assert (found.month, found.record) == (DECEMBER, None)


def test_somebody_whom_only_the_month_list_shows_is_listed_without_items() -> None:
    """The list of everybody shifted between two pages; without the schedule the month is anybody's guess."""
    (found,) = assemble([record_row(1, NOVEMBER)], TODAY)

    assert (found.person.id, found.person.number, found.record, found.month) == ("1", "N", None, None)


def test_an_unknown_word_for_the_pay_month_means_the_same_month() -> None:
    (found,) = assemble([directory_row(1, month_of_pay_day="翌々月")], TODAY)

    assert found.person.pay_schedule == PaySchedule(31, 25, False)


def test_impossible_dates_and_nulls_are_blanks_and_no_crash() -> None:
    (found,) = assemble([directory_row(1, num=None, entry_date="2020-02-31", closing_day=None)], TODAY)

    assert (found.person.number, found.person.hired_on, found.person.pay_schedule) == ("", None, None)


@pytest.mark.parametrize(
    "text", ["", "{", '{"phase": "directory"}', '{"phase":"month","offset":0,"months":["2026-13"]}']
)
def test_a_cursor_that_is_none_of_ours_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        Cursor.parse(text)


# ── who has this number ───────────────────────────────────────────────────────────────────────────────────────────


def test_people_are_found_by_number_leavers_included(world: World) -> None:
    gateway = world.gateway()

    assert gateway.ids_by_number("0001") == [str(SAME_MONTH_PAYER)]
    assert gateway.ids_by_number("0073") == [str(LEFT_LAST_YEAR)]
    assert gateway.ids_by_number("０００１ ") == [str(SAME_MONTH_PAYER)]
    assert gateway.ids_by_number("1") == []


def test_everybody_with_the_number_is_named(world: World) -> None:
    world.freee.edit(NEXT_MONTH_PAYER, {"num": "0001"})

    assert world.gateway().ids_by_number("0001") == [str(SAME_MONTH_PAYER), str(NEXT_MONTH_PAYER)]


def test_nobody_is_found_by_a_blank_number(world: World) -> None:
    assert world.gateway().ids_by_number("") == []


def test_a_fresh_look_is_fresh_and_another_one_may_be_a_minute_old(world: World) -> None:
    world.cache = DirectoryCache(world.clock, ttl=60)
    gateway = world.gateway()
    assert gateway.ids_by_number("NEW", fresh=False) == []
    added = str(world.freee.add({"num": "NEW"}))
    calls = gateway.calls

    assert world.gateway().ids_by_number("NEW", fresh=False) == []
    assert gateway.calls == calls
    world.clock.turn(seconds=61)
    assert world.gateway().ids_by_number("NEW", fresh=False) == [added]
    later = str(world.freee.add({"num": "LATER"}))
    assert world.gateway().ids_by_number("LATER") == [later]


def test_without_a_cache_every_look_is_fresh(world: World) -> None:
    gateway = world.gateway()
    assert gateway.ids_by_number("NEW", fresh=False) == []
    added = str(world.freee.add({"num": "NEW"}))

    assert gateway.ids_by_number("NEW", fresh=False) == [added]


def test_one_companys_numbers_are_not_anothers(world: World) -> None:
    cache = DirectoryCache(world.clock)
    cache.keep(1, {"N": ("5",)}, since=world.clock.now())

    assert cache.get(1) == {"N": ("5",)}
    assert cache.get(2) is None
    world.clock.turn(seconds=59)
    cache.add(1, "M", "6")
    assert cache.get(1) == {"N": ("5",), "M": ("6",)}
    world.clock.turn(seconds=1)
    assert cache.get(1) is None


def test_a_list_that_fails_half_way_is_not_kept(world: World) -> None:
    world.cache = DirectoryCache(world.clock)
    world.freee.injector.fault(path="/companies/", status=500, times=3)
    with pytest.raises(TemporaryError):
        world.gateway().ids_by_number("0001", fresh=False)

    assert world.gateway().ids_by_number("0001", fresh=False) == [str(SAME_MONTH_PAYER)]


def test_the_first_day_of_a_month_and_its_last_are_in_the_same_month(world: World) -> None:
    first, last = date(2026, 11, 1), date(2026, 12, 1) - timedelta(days=1)

    assert surveyed(world, first)[str(SAME_MONTH_PAYER)] == surveyed(world, last)[str(SAME_MONTH_PAYER)]
