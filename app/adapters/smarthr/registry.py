"""SmartHRWebhookRegistry: the webhook registrations of one tenant."""

from __future__ import annotations

from typing import Any

import structlog

from app.adapters.records import UNREADABLE
from app.adapters.smarthr.client import SmartHRClient
from app.adapters.smarthr.schemas import WebhookRecord
from app.adapters.smarthr.webhook import EVENTS
from app.domain.ports import WebhookRegistration

log = structlog.get_logger(__name__)

_WANTED: dict[str, Any] = {**dict.fromkeys(EVENTS, True), "expose_only_id": True}
"""Every event, and of each only ids: Awase uses nothing else, and so no personal data is on the way."""


class SmartHRWebhookRegistry:
    """The port `WebhookRegistry`. Used by one thread; repeats only reads."""

    events = frozenset(EVENTS)

    def __init__(self, client: SmartHRClient) -> None:
        self._client = client

    def registrations(self) -> list[WebhookRegistration]:
        """All registrations of the tenant, each once."""
        listed = self._client.list_webhooks()
        if odd := sum(UNREADABLE in record for record in listed):
            log.warning("webhook_registration_unreadable", entries=odd)
        return [_registration(record) for record in listed]

    def register(self, *, url: str, secret: str, description: str) -> WebhookRegistration:
        body = {"url": url, "description": description, "secret_token": secret, **_WANTED}
        return _registration(self._client.create_webhook(body))

    def repair(self, registration_id: str, *, url: str, secret: str) -> WebhookRegistration:
        """Set the registration right. A null `disabled_at` presumably switches it on again; the answer tells."""
        body = {"url": url, "secret_token": secret, "disabled_at": None, **_WANTED}
        return _registration(self._client.update_webhook(registration_id, body))

    def remove(self, registration_id: str) -> None:
        self._client.delete_webhook(registration_id)


def _registration(record: WebhookRecord) -> WebhookRegistration:
    return WebhookRegistration(
        id=record.get("id") or "",
        url=record.get("url") or "",
        events=frozenset(event for event in EVENTS if record.get(event)),
        expose_only_id=bool(record.get("expose_only_id")),
        disabled_at=record.get("disabled_at"),
        unreadable=UNREADABLE in record,
    )
