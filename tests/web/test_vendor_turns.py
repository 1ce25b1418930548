"""Vendors asked for a page: in a bounded pool, with a deadline and a clear page, never by a thread of the server."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.domain.access.roles import Role
from app.domain.errors import TemporaryError
from app.places import Places
from app.practice.staff import practice_company
from app.use_cases.accounts.api_keys import Scope, add_key
from app.web.http.vendor_turns import OF_PAGES, OF_PROGRAMS, Bounds, VendorTurns, attach_vendor_turns
from tests.chaos.parts import wait_for
from tests.house import KEY, House
from tests.web.application import application_on
from tests.web.visitor import Visitor, visitor
from tests.web.wizard_house import GOOD, wizard_house

TWO = Bounds(asking=1, waiting=1)


class Held:
    """A question that is answered when it is let go."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self) -> str:
        self.over.wait(20)
        return "late"


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held()
    yield made
    made.over.set()


# ── the pool ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_and_an_error_come_back() -> None:
    turns = VendorTurns(TWO)

    def fails() -> str:
        raise ValueError("as it was")

    assert [turns.ask(lambda: "answer") for _ in range(5)] == ["answer"] * 5
    with pytest.raises(ValueError, match="as it was"):
        turns.ask(fails)
    assert turns.ask(lambda: "answer") == "answer"


def test_whoever_comes_when_all_turns_are_taken_is_told_at_once(held: Held) -> None:
    turns = VendorTurns(TWO, patience=15)
    with ThreadPoolExecutor(2) as others:
        waiting = [others.submit(turns.ask, held) for _ in range(TWO.most)]
        wait_for(lambda: turns.taken == TWO.most, seconds=10, what="both questions")
        with pytest.raises(TemporaryError) as told:
            turns.ask(lambda: "never")
        assert (told.value.code, told.value.retry_after) == ("vendors_busy", 5.0)
        held.over.set()
        assert [each.result(10) for each in waiting] == ["late", "late"]
    wait_for(lambda: turns.taken == 0, seconds=10, what="free turns")
    assert turns.ask(lambda: "again") == "again"


def test_whoever_waits_too_long_is_told_and_is_not_asked_for_afterwards(held: Held) -> None:
    asked: list[str] = []
    turns = VendorTurns(TWO, patience=0.05)
    for question in (held, lambda: asked.append("for nobody")):
        with pytest.raises(TemporaryError, match="vendors_late"):
            turns.ask(question)
    held.over.set()
    wait_for(lambda: turns.taken == 0, seconds=10, what="free turns")
    assert asked == []


def test_a_thread_that_is_counted_on_does_not_leave_before_the_question_comes() -> None:
    turns = VendorTurns(TWO, patience=2, idle=0.01)

    def slowly(*_event: object) -> None:
        if turns.taken:
            time.sleep(0.03)  # so much longer than a thread stays idle

    for _ in range(3):
        assert turns.ask(lambda: "answer") == "answer"
        before = sys.getprofile()
        sys.setprofile(slowly)
        try:
            assert turns.ask(lambda: "answer") == "answer"
        finally:
            sys.setprofile(before)
    wait_for(lambda: turns.taken == 0, seconds=10, what="free turns")


def test_where_the_system_gives_no_thread_all_are_busy_and_no_turn_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    turns = VendorTurns(TWO)
    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", none_left)
        for _ in range(TWO.most + 1):
            with pytest.raises(TemporaryError, match="vendors_busy"):
                turns.ask(lambda: "never")
    assert turns.taken == 0
    assert turns.ask(lambda: "again") == "again"


def test_the_place_of_whoever_waits_is_somebody_elses(held: Held) -> None:
    places, turns = Places(1), VendorTurns(TWO, patience=10)

    def in_place(work: Callable[[], str]) -> str:
        with places.taken():
            return work()

    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(in_place, lambda: turns.ask(held))
        wait_for(lambda: turns.taken == 1, seconds=10, what="the question")
        assert threads.submit(in_place, lambda: "meanwhile").result(10) == "meanwhile"
        held.over.set()
        assert waiting.result(10) == "late"


# ── the pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Busy(VendorTurns):
    """A pool in which nobody gets a turn."""

    def __init__(self) -> None:
        super().__init__(Bounds(asking=0, waiting=0))


def recorded(house: House, seen: set[tuple[str, str]]) -> Any:
    """The house's context, noting which thread asks for which way to a vendor."""

    def noting(name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            seen.add((name, threading.current_thread().name))
            return inner(*args, **more)

        return call

    ways = {name: noting(name, getattr(house.ctx, name)) for name in ("gateway", "smarthr_of", "webhook_registry")}
    return replace(house.ctx, **ways)


@pytest.mark.reach("test")
def test_no_page_and_no_program_asks_a_vendor_in_a_thread_of_the_server(tmp_path: Path) -> None:
    with wizard_house(tmp_path, connected=True) as made:
        seen: set[tuple[str, str]] = set()
        ctx = recorded(made.house, seen)
        app = application_on(ctx)
        admin = Visitor(app.test_client())
        admin.sign_in("admin@example.invalid")
        visit_all(admin, made.house)
        ask_all(app, add_key(ctx, "programs", list(Scope)), made.house)
    assert {thread for _, thread in seen} == {"vendor turn"}
    assert {name for name, _ in seen} == {"gateway", "smarthr_of", "webhook_registry"}


def visit_all(admin: Visitor, house: House) -> None:
    scenario = next(each for each in house.company.scenarios if each.crew_id and each.employee_id)
    admin.open("/account")
    csrf = {"csrf_token": admin.token}
    pair = {"smarthr": str(scenario.crew_id), "freee": str(scenario.employee_id)}
    asked = f"smarthr={pair['smarthr']}&freee={pair['freee']}"
    admin.open(f"/links/{KEY}/pair?{asked}")
    admin.open(f"/links/{KEY}/compare?{asked}")
    admin.open(f"/links/{KEY}/join?smarthr_number=0001&freee_number=0001")
    admin.open(f"/links/{KEY}/pair?{asked}")
    admin.client.post(f"/links/{KEY}/decide", data={**pair, "decision": "join", **csrf})
    for section, answer in (("check", ""), ("attributes", ""), ("webhook", ""), ("webhook", "check")):
        admin.client.post(f"/connections/{KEY}/{section}", data={"answer": answer, **csrf})
    token = {"smarthr_token": practice_company.SMARTHR_TOKEN, **csrf}
    admin.client.post(f"/connections/{KEY}/token", data=token)
    admin.client.post("/connections/new", data={**GOOD, **csrf})
    form = {"as_of_date": house.today.isoformat(), "employees": "no-such-number", **csrf}
    admin.client.post(f"/sync/{KEY}/smarthr_to_freee", data=form)


def ask_all(app: Flask, key: str, house: House) -> None:
    client, bearer = app.test_client(), {"Authorization": f"Bearer {key}"}
    today = house.today.isoformat()
    query = {"connection": KEY, "direction": "smarthr_to_freee", "as_of_date": today}
    assert client.get("/api/v1/employees", query_string=query, headers=bearer).status_code == 200
    body = {**query, "employees": ["no-such-number"], "dry_run": True}
    assert client.post("/api/v1/runs", json=body, headers=bearer).status_code == 422


@pytest.mark.parametrize("locale", ["ja", "en"])
def test_a_page_without_a_turn_says_so(open_practice: Callable[..., House], locale: str) -> None:
    house = open_practice()
    app = application_on(house.ctx)
    (name,) = [name for name, kept in app.extensions.items() if kept.__class__ is dict and True in kept]
    app.extensions[name] = {True: Busy(), False: Busy()}
    person = visitor(house.ctx, app.test_client(), Role.MEMBER)
    person.open("/account")
    person.client.post("/account/language", data={"locale": locale, "csrf_token": person.token})
    text = person.open(f"/links/{KEY}/compare?smarthr=a&freee=1", status=503)
    told = {"ja": "問い合わせが混み合っています", "en": "Too many requests to SmartHR and freee are in progress"}[
        locale
    ]
    assert told in text and person.page is not None and person.page.headers["Retry-After"] == "5"
    key = add_key(house.ctx, "programs", list(Scope))
    answer = app.test_client().get(
        f"/api/v1/employees?connection={KEY}&direction=smarthr_to_freee&as_of_date={house.today}",
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 503 and answer.json is not None and answer.json["code"] == "vendors_busy"
    attach_vendor_turns(app)


def test_programs_do_not_take_the_turns_of_people() -> None:
    app = Flask("turns")
    attach_vendor_turns(app)
    (turns,) = app.extensions.values()
    assert turns[True] is not turns[False]
    assert OF_PAGES.most >= 12, "two people may open a page that reads six pairs"
    assert OF_PROGRAMS.most < OF_PAGES.most
