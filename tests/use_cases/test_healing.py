"""Whoever was mended is tried again by itself, or offered; what did not help is not repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.domain.enums import Direction, Trigger
from app.domain.errors import Refused
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany
from app.storage.links.attention import Ended
from app.use_cases.connections import pause_resume
from app.use_cases.intake import attention_acts
from app.use_cases.queries.attention import see_attention
from app.use_cases.queries.attention_views import Act
from app.use_cases.shared.mended_settings import look_after
from app.use_cases.survey import sweep
from tests.house import KEY, House
from tests.listening import FREEE_TOKEN, automatic, listening, settle, swept
from tests.use_cases.test_attention_state import break_, crew, employee, mend, rows
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE = Direction.SMARTHR_TO_FREEE


@pytest.fixture
def house(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Four pairs that are equal, and linked."""
    house = open_practice(only(company, "equal", most=4), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE)
    return house


def test_while_automatic_is_off_a_comparison_only_offers(house: House) -> None:
    break_(house)
    house.run(TO_FREEE)
    house.run(TO_FREEE, dry_run=True)
    assert rows(house)[crew(house)].mended == (), "nothing has changed"
    mend(house)
    house.smarthr.edit(crew(house), {"tel_number": "080-0000-7777"})
    writes = house.writes()
    house.run(TO_FREEE, dry_run=True)
    assert rows(house)[crew(house)].mended == ("phone",)
    assert house.writes() == writes
    house.run(TO_FREEE)
    assert rows(house) == {}


REFUSED = {"status_code": 400, "errors": [{"type": "bad_request", "messages": ["電話番号を正しく入力してください。"]}]}


def refused(house: House, nth: int = 0, number: str = "080-0000-0001") -> None:
    """A telephone number that freee refuses, sent once by a manual run."""
    phone(house, number, nth)
    house.freee_injector.fault(method="PUT", path="/profile_rule", times=50, status=400, body=REFUSED)
    house.run(TO_FREEE)
    assert rows(house)[crew(house, nth)].why.blames.is_refused_value


def phone(house: House, number: str, nth: int = 0) -> None:
    house.smarthr.edit(crew(house, nth), {"tel_number": number})


def compared(house: House) -> None:
    house.clock.turn(minutes=6)
    swept(house)


def tries(house: House) -> int:
    return house.freee_injector.calls("PUT", "/profile_rule")


def test_a_refused_write_is_not_repeated_until_what_it_blames_has_changed(house: House) -> None:
    """Also when the trouble came from a manual run."""
    refused(house)
    automatic(house, Automatic.SMARTHR_TO_FREEE)
    first = tries(house)
    compared(house)
    compared(house)
    assert tries(house) == first, "nothing has changed"
    phone(house, "080-0000-0002")
    compared(house)
    second = tries(house)
    assert second > first
    compared(house)
    assert tries(house) == second, "the remedy was sent and has not helped"
    house.freee_injector.clear_faults()
    phone(house, "080-0000-0003")
    compared(house)
    assert rows(house) == {}


def test_the_audit_trail_says_why_somebody_was_tried_again(house: House) -> None:
    refused(house)
    automatic(house, Automatic.SMARTHR_TO_FREEE)
    house.freee_injector.clear_faults()
    phone(house, "080-0000-0002")
    compared(house)
    with house.ctx.unit_of_work().reading() as uow:
        (row,) = [each for each in uow.audit.page(before=None, limit=50) if each.action == "mended_tried_again"]
    assert row.detail["persons"] == {crew(house): ["phone"]}
    assert "080-0000-0002" not in str(row.detail)


def test_a_changed_setting_that_a_trouble_blames_asks_for_a_comparison(house: House) -> None:
    refused(house)
    automatic(house, Automatic.SMARTHR_TO_FREEE)
    compared(house)
    with house.ctx.unit_of_work() as uow:
        row = rows(house)[crew(house)]
        told = Ended(
            connection_id=house.connection.id,
            direction=TO_FREEE,
            source_id=crew(house),
            target_id=None,
            number=row.employee_number,
            state=ItemState.FAILED,
            code="E18",
            notes=(),
            trigger=Trigger.MANUAL,
            run_id=row.run_id,
            item_id=row.item_id,
            at=house.clock.now(),
        )
        uow.attention.ended([told])
    pause_resume.pause(house.ctx, KEY)
    pause_resume.resume(house.ctx, KEY)
    assert sweep.sweep_due(house.ctx) == 0, "a pause is not what it blames"
    with house.ctx.unit_of_work() as uow:
        before = house.connection
        uow.connections.set_needs_consent(before.id, True)
        look_after(uow, before)
        uow.connections.set_needs_consent(before.id, False)
    assert sweep.sweep_due(house.ctx) == 1


def test_a_webhook_about_the_target_of_somebody_who_waits_asks_for_a_comparison(house: House) -> None:
    with listening(house, Automatic.SMARTHR_TO_FREEE):
        break_(house)
        settle(house)
        compared(house)
        house.freee.edit(employee(house, 1), {"profile_rule": {"nickname": "架空"}})
        settle(house)
        assert sweep.sweep_due(house.ctx) == 0, "nobody waits with this one"
        house.freee.edit(employee(house), {"profile_rule": {"nickname": "架空"}})
        settle(house)
        assert sweep.sweep_due(house.ctx) == 1


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
    assert "解消しました: 1件\n" in house.postbox.mails[-1].body
    assert f"【{number}】" in house.postbox.mails[-1].body
    house.run(TO_FREEE)
    assert "解消しました" not in house.postbox.mails[-1].body


def test_check_now_compares_and_writes_nothing(house: House) -> None:
    with pytest.raises(Refused, match="check_under_way"):
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
