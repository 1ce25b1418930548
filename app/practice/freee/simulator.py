"""The state of the practice freee and what a test or a person at its screen does to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from app.practice.freee.company import FreeeCompany, Record
from app.practice.freee.months import Month, PayGroup
from app.practice.freee.oauth import TokenDesk, TokenLimit
from app.practice.freee.registration import Registration
from app.practice.freee.rules import House, Rules
from app.practice.freee.webhooks import Notices, WebhookAddress
from app.practice.staff import practice_company
from app.practice.staff.practice_company import PracticeCompany
from app.practice.vendor_kit.fault_injection import FaultInjector
from app.practice.vendor_kit.limits import Clock, FreeeLimits
from app.practice.vendor_kit.persistence import Memory
from app.practice.vendor_kit.webhooks import Deliverer


class PracticeFreee:
    """The simulator's state and what a test or a person at the screen does to it. Every method locks."""

    def __init__(
        self,
        company: PracticeCompany,
        injector: FaultInjector,
        *,
        clock: Clock,
        limits: FreeeLimits,
        registration: Registration,
    ) -> None:
        self.tenant = company.tenant
        self.injector = injector
        self.registration = registration
        self.notices = Notices(
            injector, company_id=company.tenant.company_id, clock=clock, address=lambda: registration.address
        )
        self.lock = registration.lock
        self.limits = limits
        self.house = House(
            groups={each["name"]: PayGroup(**each) for each in company.groups},
            working_hours=tuple(each["name"] for each in company.working_hours_systems),
            flextime=frozenset(each["name"] for each in company.working_hours_systems if each["flextime"]),
        )
        self.rules = Rules(self.house, injector.switch)
        self._source = company
        self._clock = clock
        self.company: FreeeCompany
        self.desk: TokenDesk
        self.reset()

    def reset(self) -> None:
        """Put people, tokens and limits back as at the start."""
        with self.lock:
            self.company, self.desk = self._empty()
            self.company.seed(self._source.employees)
            self.desk.start_with(self.tenant.access_token, self.tenant.refresh_token)
            self.limits.reset()
            if self.registration.companies in ([], [self]):  # of several, each starts again without the others
                self.registration.start_again()
            self.notices.reset()

    @property
    def memory(self) -> Memory:
        """What survives a restart: people with their months, masters, tokens, the webhook address, what is to be sent.

        Switches, faults, limits and the logs do not survive.
        """
        return Memory(self.lock, give=self._kept, take=self._take)

    def _kept(self) -> Record:
        return {"company": self.company.kept(), "desk": self.desk.kept(), "webhook": self.notices.kept()}

    def _take(self, kept: Mapping[str, Any]) -> None:
        company, desk = self._empty()
        company.take(kept["company"])
        desk.take(kept["desk"])
        if "webhook" in kept:
            address = self.notices.take(kept["webhook"])
            if not self.registration.first_address.url:  # one given at this start is newer than the kept one
                self.registration.address = address
        self.company, self.desk = company, desk

    def _empty(self) -> tuple[FreeeCompany, TokenDesk]:
        company = FreeeCompany(self.tenant.company_id, self.house, self.injector.switch)
        secret = practice_company.FREEE_CLIENT_SECRET
        seal = secret if self.tenant.number == 1 else f"{secret}/{self.tenant.company_id}"
        return company, TokenDesk(clock=self._clock, seal=seal)

    def dump(self) -> Record:
        with self.lock:
            return {**self.company.dump(), "tokens": self.desk.dump()}

    # ── a person at the screen ────────────────────────────────────────────────────────────────────────────────────

    def edit(self, employee_id: int, changes: Mapping[str, Any], *, pay_month: Month | str | None = None) -> None:
        """Change one person without the API: top-level names and (partial) rule objects.

        `pay_month` (Month or `YYYY-MM`) is the screen's month; None = from the first month on.
        Raises KeyError (unknown person or group), ValueError (unknown name).
        """
        month = Month.parse(pay_month) if isinstance(pay_month, str) else pay_month
        with self.lock:
            self.company.edit(employee_id, changes, pay_month=month)
            self.notices.edited(employee_id, changes)

    def save(self, employee_id: int, changes: Mapping[str, Any], *, pay_month: Month) -> None:
        """As `edit`, of a change that has passed the checks of `rules`. Raises Refusal for a number that is taken."""
        with self.lock:
            self.company.refuse_taken_num(changes.get("num"), but=self.company.people[employee_id])
            self.edit(employee_id, changes, pay_month=pay_month)

    def hire(self, sent: Mapping[str, Any]) -> int:
        """Add one person from the body of a create, checked as the API does. Returns the id. Raises Refusal."""
        with self.lock:
            added = self.company.create(self.rules.create(sent)).id
            self.notices.tell("created", added)
            return added

    @property
    def today(self) -> date:
        """The day in Japan."""
        return (datetime.fromtimestamp(self._clock(), UTC) + timedelta(hours=9)).date()

    def add(self, record: Mapping[str, Any]) -> int:
        """Add one more person from a full or partial employee object; returns the id."""
        with self.lock:
            added = self.company.add(record).id
            self.notices.tell("created", added)
            return added

    def remove(self, employee_id: int) -> None:
        """Remove one person. Raises KeyError for an unknown id."""
        with self.lock:
            del self.company.people[employee_id]
            self.notices.tell("destroyed", employee_id)

    def import_rows(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Import rows: those with a known `num` are edited, others added. Fires no webhook. Returns the ids.

        Raises ValueError for an unknown name; the rows before it stay.
        """
        with self.lock:
            return [self._import_row(each) for each in rows]

    def _import_row(self, row: Mapping[str, Any]) -> int:
        known = self.ids_by_num(row["num"]) if row.get("num") else []
        if not known:
            return self.company.add(row).id
        self.company.edit(known[0], row)
        return known[0]

    # ── webhooks ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def webhooks(self) -> Deliverer:
        """The deliveries: `wait_idle`, `log`, `waiting`."""
        return self.notices.deliverer

    def set_webhook(self, url: str, token: str = "") -> None:
        """Set the app's address in the developer console; "" = none."""
        with self.lock:
            self.registration.address = WebhookAddress(url, token)

    def employee(self, employee_id: int, *, month: tuple[int, int] | None = None) -> Record:
        """The employee object as of a closing month, hidden or not; None = the month of entry. Raises KeyError."""
        with self.lock:
            person = self.company.people[employee_id]
            return self.company.record(person, Month(*month) if month else person.first_closing_month)

    def ids_by_num(self, num: str) -> list[int]:
        with self.lock:
            return [each.id for each in self.company.people.values() if each.top["num"] == num]

    # ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def token_limit(self) -> TokenLimit:
        """The counter of token requests, which is the application's."""
        return self.registration.token_limit

    def expire_access_tokens(self) -> None:
        with self.lock:
            self.desk.kill_access()

    def revoke_all_tokens(self) -> None:
        with self.lock:
            self.desk.revoke_all()
