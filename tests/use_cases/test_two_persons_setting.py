"""Two persons for accounts, the setting: who switches it on and off, with how many users, told to whom."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.domain.access.roles import Role
from app.domain.errors import Refused
from app.domain.settings.two_persons import TwoPersons
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.accounts import users
from app.use_cases.accounts.api_keys import add_user
from app.use_cases.connections.two_persons import connections_with_too_few, set_two_persons, show_two_persons
from tests.house import KEY, House
from tests.use_cases.test_job import only

PASSWORD = "an-invented-password"


@pytest.fixture
def house(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    return open_practice(only(company, "equal", most=1))


def add(house: House, *people: tuple[str, Role]) -> list[str]:
    """The actors of new users."""
    for login, role in people:
        add_user(house.ctx, login, PASSWORD, role=role.value)
    return [f"user:{users.user_id_of(house.ctx, login)}" for login, _ in people]


def switched(house: House, mode: str, by: str) -> str | None:
    """Switch the setting; the actor whom the connection then keeps as the one who switched it off."""
    set_two_persons(house.ctx, KEY, mode=mode, by=by)
    return house.connection.two_persons_off_by


def test_it_is_off_by_default(house: House) -> None:
    view = show_two_persons(house.ctx, KEY)
    assert (view.mode, view.hours, view.switched_off_by, view.too_few) == (TwoPersons.OFF, 72, None, False)


@pytest.mark.parametrize("mode", ["accounts", "accounts_and_income"])
def test_it_is_refused_with_fewer_than_two_entitled_users(house: House, mode: str) -> None:
    add(house, ("a@example.invalid", Role.ADMIN), ("v@example.invalid", Role.VIEWER), ("o@example.invalid", Role.OPS))
    add(house, ("m@example.invalid", Role.MEMBER))
    users.disable(house.ctx, users.user_id_of(house.ctx, "m@example.invalid"), by="cli")
    with pytest.raises(Refused) as caught:
        set_two_persons(house.ctx, KEY, mode=mode, by="user:1")
    assert (caught.value.code, caught.value.status) == ("too_few_second_persons", 409)
    assert house.connection.two_persons is TwoPersons.OFF
    users.enable(house.ctx, users.user_id_of(house.ctx, "m@example.invalid"), by="cli")
    assert set_two_persons(house.ctx, KEY, mode=mode, by="user:1").mode == mode


def test_who_switched_it_off_last_is_kept_and_every_change_is_audited(house: House) -> None:
    first, second = add(house, ("a@example.invalid", Role.ADMIN), ("b@example.invalid", Role.ADMIN))
    assert switched(house, "accounts_and_income", first) is None
    assert switched(house, "accounts", second) == second  # fewer changes wait: switched off for the others
    assert switched(house, "accounts_and_income", first) == second
    assert switched(house, "off", first) == first
    assert switched(house, "off", second) == first  # it was off already
    assert switched(house, "accounts", second) == first
    with house.ctx.unit_of_work() as uow:
        entries = uow.audit.page(subject=f"connection:{KEY}")
    told = [(each.actor, *each.detail["changes"]["two_persons"]) for each in entries]
    assert told == [
        (second, "off", "accounts"),
        (first, "accounts_and_income", "off"),
        (first, "accounts", "accounts_and_income"),
        (second, "accounts_and_income", "accounts"),
        (first, "off", "accounts_and_income"),
    ]


def test_another_form_does_not_bring_an_older_setting_back(house: House) -> None:
    add(house, ("a@example.invalid", Role.ADMIN), ("b@example.invalid", Role.ADMIN))
    before = house.connection
    set_two_persons(house.ctx, KEY, mode="accounts", hours=24, by="user:1")
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_options(before)
    view = show_two_persons(house.ctx, KEY)
    assert (view.mode, view.hours) == (TwoPersons.ACCOUNTS, 24)


def test_too_few_users_left_are_told_and_nothing_is_locked(house: House) -> None:
    add(house, ("a@example.invalid", Role.ADMIN), ("b@example.invalid", Role.MEMBER))
    set_two_persons(house.ctx, KEY, mode="accounts", by="user:1")
    assert connections_with_too_few(house.ctx) == []
    users.set_role(house.ctx, users.user_id_of(house.ctx, "b@example.invalid"), "viewer", by="user:1")
    assert connections_with_too_few(house.ctx) == ["練習用の会社"]
    assert show_two_persons(house.ctx, KEY).too_few
    with pytest.raises(Refused, match="too_few"):
        set_two_persons(house.ctx, KEY, mode="accounts_and_income", by="user:1")
    assert set_two_persons(house.ctx, KEY, hours=12, by="user:1").hours == 12
    assert set_two_persons(house.ctx, KEY, mode="off", by="user:1").mode is TwoPersons.OFF
