"""The benchmark's parts: the straight script is a fair opponent, the figures are what they say. No time is asserted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from app.domain.enums import Direction
from app.domain.reading import readable_attributes
from app.practice.staff.practice_company import PracticeCompany, build_company
from tests.bench.measure import generated_numbers
from tests.bench.memory import own_peak, peak_of, role_of
from tests.bench.peers import errand
from tests.bench.peers.errand import errands
from tests.bench.report import memory, summarise, table
from tests.bench.straight import one_pass, script_for
from tests.bench.vendors import Vendors, different
from tests.house import House

pytestmark = pytest.mark.reach("test")  # long journeys

DAY = date(2026, 11, 11)
EXTRA = 40


@pytest.fixture
def small() -> PracticeCompany:
    return build_company(DAY, extra=EXTRA, equal_share=0.5)


def vendors_of(house: House) -> Vendors:
    return Vendors(house.servers[0].url, house.servers[1].url)


# ── the straight script ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.reach("all")
def test_script_and_engine_leave_the_same_content(open_practice: Callable[..., House], small: PracticeCompany) -> None:
    by_engine, by_script = open_practice(small), open_practice(build_company(DAY, extra=EXTRA, equal_share=0.5))
    untouched = vendors_of(by_engine).content()
    by_engine.start(Direction.SMARTHR_TO_FREEE)
    by_engine.work(reconciling=False)
    one_pass(vendors_of(by_script).smarthr, vendors_of(by_script).freee, DAY)
    engine, script = vendors_of(by_engine).content(), vendors_of(by_script).content()
    numbers = generated_numbers(engine)
    assert len(numbers) == EXTRA
    assert different(engine, script, numbers) == []
    assert len(different(engine, untouched, numbers)) == EXTRA // 2


def test_script_counts_what_the_vendors_see_and_finds_nothing_the_second_time(
    open_practice: Callable[..., House], small: PracticeCompany
) -> None:
    scenarios = [scenario for scenario in small.scenarios if int(scenario.number or 0) > 10_000]
    crews = {scenario.crew_id for scenario in scenarios}
    employees = {scenario.employee_id for scenario in scenarios}
    only_generated = replace(
        small,
        crews=[crew for crew in small.crews if crew["id"] in crews],
        employees=[employee for employee in small.employees if employee["id"] in employees],
    )
    vendors = vendors_of(open_practice(only_generated))
    vendors.take_calls()
    first = one_pass(vendors.smarthr, vendors.freee, DAY)
    seen = vendors.take_calls()
    second = one_pass(vendors.smarthr, vendors.freee, DAY)
    again = vendors.take_calls()
    assert (first["people"], first["written"], first["refused"]) == (EXTRA, EXTRA // 2, 0)
    assert (first["calls"], first["writes"]) == (seen.all, seen.writes)
    assert (second["written"], second["writes"], again.writes) == (0, 0, 0)
    assert second["calls"] == 1 + 1 + EXTRA  # both lists, and everybody's record


@pytest.mark.reach("all")
def test_a_peers_jobs_leave_what_the_script_leaves(
    open_practice: Callable[..., House], small: PracticeCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_jobs, by_script = open_practice(small), open_practice(build_company(DAY, extra=EXTRA, equal_share=0.5))
    jobs, vendors = vendors_of(by_jobs), vendors_of(by_script)
    script = script_for(jobs.smarthr, jobs.freee, DAY)
    crews = list(script.crews())
    monkeypatch.setenv(errand.SMARTHR, jobs.smarthr)
    monkeypatch.setenv(errand.FREEE, jobs.freee)
    monkeypatch.setenv(errand.TODAY, DAY.isoformat())
    monkeypatch.setenv(errand.READABLE, json.dumps(sorted(readable_attributes(crews))))
    outcomes = [Counter(map(errand.carry_out, errands(script))) for _ in range(2)]
    first = one_pass(vendors.smarthr, vendors.freee, DAY)
    assert (outcomes[0]["written"], outcomes[0]["refused"]) == (first["written"], first["refused"])
    assert outcomes[1]["written"] == one_pass(vendors.smarthr, vendors.freee, DAY)["written"]
    content = jobs.content()
    assert different(content, vendors.content(), generated_numbers(content)) == []


# ── the vendors' side ─────────────────────────────────────────────────────────────────────────────────────────────


def test_start_again_brings_the_first_content_back_and_delays_every_api_call(
    open_practice: Callable[..., House], small: PracticeCompany
) -> None:
    house = open_practice(small)
    vendors = vendors_of(house)
    before = vendors.content()
    one_pass(vendors.smarthr, vendors.freee, DAY)
    assert vendors.content() != before
    vendors.start_again(0.001)
    assert vendors.content() == before
    told = one_pass(vendors.smarthr, vendors.freee, DAY)
    hits = [
        rule["fired"] for injector in (house.smarthr_injector, house.freee_injector) for rule in injector.fault_rules
    ]
    assert sum(hits) == told["calls"]


def test_a_difference_in_one_record_is_named_and_ids_are_none() -> None:
    one: dict[str, list[Any]] = {"employee 1": [{"name": "a"}], "crew 1": [{"x": 1}]}
    assert different(one, {**one, "employee 1": [{"name": "b"}]}, ["1"]) == ["employee 1"]
    assert different(one, {**one, "employee 1": [{"name": "a"}, {"name": "a"}]}, ["1"]) == ["employee 1"]
    assert different(one, dict(one), ["1"]) == []


# ── the figures ───────────────────────────────────────────────────────────────────────────────────────────────────


def made_round(engine_seconds: float, script_seconds: float) -> dict[str, Any]:
    def told(seconds: float, calls: int) -> dict[str, Any]:
        return {"seconds": seconds, "people": 100, "written": 50, "calls": calls, "writes": 80}

    return {
        "engine": {
            "first": told(engine_seconds, 150),
            "second": told(engine_seconds / 2, 5),
            "peaks": {"web": {"processes": 2, "mib": engine_seconds}},
        },
        "script": {"first": told(script_seconds, 200), "second": told(script_seconds, 100), "peak_mib": 30.0},
        "different": [],
        "different_base": ["employee 0001"],
    }


def test_a_ratio_is_the_median_of_each_rounds_own_ratio() -> None:
    summary = summarise([made_round(10, 5), made_round(30, 10), made_round(100, 10)])
    assert summary["ratios"] == {
        "time, first run (engine / script)": 3.0,
        "time, nothing to do (engine / script)": 1.5,
        "vendor calls, first run (engine / script)": 0.75,
        "vendor calls, nothing to do (engine / script)": 0.05,
        "engine's second run / its first (time)": 0.5,
    }
    assert summary["engine"]["first"]["employees_per_second"] == pytest.approx(100 / 30, abs=0.001)
    assert summary["script"]["first"]["calls_per_employee"] == 2.0


def test_the_table_begins_with_the_ratios_and_tells_a_difference() -> None:
    rounds = [made_round(10, 5), made_round(40, 5)]
    results = {"delays": {"0 ms": summarise(rounds)}, "peak_memory": memory(rounds)}
    lines = table(results).splitlines()
    assert lines[0].startswith("RATIOS") and lines[0].endswith("0 ms")
    assert lines[1].split() == ["time,", "first", "run", "(engine", "/", "script)", "5.00"]
    assert "web (2)                                                 40" in "\n".join(lines)
    assert "engine and script left the same content" in lines[-2]
    results["delays"]["0 ms"] = summarise([{**made_round(10, 5), "different": ["employee 10001"]}])
    assert "CONTENT DIFFERS for 1 records" in table(results)


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("python -m app.web.serving wsgi:app", "web"),
        ("python -m workers.worker bulk ", "worker_bulk"),
        ("valkey-server unixsocket:/x/broker.sock", "broker"),
        ("python -m app.practice.server freee --port 1", None),
    ],
)
def test_processes_are_told_apart_by_their_command(command: str, role: str | None) -> None:
    assert role_of(command) == role


@pytest.mark.usefixtures("proc")
def test_peak_memory_is_in_mib_and_none_for_nobody() -> None:
    peak = own_peak()
    assert peak is not None and 10 < peak < 10_000
    assert peak_of("0") is None
