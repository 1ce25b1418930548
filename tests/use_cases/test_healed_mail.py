"""Whoever a mail has told of a trouble is told once that it is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.domain.enums import Direction
from app.practice.staff.practice_company import PracticeCompany
from tests.house import House
from tests.listening import FREEE_TOKEN
from tests.use_cases.test_attention_state import break_, mend
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE = Direction.SMARTHR_TO_FREEE


@pytest.fixture
def house(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Four pairs that are equal, and linked."""
    house = open_practice(only(company, "equal", most=4), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE)
    return house


def test_who_was_told_of_a_trouble_is_told_once_that_it_is_over(house: House) -> None:
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_options(replace(house.connection, mail_to=("someone@example.test",)))
    break_(house)
    number = house.company.scenarios[0].number
    house.run(TO_FREEE)
    house.run(TO_FREEE)
    assert not any("解消しました" in mail.body for mail in house.postbox.mails)
    mend(house)
    house.run(TO_FREEE)
    assert "解消しました: 1 件\n" in house.postbox.mails[-1].body
    assert f"【{number}】" in house.postbox.mails[-1].body
    house.run(TO_FREEE)
    assert "解消しました" not in house.postbox.mails[-1].body
