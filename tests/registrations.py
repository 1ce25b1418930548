"""A tenant without webhook registrations, for tests that are not about them (those ask the practice SmartHR)."""

from __future__ import annotations

from app.domain.ports import WebhookRegistration


class Registrations:
    """The port `WebhookRegistry`: it can be looked through, and there is nothing."""

    events: frozenset[str] = frozenset()

    def registrations(self) -> list[WebhookRegistration]:
        return []

    def register(self, *, url: str, secret: str, description: str) -> WebhookRegistration:
        raise AssertionError("nothing is registered in these tests")

    def repair(self, registration_id: str, *, url: str, secret: str) -> WebhookRegistration:
        raise AssertionError("nothing is registered in these tests")

    def remove(self, registration_id: str) -> None:
        raise AssertionError("nothing is registered in these tests")
