"""A house that listens: the practice vendors send their webhooks to our own web application, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import requests

from app.adapters.municipalities import municipalities
from app.domain.enums import Direction, System, Trigger
from app.domain.mapping import FIELDS
from app.domain.planning.three_way import same
from app.domain.reading import take_snapshot
from app.domain.runs.dates import today_in_japan
from app.domain.settings.connection_settings import Automatic
from app.domain.snapshot import is_value
from app.factory import create_app
from app.practice.server import start_in_thread
from app.practice.staff import practice_company
from app.use_cases.planning.plan_employee import terms_of_run
from app.use_cases.survey import sweep
from app.use_cases.upkeep import reconcile, relay
from tests.house import House

SECRET = "an-invented-webhook-secret"
FREEE_TOKEN = "an-invented-freee-webhook-token"


def automatic(house: House, directions: Automatic, **options: Any) -> None:
    """Let the house's connection sync by itself, as if a person had approved the beginning (`tests/beginnings`)."""
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_options(replace(house.connection, automatic=directions, **options))


@contextmanager
def listening(house: House, directions: Automatic = Automatic.BOTH, **options: Any) -> Iterator[House]:
    """Both vendors tell us what happens from here on. The house must be opened with FREEE_WEBHOOK_TOKEN=FREEE_TOKEN."""
    assert house.ctx.settings.freee_webhook_token == FREEE_TOKEN
    automatic(house, directions, **options)
    server = start_in_thread(create_app(house.ctx))
    connection = house.connection
    with house.ctx.unit_of_work() as uow:
        uow.webhook_registrations.set_secret(connection.id, SECRET, previous_until=house.clock.now())
    registered = {
        "url": f"{server.url}/webhooks/smarthr/{connection.key}",
        "secret_token": SECRET,
        "expose_only_id": True,
        **dict.fromkeys(("crew_created", "crew_updated", "crew_deleted", "crew_imported"), True),
    }
    house.smarthr.webhooks.start()
    house.freee.webhooks.start()
    address = f"{house.servers[0].url}/{practice_company.SUBDOMAIN}/api/v1/webhooks"
    allowed = {"Authorization": f"Bearer {practice_company.SMARTHR_TOKEN}"}
    answer = requests.post(address, json=registered, headers=allowed, timeout=10)
    assert answer.status_code == 201, answer.text
    house.freee.set_webhook(f"{server.url}/webhooks/freee", FREEE_TOKEN)
    try:
        yield house
    finally:
        requests.delete(f"{address}/{answer.json()['id']}", headers=allowed, timeout=10)
        house.freee.webhooks.stop()
        house.smarthr.webhooks.stop()
        server.stop()


def settle(house: House, *, rounds: int = 60) -> int:
    """Let webhooks come in, quiet windows pass and jobs run until nobody has anything to say any more. Returns how many
    rounds of work that took: a loop of echoes does not end."""
    for done in range(rounds):
        heard_out(house)
        house.clock.turn(seconds=house.ctx.settings.quiet_seconds + 1)
        relay.relay_once(house.ctx)
        jobs = house.queue.take()
        for job in jobs:
            house.do(job)
        if not jobs and not _open(house):
            heard_out(house)
            if not _open(house):
                return done
        reconcile.reconcile_once(house.ctx)
    raise AssertionError("it does not become quiet")


def heard_out(house: House) -> None:
    assert house.smarthr.webhooks.wait_idle(30)
    assert house.freee.webhooks.wait_idle(30)


def swept(house: House) -> None:
    """One comparison of everybody, in every direction that is on."""
    sweep.request_sweep(house.ctx, house.connection.id)
    for _ in house.connection.automatic.directions:
        sweep.sweep_due(house.ctx)
        settle(house)


def now_in_japan(house: House) -> date:
    return today_in_japan(house.clock.now())


def _open(house: House) -> bool:
    with house.ctx.unit_of_work() as uow:
        waiting = uow.outbox.waiting(house.clock.now())[0]
    return bool(waiting) or bool(house.open_runs())


def differences(house: House) -> list[tuple[str, str]]:
    """(SmartHR id, key) of every item on which a linked pair differs, as the survey of a manual run would see it."""
    connection, on = house.connection, now_in_japan(house)
    terms = terms_of_run(
        connection,
        direction=Direction.SMARTHR_TO_FREEE,
        trigger=Trigger.MANUAL,
        as_of_date=on,
        signing=house.ctx.keys.signing,
        municipalities=municipalities(),
    )
    sides = {
        system: {record.person.id: record for record in house.ctx.gateway(connection, system).directory(as_of_date=on)}
        for system in System
    }
    with house.ctx.unit_of_work() as uow:
        links = uow.links.for_connection(connection.id)
    found = []
    for link in links:
        pair = sides[System.SMARTHR].get(link.smarthr_id), sides[System.FREEE].get(link.freee_id)
        if pair[0] is None or pair[1] is None or pair[1].record is None:
            continue
        one, other = (take_snapshot(side, terms.options) for side in pair if side)
        found += [
            (link.smarthr_id, row.key)
            for row in FIELDS
            if is_value(one[row.key]) and is_value(other[row.key]) and not same(row, one[row.key], other[row.key])
        ]
    return found
