"""The outside judge of the storm: answers, stored rows, runs, mails, and both vendors' own states beside each other.

Lost: a delivery nobody took, without a row or without items, or a person who is missing. Doubled: a delivery with two
rows, a person twice, a run with two mails. Unequal: a person whose sides differ, or do not show what was typed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.practice.staff.forms import Worker
from tests.chaos.evidence import Mail
from tests.chaos.judge import FINAL_ITEMS, FINAL_RUNS

ACCEPTED = "accepted"


@dataclass(frozen=True)
class Stored:
    """What the database says. `states`: delivery id → its state; `items`: delivery id → states of its items."""

    states: Mapping[int, str]
    items: Mapping[int, Sequence[str]]


@dataclass
class Verdict:
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    """Runs and items that have not ended by themselves."""

    @property
    def passed(self) -> bool:
        return not (self.lost or self.doubled or self.unequal or self.open)

    def add(self, other: Verdict) -> None:
        self.lost += other.lost
        self.doubled += other.doubled
        self.unequal += other.unequal
        self.open += other.open


def judge_deliveries(hooks: int, answered: Sequence[Sequence[int]], stored: Stored) -> Verdict:
    """`answered`: (delivery, status, id of its row) of every copy that was sent."""
    found = Verdict()
    rows: dict[int, set[int]] = defaultdict(set)
    for hook, status, row in answered:
        if status == 202:
            rows[hook].add(row)
        else:
            found.lost.append(f"delivery {hook}: a copy was answered {status or 'never'}")
    owners = Counter(row for ids in rows.values() for row in ids)
    for hook in range(hooks):
        ids = rows.get(hook, set())
        if not ids:
            found.lost.append(f"delivery {hook} was never accepted")
        if len(ids) > 1:
            found.doubled.append(f"delivery {hook} has {len(ids)} rows")
        for row in ids:
            _judge_row(hook, row, stored, found)
            if owners[row] > 1:
                found.lost.append(f"delivery {hook} was taken for another one")
    return found


def _judge_row(hook: int, row: int, stored: Stored, found: Verdict) -> None:
    state = stored.states.get(row)
    if state != ACCEPTED:
        found.lost.append(f"delivery {hook}: row {row} is {state or 'not there'}")
    elif not stored.items.get(row):
        found.lost.append(f"delivery {hook}: row {row} has no items")
    elif not FINAL_ITEMS.issuperset(stored.items[row]):
        found.open.append(f"delivery {hook}: an item has not ended")


def judge_runs(runs: Iterable[Mapping[str, Any]], mails: Sequence[Mail]) -> Verdict:
    """Every run has ended, and no run has two different mails (a second copy of one Message-ID is the SMTP gap)."""
    found = Verdict(open=[f"run {run['id']} is {run['state']}" for run in runs if run["state"] not in FINAL_RUNS])
    ids: dict[str, set[str]] = defaultdict(set)
    for mail in mails:
        if mail.run_id:
            ids[mail.run_id].add(mail.message_id)
    found.doubled = [f"run {run} has {len(each)} different mails" for run, each in ids.items() if len(each) > 1]
    return found


# ── both sides ────────────────────────────────────────────────────────────────────────────────────────────────────


def judge_people(workers: Iterable[Worker], smarthr: Mapping[str, Any], freee: Mapping[str, Any]) -> Verdict:
    """Of everybody: exactly one person at either side, both equal in every written item, and as typed."""
    crews, employees = _by_number(smarthr["crews"], "emp_code"), _by_number(freee["employees"], "num")
    found = Verdict()
    for worker in workers:
        here, there = crews.get(worker.number, []), employees.get(worker.number, [])
        for where, people in (("SmartHR", here), ("freee", there)):
            if not people:
                found.lost.append(f"{worker.number} is not in {where}")
            elif len(people) > 1:
                found.doubled.append(f"{worker.number} is in {where} {len(people)} times")
        if len(here) == len(there) == 1:
            found.unequal += _compared(worker, of_smarthr(here[0]), of_freee(there[0]))
    return found


def _compared(worker: Worker, here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """Names of items only: values stay out of what is printed."""
    differ = [key for key in here if here[key] != there[key]]
    if differ:
        return [f"{worker.number}: {', '.join(differ)} differ"]
    typed = of_worker(worker)
    wrong = [key for key in here if here[key] != typed[key]]
    return [f"{worker.number}: {', '.join(wrong)} equal, but not what was typed"] if wrong else []


def of_worker(worker: Worker) -> dict[str, str]:
    """One plain form of what the storm edits and what a new person needs."""
    assert worker.home is not None and worker.account is not None
    return {
        "name": f"{worker.last_name} {worker.first_name}",
        "kana": f"{worker.last_kana} {worker.first_kana}",
        "born": str(worker.birth),
        "joined": str(worker.hired),
        "phone": "".join(worker.phone),
        "zip code": worker.home.zip_code,
        "address": worker.home.city + worker.home.street,
        "account": f"{worker.account.bank} {worker.account.branch} {worker.account.number}",
        "health number": str(worker.health_number or ""),
        "pension number": str(worker.pension_number or ""),
        "basic pension": worker.basic_pension,
        "employment insurance": worker.employment_number,
    }


def of_smarthr(crew: Mapping[str, Any]) -> dict[str, str]:
    home, account = crew.get("address") or {}, (crew.get("bank_accounts") or [{}])[0]
    return {
        "name": f"{crew['last_name']} {crew['first_name']}",
        "kana": f"{crew['last_name_yomi']} {crew['first_name_yomi']}",
        "born": str(crew.get("birth_at")),
        "joined": str(crew.get("entered_at")),
        "phone": _digits(crew.get("tel_number")),
        "zip code": _digits(home.get("zip_code")),
        "address": f"{home.get('city') or ''}{home.get('street') or ''}{home.get('building') or ''}",
        "account": " ".join(str(account.get(part)) for part in ("bank_code", "bank_branch_code", "account_number")),
        "health number": str(crew.get("hel_ins_insured_person_number") or ""),
        "pension number": str(crew.get("soc_ins_insured_person_number") or ""),
        "basic pension": _digits(crew.get("basic_pension_number")),
        "employment insurance": _digits(crew.get("emp_ins_insured_person_number")),
    }


def of_freee(employee: Mapping[str, Any]) -> dict[str, str]:
    """The latest month of every rule."""
    kinds = ("profile_rule", "health_insurance_rule", "welfare_pension_insurance_rule", "bank_account_rule")
    profile, health, pension, account = (_latest(employee, kind) for kind in kinds)
    return {
        "name": f"{profile.get('last_name')} {profile.get('first_name')}",
        "kana": f"{profile.get('last_name_kana')} {profile.get('first_name_kana')}",
        "born": str(employee.get("birth_date")),
        "joined": str(employee.get("entry_date")),
        "phone": "".join(str(profile.get(part) or "") for part in ("phone1", "phone2", "phone3")),
        "zip code": "".join(str(profile.get(f"residential_zipcode{n}") or "") for n in (1, 2)),
        "address": str(profile.get("residential_address") or "").replace(" ", ""),
        "account": " ".join(str(account.get(part)) for part in ("bank_code", "branch_code", "account_number")),
        "health number": str(health.get("reference_num") or ""),
        "pension number": str(pension.get("reference_num") or ""),
        "basic pension": _digits(employee.get("base_pension_num")),
        "employment insurance": _digits(employee.get("employment_insurance_reference_number")),
    }


def _latest(employee: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    months = (employee.get("rules") or {}).get(kind) or {}
    return months[max(months)] or {} if months else {}


def _digits(value: object) -> str:
    return str(value or "").replace("-", "")


def _by_number(people: Iterable[Mapping[str, Any]], number: str) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for person in people:
        found[str(person[number])].append(person)
    return found
