"""A machine that tries the promises together: random edits, hidden attributes, hidden people, runs both ways and undo,
with two connections: two SmartHR tenants of one group share the freee company.

The practice vendors' own memory is the truth, hidden or not. After every run it is compared with the truth of before:
no value is gone that the other side did not really clear, no person is there twice, and an undone run leaves what was
there before it, character for character.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.domain.enums import Direction, System
from app.domain.errors import Refused
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Connection
from app.practice.staff import practice_company
from app.practice.staff.forms import stable_id
from app.practice.staff.practice_company import PracticeCompany, build_company
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.intake.undo import undo
from app.use_cases.shared.views import RunView
from tests.house import KEY, House, open_house
from tests.properties import examples
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

TODAY = date(2026, 11, 11)
MONTH = (TODAY.year, TODAY.month)
FAR = 30  # minutes: longer than any proof of what a token may read is believed

Record = dict[str, Any]


@dataclass(frozen=True)
class Attribute:
    """One thing both systems hold, read from their own memory: "" where it is blank."""

    name: str
    smarthr: Callable[[Record], str]
    freee: Callable[[Record], str]
    edits: tuple[tuple[Record, Record], ...]
    """(what is typed into SmartHR, what is typed into freee): values of every kind, a blank among them."""


def _phone(profile: Record) -> str:
    return "-".join(profile[f"phone{part}"] or "" for part in (1, 2, 3)).strip("-")


def _phone_edits() -> tuple[tuple[Record, Record], ...]:
    found: list[tuple[Record, Record]] = []
    for typed, parts in (
        ("080-0000-9999", ("080", "0000", "9999")),
        ("03-1234-5678 内線123", ("03", "1234", "5678")),
        ("０９０－００００－８８８８", ("090", "0000", "8888")),
        ("", ("", "", "")),
    ):
        split = dict(zip(("phone1", "phone2", "phone3"), parts, strict=True))
        found.append(({"tel_number": typed or None}, {"profile_rule": split}))
    return tuple(found)


ATTRIBUTES = (
    Attribute("tel_number", lambda crew: crew["tel_number"] or "", lambda e: _phone(e["profile_rule"]), _phone_edits()),
    Attribute(
        "resigned_at",
        lambda crew: crew["resigned_at"] or "",
        lambda e: e["retire_date"] or "",
        tuple(({"resigned_at": day}, {"retire_date": day}) for day in ("2026-12-31", "2027-03-31", None)),
    ),
    Attribute(
        "handicapped_type",
        lambda crew: crew["handicapped_type"] or "",
        lambda e: (e["profile_rule"]["disability_type"] or "na").replace("na", ""),
        (
            ({"handicapped_type": "ordinary_handicapped"}, {"profile_rule": {"disability_type": "general"}}),
            ({"handicapped_type": None}, {"profile_rule": {"disability_type": "na"}}),
        ),
    ),
    Attribute(
        "positions",
        lambda crew: " ".join(each["name"] for each in crew["positions"] or () if each),
        lambda e: e["profile_rule"]["title"] or "",
        (
            ({"positions": ["課長"]}, {"profile_rule": {"title": "部長"}}),
            ({"positions": []}, {"profile_rule": {"title": ""}}),
        ),
    ),
    Attribute(
        "basic_pension_number",
        lambda crew: crew["basic_pension_number"] or "",
        lambda e: e["base_pension_num"] or "",
        (
            ({"basic_pension_number": "1234-567890"}, {"base_pension_num": "9876543210"}),
            ({"basic_pension_number": None}, {"base_pension_num": None}),
        ),
    ),
)
SECOND = "second"
KANA = ("アイ", "カキ", "サシ", "タチ", "ナニ", "ハヒ", "マミ", "ヤユ", "ラリ", "ワヲ")
VOLATILE = ("updated_at", "created_at")


class Promises(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="promises-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.last: tuple[RunView, Record, Record] | None = None
        self.alike: Counter[tuple[str, str, str]] = Counter()
        self.hidden: frozenset[str] = frozenset()

    @initialize()
    def open(self) -> None:
        self.house: House = open_house(self.folder, _people())
        self._open_second()
        self.house.run(Direction.SMARTHR_TO_FREEE)
        self._count_alike()

    def _open_second(self) -> None:
        """The second tenant is the practice SmartHR of another house: the same people, with ids of their own."""
        own = [{**crew, "id": stable_id(f"second/{crew['id']}")} for crew in _people().crews]
        folder = self.folder / SECOND
        folder.mkdir()
        self.second: House = open_house(folder, replace(_people(), crews=own))
        gateway, first = self.house.ctx.gateway, self.house.connection
        with self.house.ctx.unit_of_work() as uow:
            tokens = uow.connections.freee_tokens(first.id)
            assert tokens is not None
            now = self.house.clock.now()
            same = {"smarthr_token": practice_company.SMARTHR_TOKEN, "freee_company_id": first.freee_company_id}
            added = uow.connections.add(
                key=SECOND, name="二つめ", smarthr_subdomain=SECOND, mail_to=["jinji@example.com"], now=now, **same
            )
            uow.connections.set_freee_tokens(added.id, tokens, now=now)
            uow.connections.set_export_settings(added.id, first.export_settings)

        def of(connection: Connection, system: System) -> Any:
            is_second = connection.id == added.id and system is System.SMARTHR
            return self.second.ctx.gateway(self.second.connection, system) if is_second else gateway(connection, system)

        self.house.ctx = replace(self.house.ctx, gateway=of)

    def teardown(self) -> None:
        self.house.close()
        self.second.close()
        shutil.rmtree(self.folder)

    # ── what people do ────────────────────────────────────────────────────────────────────────────────────────────

    @rule(who=st.integers(0, 9), what=st.sampled_from(ATTRIBUTES), value=st.integers(0, 9))
    def edit_in_smarthr(self, who: int, what: Attribute, value: int) -> None:
        crews = self.house.smarthr.crews
        self.house.smarthr.edit(crews[who % len(crews)]["id"], what.edits[value % len(what.edits)][0])
        self.last = None

    @rule(who=st.integers(0, 9), what=st.sampled_from(ATTRIBUTES), value=st.integers(0, 9))
    def edit_in_freee(self, who: int, what: Attribute, value: int) -> None:
        ids = [each["id"] for each in self.house.freee.dump()["employees"]]
        self.house.freee.edit(ids[who % len(ids)], what.edits[value % len(what.edits)][1])
        self.last = None

    @rule(
        names=st.sets(st.sampled_from([each.name for each in ATTRIBUTES]), max_size=2),
        form=st.sampled_from(["null", "absent"]),
    )
    def permissions_change(self, names: set[str], form: str) -> None:
        self.house.smarthr_injector.set_switch("hidden_attributes", sorted(names))
        self.house.smarthr_injector.set_switch("hidden_attribute", form)
        self.hidden = frozenset(names)
        self.house.clock.turn(minutes=FAR)
        self.last = None

    @rule(joined_early=st.booleans())
    def a_person_freee_does_not_list(self, joined_early: bool) -> None:
        """The same new person in both systems, in freee without a number and only from next month on."""
        number = f"9{len(self.house.smarthr.crews):03}"
        born = f"199{len(self.house.smarthr.crews) % 10}-01-1{len(self.house.smarthr.crews) % 9}"
        like = copy.deepcopy(_people().crews[0])
        named = {
            "last_name": "架空",
            "first_name": f"花{number}",
            "last_name_yomi": "カクウ",
            "first_name_yomi": "ハナ",
        }
        crew = {
            **like,
            **named,
            "emp_code": number,
            "birth_at": born,
            "entered_at": "2026-11-01" if joined_early else None,
        }
        crew.pop("id")
        for tenant in (self.house, self.second):
            tenant.smarthr.add(crew)
        there = copy.deepcopy(_people().employees[0])
        profile = {**there["profile_rule"], "last_name": "架空", "last_name_kana": "カクウ", "first_name_kana": "ハナ"}
        there |= {"num": None, "birth_date": born, "entry_date": "2026-12-10", "profile_rule": profile}
        there.pop("id")
        self.house.freee.add(there)
        self.last = None
        self._count_alike()

    # ── what Awase does ───────────────────────────────────────────────────────────────────────────────────────────

    @rule()
    def somebody_new_in_both_tenants(self) -> None:
        count = len(self.house.smarthr.crews)
        crew = {**copy.deepcopy(_people().crews[0]), "emp_code": f"8{count:03}", "birth_at": "1980-01-14"}
        crew |= {"last_name_yomi": "シンジン", "first_name_yomi": KANA[count % 10] + KANA[count // 10 % 10]}
        crew.pop("id")
        for tenant in (self.house, self.second):
            tenant.smarthr.add(crew)
        self.last = None

    @rule(direction=st.sampled_from(list(Direction)), key=st.sampled_from([KEY, KEY, SECOND]))
    def run(self, direction: Direction, key: str) -> None:
        before = self._truth(key)
        run = self.house.run(direction, connection_key=key)
        self._nothing_was_erased(before, direction.target, key)
        self.last = (run, before[System.SMARTHR], before[System.FREEE])
        self.last_key = key

    @precondition(lambda self: self.last is not None and not self.hidden)
    @rule()
    def undo_the_last_run(self) -> None:
        assert self.last is not None
        run, *truth = self.last
        before = truth[0] if run.direction.target is System.SMARTHR else truth[1]
        self.last = None
        try:
            preview = undo(self.house.ctx, run.id, by="test")
        except Refused:
            return
        self.house.work()
        if self.house.seen(preview).state is RunState.PREVIEWED:
            approve_retry_cancel.approve(self.house.ctx, preview.id, by="test", acknowledged=True)
            self.house.work()
        after = self._truth(self.last_key)[run.direction.target]
        for item in self.house.items(preview):
            if item.state is not ItemState.SUCCEEDED or item.target_id not in before:
                continue
            # freee takes no null: where it held one, a blank stays behind, and the result says so.
            told = any(note["code"] == "restored_otherwise" for note in item.notes)
            form = _without_nulls if told else _plain
            assert form(after[item.target_id]) == form(before[item.target_id]), "an undo leaves what was there before"

    # ── what never happens ────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def nobody_is_there_twice(self) -> None:
        for person, count in self._alike().items():
            assert count <= max(1, self.alike[person]), "a person was created who was there already"

    def _nothing_was_erased(self, before: dict[System, Record], target: System, key: str) -> None:
        after = self._truth(key)
        hidden = self.hidden if key == KEY else frozenset()
        for crew_id, employee_id in self._pairs(key):
            for what in ATTRIBUTES:
                held = self._side(before, what, target, crew_id, employee_id)
                holds = self._side(after, what, target, crew_id, employee_id)
                if held and not holds:
                    there = self._side(after, what, target.other, crew_id, employee_id)
                    assert not there, f"{what.name} was erased, although the other side holds a value"
                    assert what.name not in hidden, f"{what.name} was erased, although it cannot be read"

    # ── the vendors' own memory ───────────────────────────────────────────────────────────────────────────────────

    def _truth(self, key: str = KEY) -> dict[System, Record]:
        """Per system: id → the whole record, without what changes by itself; of the tenant of this connection."""
        tenant = self.house if key == KEY else self.second
        crews = {crew["id"]: _plain(crew) for crew in tenant.smarthr.crews}
        ids = [each["id"] for each in self.house.freee.dump()["employees"]]
        employees = {str(each): _plain(self.house.freee.employee(each, month=MONTH)) for each in ids}
        return {System.SMARTHR: crews, System.FREEE: employees}

    def _side(self, truth: dict[System, Record], what: Attribute, system: System, crew_id: str, freee_id: str) -> str:
        record = truth[system].get(crew_id if system is System.SMARTHR else freee_id)
        if record is None or (system is System.FREEE and record.get("profile_rule") is None):
            return ""
        return what.smarthr(record) if system is System.SMARTHR else what.freee(record)

    def _pairs(self, key: str) -> list[tuple[str, str]]:
        with self.house.ctx.unit_of_work() as uow:
            connection = uow.connections.get_by_key(key)
            assert connection is not None
            links = uow.links.for_connection(connection.id)
        return [(link.smarthr_id, link.freee_id) for link in links]

    def _alike(self) -> Counter[tuple[str, str, str]]:
        """(system, kana, birth date) → how many people there are."""
        found: Counter[tuple[str, str, str]] = Counter()
        truth = self._truth()
        for crew in truth[System.SMARTHR].values():
            found["smarthr", f"{crew['last_name_yomi']} {crew['first_name_yomi']}", str(crew["birth_at"])] += 1
        for employee in truth[System.FREEE].values():
            profile = employee["profile_rule"]
            if profile:
                kana = f"{profile['last_name_kana']} {profile['first_name_kana']}"
                found["freee", kana, str(employee["birth_date"])] += 1
        return found

    def _count_alike(self) -> None:
        self.alike = self._alike()


def _plain(record: Record) -> Record:
    return copy.deepcopy({name: value for name, value in record.items() if name not in VOLATILE})


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items()}
    return "" if value is None or value == -1 else value


_MADE: dict[str, Any] = {}


def _people() -> PracticeCompany:
    if "company" not in _MADE:
        _MADE["company"] = only(build_company(TODAY), "equal", "update", "create", most=2)
    return _MADE["company"]


def test_edits_permissions_hidden_people_runs_and_undo_keep_every_promise() -> None:
    run_state_machine_as_test(Promises, settings=examples(6, stateful_step_count=12))
