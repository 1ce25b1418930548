"""Promise 4: one pair of companies, one connection; several connections to one company know each other, take turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.domain.enums import Direction, System
from app.domain.errors import Refused, TemporaryError
from app.domain.runs.run_state import ItemState
from app.domain.vendors.tokens import FreeeTokens
from app.factory import create_app
from app.practice.staff import practice_company
from app.practice.staff.forms import stable_id
from app.practice.staff.practice_company import PracticeCompany
from app.storage.tables.models import ConnectionTable
from app.use_cases.connections import connections, doubled, pause_resume
from app.use_cases.employee import create_turn
from tests.house import KEY, House
from tests.together import together
from tests.use_cases.test_job import only
from tests.use_cases.test_many_workers import work_with_many
from tests.web.test_cli_access import runner

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
SAME = {
    "name": "もう一つの練習用の会社",
    "smarthr_subdomain": practice_company.SUBDOMAIN,
    "smarthr_token": practice_company.SMARTHR_TOKEN,
    "freee_company_id": practice_company.FREEE_COMPANY_ID,
}


@pytest.fixture
def small(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    return open_practice(only(company, "create", "equal", most=2))


def tokens(house: House, access: str = practice_company.FREEE_ACCESS_TOKEN) -> FreeeTokens:
    until = house.clock.now() + timedelta(hours=6)
    return FreeeTokens(access, practice_company.FREEE_REFRESH_TOKEN, until)


def stored_connections(house: House) -> list[str]:
    return [each.key for each in connections.list_connections(house.ctx)]


# ── one use case makes connections ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("token", [practice_company.SMARTHR_TOKEN, "x"])
def test_the_same_pair_is_connected_once(small: House, token: str) -> None:
    run = runner(create_app(small.ctx))
    named = ["--name", "二つ目", "--smarthr-subdomain", practice_company.SUBDOMAIN]
    added = run("connection", "add", *named, "--freee-company-id", str(SAME["freee_company_id"]), input=f"{token}\n")
    assert added.exit_code == 2
    assert "このSmartHRとこの事業所は、すでに接続されています。" in added.stderr
    assert stored_connections(small) == [KEY]


@pytest.mark.parametrize(
    ("given", "told"),
    [({"smarthr_token": "x"}, "smarthr_E18"), ({"access": "y"}, "freee_"), ({"company": 7}, "freee_E19")],
)
def test_a_token_that_does_not_work_is_not_kept(small: House, given: dict[str, Any], told: str) -> None:
    remove_the_connection(small)
    new = {**SAME, "smarthr_token": given.get("smarthr_token", SAME["smarthr_token"])}
    new["freee_company_id"] = given.get("company", SAME["freee_company_id"])
    with pytest.raises(Refused) as caught:
        connections.add_connection(
            small.ctx, **new, freee_tokens=tokens(small, given.get("access", practice_company.FREEE_ACCESS_TOKEN))
        )
    assert caught.value.code.startswith(told)
    assert stored_connections(small) == []


@pytest.mark.parametrize(("away", "told"), [("smarthr", "smarthr_away"), ("freee", "freee_away")])
def test_while_a_vendor_is_away_nothing_is_half_written(small: House, away: str, told: str) -> None:
    remove_the_connection(small)
    injector = small.smarthr_injector if away == "smarthr" else small.freee_injector
    injector.fault(status=503)
    with pytest.raises(Refused) as caught:
        connections.add_connection(small.ctx, **SAME, freee_tokens=tokens(small))  # type: ignore[arg-type]
    assert caught.value.status == 503 and caught.value.code in (told, "smarthr_maintenance")
    assert stored_connections(small) == []
    injector.clear_faults()
    made = connections.add_connection(small.ctx, **SAME, freee_tokens=tokens(small))  # type: ignore[arg-type]
    assert stored_connections(small) == [made.key]
    assert made.state == "active"


@pytest.mark.sql
def test_two_at_once_make_one_connection(small: House) -> None:
    remove_the_connection(small)
    ended: list[str] = []

    def add() -> None:
        try:
            ended.append(connections.add_connection(small.ctx, **SAME).state)  # type: ignore[arg-type]
        except Refused as refused:
            ended.append(refused.code)

    together(lambda _: add(), 3)
    assert Counter(ended) == {"already_connected": 2, "needs_consent": 1}


def remove_the_connection(house: House) -> None:
    with house.ctx.unit_of_work() as uow:
        uow.connections.remove(house.connection.id, now=house.clock.now())


# ── duplicates from before ────────────────────────────────────────────────────────────────────────────────────────


def doubled_connection(house: House, *, paused: bool = True) -> str:
    """A second connection of the same pair, as a database from before the rule may hold it."""
    settings = house.connection.export_settings
    with house.ctx.unit_of_work() as uow:
        added = uow.connections.add(**{**SAME, "smarthr_subdomain": "once"}, key="doubled", now=house.clock.now())  # type: ignore[arg-type]
        uow.connections.set_freee_tokens(added.id, tokens(house), now=house.clock.now())
        uow.connections.set_export_settings(added.id, settings)
        same = {"smarthr_subdomain": practice_company.SUBDOMAIN, "pair_key": None, "paused": paused}
        uow.connections._session.execute(update(ConnectionTable).where(ConnectionTable.id == added.id).values(**same))
    return added.key


def test_a_duplicate_is_listed_and_stays_paused(small: House) -> None:
    key = doubled_connection(small)
    listed = runner(create_app(small.ctx))("connection", "list")
    (line,) = [line for line in listed.stdout.splitlines() if line.startswith(key)]
    assert "一時停止中" in line and f"flask connection merge {key}" in line
    with pytest.raises(Refused) as caught:
        pause_resume.resume(small.ctx, key)
    assert caught.value.code == "connection_doubled"
    with pytest.raises(Refused) as caught:
        small.start(TO_FREEE, connection_key=key)
    assert caught.value.code == "connection_paused"


def test_a_merge_hands_the_links_over_and_the_duplicate_is_gone(small: House) -> None:
    key = doubled_connection(small)
    small.run(TO_FREEE)
    mine, theirs = small.connection.id, connection_id(small, key)
    with small.ctx.unit_of_work() as uow:
        own = uow.links.for_connection(mine)
        uow.links.create(theirs, "crew-of-it-alone", "9001", now=small.clock.now(), baseline={"phone": "d"})
        uow.links.create(theirs, own[0].smarthr_id, own[0].freee_id, now=small.clock.now())
        uow.links.create(theirs, own[1].smarthr_id, "9002", now=small.clock.now())
    merged = runner(create_app(small.ctx))("connection", "merge", key)
    assert merged.exit_code == 0 and "1件の紐付け" in merged.stdout and "1件は" in merged.stdout
    with small.ctx.unit_of_work() as uow:
        pairs = {(each.smarthr_id, each.freee_id): each.baseline for each in uow.links.for_connection(mine)}
        assert uow.links.for_connection(theirs) == []
        assert {each.action for each in uow.audit.page(limit=5)} >= {"connection_merged"}
    assert pairs["crew-of-it-alone", "9001"] == {"phone": "d"}
    assert stored_connections(small) == [KEY]


def test_only_a_duplicate_is_removed(small: House) -> None:
    key = doubled_connection(small)
    run = runner(create_app(small.ctx))
    refused = run("connection", "remove", "--yes", KEY)
    assert refused.exit_code == 2 and "この接続は重複していません。" in refused.stderr
    with pytest.raises(Refused) as caught:
        doubled.remove(small.ctx, KEY, by="test")
    assert caught.value.code == "not_doubled"
    assert run("connection", "remove", "--yes", key).exit_code == 0
    assert stored_connections(small) == [KEY]
    with pytest.raises(Refused):
        doubled.merge(small.ctx, key, by="test")


def connection_id(house: House, key: str) -> int:
    with house.ctx.unit_of_work() as uow:
        found = uow.connections.get_by_key(key)
    assert found is not None
    return found.id


# ── several connections to one company ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def group(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """A group with two SmartHR tenants and one freee company: the same people in both tenants, with ids of their own.
    The second tenant is the practice SmartHR of another house."""
    first = only(company, "create", "equal", "update", most=3)
    own = replace(first, crews=[{**crew, "id": stable_id(f"second/{crew['id']}")} for crew in first.crews])
    house, second = open_practice(first), open_practice(own)
    gateway, settings = house.ctx.gateway, house.connection.export_settings
    with house.ctx.unit_of_work() as uow:
        added = uow.connections.add(**{**SAME, "smarthr_subdomain": "second"}, key="second", now=house.clock.now())  # type: ignore[arg-type]
        uow.connections.set_freee_tokens(added.id, tokens(house), now=house.clock.now())
        uow.connections.set_export_settings(added.id, settings)

    def of(connection: Any, system: System) -> Any:
        if connection.id == added.id and system is System.SMARTHR:
            return second.ctx.gateway(second.connection, system)
        return gateway(connection, system)

    house.ctx = replace(house.ctx, gateway=of)
    return house


def test_somebody_linked_through_another_connection_is_a_question_and_stays_as_they_are(group: House) -> None:
    group.run(TO_FREEE)
    people, writes = group.freee.dump()["employees"], group.writes()
    run = group.run(TO_FREEE, connection_key="second")
    codes = Counter(item.error_code for item in group.items(run))
    assert set(codes) == {"linked_elsewhere"}
    assert group.writes() == writes
    assert group.freee.dump()["employees"] == people


@pytest.mark.few(2)
@pytest.mark.sql
@pytest.mark.reach("test")
@pytest.mark.parametrize("keys", [(KEY, "second"), (KEY, KEY)])
def test_two_runs_at_once_double_nobody(group: House, keys: tuple[str, str]) -> None:
    before = len(group.freee.company.people)
    newcomers = len(group.company.crews) - before
    runs = [group.start(TO_FREEE, connection_key=key) for key in keys]
    work_with_many(group, runs)
    numbers = Counter(each["num"] for each in group.freee.dump()["employees"])
    assert max(numbers.values()) == 1
    assert len(group.freee.company.people) == before + newcomers
    failed = [item.error_code for run in runs for item in group.items(run) if item.state is ItemState.FAILED]
    assert failed == []


@pytest.mark.sql
@pytest.mark.reach("test")
def test_a_duplicate_at_work_doubles_nobody(small: House) -> None:
    """As it was seen: the same pair twice, two runs at once."""
    key = doubled_connection(small, paused=False)
    before = len(small.freee.company.people)
    work_with_many(small, [small.start(TO_FREEE), small.start(TO_FREEE, connection_key=key)])
    assert len(small.freee.company.people) == before + 2
    assert max(Counter(each["num"] for each in small.freee.dump()["employees"]).values()) == 1


# ── the turn ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_at_a_time_creates_in_a_company(small: House) -> None:
    with create_turn.turn_to_create(small.ctx, small.connection, System.FREEE):
        with create_turn.turn_to_create(small.ctx, small.connection, System.SMARTHR):
            pass
        with pytest.raises(TemporaryError) as caught:
            create_turn._take(small.ctx, f"create:freee:{SAME['freee_company_id']}", "another", patience=0.1)
        assert (caught.value.code, caught.value.counts) == ("create_turn", False)
    with create_turn.turn_to_create(small.ctx, small.connection, System.FREEE):
        pass


def test_the_turn_of_a_dead_process_passes_on(small: House) -> None:
    create_turn._take(small.ctx, f"create:freee:{SAME['freee_company_id']}", "dead")
    small.clock.turn(seconds=small.ctx.settings.lease_seconds + 1)
    with create_turn.turn_to_create(small.ctx, small.connection, System.FREEE):
        pass
