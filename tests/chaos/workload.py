"""What people do while things break: invented staff edited on one side, and a run triggered. One door for both."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import requests

from app.practice.staff import practice_company
from app.practice.staff.forms import crew_of
from app.practice.staff.people import ordinary
from tests.chaos.house import House

TO_FREEE, TO_SMARTHR = "smarthr_to_freee", "freee_to_smarthr"
FIRST_NUMBER = 50_000
SURNAME, SURNAME_KANA = "金糸雀", "キンシジャク"
"""Nobody else in the practice company is called so: found anywhere it does not belong, it is a leak."""
PATIENCE_SECONDS = 120
VALUES_OF_A_COMPANY = 10_000


@dataclass
class Batch:
    """People edited together, and the run that was started for them."""

    numbers: frozenset[str]
    direction: str
    trigger: str
    run_id: str = ""
    may_fail: bool = False
    """The fault refuses these people, or ends their run: they need not be equal."""
    mails: int = 1
    """How many should come; 0 when the mail server refuses it for good."""
    new: tuple[str, ...] = ()
    """Of the numbers, those who are not at the target yet."""
    phones: dict[str, str] = field(default_factory=dict, repr=False)
    """Number → what was typed at the source, digits only: this is what both sides have to show at the end."""
    refusals: int = 0
    """How often the trigger was not accepted before it was."""


@dataclass
class Workload:
    """Everybody the suite has made in one house. `canaries`: values that belong in the two systems only."""

    house: House
    ready: list[str] = field(default_factory=list)
    """Numbers of people who are in both systems."""
    canaries: set[str] = field(default_factory=lambda: {SURNAME, SURNAME_KANA}, repr=False)
    batches: list[Batch] = field(default_factory=list)
    accounts: bool = True
    """Whether edits change bank accounts as well: of more than three people at once only a run that somebody started
    and meant may do that."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(FIRST_NUMBER))
    _values: Iterator[int] = field(init=False)
    _turn: int = 0

    def __post_init__(self) -> None:
        """Companies have the same numbers and never the same values: what crossed over would be seen."""
        self._values = itertools.count(1 + (self.house.tenant.number - 1) * VALUES_OF_A_COMPANY)

    def edit(self, updates: int, creates: int, *, direction: str = TO_FREEE) -> Batch:
        """Change so many people who are in both systems, and add so many new ones at the source (SmartHR only)."""
        changed = self._next(updates)
        edit = self._edit_smarthr if direction == TO_FREEE else self._edit_freee
        phones = {number: edit(number) for number in changed} | dict(self._add() for _ in range(creates))
        new = tuple(number for number in phones if number not in changed)
        batch = Batch(frozenset(phones), direction, "manual", new=new, phones=phones)
        self.batches.append(batch)
        return batch

    def trigger(self, batch: Batch, *, dry_run: bool = False, seconds: float = PATIENCE_SECONDS) -> None:
        """Ask until it is accepted, with one Idempotency-Key, as a careful caller does. Raises TimeoutError."""
        batch.run_id = str(self.send("/api/v1/runs", self.body(batch, dry_run), batch, seconds=seconds)["id"])

    def body(self, batch: Batch, dry_run: bool = False) -> dict[str, Any]:
        return {
            "connection": self.house.connection,
            "direction": batch.direction,
            "as_of_date": practice_company.japan_today().isoformat(),
            "employees": sorted(batch.numbers),
            "dry_run": dry_run,
            _MEANT: True,
        }

    def send(self, path: str, body: dict[str, Any], batch: Batch, *, seconds: float = PATIENCE_SECONDS) -> Any:
        key = uuid.uuid4().hex
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            answer = self.try_once(path, body, key=key)
            if answer is not None and answer.ok:
                return answer.json()
            if answer is not None and answer.status_code == 422 and body.pop(_MEANT, None):
                continue  # an older version, which has no guard
            if answer is not None and answer.status_code not in (500, 503):
                raise AssertionError(f"{path}: refused with {answer.status_code}: {answer.text[:300]}")
            batch.refusals += 1
            time.sleep(0.2)
        raise TimeoutError(f"{path}: not accepted within {seconds:.0f} s")

    def try_once(self, path: str, body: dict[str, Any] | None = None, *, key: str = "") -> requests.Response | None:
        """One request; None when nobody was there, or died before answering."""
        headers = {"Authorization": f"Bearer {self.house.api.key}", **({"Idempotency-Key": key} if key else {})}
        try:
            return requests.post(f"{self.house.api.url}{path}", json=body or {}, headers=headers, timeout=40)
        except requests.RequestException:
            return None

    def again(self, batch: Batch) -> Batch:
        """The same people once more, as a person does after the cause is gone."""
        repeated = replace(batch, run_id="", may_fail=False, refusals=0)
        self.batches.append(repeated)
        self.trigger(repeated)
        return repeated

    def arrived(self, batch: Batch) -> None:
        """The run has succeeded: everybody of it is in both systems and may be edited on either side."""
        self.ready += batch.new
        batch.new = ()

    def start(self, updates: int, creates: int, *, direction: str = TO_FREEE) -> Batch:
        batch = self.edit(updates, creates, direction=direction)
        self.trigger(batch)
        return batch

    # ── people ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _next(self, count: int) -> Sequence[str]:
        """People take turns, so that a slow run of one fault is not the same people's next one."""
        if count > len(self.ready):
            raise ValueError(f"only {len(self.ready)} people are in both systems")
        turn = [self.ready[(self._turn + n) % len(self.ready)] for n in range(count)]
        self._turn += count
        return turn

    def _add(self) -> tuple[str, str]:
        """Somebody new in SmartHR; returns number and phone."""
        phone = self._phone()
        worker = ordinary(next(self._numbers), practice_company.japan_today())
        worker = replace(worker, last_name=SURNAME, last_kana=SURNAME_KANA, phone=phone)
        record = crew_of(worker, "")
        self.house.smarthr.ask("POST", "crews", {name: value for name, value in record.items() if name != "id"})
        return worker.number, "".join(phone)

    def _edit_smarthr(self, number: str) -> str:
        """Three requests at freee: 本人情報, 健保, and 口座 where accounts are edited. Returns the phone."""
        crew = self.house.smarthr.ask("GET", f"crews/{number}")
        phone = self._phone()
        changes: dict[str, Any] = {
            "tel_number": "-".join(phone),
            "hel_ins_insured_person_number": 700_000 + next(self._values),
        }
        if self.accounts:
            account = {**crew["bank_accounts"][0], "account_number": self._account()}
            changes["bank_accounts"] = [{name: value for name, value in account.items() if name in _ACCOUNT}]
        self.house.smarthr.ask("PUT", f"crews/{number}", changes)
        return "".join(phone)

    def _edit_freee(self, number: str) -> str:
        """On the screen of the latest month: an earlier one's value would be hidden by it."""
        person = next(each for each in self.house.freee.state()["employees"] if each["num"] == number)
        phone = self._phone()
        changes = {
            "profile_rule": dict(zip(("phone1", "phone2", "phone3"), phone, strict=True)),
            "pay_month": max(person["rules"]["profile_rule"]),
        }
        self.house.freee.ask("POST", f"employees/{person['id']}", changes)
        return "".join(phone)

    def _phone(self) -> tuple[str, str, str]:
        value = next(self._values)
        parts = ("070", f"5{value // 10_000:03d}", f"{value % 10_000:04d}")
        self.canaries |= {"-".join(parts), "".join(parts)}
        return parts

    def _account(self) -> str:
        number = f"8{next(self._values):06d}"
        self.canaries.add(number)
        return number


_MEANT = "acknowledge_mass_change"
_ACCOUNT = ("bank_code", "bank_branch_code", "account_type", "account_number", "account_holder_name")
