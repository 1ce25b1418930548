"""Webhooks as both vendors send them: bodies, headers, and what the database holds of them afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.domain.settings.connection_settings import Automatic, Connection
from app.storage.automatic.rows import DeliveryRow
from app.storage.runs.rows import ItemRow, RunRow
from app.storage.tables.automatic_models import DeliveryItemTable, DeliveryTable
from app.storage.tables.models import ItemTable
from app.storage.unit_of_work import Database
from app.use_cases.intake.webhook_intake import sort_received
from app.web.current import current_context
from tests.web.world import KEY, NOW, World

SECRET = "an-invented-webhook-secret"
OLD_SECRET = "an-invented-older-secret"
FREEE_TOKEN = "an-invented-freee-verification-token"
COMPANY = 1234567
SMARTHR_URL = f"/webhooks/smarthr/{KEY}"
FREEE_URL = "/webhooks/freee"

SMARTHR_EVENTS = tuple(
    f"{subject}_{what}" for subject in ("crew", "dependent") for what in ("created", "updated", "deleted", "imported")
)
FREEE_EVENTS = ("created", "updated", "destroyed")

CANARIES = ("カナリア", "ケンジ", "canary.kenji@example.invalid", "9988776655", "カナリア銀行")
"""Values of a full body. None of them may be found anywhere afterwards."""
_PERSON = {
    "last_name": CANARIES[0],
    "first_name_yomi": CANARIES[1],
    "email": CANARIES[2],
    "tel_number": CANARIES[3],
    "bank_accounts": [{"bank_name": CANARIES[4]}],
}


def smarthr_body(
    event: str = "crew_updated", *people: str, at: str | None = "2026-11-22T02:59:58.000Z", full: bool = False
) -> bytes:
    """For `people` (one, unless it is an import). `full`: with the values of the record, not its id alone."""
    ids = people or ("crew-1",)
    subject, _, what = event.partition("_")
    id_field = "id" if subject == "crew" else "crew_id"
    records = [{**(_PERSON if full else {}), id_field: each} for each in ids]
    body: dict[str, Any] = {"event": event, "sender": {"id": "crew-sender", **_PERSON} if full else None}
    if what == "imported":
        half = len(records) // 2
        lists = {f"created_{subject}s": records[:half], f"updated_{subject}s": records[half:]}
        body[f"{subject}_import_result"] = lists
    else:
        body[subject] = records[0]
    if at is not None:
        body["triggered_at"] = at
    return json.dumps(body).encode()


def freee_body(
    action: str = "updated", *, person: Any = 67890, number: Any = "n-1", company: Any = COMPANY, **more: Any
) -> bytes:
    """`number`: freee's own number of the notification."""
    body = {
        "id": number,
        "application_id": 12345,
        "resource": "hr:employee",
        "action": action,
        "created_at": "2026-11-22T11:59:58+09:00",
        "employee": {"id": person, "company_id": company, "year": 2026, "month": 11},
    }
    return json.dumps(body | more).encode()


def send_smarthr(
    client: FlaskClient, body: bytes, *, url: str = SMARTHR_URL, secret: str | None = SECRET, **options: Any
) -> TestResponse:
    headers = {} if secret is None else {"X-SmartHR-Token": secret}
    return _sorted(client, client.post(url, data=body, headers=headers, content_type="application/json", **options))


def send_freee(client: FlaskClient, body: bytes, *, token: str | None = FREEE_TOKEN) -> TestResponse:
    headers = {} if token is None else {"x-freee-token": token}
    return _sorted(client, client.post(FREEE_URL, data=body, headers=headers, content_type="application/json"))


def _sorted(client: FlaskClient, answer: TestResponse) -> TestResponse:
    """What was taken is sorted at once, as the relay does it a moment later."""
    if answer.status_code == 202:
        with client.application.app_context():
            sort_received(current_context())
    return answer


def listen(world: World, automatic: Automatic = Automatic.BOTH, **options: Any) -> Connection:
    """The connection syncs by itself, and SmartHR's webhook has its secret, after an older one."""
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection is not None
        changed = replace(connection, automatic=automatic, **options)
        uow.connections.set_options(changed)
        uow.webhook_registrations.set_secret(connection.id, OLD_SECRET, previous_until=NOW)
        uow.webhook_registrations.set_secret(connection.id, SECRET, previous_until=NOW + timedelta(hours=1))
    return changed


@dataclass(frozen=True)
class Stored:
    """Everything the intake has written."""

    deliveries: Sequence[DeliveryRow]
    runs: Sequence[RunRow]
    items: Sequence[ItemRow]
    links: Mapping[int, Sequence[int]]
    """Delivery id → ids of its items."""

    @property
    def people(self) -> list[str]:
        return sorted(str(item.source_id) for item in self.items)


def stored(database: Database) -> Stored:
    """The oldest first."""
    with database.unit_of_work().reading() as uow:
        deliveries = uow.deliveries.page(after=None, limit=100_000)[::-1]
        runs = uow.runs.page(after=None, limit=10_000)[::-1]
        items = [item for run in runs for item in uow.items.page(run.id, after=-1, limit=100_000)]
    links: dict[int, list[int]] = {}
    with database.engine.connect() as connection:
        columns = DeliveryItemTable.delivery_id, DeliveryItemTable.item_id
        for delivery_id, item_id in connection.execute(select(*columns).order_by(*columns)):
            links.setdefault(delivery_id, []).append(item_id)
    return Stored(deliveries, runs, items, links)


def rows(database: Database) -> tuple[int, int, int]:
    """How many deliveries, items and pairs of them."""
    tables = DeliveryTable, ItemTable, DeliveryItemTable
    with database.engine.connect() as connection:
        found = [connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables]
    return found[0], found[1], found[2]
