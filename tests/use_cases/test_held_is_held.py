"""Law: held is held. Per connection, so many people a day have their account written (are created, retired, lose a
value) unasked; what is more waits for a person, and no run writes it before it is decided. Everything else travels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.domain.enums import Direction, Trigger
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany
from app.storage.runs.rows import RunRow
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.queries.history import get_run
from app.use_cases.shared.views import RunView
from app.use_cases.survey import sweep
from tests.house import House
from tests.listening import FREEE_TOKEN, listening, now_in_japan
from tests.use_cases.test_job import only
from tests.use_cases.test_mass_change import hear

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR


@pytest.fixture
def linked(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Ten pairs, equal and linked, of a house that hears webhooks."""
    house = open_practice(only(company, "equal", most=10), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    house.postbox.mails.clear()
    return house


@pytest.fixture
def told(linked: House) -> Iterator[House]:
    with listening(linked, Automatic.SMARTHR_TO_FREEE):
        yield linked


def new_account(house: House, nth: int, number: int = 9_100_000) -> str:
    crew = house.smarthr.crews[nth]
    (account,) = crew["bank_accounts"][:1]
    house.smarthr.edit(crew["id"], {"bank_accounts": [{**account, "account_number": str(number + nth)}]})
    return str(number + nth)


def phone(house: House, nth: int, digits: int) -> None:
    house.smarthr.edit(house.smarthr.crews[nth]["id"], {"tel_number": f"080-{digits:04}-{nth:04}"})


def accounts_written(house: House) -> int:
    return sum(r.method == "PUT" and "bank_account" in r.path for r in house.freee_injector.requests)


def puts(house: House) -> int:
    return sum(r.method == "PUT" for r in house.freee_injector.requests)


def held_runs(house: House) -> list[RunRow]:
    """The runs that show stopped changes, the oldest first."""
    with house.ctx.unit_of_work() as uow:
        return [run for run in uow.runs.page(after=None, limit=500) if run.trigger is Trigger.HELD][::-1]


def held_run(house: House) -> RunView:
    (run,) = [run for run in held_runs(house) if run.state is RunState.PREVIEWED]
    return get_run(house.ctx, run.public_id)


def waiting(house: House) -> int:
    with house.ctx.unit_of_work() as uow:
        return uow.stopped_changes.waiting_count(house.connection.id)


def swept(house: House) -> None:
    with house.ctx.unit_of_work() as uow:
        uow.sweeps.ask(house.connection.id)
    for _ in house.connection.automatic.directions:
        sweep.sweep_due(house.ctx)
        house.work()


def approve(house: House, run: RunView, **given: Any) -> RunView:
    approve_retry_cancel.approve(house.ctx, run.id, by="user:1", **{"acknowledged": True, **given})
    house.work()
    return house.seen(run)


def test_five_accounts_wait_whatever_else_happens_to_these_people(told: House) -> None:
    house = told
    for nth in range(5):
        new_account(house, nth)
    phone(house, 7, 1)
    hear(house)
    assert (accounts_written(house), waiting(house), puts(house)) == (0, 5, 1)
    for nth in (0, 1, 2):
        phone(house, nth, 2)
    hear(house)
    for nth in (3, 4):
        phone(house, nth, 3)
    hear(house)
    assert (accounts_written(house), waiting(house), puts(house)) == (0, 5, 6)
    assert len([mail for mail in house.postbox.mails if mail.subject.startswith("【要確認】")]) == 1
    held = held_run(house)
    assert [(alarm["code"], alarm["count"], alarm["limit"]) for alarm in held.alarms] == [("many_bank_accounts", 5, 3)]
    seen = approve(house, held)
    assert seen.counts == {ItemState.SUCCEEDED: 5}
    assert (accounts_written(house), waiting(house)) == (5, 0)
