"""今すぐ確認: a comparison that writes nothing, after which whoever was mended is offered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.domain.enums import Direction
from app.domain.errors import Refused
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.intake import attention_acts
from app.use_cases.queries.attention import see_attention
from app.use_cases.queries.attention_views import Act
from tests.house import House
from tests.listening import FREEE_TOKEN
from tests.use_cases.test_attention_state import break_, crew, rows
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE = Direction.SMARTHR_TO_FREEE


@pytest.fixture
def house(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Four pairs that are equal, and linked."""
    house = open_practice(only(company, "equal", most=4), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE)
    return house


def test_check_now_compares_and_writes_nothing(house: House) -> None:
    with pytest.raises(Refused, match="確認できる接続がありません"):
        attention_acts.check_now(house.ctx, by="user:1")
    break_(house)
    house.run(TO_FREEE)
    house.smarthr.edit(crew(house), {"tel_number": "080-0000-7777"})
    writes = house.writes()
    assert attention_acts.check_now(house.ctx, by="user:1") == 1
    with pytest.raises(Refused):
        attention_acts.check_now(house.ctx, by="user:2")
    house.work()
    assert house.writes() == writes
    (entry,) = (each for group in see_attention(house.ctx).groups for each in group.entries if each.is_person)
    assert (entry.mended, entry.acts[0]) == (("phone",), Act.AGAIN)
    attention_acts.try_again(house.ctx, entry.id, by="user:1")
    house.work()
    assert rows(house) == {}
