"""A whole site for a real browser: both practice vendors, the web server, and an engine that works as time goes by."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask

from app.domain.access.roles import Role
from app.factory import create_app
from app.practice.server import start_in_thread
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.accounts.api_keys import add_user
from app.use_cases.upkeep import reconcile, relay
from tests.house import House, open_house

PASSWORD = "an-invented-password"
PAUSE_SECONDS = 0.02
RECONCILE_EVERY = 50
"""Rounds of the engine between two looks of the reconciler."""


@dataclass
class Site:
    url: str
    house: House
    app: Flask
    engine: Engine
    logins: dict[Role, str] = field(default_factory=dict)

    def login(self, role: Role) -> str:
        """The login of a user of that role, made at the first need. The password is PASSWORD."""
        if role not in self.logins:
            self.logins[role] = f"{role.value}@example.invalid"
            add_user(self.house.ctx, self.logins[role], PASSWORD, role=role.value)
        return self.logins[role]


class Engine:
    """Relay, workers and reconciler in one thread, on the real time. `held()` stops it for a while."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._stop = threading.Event()
        self._turn = threading.Lock()
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @contextmanager
    def held(self) -> Iterator[None]:
        with self._turn:
            yield

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=60)
        if self.failure is not None:
            raise self.failure

    def _work(self) -> None:
        rounds = 0
        try:
            while not self._stop.wait(PAUSE_SECONDS):
                rounds += 1
                with self._turn:
                    self._round(reconciling=rounds % RECONCILE_EVERY == 1)
        except BaseException as error:
            self.failure = error
            raise

    def _round(self, *, reconciling: bool) -> None:
        self._house.clock.instant = datetime.now(UTC)
        relay.relay_once(self._house.ctx)
        for job in self._house.queue.take():
            self._house.do(job)
        if reconciling:
            reconcile.reconcile_once(self._house.ctx)


@contextmanager
def open_site(folder: Path, company: PracticeCompany, **settings: Any) -> Iterator[Site]:
    opened: list[Flask] = []
    # The house has to know the address before the application can be made.
    server = start_in_thread(lambda environ, start_response: opened[0](environ, start_response))
    house = open_house(folder, company, now=datetime.now(UTC), BASE_URL=server.url, **settings)
    opened.append(create_app(house.ctx))
    engine = Engine(house)
    try:
        yield Site(server.url, house, opened[0], engine)
    finally:
        engine.stop()
        server.stop()
        house.close()


def chromium() -> str | None:
    """Where Debian's browser is."""
    return shutil.which("chromium")
