"""What a person says about who is who, seen by the runs that follow; and the two held side by side before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.domain.enums import Direction, System
from app.domain.errors import Refused
from app.domain.runs.run_state import ItemState
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.links import decide
from app.use_cases.links.compare_pair import FieldMatch, LinkStatus, Pair, Visibility, compare_pair
from app.use_cases.links.pairs import find_people, link_table
from app.use_cases.links.questions import Question, link_questions
from tests.house import KEY, House
from tests.use_cases.test_job import only
from tests.use_cases.test_two_way import somebody

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR


@pytest.fixture
def house(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Five equal pairs nobody has linked yet; three of them have another number in SmartHR than in freee."""
    house = open_practice(only(company, "equal", most=5))
    for number, scenario in enumerate(house.company.scenarios[:3]):
        house.smarthr.edit(str(scenario.crew_id), {"emp_code": f"99{number}"})
    return house


@pytest.fixture
def pairs(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    house = open_practice(only(company, "equal", most=4))
    house.run(TO_FREEE)
    return house


def questions(house: House) -> dict[str, Question]:
    return {each.person_id: each for each in link_questions(house.ctx, KEY).items}


def alike(house: House) -> tuple[str, str]:
    """(crew id, employee id) of two who look like one and have different numbers."""
    asked = min(questions(house).values(), key=lambda each: each.person_id)
    assert (asked.code, len(asked.candidates)) == ("link_ambiguous", 1)
    pair = asked.pair(asked.candidates[0])
    return pair[System.SMARTHR], pair[System.FREEE]


def actions(house: House) -> list[tuple[str, str]]:
    """What the audit trail tells of decisions, the newest first."""
    with house.ctx.unit_of_work() as uow:
        return [(entry.action, entry.actor) for entry in uow.audit.page() if entry.action != "run_started"]


def compared_pair(house: House, crew: str, employee: str) -> Pair:
    return compare_pair(house.ctx, KEY, smarthr_id=crew, freee_id=employee)


# ── two people ──


def test_kept_apart_the_next_run_creates_the_missing_one_and_nobody_asks_again(house: House) -> None:
    house.run(TO_FREEE)
    crew, employee = alike(house)
    writes = house.writes()
    decide.keep_apart(house.ctx, KEY, smarthr_id=crew, freee_id=employee, by="user:7")
    assert (house.writes(), crew in questions(house)) == (writes, False)
    run = house.run(TO_FREEE)
    (item,) = [item for item in house.items(run) if item.source_id == crew]
    assert (item.state, item.error_code) == (ItemState.SUCCEEDED, None)
    assert item.target_id not in (None, employee)
    back = house.run(TO_SMARTHR)
    assert employee not in {each.person_id for each in questions(house).values()}
    assert house.states(back)[employee] is not ItemState.NEEDS_REVIEW
    assert actions(house)[0] == ("people_kept_apart", "user:7")


def test_saying_it_twice_is_one_entry_and_thinking_again_links_them(house: House) -> None:
    house.run(TO_FREEE)
    crew, employee = alike(house)
    for _ in range(2):
        decide.keep_apart(house.ctx, KEY, smarthr_id=crew, freee_id=employee, by="user:7")
    assert [action for action, _ in actions(house)] == ["people_kept_apart"]
    assert compared_pair(house, crew, employee).link_status is LinkStatus.DIFFERENT
    decide.join(house.ctx, KEY, smarthr_id=crew, freee_id=employee, by="user:7")
    assert compared_pair(house, crew, employee).link_status is LinkStatus.LINKED
    with pytest.raises(Refused) as caught:
        decide.keep_apart(house.ctx, KEY, smarthr_id=crew, freee_id=employee, by="user:7")
    assert caught.value.code == "already_linked"
    with house.ctx.unit_of_work() as uow:
        assert uow.links.different(house.connection.id) == frozenset()


def test_joined_the_question_is_gone_and_the_next_run_writes(house: House) -> None:
    house.run(TO_FREEE)
    crew, employee = alike(house)
    decide.join(house.ctx, KEY, smarthr_id=crew, freee_id=employee, by="user:7")
    assert crew not in questions(house)
    run = house.run(TO_FREEE)
    (item,) = [item for item in house.items(run) if item.source_id == crew]
    assert item.target_id == employee and item.state is not ItemState.NEEDS_REVIEW
    assert actions(house)[0] == ("link_joined", "user:7")


def test_a_cut_pair_is_not_matched_again_by_its_number(pairs: House) -> None:
    crew, employee = somebody(pairs)
    decide.cut(pairs.ctx, KEY, smarthr_id=crew, by="user:7")
    run = pairs.run(TO_FREEE)
    (item,) = [item for item in pairs.items(run) if item.source_id == crew]
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "E8")
    assert compared_pair(pairs, crew, str(employee)).link_status is LinkStatus.DIFFERENT
    assert actions(pairs)[0] == ("link_cut", "user:7")


def test_what_names_nobody_is_refused(house: House) -> None:
    with pytest.raises(Refused) as caught:
        decide.keep_apart(house.ctx, KEY, smarthr_id="", freee_id="1", by="user:7")
    assert caught.value.code == "unknown_employee"


@pytest.mark.parametrize("odd", ["../x", "a b", "a" * 65, "?", "crew!"])
def test_what_can_be_no_id_names_nobody(pairs: House, odd: str) -> None:
    crew, employee = somebody(pairs)
    for pair in ({"smarthr_id": odd, "freee_id": str(employee)}, {"smarthr_id": crew, "freee_id": odd}):
        with pytest.raises(Refused) as caught:
            decide.join(pairs.ctx, KEY, **pair, by="user:7")
        assert (caught.value.code, caught.value.status) == ("unknown_employee", 404)


# ── questions ──


def test_only_the_newest_end_of_everybody_is_a_question(house: House) -> None:
    unknown = {"emp_code": "", "last_name_yomi": "ダレカ", "birth_at": "1951-01-01"}
    house.smarthr.edit(str(house.company.scenarios[3].crew_id), unknown)
    for _ in range(3):
        house.run(TO_FREEE)
    found = [each.person_id for each in link_questions(house.ctx, KEY).items]
    assert found and len(found) == len(set(found))
    crew, _ = alike(house)
    house.smarthr.edit(crew, {"last_name_yomi": "ベツジン", "birth_at": "1950-01-01"})
    house.run(TO_FREEE)
    assert crew not in questions(house)


def test_a_pair_is_asked_about_once_whichever_side_asks(house: House) -> None:
    house.run(TO_FREEE)
    house.run(TO_SMARTHR)
    found = [each.pair(each.candidates[0]) for each in link_questions(house.ctx, KEY).items]
    assert len(found) == 3 and len({tuple(sorted(pair.items())) for pair in found}) == 3


def test_questions_come_page_by_page(house: House) -> None:
    house.run(TO_FREEE)
    everybody = [each.item_id for each in link_questions(house.ctx, KEY).items]
    assert len(everybody) > 2
    seen: list[int] = []
    after = None
    while True:
        page = link_questions(house.ctx, KEY, after=after, limit=2)
        seen += [each.item_id for each in page.items]
        after = page.next_after
        if after is None:
            break
    assert seen == everybody == sorted(everybody, reverse=True)


def test_a_question_carries_the_name_and_hides_it_from_logs(house: House) -> None:
    house.run(TO_FREEE)
    question = next(iter(questions(house).values()))
    assert question.name and question.name not in repr(question)


# ── side by side ──


def test_two_linked_people_are_compared_item_by_item(pairs: House) -> None:
    crew, employee = somebody(pairs)
    seen = compared_pair(pairs, crew, str(employee))
    lines = {line.key: line for line in seen.lines}
    assert {each.visibility for each in seen.seen.values()} == {Visibility.SHOWN}
    assert {lines[key].field_match for key in ("number", "birth_date", "hired_on", "resigned_on")} == {FieldMatch.SAME}
    pairs.smarthr.edit(crew, {"birth_at": "1950-01-02"})
    changed = {line.key: line for line in compared_pair(pairs, crew, str(employee)).lines}
    assert changed["birth_date"].field_match is FieldMatch.DIFFERENT
    assert str(changed["birth_date"].smarthr) == "1950-01-02"
    assert str(lines["name"].smarthr) not in repr(seen)


def test_asking_for_one_pair_costs_two_requests(pairs: House) -> None:
    crew, employee = somebody(pairs)
    calls = pairs.calls()
    compared_pair(pairs, crew, str(employee))
    assert pairs.calls() - calls == 2


def test_a_vendor_that_is_away_is_told_beside_the_other(pairs: House) -> None:
    crew, employee = somebody(pairs)
    pairs.servers[1].stop()
    seen = compared_pair(pairs, crew, str(employee))
    assert (seen.seen[System.SMARTHR].visibility, seen.seen[System.FREEE].visibility) == (
        Visibility.SHOWN,
        Visibility.AWAY,
    )
    assert seen.seen[System.FREEE].code == "unreachable"
    assert {line.field_match for line in seen.lines} == {FieldMatch.UNKNOWN} and not seen.may_join


def test_somebody_who_is_gone_cannot_be_joined(pairs: House) -> None:
    crew, employee = somebody(pairs)
    decide.cut(pairs.ctx, KEY, smarthr_id=crew, by="user:7")
    pairs.freee.remove(employee)
    seen = compared_pair(pairs, crew, str(employee))
    assert seen.seen[System.FREEE].visibility is Visibility.GONE and not seen.may_join
    assert compared_pair(pairs, "nobody", "no number").seen[System.FREEE].visibility is Visibility.GONE


def test_who_has_a_partner_already_is_told(pairs: House) -> None:
    (crew, _), (_, other) = somebody(pairs), somebody(pairs, 1)
    seen = compared_pair(pairs, crew, str(other))
    assert (seen.link_status, set(seen.taken), seen.may_join) == (LinkStatus.TAKEN, set(System), False)


# ── the table ──


def test_all_links_page_by_page_with_how_they_ended(pairs: House) -> None:
    table = link_table(pairs.ctx, KEY, limit=3)
    rest = link_table(pairs.ctx, KEY, limit=3, after=table.page.next_after)
    lines = [*table.page.items, *rest.page.items]
    assert [len(table.page.items), len(rest.page.items), rest.page.next_after] == [3, 1, None]
    assert table.total == len({line.id for line in lines}) == 4
    crew = pairs.smarthr.crew(lines[0].smarthr_id)
    assert lines[0].smarthr_number == lines[0].freee_number == crew["emp_code"]
    assert lines[0].last is not None and lines[0].last.state is ItemState.UNCHANGED
    assert crew["last_name"] in lines[0].name and lines[0].name not in repr(lines[0])


def test_links_are_found_by_the_beginning_of_a_number(pairs: House) -> None:
    number = pairs.smarthr.crew(somebody(pairs)[0])["emp_code"]
    found = link_table(pairs.ctx, KEY, search=f" {number} ").page.items
    assert [line.smarthr_number for line in found] == [number]
    assert link_table(pairs.ctx, KEY, search="%").page.items == ()
    assert len(link_table(pairs.ctx, KEY, search=number[:1]).page.items) >= 1


def test_people_are_found_by_number_also_those_who_came_since(pairs: House) -> None:
    number = pairs.smarthr.crew(somebody(pairs)[0])["emp_code"]
    (found,) = find_people(pairs.ctx, KEY, System.FREEE, number).people
    assert (found.number, found.linked, bool(found.name)) == (number, True, True)
    new = pairs.freee.add({"num": "Z-77", "entry_date": "2020-04-01", "birth_date": "1990-01-01"})
    (newcomer,) = find_people(pairs.ctx, KEY, System.FREEE, "Z-77").people
    assert (newcomer.id, newcomer.linked) == (str(new), False)
    assert find_people(pairs.ctx, KEY, System.SMARTHR, " ").people == ()
