"""The closed lists that every other module uses: systems, directions, triggers, steps."""

from __future__ import annotations

from enum import StrEnum


class System(StrEnum):
    SMARTHR = "smarthr"
    FREEE = "freee"

    @property
    def label(self) -> str:
        """The product's name as people know it."""
        return {"smarthr": "SmartHR", "freee": "freee人事労務"}[self.value]

    @property
    def other(self) -> System:
        return System.FREEE if self is System.SMARTHR else System.SMARTHR


class Direction(StrEnum):
    SMARTHR_TO_FREEE = "smarthr_to_freee"
    FREEE_TO_SMARTHR = "freee_to_smarthr"

    @property
    def source(self) -> System:
        return System.SMARTHR if self is Direction.SMARTHR_TO_FREEE else System.FREEE

    @property
    def target(self) -> System:
        return self.source.other

    @property
    def reverse(self) -> Direction:
        return Direction.FREEE_TO_SMARTHR if self is Direction.SMARTHR_TO_FREEE else Direction.SMARTHR_TO_FREEE


class Trigger(StrEnum):
    MANUAL = "manual"
    API = "api"
    WEBHOOK = "webhook"
    SCHEDULE = "schedule"
    RETRY = "retry"
    UNDO = "undo"
    HELD = "held"  # changes that other runs have stopped: the run waits for a person, and writes what they approve

    @property
    def is_automatic(self) -> bool:
        """Automatic runs mail only when something changed or failed, unless a setting says otherwise."""
        return self in (Trigger.WEBHOOK, Trigger.SCHEDULE)


class Step(StrEnum):
    """One request that writes one part of an employee. The value is what history stores."""

    CREATE = "create"
    EMPLOYEE = "employee"
    PROFILE = "profile"
    HEALTH_INSURANCE = "health_insurance"
    PENSION_INSURANCE = "pension_insurance"
    BANK_ACCOUNT = "bank_account"
    DEPENDENTS = "dependents"
    CREW = "crew"  # SmartHR takes every item of an update in one PATCH

    @property
    def label(self) -> str:
        return _STEP_LABELS[self]


_STEP_LABELS = {
    Step.CREATE: "作成",
    Step.EMPLOYEE: "基本",
    Step.PROFILE: "本人情報",
    Step.HEALTH_INSURANCE: "健保",
    Step.PENSION_INSURANCE: "厚年",
    Step.BANK_ACCOUNT: "口座",
    Step.DEPENDENTS: "家族",
    Step.CREW: "従業員",
}
