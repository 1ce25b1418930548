"""Every page asks the database a fixed number of questions: twelve at most, however the page is reached."""

from __future__ import annotations

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.use_cases.upkeep import relay
from tests.bench.pages import TARGET_QUERIES, queries_of, searches
from tests.house import KEY, House
from tests.web.addresses import Stock, addresses
from tests.web.application import application_on
from tests.web.visitor import visitor

pytestmark = [pytest.mark.sql, pytest.mark.reach("test")]

NO_PAGES_OF_THEIR_OWN = frozenset({302, 303, 404, 409, 422})
"""Answers of an address whose subject is not there, or which leads somewhere else."""


def test_no_page_asks_more_than_twelve_questions(house: House) -> None:
    finished = house.run(Direction.SMARTHR_TO_FREEE, started_by="user:1")
    previewed = house.run(Direction.FREEE_TO_SMARTHR, dry_run=True, started_by="user:1")
    running = house.start(Direction.SMARTHR_TO_FREEE, started_by="user:1")
    relay.relay_once(house.ctx)
    app = application_on(house.ctx)
    admin = visitor(house.ctx, app.test_client(), Role.ADMIN)
    stock = Stock(finished.id, previewed.id, running.id, KEY, more={"user_id": 1, "link_id": 1, "delivery_id": 1})
    reached, over = [], []
    for endpoint, address in (*addresses(app, stock), *searches(stock, ("00", "中村", "ナカムラ", "0042"))):
        queries, status = queries_of(house.database.engine, admin.client, address)
        assert status in NO_PAGES_OF_THEIR_OWN or status == 200, (address, status)
        reached += [endpoint] if status == 200 else []
        over += [(address, queries)] if queries > TARGET_QUERIES else []
    assert over == []
    assert {"screens.home", "screens.history", "screens.run", "screens.run_mail", "screens.run_progress"} <= set(
        reached
    )


def test_more_people_and_runs_take_no_more_questions(house: House) -> None:
    app = application_on(house.ctx)
    admin = visitor(house.ctx, app.test_client(), Role.ADMIN)
    few = house.run(Direction.SMARTHR_TO_FREEE, employees=("0042",))
    engine = house.database.engine
    small = [queries_of(engine, admin.client, address)[0] for address in ("/runs", f"/runs/{few.id}")]
    many = house.run(Direction.SMARTHR_TO_FREEE)
    house.run(Direction.FREEE_TO_SMARTHR)
    large = [queries_of(engine, admin.client, address)[0] for address in ("/runs", f"/runs/{many.id}")]
    assert all(later <= before + 1 for before, later in zip(small, large, strict=True)), (small, large)
