"""The links of a survey come in portions, in the order in which people are planned, and each is the right one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

import pytest

from app.domain.employee import EmployeeRecord, Person
from app.domain.enums import System
from app.domain.matching.linking import LinkIndex
from app.domain.settings.connection_settings import Connection
from app.storage.links.rows import LinkRow
from app.use_cases.survey.everybody import Everybody
from app.use_cases.survey.survey_links import PORTION, SurveyLinks

MANY = 3 * PORTION + 7
NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Table:
    """The links as the database holds them, and how often it was asked."""

    def __init__(self, gone: frozenset[int] = frozenset()) -> None:
        self.asked, self._gone = 0, gone

    def __call__(self, ids: Sequence[int]) -> list[LinkRow]:
        self.asked += 1
        assert len(ids) <= PORTION
        return [
            LinkRow(each, 1, f"s{each}", f"f{each}", {}, None, NOW, None, None)
            for each in ids
            if each not in self._gone
        ]


def links(table: Table) -> SurveyLinks:
    return SurveyLinks([(each, f"s{each}", f"f{each}") for each in range(MANY)], table)


@pytest.mark.parametrize("order", ["as stored", "mixed"])
def test_everybody_costs_a_few_questions(order: str) -> None:
    table, wanted = Table(), [f"s{each}" for each in range(MANY)]
    if order == "mixed":
        random.Random(1).shuffle(wanted)
    found = links(table)
    for _ in range(2):  # planned twice
        found.in_order_of([None, "nobody", *wanted])
        rows = [found.of(each) for each in wanted]
        assert [row.smarthr_id for row in rows if row] == wanted
    assert table.asked <= 2 * (MANY // PORTION + 1)


def test_out_of_order_it_is_the_right_link_all_the_same() -> None:
    found = links(Table())
    found.in_order_of(["s1", "s2"])
    for each in ("s2", f"s{MANY - 1}", "s1", "s5"):
        row = found.of(each)
        assert row is not None
        assert row.smarthr_id == each
    assert found.of("nobody") is None
    assert len(list(found)) == MANY


def test_a_link_that_is_gone_is_none() -> None:
    found = links(Table(gone=frozenset({5})))
    assert found.of("s5") is None


def test_the_links_of_whoever_is_expected_come_in_portions_in_any_order() -> None:
    table = Table()
    people = {
        system: [EmployeeRecord(Person(system, f"{letter}{each}", f"{each:05d}"), {}) for each in range(MANY)]
        for system, letter in ((System.SMARTHR, "s"), (System.FREEE, "f"))
    }
    index = LinkIndex((f"s{each}", f"f{each}") for each in range(MANY))
    everybody = Everybody(cast("Connection", None), people[System.FREEE], people[System.SMARTHR], links(table), index)
    some = random.Random(7).sample(people[System.FREEE], MANY // 2)
    everybody.expect(each.person.id for each in some)
    found = [everybody.link_of(each) for each in some]
    assert [link.freee_id for link in found if link] == [each.person.id for each in some]
    assert table.asked <= MANY // 2 // PORTION + 1
