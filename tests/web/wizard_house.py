"""A whole house with a browser at it: the practice vendors over real HTTP, and a freee whose pages a person clicks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Flask
from sqlalchemy import delete

from app.domain.access.roles import Role
from app.domain.runs.dates import today_in_japan
from app.practice.staff.practice_company import SMARTHR_TOKEN, SUBDOMAIN, build_company
from app.storage.access.rows import AuditRow
from app.storage.tables.models import ConnectionTable
from app.web.callback_address import CALLBACK
from tests.house import House, open_house
from tests.web.application import application_on
from tests.web.visitor import Visitor, visitor

GOOD = {
    "name": "合わせ商事",
    "smarthr_subdomain": SUBDOMAIN,
    "smarthr_token": SMARTHR_TOKEN,
    "mail_to": "jinji@example.com\nsomu@example.com",
}
EXPORT = {
    "working_hours_system_name": "固定時間制",
    "pay_schedule_name": "正社員",
    "pay_type": "monthly",
    "base_pay": "230,000",
}


class Wizarding:
    """A house, its application, and an administrator in front of it."""

    def __init__(self, house: House, app: Flask) -> None:
        self.house = house
        self.app = app
        self.admin = self.visit(Role.ADMIN)

    def visit(self, role: Role) -> Visitor:
        return visitor(self.house.ctx, self.app.test_client(), role)

    def begin(self, **changes: Any) -> str:
        """The first step; the text of where it led."""
        self.admin.open("/connections/new")
        self.admin.send(**{**GOOD, **changes})
        return self.admin.words

    @property
    def key(self) -> str:
        """Of the setup whose page is open."""
        assert self.admin.page is not None
        found = re.fullmatch(r"/connections/new/([0-9a-f]+)/\w+", self.admin.page.request.path)
        assert found, self.admin.page.request.path
        return found[1]

    def to_freee(self, *, action: str | None = None, **answer: str) -> str:
        """Press the button, give freee that answer (its page lets through by itself otherwise), and come back."""
        assert self.admin.page is not None
        form = self.admin.form(action or f"/connections/new/{self.key}/freee")
        sent = self.admin.client.post(form.action, data=dict(form.fields))
        assert sent.status_code == 303, sent.text
        at_freee = requests.get(sent.headers["Location"], params=answer, allow_redirects=False, timeout=10)
        assert at_freee.status_code == 302, at_freee.text
        back = urlsplit(at_freee.headers["Location"])
        assert back.path == CALLBACK
        self.admin.open(f"{back.path}?{back.query}")
        return self.admin.words

    def connected(self, **changes: Any) -> str:
        """Through the wizard as far as there is a connection; its key."""
        self.begin(**changes)
        key = self.key
        self.admin.open(f"/connections/new/{key}/freee")
        self.to_freee()
        self.admin.send("/company", press=("answer", "confirm"))
        return key

    def audited(self) -> list[AuditRow]:
        with self.house.ctx.unit_of_work() as uow:
            return uow.audit.page()

    def stored(self) -> str:
        """Everything the audit trail holds, as text."""
        return repr([(each.action, each.subject, each.detail) for each in self.audited()])


@contextmanager
def wizard_house(folder: Path, *, connected: bool = False, **options: Any) -> Iterator[Wizarding]:
    """`connected` False: without the connection the house brings, so that the wizard is the first to make one."""
    house = open_house(folder, build_company(today_in_japan(datetime.now(UTC))), **options)
    if not connected:
        with house.database.engine.begin() as connection:
            connection.execute(delete(ConnectionTable))
    try:
        yield Wizarding(house, application_on(house.ctx))
    finally:
        house.close()
