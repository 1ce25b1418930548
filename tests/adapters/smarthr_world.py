"""A practice tenant on real HTTP, the gateway in front of it, and what is needed to ask for changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from flask import Flask

from app.adapters.municipalities import municipalities
from app.adapters.smarthr.client import SmartHRClient, build_smarthr_client
from app.adapters.smarthr.gateway import SmartHRGateway
from app.config import Settings
from app.domain.enums import Step
from app.domain.errors import AwaseError
from app.domain.planning.plan import Change
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import BLANK, FieldState
from app.practice.server import RunningServer, start_in_thread
from app.practice.smarthr.practice_smarthr import create_smarthr, smarthr_of
from app.practice.smarthr.simulator import PracticeSmartHR
from app.practice.staff.practice_company import SMARTHR_TOKEN, SUBDOMAIN, build_company
from app.practice.vendor_kit.fault_injection import FaultInjector, injector_of
from app.practice.vendor_kit.limits import FAST
from tests.adapters.canned import OpenLimiter

TODAY = date(2026, 11, 22)
EVERY_ATTRIBUTE = frozenset(
    {"positions", "resigned_at", "widow_type", "handicapped_type", "tel_number", "bank_accounts"}
)
OPTIONS = MappingOptions(
    municipalities=municipalities(),
    known_positions=frozenset({"課長", "部長"}),
    readable_attributes=EVERY_ATTRIBUTE,
    as_of_date=TODAY,
)


@dataclass
class Recorder:
    """The steps as history would see them: (what, step, keys or code)."""

    seen: list[tuple[str, Step, Any]] = field(default_factory=list)

    def sending(self, step: Step, keys: Sequence[str]) -> None:
        self.seen.append(("sending", step, tuple(keys)))

    def done(self, step: Step) -> None:
        self.seen.append(("done", step, None))

    def failed(self, step: Step, error: AwaseError) -> None:
        self.seen.append(("failed", step, error.code))


@dataclass
class SmartHRWorld:
    app: Flask
    server: RunningServer
    limiter: OpenLimiter = field(default_factory=OpenLimiter)

    @property
    def injector(self) -> FaultInjector:
        return injector_of(self.app)

    @property
    def tenant(self) -> PracticeSmartHR:
        return smarthr_of(self.app)

    def client(self, *, subdomain: str = SUBDOMAIN, token: str = SMARTHR_TOKEN) -> SmartHRClient:
        return build_smarthr_client(settings(self.server.url), subdomain, token, self.limiter)

    def gateway(self) -> SmartHRGateway:
        return SmartHRGateway(self.client())


def settings(url: str) -> Settings:
    return Settings.from_env(
        {"SECRET_KEY": "k" * 32, "ENCRYPTION_KEYS": "unused", "SMARTHR_URL": url + "/{subdomain}/api"}
    )


def open_world(*, extra: int = 0) -> SmartHRWorld:
    app = create_smarthr(build_company(TODAY, extra=extra), rates=FAST)
    return SmartHRWorld(app, start_in_thread(app))


def changes(**after: FieldState) -> list[Change]:
    return [Change(key, BLANK, value) for key, value in after.items()]


NEW_PERSON: dict[str, FieldState] = {
    "last_name": "新規",
    "first_name": "一郎",
    "last_name_kana": "シンキ",
    "first_name_kana": "イチロウ",
    "birth_date": date(1990, 4, 2),
    "gender": "male",
    "employee_number": "N-0001",
    "title": "課長",
    "hired_on": date(2026, 11, 1),
    "resigned_on": BLANK,
    "having_spouse": False,
    "working_student": BLANK,
    "widow_type": BLANK,
    "home_zip_code": "106-0041",
    "home_prefecture": "東京都",
    "home_address": "港区麻布台1-2-3",
    "phone": "090-0000-0000",
    "bank_code": "0001",
    "bank_branch_code": "001",
    "bank_account_type": "futsu",
    "bank_account_number": "1234567",
    "bank_account_holder": "シンキ　イチロウ",
    "health_insured_number": "12",
}
