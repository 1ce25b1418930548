"""The periodic check: every automatic connection that has a registration, one mail per occasion, never a guess."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.domain.ports import Mail
from app.domain.settings.connection_settings import Automatic
from app.storage.enums import WebhookState
from app.use_cases.connections.webhook_registration import register_webhook
from app.use_cases.upkeep.reconcile import reconcile_once
from app.use_cases.upkeep.webhook_watch import CHECK_SECONDS, check_webhooks
from tests.house import KEY, House

DISABLED = {"disabled_at": "2026-11-10T01:02:03.000Z"}


@pytest.fixture
def registered(house: House) -> House:
    set_automatic(house, Automatic.SMARTHR_TO_FREEE)
    register_webhook(house.ctx, KEY)
    return house


def set_automatic(house: House, automatic: Automatic) -> None:
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_options(replace(house.connection, automatic=automatic))


def change(house: House, **values: Any) -> None:
    for each in house.smarthr.state.webhooks.values():
        each.update(values)


def next_check(house: House) -> int:
    house.clock.turn(seconds=CHECK_SECONDS)
    return check_webhooks(house.ctx)


def state(house: House) -> WebhookState:
    with house.ctx.unit_of_work() as uow:
        found = uow.webhook_registrations.get(house.connection.id)
    assert found is not None
    return found.state


def mails(house: House) -> list[Mail]:
    house.work()
    return house.postbox.mails


def test_one_in_order_is_left_alone(registered: House) -> None:
    assert next_check(registered) == 1
    assert state(registered) is WebhookState.OK
    assert mails(registered) == []


def test_a_disabled_one_is_told_once_and_again_when_it_happens_again(registered: House) -> None:
    change(registered, **DISABLED)
    for _ in range(3):
        next_check(registered)
    (told,) = mails(registered)
    assert "2026-11-10 10:02" in told.body and f"flask connection check {KEY} --repair" in told.body
    assert state(registered) is WebhookState.DISABLED
    change(registered, disabled_at="2026-11-12T01:02:03.000Z")
    next_check(registered)
    assert len(mails(registered)) == 2


@pytest.mark.parametrize("how", ["missing", "changed"])
def test_what_has_no_moment_of_its_own_is_told_once_a_day(registered: House, how: str) -> None:
    registered.clock.instant = registered.clock.instant.replace(hour=1)  # 10:00 in Japan
    if how == "missing":
        registered.smarthr.state.webhooks.clear()
    else:
        change(registered, crew_updated=False)
    next_check(registered)
    next_check(registered)
    assert state(registered) is WebhookState(how)
    assert len(mails(registered)) == 1
    registered.clock.turn(days=1)
    next_check(registered)
    assert len(mails(registered)) == 2


def test_one_that_came_back_by_itself_is_in_order(registered: House) -> None:
    change(registered, **DISABLED)
    next_check(registered)
    change(registered, disabled_at=None)
    next_check(registered)
    assert state(registered) is WebhookState.OK


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 401}, {"status": 403}, {"cut": "silent"}])
def test_a_vendor_who_does_not_answer_proves_nothing(registered: House, fault: dict[str, Any]) -> None:
    registered.smarthr_injector.fault(path="/webhooks", **fault)
    change(registered, **DISABLED)
    assert next_check(registered) == 1
    assert state(registered) is WebhookState.OK
    assert mails(registered) == []


def test_who_is_not_automatic_or_not_registered_is_not_asked(house: House) -> None:
    set_automatic(house, Automatic.BOTH)
    assert check_webhooks(house.ctx) == 0
    register_webhook(house.ctx, KEY)
    set_automatic(house, Automatic.OFF)
    before = house.calls()
    assert next_check(house) == 0
    assert house.calls() == before


def test_a_registration_that_never_came_about_is_not_silence(house: House) -> None:
    set_automatic(house, Automatic.BOTH)
    with house.ctx.unit_of_work() as uow:
        uow.webhook_registrations.set_secret(
            house.connection.id, "stored before it was sent", previous_until=house.clock.now()
        )
    assert next_check(house) == 1
    assert state(house) is WebhookState.NONE
    assert mails(house) == []


def test_of_two_processes_one_checks(registered: House) -> None:
    assert next_check(registered) == 1
    assert check_webhooks(registered.ctx) == 0
    reconcile_once(registered.ctx)  # another leader's lease is another name
    assert next_check(registered) == 1
