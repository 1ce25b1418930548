"""Who may decide as a second person: never whoever started, approved or switched off, and never a program."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.access.roles import Permission, Role
from app.domain.access.second_person import WhyNot, able, first_persons, may_decide_second, why_not_second
from app.domain.errors import Refused
from app.domain.planning.two_persons import ACCOUNT, INCOME, covered_by
from app.domain.settings.two_persons import TwoPersons, checked, refuse_too_few
from tests.properties import examples

USERS = ("user:1", "user:2", "user:3")
ACTORS = (*USERS, "key:0123456789ab", "cli", "api", "webhook", "schedule")


@given(
    actor=st.sampled_from(ACTORS),
    run=st.lists(st.sampled_from(ACTORS), max_size=3),
    off_by=st.sampled_from((None, *ACTORS)),
    entitled=st.frozensets(st.sampled_from(USERS)),
)
@examples(300)
def test_never_one_person_both_first_and_second(
    actor: str, run: list[str], off_by: str | None, entitled: frozenset[str]
) -> None:
    first = first_persons(run)
    why = why_not_second(actor, first=first, switched_off_by=off_by, entitled=entitled)
    allowed = actor in entitled and actor not in run and actor != off_by
    assert (why is None) is allowed
    assert (actor in able(first=first, switched_off_by=off_by, entitled=entitled)) is allowed


@pytest.mark.parametrize(
    ("actor", "why"),
    [
        ("user:1", WhyNot.IS_FIRST),
        ("user:2", None),
        ("user:3", WhyNot.SWITCHED_OFF),
        ("user:4", WhyNot.NOT_ENTITLED),
        ("key:0123456789ab", WhyNot.NO_USER),
        ("cli", WhyNot.NO_USER),
        ("schedule", WhyNot.NO_USER),
    ],
)
def test_each_refusal_says_why(actor: str, why: WhyNot | None) -> None:
    first = first_persons(["user:1", None])
    assert why_not_second(actor, first=first, switched_off_by="user:3", entitled=USERS) is why


def test_an_automatic_change_has_no_first_person() -> None:
    assert first_persons(["webhook", None]) == first_persons(["schedule"]) == frozenset()


def test_who_approves_runs_and_sees_accounts_is_entitled() -> None:
    entitled = {role for role in Role if may_decide_second(role.value, disabled=False)}
    assert entitled == {role for role in Role if {Permission.RUN_SYNC, Permission.SEE_MASKED} <= role.permissions}
    assert not may_decide_second("admin", disabled=True)
    assert not may_decide_second("a role of a newer version", disabled=False)
    assert [role for role in Role if Permission.DECIDE_ALONE in role.permissions] == [Role.ADMIN]


def test_what_each_setting_covers() -> None:
    assert covered_by(TwoPersons.OFF) == frozenset()
    assert covered_by(TwoPersons.ACCOUNTS) == ACCOUNT and len(ACCOUNT) == 5
    assert covered_by(TwoPersons.ACCOUNTS_AND_INCOME) == ACCOUNT | INCOME


def test_a_wrong_setting_names_each_wrong_part() -> None:
    assert checked("accounts", "") == (TwoPersons.ACCOUNTS, None)
    assert checked("off", "12") == (TwoPersons.OFF, 12)
    for hours in ("0", "721", "1.5", "-3", "many"):
        with pytest.raises(Refused) as caught:
            checked("everything", hours)
        assert set(caught.value.fields) == {"two_persons", "hours"}


@pytest.mark.parametrize("before", list(TwoPersons))
@pytest.mark.parametrize("wanted", list(TwoPersons))
def test_only_more_changes_need_two_users(before: TwoPersons, wanted: TwoPersons) -> None:
    refuse_too_few(before, wanted, 2)
    if before.is_less_than(wanted):
        with pytest.raises(Refused, match="too_few_second_persons"):
            refuse_too_few(before, wanted, 1)
    else:
        refuse_too_few(before, wanted, 0)
