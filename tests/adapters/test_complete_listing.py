"""Properties of every reading: no value of one record stops the others, and nobody is skipped without a word."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, fields
from requests.structures import CaseInsensitiveDict

from app.adapters.answers import AnswerSchema, Response, load_answer
from app.adapters.freee import schemas as freee
from app.adapters.freee.client import PAGE, FreeeClient
from app.adapters.freee.gateway import FreeeGateway
from app.adapters.freee.survey import assemble, directory_row, record_row
from app.adapters.http import HttpClient
from app.adapters.records import UNREADABLE
from app.adapters.smarthr import schemas as smarthr
from app.adapters.smarthr.client import Page, SmartHRClient
from app.adapters.smarthr.gateway import SmartHRGateway
from app.adapters.write_window import HttpWriteWindow
from app.domain.completeness.unreadable import unreadable_notes
from app.domain.employee import EmployeeRecord, YearMonth
from app.domain.errors import TemporaryError
from tests.properties import examples

TODAY, NOVEMBER = date(2026, 11, 22), YearMonth(2026, 11)

# ── any value in any field ────────────────────────────────────────────────────────────────────────────────────────


def paths_of(schema: Schema, prefix: str = "") -> list[str]:
    found = []
    for name, each in schema.fields.items():
        inner = each.inner if isinstance(each, fields.List) else each
        found.append(prefix + name)
        if isinstance(inner, fields.Nested):
            found += paths_of(inner.schema, f"{prefix}{name}.")
    return found


CREW, EMPLOYEE, ROW = (
    paths_of(each) for each in (smarthr.CrewSchema(), freee.EmployeeSchema(), freee.DirectoryRowSchema())
)
NO_JSON = st.sampled_from(["NaN", "-Infinity", "1e999", "9" * 5000, '"\\ud83d"', '"\\u0000"', '{"a": 1, "a": 2}'])
ANY_TEXT = st.one_of(
    NO_JSON,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
        max_leaves=6,
    ).map(json.dumps),
)


def with_text(record: dict[str, Any], path: str, text: str) -> str:
    """The record as JSON, with this text at the path."""
    node = record = json.loads(json.dumps(record))
    *outer, last = path.split(".")
    for name in outer:
        node = node.setdefault(name, {})
    node[last] = "here"
    return json.dumps(record).replace('"here"', text)


def read(text: str, schema: AnswerSchema) -> Any:
    return load_answer(Response("GET", "/x", 200, CaseInsensitiveDict(), text.encode()), schema)


def check_named(person: EmployeeRecord, path: str) -> None:
    """Whoever cannot be read is told by the field's name; whoever can be read can be kept."""
    if person.unreadable is None:
        assert person.record is not None
    else:
        assert any(path.startswith(each) or each.startswith(path) for each in person.unreadable.fields)
        assert person.record is None
        assert person.person.unreadable
        assert unreadable_notes(person)
    json.dumps(person.record, allow_nan=False, ensure_ascii=False).encode()


@examples(150)
@given(path=st.sampled_from(CREW), text=ANY_TEXT)
def test_any_value_in_a_crew_stops_nobody_else_and_is_named(path: str, text: str) -> None:
    path = path.replace("positions.", "address.") if path.startswith("positions.") else path
    if path.startswith("bank_accounts."):
        text, path = f"[{with_text({}, path.partition('.')[2], text)}]", "bank_accounts"
    odd = with_text({"id": "c-2", "emp_code": "2"}, path, text)
    rows = read(f'[{{"id": "c-1"}}, {odd}]', smarthr.CREWS)
    json.dumps(rows, allow_nan=False, ensure_ascii=False).encode()
    people = SmartHRGateway(cast("SmartHRClient", Vendor([], [], appends=True))).assemble(rows, as_of_date=TODAY)
    assert len(people) == 2
    others = [each for each in people if each.person.id != "c-1"] or people[1:]
    check_named(others[0], path)
    assert any(each.person.id == "c-1" and each.record is not None for each in people) or path == "id"


@examples(150)
@given(path=st.sampled_from(EMPLOYEE), text=ANY_TEXT)
def test_any_value_in_an_employee_stops_nobody_else_and_is_named(path: str, text: str) -> None:
    odd = with_text({"id": 2, "num": "2"}, path, text)
    answer = read(f'{{"employees": [{{"id": 1}}, {odd}], "total_count": 2}}', freee.EmployeesAnswerSchema())
    rows = [directory_row({"id": each}) for each in (1, 2)]
    rows += [record_row(each, NOVEMBER) for each in answer["employees"]]
    json.dumps(rows, allow_nan=False, ensure_ascii=False).encode()
    people = {each.person.id: each for each in assemble(rows, TODAY)}
    assert people["1"].record is not None or path == "id"
    if path != "id":
        check_named(people["2"], path)
        single = read(f'{{"employee": {odd}}}', freee.ShownEmployeeSchema())["employee"]
        assert single == answer["employees"][1]


@examples(100)
@given(path=st.sampled_from(ROW), text=ANY_TEXT)
def test_any_value_in_the_list_of_everybody_stops_nobody_else_and_is_named(path: str, text: str) -> None:
    odd = with_text({"id": 2, "num": "2"}, path, text)
    rows = read(f'[{{"id": 1}}, {odd}]', freee.EVERYBODY)
    people = assemble([directory_row(each) for each in rows], TODAY)
    assert len(people) == len(rows) or path == "id"
    for row in rows[1:]:
        if UNREADABLE in row:
            assert all(path.startswith(each) or each.startswith(path) for each in row[UNREADABLE])


@pytest.mark.parametrize("text", ["null", "7", '"x"', "[]", "true", "NaN"])
def test_an_element_that_is_no_record_is_one_question(text: str) -> None:
    rows = read(f'[{{"id": "c-1"}}, {text}]', smarthr.CREWS)
    people = SmartHRGateway(cast("SmartHRClient", Vendor([], [], appends=True))).assemble(rows, as_of_date=TODAY)
    assert [each.person.id for each in people] == ["c-1", ""]
    assert [note.key for note in unreadable_notes(people[1])] == ["従業員情報の全体"]


@pytest.mark.parametrize("text", ["{}", "null", "7", '{"crews": []}'])
def test_an_answer_that_is_no_list_is_an_error_of_the_reading(text: str) -> None:
    with pytest.raises(TemporaryError) as caught:
        read(text, smarthr.CREWS)
    assert caught.value.code == "unreadable_answer"


def test_a_company_that_cannot_be_read_hides_no_other() -> None:
    me = read('{"id": 1, "companies": [{"id": "7"}, null, {"id": 8, "role": "company_admin"}]}', freee.UsersMeSchema())
    assert [each["id"] for each in me["companies"]] == [8]


# ── any change while a list is read ───────────────────────────────────────────────────────────────────────────────

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
CHANGES = st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["leaves", "joins"]), st.integers(0, 400)), max_size=8)


@dataclass
class Vendor:
    """A list of people that changes between two requests, by a script: (number of the request, what, where)."""

    people: list[int]
    script: list[tuple[int, str, int]]
    appends: bool
    requests: int = 0
    born: set[int] = field(default_factory=set)
    left: set[int] = field(default_factory=set)
    window: HttpWriteWindow = field(default_factory=lambda: HttpWriteWindow(cast("HttpClient", None)))
    """Of a client that never writes: nothing opens or asks it."""

    def asked(self) -> list[int]:
        for number, what, where in self.script:
            if number == self.requests and what == "leaves" and self.people:
                self.left.add(self.people.pop(where % len(self.people)))
            elif number == self.requests and what == "joins":
                new = 10_000 + len(self.born)
                self.born.add(new)
                self.people.insert(len(self.people) if self.appends else where % (len(self.people) + 1), new)
        self.requests += 1
        return self.people

    # SmartHR's list, sorted by the moment of entry.
    def list_crews(self, page: int) -> Page:
        everybody = self.asked()
        rows = [self._crew(each) for each in everybody[(page - 1) * PAGE : page * PAGE]]
        began = (NOW - timedelta(seconds=3)).isoformat()
        return Page(rows, page * PAGE < len(everybody) and bool(rows), len(everybody), began)

    def _crew(self, person: int) -> dict[str, Any]:
        moment = NOW if person in self.born else NOW - timedelta(days=1)
        return {"id": str(person), "created_at": moment.isoformat()}

    # freee's lists, in an order that nobody documents.
    def list_company_employees(self, offset: int) -> list[dict[str, Any]]:
        return [{"id": each} for each in self.asked()[offset : offset + PAGE]]

    def list_employees(self, _month: YearMonth, offset: int) -> dict[str, Any]:
        everybody = self.asked()
        rows = [{"id": each} for each in everybody[offset : offset + PAGE]]
        return {"employees": rows, "total_count": len(everybody)}


def present_throughout(vendor: Vendor, at_first: range) -> set[str]:
    return {str(each) for each in at_first if each not in vendor.left}


def check_complete(vendor: Vendor, at_first: range, read_all: Callable[[], list[EmployeeRecord]]) -> None:
    try:
        found = {each.person.id for each in read_all()}
    except TemporaryError as error:
        assert error.code == "list_incomplete"
        return
    assert present_throughout(vendor, at_first) <= found


@examples(100)
@given(size=st.integers(95, 320), script=CHANGES)
def test_nobody_is_skipped_while_smarthr_is_read(size: int, script: list[tuple[int, str, int]]) -> None:
    vendor = Vendor(list(range(1, size + 1)), script, appends=True)
    gateway = SmartHRGateway(cast("SmartHRClient", vendor))
    check_complete(vendor, range(1, size + 1), lambda: gateway.directory(as_of_date=TODAY))


@examples(100)
@given(size=st.integers(95, 320), script=CHANGES)
def test_nobody_is_skipped_while_freee_is_read(size: int, script: list[tuple[int, str, int]]) -> None:
    vendor = Vendor(list(range(1, size + 1)), script, appends=False)
    gateway = FreeeGateway(cast("FreeeClient", vendor), 1)
    check_complete(vendor, range(1, size + 1), lambda: gateway.directory(as_of_date=TODAY))


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 200, 300])
def test_a_list_that_rests_is_read_once(size: int) -> None:
    vendor = Vendor(list(range(1, size + 1)), [], appends=True)
    assert len(SmartHRGateway(cast("SmartHRClient", vendor)).directory(as_of_date=TODAY)) == size
    assert vendor.requests == max(1, -(-size // PAGE))
    vendor.requests = 0
    assert len(FreeeGateway(cast("FreeeClient", vendor), 1).directory(as_of_date=TODAY)) == size
    of_everybody, of_the_month = size // (PAGE - 1) + 1, max(1, -(-size // PAGE)) if size else 0
    assert vendor.requests <= of_everybody + of_the_month


@pytest.mark.parametrize("announced", [99, 101])
def test_a_total_that_is_not_what_was_listed_is_told(announced: int) -> None:
    class Miscounting(Vendor):
        def list_crews(self, page: int) -> Page:
            return super().list_crews(page)._replace(announced=announced)

    vendor = Miscounting(list(range(1, 101)), [], appends=True)
    with pytest.raises(TemporaryError) as caught:
        SmartHRGateway(cast("SmartHRClient", vendor)).directory(as_of_date=TODAY)
    assert caught.value.code == "list_incomplete"
