"""Who is who: first by number, afterwards by link, and never a silent second record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.employee import OnDemand, Person
from app.domain.enums import System
from app.domain.matching.linking import (
    MAX_CANDIDATES,
    CandidateReason,
    Directory,
    LinkDecision,
    LinkIndex,
    LinkKind,
    decide_link,
)

TODAY = date(2024, 6, 15)
BORN = date(1990, 4, 2)


def crew(person_id: str, number: str = "0001", **changes: object) -> Person:
    return _person(System.SMARTHR, person_id, number, changes)


def freee(person_id: str, number: str = "0001", **changes: object) -> Person:
    return _person(System.FREEE, person_id, number, changes)


def hidden(person_id: str, number: str = "0001", **changes: object) -> Person:
    """A row whose kana and birth date freee's monthly list does not show."""
    return freee(person_id, number, last_name_kana="", first_name_kana="", birth_date=None, **changes)


def _person(system: System, person_id: str, number: str, changes: dict[str, object]) -> Person:
    known: dict[str, object] = {
        "last_name_kana": "サトウ",
        "first_name_kana": "ハナコ",
        "birth_date": BORN,
        "hired_on": date(2015, 4, 1),
    }
    return Person(system, person_id, number, **{**known, **changes})  # type: ignore[arg-type]


OTHER = {"last_name_kana": "スズキ", "first_name_kana": "タロウ", "birth_date": date(1971, 12, 31)}


def decide(
    source: Person,
    targets: Iterable[Person] = (),
    *,
    others: Iterable[Person] = (),
    links: Iterable[tuple[str, str]] = (),
    on: date | None = TODAY,
) -> LinkDecision:
    return decide_link(
        source,
        sources=Directory([source, *others]),
        targets=Directory(targets),
        links=LinkIndex(links),
        as_of_date=on,
    )


def asked(decision: LinkDecision, code: str) -> dict[str, CandidateReason]:
    """The candidates of a REVIEW with this code: id → reason."""
    assert (decision.kind, decision.code, decision.target_id) == (LinkKind.REVIEW, code, None)
    return {candidate.id: candidate.reason for candidate in decision.candidates}


# ── the plain cases ──


def test_first_by_number() -> None:
    assert decide(crew("a"), [freee("1"), freee("2", "0002", **OTHER)]) == LinkDecision(LinkKind.MATCHED, "1")


def test_afterwards_by_link_whatever_the_number() -> None:
    found = decide(crew("a", "9999"), [freee("1"), freee("2", "9999", **OTHER)], links=[("a", "1")])
    assert found == LinkDecision(LinkKind.LINKED, "1")
    blank = decide(crew("a", ""), [freee("1", "")], links=[("a", "1")])
    assert blank == LinkDecision(LinkKind.LINKED, "1")


def test_nobody_there_is_created() -> None:
    assert decide(crew("a"), [freee("2", "0002", **OTHER)]) == LinkDecision(LinkKind.CREATE)
    assert decide(crew("a")) == LinkDecision(LinkKind.CREATE)


def test_the_other_direction() -> None:
    """A freee person looks for a SmartHR crew; ids of the two systems do not mix."""
    assert decide(freee("1"), [crew("a")]) == LinkDecision(LinkKind.MATCHED, "a")
    assert decide(freee("1", "7"), [crew("a")], links=[("a", "1")]) == LinkDecision(LinkKind.LINKED, "a")
    assert decide(freee("a"), [crew("1")], links=[("a", "9")]).kind is LinkKind.MATCHED


@pytest.mark.parametrize(
    ("mine", "theirs", "kind"),
    [
        ("0001", "０００１", LinkKind.MATCHED),
        (" 0001　", "0001", LinkKind.MATCHED),
        ("1", "0001", LinkKind.CREATE),  # leading zeros are part of a number
        ("a1", "A1", LinkKind.CREATE),
    ],
)
def test_what_counts_as_the_same_number(mine: str, theirs: str, kind: LinkKind) -> None:
    theirs_somebody = freee("1", theirs, last_name_kana="スズキ")
    another = freee("1", theirs, **OTHER)
    assert decide(crew("a", mine), [another if kind is LinkKind.CREATE else theirs_somebody]).kind is kind


# ── numbers that decide nothing ──


@pytest.mark.parametrize("blank", ["", " ", "　"])
def test_blank_number_is_asked_and_never_matched_with_another_blank(blank: str) -> None:
    found = asked(decide(crew("a", blank), [freee("1", ""), freee("2", "", **OTHER)]), "E8")
    assert found == {"a": CandidateReason.SAME_NUMBER, "1": CandidateReason.SAME_PERSON}


def test_doubled_at_the_source_names_both() -> None:
    found = decide(crew("a"), [freee("1")], others=[crew("b", "０００１", **OTHER)])
    assert asked(found, "E8").keys() == {"a", "b", "1"}


def test_doubled_at_the_target_names_both() -> None:
    assert asked(decide(crew("a"), [freee("1"), freee("2", **OTHER)]), "E8").keys() == {"a", "1", "2"}


def test_the_same_row_twice_in_a_listing_is_one_person() -> None:
    assert decide(crew("a"), [freee("1"), freee("1")], others=[crew("a")]).kind is LinkKind.MATCHED


# ── links that are gone or taken ──


def test_link_to_somebody_deleted_is_asked() -> None:
    assert asked(decide(crew("a"), [], links=[("a", "1")]), "E20") == {}
    found = decide(crew("a"), [freee("2"), freee("3", "77")], links=[("a", "1")])
    assert asked(found, "E20") == {"2": CandidateReason.SAME_PERSON, "3": CandidateReason.SAME_PERSON}


def test_number_of_somebody_linked_to_another_person() -> None:
    found = decide(crew("b"), [freee("1")], others=[crew("a", "0009")], links=[("a", "1")])
    assert asked(found, "E7") == {"1": CandidateReason.SAME_NUMBER}


def test_deleted_and_created_anew_with_the_same_number() -> None:
    """The product users know makes a second record here."""
    assert asked(decide(crew("b"), [freee("1")], links=[("gone", "1")]), "E7").keys() == {"1"}


def test_deleted_and_created_anew_with_another_number() -> None:
    found = decide(crew("b", "0500"), [freee("1")], links=[("gone", "1")])
    assert asked(found, "E7") == {"1": CandidateReason.SAME_PERSON}


def test_created_anew_while_the_old_record_is_still_there() -> None:
    found = decide(crew("b", "0500"), [freee("1")], others=[crew("a")], links=[("a", "1")])
    assert asked(found, "E7").keys() == {"1"}


def test_number_matches_but_the_same_person_hangs_on_a_deleted_record() -> None:
    found = decide(crew("b", "0500"), [freee("1"), freee("2", "0500")], links=[("gone", "1")])
    assert asked(found, "E7") == {"2": CandidateReason.SAME_NUMBER, "1": CandidateReason.SAME_PERSON}


def test_two_employments_of_one_person_on_both_sides_are_two_matches() -> None:
    targets = [freee("1", "0001"), freee("2", "0002")]
    found = decide(crew("b", "0002"), targets, others=[crew("a", "0001")], links=[("a", "1")])
    assert found == LinkDecision(LinkKind.MATCHED, "2")


# ── promise 3: nobody is created while somebody cannot be seen ──


NEW = "0500"


@pytest.mark.parametrize("number", ["", "0002"])
def test_somebody_of_whom_nothing_is_known_makes_a_create_a_question(number: str) -> None:
    assert asked(decide(crew("a", NEW), [hidden("1", number)]), "hidden_person") == {"1": CandidateReason.UNSEEN}


def test_somebody_without_kana_born_on_another_day_is_another() -> None:
    nameless = freee("1", "", last_name_kana="", first_name_kana="")
    assert asked(decide(crew("a", NEW), [nameless]), "hidden_person") == {"1": CandidateReason.SAME_BIRTH_DATE}
    born_later = crew("a", NEW, birth_date=date(1991, 4, 2))
    assert decide(born_later, [nameless]) == LinkDecision(LinkKind.CREATE)


def test_the_other_way_round_the_one_to_create_cannot_be_compared() -> None:
    nameless = freee("1", NEW, last_name_kana="", first_name_kana="")
    assert asked(decide(nameless, [crew("a", "")]), "hidden_person") == {"a": CandidateReason.SAME_BIRTH_DATE}
    assert decide(nameless, [crew("a", "", **OTHER)]) == LinkDecision(LinkKind.CREATE)


def test_whoever_is_linked_or_has_the_number_of_another_is_nobody_to_ask_about() -> None:
    assert decide(crew("a", NEW), [hidden("1", "")], others=[crew("b")], links=[("b", "1")]).kind is LinkKind.CREATE
    assert decide(crew("a", NEW), [hidden("1", "0002")], others=[crew("b", "0002")]).kind is LinkKind.CREATE


def test_another_surname_with_the_same_given_name_and_birth_date_is_asked() -> None:
    married = freee("1", "", last_name_kana="タナカ")
    assert asked(decide(crew("a", NEW), [married]), "link_ambiguous") == {"1": CandidateReason.SAME_GIVEN_NAME}
    twin = freee("1", "", first_name_kana="ハナエ")
    assert decide(crew("a", NEW), [twin]) == LinkDecision(LinkKind.CREATE)
    assert decide(crew("a", NEW), [married], others=[crew("b")], links=[("b", "1")]).kind is LinkKind.CREATE


# ── promise 4: several connections to one company know each other's links ──


def elsewhere(source: Person, targets: list[Person], partner: str, **more: object) -> LinkDecision:
    """The decision while another connection has linked the target 1 to this partner."""
    links = LinkIndex(more.get("links", ()), elsewhere=[(System.FREEE, "1", partner)])  # type: ignore[arg-type]
    return decide_link(source, sources=Directory([source]), targets=Directory(targets), links=links, as_of_date=TODAY)


def test_somebody_whom_another_connection_has_linked_is_asked_about() -> None:
    assert asked(elsewhere(crew("a"), [freee("1")], "x"), "linked_elsewhere").keys() == {"1"}
    assert asked(elsewhere(crew("a", NEW), [freee("1")], "x"), "linked_elsewhere").keys() == {"1"}
    assert elsewhere(crew("a"), [freee("1")], "x", links=[("a", "1")]).code == "linked_elsewhere"


def test_the_same_pair_in_a_doubled_connection_is_no_question() -> None:
    assert elsewhere(crew("a"), [freee("1")], "a") == LinkDecision(LinkKind.MATCHED, "1")
    assert elsewhere(crew("a"), [freee("1")], "a", links=[("a", "1")]) == LinkDecision(LinkKind.LINKED, "1")


# ── a number alone does not prove a person ──


def test_number_given_to_somebody_else() -> None:
    assert asked(decide(crew("a"), [freee("1", **OTHER)]), "number_swapped") == {"1": CandidateReason.SAME_NUMBER}


def test_number_swapped_names_the_person_it_seems_to_be() -> None:
    found = asked(decide(crew("a"), [freee("1", **OTHER), freee("2", "0002")]), "number_swapped")
    assert found == {"1": CandidateReason.SAME_NUMBER, "2": CandidateReason.SAME_PERSON}


@pytest.mark.parametrize(
    "known",
    [
        {"last_name_kana": "タナカ"},  # married: the birth date still says who it is
        {"birth_date": date(1990, 4, 3)},  # a slip in the date: the kana still say who it is
        {**OTHER, "birth_date": None},
        {**OTHER, "last_name_kana": ""},
        {**OTHER, "first_name_kana": ""},
    ],
)
def test_one_difference_or_an_unknown_does_not_make_another_person(known: dict[str, object]) -> None:
    assert decide(crew("a"), [freee("1", **known)]) == LinkDecision(LinkKind.MATCHED, "1")


def test_hidden_row_is_matched_by_number_alone() -> None:
    assert decide(crew("a"), [hidden("1")]) == LinkDecision(LinkKind.MATCHED, "1")


# ── nobody has the number, but somebody looks the same ──


@pytest.mark.parametrize("number", ["", "0777", "1"])
def test_same_person_under_another_number_is_asked(number: str) -> None:
    assert asked(decide(crew("a"), [freee("1", number)]), "link_ambiguous") == {"1": CandidateReason.SAME_PERSON}


@pytest.mark.parametrize(
    ("last", "first"),
    [("ｻﾄｳ", "ﾊﾅｺ"), ("さとう", "はなこ"), ("サトウ ", "ハナ コ"), ("サトゥ", "ハナコ")],
)
def test_kana_are_compared_in_one_form(last: str, first: str) -> None:
    found = decide(crew("a"), [freee("1", "", last_name_kana=last, first_name_kana=first)])
    assert asked(found, "link_ambiguous").keys() == {"1"}


def test_same_kana_without_birth_date_is_asked_when_nobody_else_claims_the_record() -> None:
    found = decide(crew("a", birth_date=None), [freee("1", "0777")])
    assert asked(found, "link_ambiguous") == {"1": CandidateReason.SAME_KANA}
    found = decide(crew("a"), [freee("1", "", birth_date=None)])
    assert asked(found, "link_ambiguous") == {"1": CandidateReason.SAME_KANA}


def test_same_kana_without_birth_date_is_a_namesake_when_the_record_is_somebody_elses() -> None:
    by_number = decide(crew("a", birth_date=None), [freee("1", "0777")], others=[crew("b", "0777")])
    by_link = decide(crew("a", birth_date=None), [freee("1", "0777")], others=[crew("b", "5")], links=[("b", "1")])
    assert by_number.kind is by_link.kind is LinkKind.CREATE


def test_same_kana_and_another_birth_date_is_another_person() -> None:
    assert decide(crew("a"), [freee("1", "0777", birth_date=date(1990, 4, 3))]).kind is LinkKind.CREATE


def test_nameless_rows_are_not_each_other() -> None:
    nameless = crew("a", "5", last_name_kana="", first_name_kana="", birth_date=None)
    assert asked(decide(nameless, [hidden("1", "6")]), "hidden_person") == {"1": CandidateReason.UNSEEN}


# ── people who left ──


@pytest.mark.parametrize(
    ("mine", "theirs", "kind"),
    [
        # the target has left, the source has not: rehired, or the number was given away
        ((None, None), (None, date(2020, 3, 31)), LinkKind.REVIEW),
        ((date(2024, 4, 1), None), (date(2010, 4, 1), date(2020, 3, 31)), LinkKind.REVIEW),
        ((date(2021, 4, 1), date(2022, 3, 31)), (date(2010, 4, 1), date(2020, 3, 31)), LinkKind.REVIEW),
        # the other way round: an old source record meets a later employment
        ((date(2010, 4, 1), date(2020, 3, 31)), (date(2024, 4, 1), None), LinkKind.REVIEW),
        # one employment, ended on one side or on both
        ((date(2010, 4, 1), date(2020, 3, 31)), (date(2010, 4, 1), date(2020, 3, 31)), LinkKind.MATCHED),
        ((date(2010, 4, 1), date(2024, 6, 30)), (date(2010, 4, 1), None), LinkKind.MATCHED),
        # leaving soon is not gone
        ((date(2010, 4, 1), None), (date(2010, 4, 1), TODAY), LinkKind.MATCHED),
        ((date(2010, 4, 1), None), (date(2010, 4, 1), date(2024, 6, 14)), LinkKind.REVIEW),
    ],
)
def test_leavers(
    mine: tuple[date | None, date | None], theirs: tuple[date | None, date | None], kind: LinkKind
) -> None:
    source = crew("a", hired_on=mine[0], resigned_on=mine[1])
    found = decide(source, [freee("1", hired_on=theirs[0], resigned_on=theirs[1])])
    assert found.kind is kind
    assert found.code == ("rehired" if kind is LinkKind.REVIEW else None)


def test_without_a_reference_date_every_leaving_date_counts() -> None:
    found = decide(crew("a"), [freee("1", resigned_on=date(2099, 1, 1))], on=None)
    assert asked(found, "rehired") == {"1": CandidateReason.SAME_NUMBER}


def test_somebody_linked_who_left_stays_linked() -> None:
    found = decide(crew("a"), [freee("1", resigned_on=date(2020, 3, 31))], links=[("a", "1")])
    assert found == LinkDecision(LinkKind.LINKED, "1")


# ── always ──


def test_a_question_names_a_bounded_number_of_people() -> None:
    crowd = [crew(f"s{index}", "0") for index in range(500)]
    found = decide(crew("a", "0"), [freee(f"t{index}", "0") for index in range(500)], others=crowd)
    assert found.code == "E8"
    assert len(found.candidates) == 2 * MAX_CANDIDATES


class CountedPerson(Person):
    """Counts how often anybody looks at a number, to see that looking up does not walk the directory."""

    looks = 0

    def __getattribute__(self, name: str) -> object:
        if name == "number":
            CountedPerson.looks += 1
        return super().__getattribute__(name)


def test_ten_thousand_people_are_decided_without_walking_the_directory() -> None:
    def people(system: System) -> list[Person]:
        return [
            CountedPerson(system, str(index), f"{index:05d}", "サトウ", f"ハナコ{index}", BORN)
            for index in range(10_000)
        ]

    crews, employees = people(System.SMARTHR), people(System.FREEE)
    sources, targets, links = Directory(crews), Directory(employees), LinkIndex([])
    CountedPerson.looks = 0
    kinds = {decide_link(person, sources=sources, targets=targets, links=links).kind for person in crews}
    assert kinds == {LinkKind.MATCHED}
    assert CountedPerson.looks < 10 * len(crews)


class Opened(OnDemand[Person]):
    """People who are made when somebody looks, as those of a large company are."""

    def __init__(self, people: Sequence[Person]) -> None:
        self._people, self.looks = people, 0

    def __len__(self) -> int:
        return len(self._people)

    def at(self, place: int) -> Person:
        self.looks += 1
        return self._people[place]


def test_of_those_with_a_common_name_only_who_was_born_on_the_same_day_is_looked_at() -> None:
    def people(system: System) -> list[Person]:
        born = [BORN + timedelta(days=nth) for nth in range(300)]
        return [Person(system, str(nth), f"{nth:04d}", "サトウ", "ハナコ", day) for nth, day in enumerate(born)]

    crews, employees = people(System.SMARTHR), Opened(people(System.FREEE))
    sources, targets, links = Directory(crews), Directory(employees), LinkIndex([])
    employees.looks = 0
    kinds = {decide_link(person, sources=sources, targets=targets, links=links).kind for person in crews}
    assert kinds == {LinkKind.MATCHED}
    assert employees.looks <= 3 * len(crews)


def test_leavers_whom_a_link_claims_are_looked_at_once_and_not_for_each_new_employee() -> None:
    left = [f"left-{nth}" for nth in range(200)]
    links = LinkIndex((each, f"of-{each}") for each in left)
    crews = [Person(System.SMARTHR, each, f"9{nth:03d}", "サトウ", each, BORN) for nth, each in enumerate(left)]
    new = [Person(System.SMARTHR, f"new-{nth}", f"{nth:04d}", "スズキ", f"ジロウ{nth}", BORN) for nth in range(100)]
    hidden = Opened([Person(System.FREEE, f"of-{each}", "") for each in left])
    sources, targets = Directory([*crews, *new]), Directory(hidden)
    hidden.looks = 0
    kinds = {decide_link(person, sources=sources, targets=targets, links=links).kind for person in new}
    assert kinds == {LinkKind.CREATE}
    assert hidden.looks == len(left)
    others = LinkIndex(())  # whom another connection's links do not claim
    assert {decide_link(each, sources=sources, targets=targets, links=others).code for each in new} == {"hidden_person"}


numbers = st.sampled_from(["", "1", "2", "０１", "01"])
kana = st.sampled_from(["", "サトウ", "さとう", "スズキ"])
births = st.sampled_from([None, BORN, date(1971, 12, 31)])


def crowd(system: System) -> st.SearchStrategy[list[Person]]:
    row = st.tuples(numbers, kana, kana, births, st.sampled_from([None, date(2020, 3, 31)]))
    return st.lists(row, min_size=1, max_size=4).map(
        lambda rows: [
            Person(system, str(index), number, last, first, birth, resigned_on=left)
            for index, (number, last, first, birth, left) in enumerate(rows)
        ]
    )


@given(crowd(System.SMARTHR), crowd(System.FREEE), st.lists(births, min_size=4, max_size=4))
def test_a_directory_that_learns_who_the_hidden_are_is_the_one_made_of_them(
    crews: list[Person], employees: list[Person], days: list[date | None]
) -> None:
    unnamed = [place for place, each in enumerate(employees) if not (each.last_name_kana and each.first_name_kana)]
    told = list(employees)
    for place in unnamed[:3]:
        name = {"last_name_kana": "サトウ", "first_name_kana": "スズキ"} if days[place] else {}
        told[place] = replace(employees[place], birth_date=days[place], **name)
    learned, anew = Directory(employees).identified(told, unnamed[:3]), Directory(told)
    for person in [*crews, *told]:
        assert learned.same_person(person) == anew.same_person(person)
        assert learned.perhaps_same_person(person) == anew.perhaps_same_person(person)
        assert set(learned.same_given_name(person)) == set(anew.same_given_name(person))
        assert list(learned.incomparable(person)) == list(anew.incomparable(person))
        assert learned.by_number(person.number) == anew.by_number(person.number)


@given(crowd(System.SMARTHR), crowd(System.FREEE), st.dictionaries(st.sampled_from("0123"), st.integers(0, 3)))
def test_nobody_gets_two_partners_and_nobody_is_doubled(
    crews: list[Person], employees: list[Person], pairs: dict[str, int]
) -> None:
    one_to_one = {freee_id: smarthr_id for smarthr_id, freee_id in pairs.items()}
    links = LinkIndex((smarthr_id, str(freee_id)) for freee_id, smarthr_id in one_to_one.items())
    sources, targets = Directory(crews), Directory(employees)
    decisions = [decide_link(person, sources=sources, targets=targets, links=links) for person in crews]
    partners = [decision.target_id for decision in decisions if decision.target_id is not None]
    assert len(partners) == len(set(partners))
    for person, decision in zip(crews, decisions, strict=True):
        assert (decision.code is not None) == (decision.kind is LinkKind.REVIEW)
        if decision.kind is LinkKind.CREATE:
            assert not targets.same_person(person)
            assert not targets.by_number(person.number)


# ── two people, as a person has said ──


def apart(source: Person, targets: list[Person], different: set[tuple[str, str]], **more: object) -> LinkDecision:
    links = LinkIndex(more.get("links", ()), different=different)  # type: ignore[arg-type]
    return decide_link(source, sources=Directory([source]), targets=Directory(targets), links=links, as_of_date=TODAY)


def test_somebody_who_looks_alike_and_is_another_is_not_asked_about_again() -> None:
    mine, other = crew("a"), freee("1", "0002")
    assert asked(apart(mine, [other], set()), "link_ambiguous") == {"1": CandidateReason.SAME_PERSON}
    assert apart(mine, [other], {("a", "1")}) == LinkDecision(LinkKind.CREATE)
    assert apart(other, [mine], {("a", "1")}) == LinkDecision(LinkKind.CREATE)
    assert apart(mine, [other], {("1", "a")}).kind is LinkKind.REVIEW  # ids of the two systems do not mix
    assert apart(mine, [hidden("1", "0002")], {("a", "1")}).kind is LinkKind.CREATE
    assert asked(apart(mine, [hidden("1", "0002")], {("b", "1")}), "hidden_person") == {"1": CandidateReason.UNSEEN}
    nameless = freee("1", "0002", birth_date=None)
    assert asked(apart(mine, [nameless], set()), "link_ambiguous") == {"1": CandidateReason.SAME_KANA}
    assert apart(mine, [nameless], {("a", "1")}).kind is LinkKind.CREATE


def test_of_several_the_others_are_still_asked_about() -> None:
    found = asked(apart(crew("a"), [freee("1", "0002"), freee("2", "0003")], {("a", "1")}), "link_ambiguous")
    assert found == {"2": CandidateReason.SAME_PERSON}


def test_anothers_number_has_to_be_mended() -> None:
    """Created with it, there would be two with one number, and the next first match would be a guess."""
    decision = apart(crew("a"), [freee("1", **OTHER)], {("a", "1")})
    assert asked(decision, "E8") == {"1": CandidateReason.SAME_NUMBER}


def test_of_two_with_one_number_the_one_who_is_not_another_is_taken() -> None:
    people = [freee("1"), freee("2")]
    assert apart(crew("a"), people, set()).code == "E8"
    assert apart(crew("a"), people, {("a", "1")}) == LinkDecision(LinkKind.MATCHED, "2")


def test_a_link_weighs_more_than_what_was_said_before() -> None:
    assert apart(crew("a"), [freee("1")], {("a", "1")}, links=[("a", "1")]) == LinkDecision(LinkKind.LINKED, "1")
