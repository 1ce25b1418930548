"""The judge: the invariants I1 to I9 (docs/engine.md#faults), decided on evidence alone: doctored evidence tests it.

Lost: a person not equal on both sides at the end though nothing was refused. Doubled: two people with one number at
the target, or more creates than new people. One broken invariant is one line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.evidence import Call, Evidence, Mail, RunSeen
from tests.chaos.workload import TO_FREEE, Batch

FINAL_RUNS = {"succeeded", "partly_failed", "failed", "cancelled"}
FINAL_ITEMS = {"succeeded", "unchanged", "needs_review", "conflict", "failed", "cancelled"}
WELL_ENDED = {"succeeded", "unchanged"}
WINDOW_SECONDS = 1.0
VENDOR_LIMIT = 75
"""Calls in any second a vendor would bear: Awase is told 80 % of it (house.LIMITS), as its defaults are of the real."""


@dataclass(frozen=True)
class Broken:
    invariant: str
    about: str


def judge(seen: Evidence, *, limit: int = VENDOR_LIMIT) -> list[Broken]:
    """Everything that is not as it has to be. Mails are judged by `judge_mails`, once they had the time to come."""
    found = [Broken("I9", f"{program} does not run") for program in seen.missing]
    for run in seen.runs:
        found += _items(run) + _end(run) + _history(run, seen)
    found += lost(seen) + doubled(seen) + _only_asked_for(seen)
    found += over_limit(seen.calls, limit=limit) + leaks(seen)
    return found


# ── I1, I2, I3: through the public API ───────────────────────────────────────────────────────────────────────────


def _items(seen: RunSeen) -> list[Broken]:
    """Everybody asked for has exactly one item in one final state."""
    number_of = Counter(item["employee_number"] for item in seen.items)
    found = [
        Broken("I1", f"{number} of run {seen.batch.run_id} has {number_of[number]} items")
        for number in sorted(seen.batch.numbers)
        if number_of[number] != 1 and not (seen.batch.may_fail and number_of[number] == 0)
    ]
    for item in seen.items:
        state = item["state"]
        if state not in FINAL_ITEMS:
            found.append(Broken("I2", f"item {item['id']} is still {state}"))
        elif state not in WELL_ENDED and not seen.batch.may_fail:
            found.append(
                Broken("I2", f"item {item['id']} ended {state} ({item['error_code']}) though nothing refused it")
            )
    return found


def _end(seen: RunSeen) -> list[Broken]:
    state, progress = seen.run["state"], seen.run["progress"]
    if state not in FINAL_RUNS:
        return [Broken("I3", f"run {seen.batch.run_id} is still {state}")]
    if progress["total"] is not None and progress["total"] != len(seen.items):
        return [Broken("I3", f"run {seen.batch.run_id} counts {progress['total']} and has {len(seen.items)} items")]
    return []


def _only_asked_for(seen: Evidence) -> list[Broken]:
    asked = {run.batch.run_id for run in seen.runs}
    return [
        Broken("I3", f"run {run_id} was stored though nobody got its answer")
        for run_id in seen.listed
        if run_id not in asked
    ]


# ── I6: every write the vendor saw stands in the history ─────────────────────────────────────────────────────────


def _history(seen: RunSeen, evidence: Evidence) -> list[Broken]:
    """Per person: a write that reached the target is a step in the history of one of the runs that had this person."""
    ids = _target_ids(evidence, seen.batch.direction)
    system = "freee" if seen.batch.direction == TO_FREEE else "smarthr"
    found = []
    for item in seen.items:
        target = ids.get(item["employee_number"])
        if target is None:
            continue
        others = [
            each
            for run in evidence.runs
            if run.batch.direction == seen.batch.direction
            for each in run.items
            if each["employee_number"] == item["employee_number"]
        ]
        steps = sum(len(each["steps"]) for each in others)
        wrote = sum(_writes_to(call, target) for call in evidence.calls if call.system == system)
        if wrote > steps:
            found.append(
                Broken("I6", f"{wrote} writes reached {item['employee_number']}, the history has {steps} steps")
            )
    return found


def _writes_to(call: Call, target: str) -> bool:
    return call.method in ("PUT", "PATCH") and re.search(rf"/{re.escape(target)}(/|$)", call.path) is not None


def _target_ids(seen: Evidence, direction: str) -> dict[str, str]:
    if direction == TO_FREEE:
        return {each["num"]: str(each["id"]) for each in seen.freee["employees"]}
    return {each["emp_code"]: each["id"] for each in seen.smarthr["crews"]}


# ── I5: the final state ──────────────────────────────────────────────────────────────────────────────────────────


def lost(seen: Evidence) -> list[Broken]:
    """Everybody whose last run was not refused is equal on both sides, and shows what was typed last."""
    last = {number: run.batch for run in seen.runs for number in run.batch.numbers}
    crews = {each["emp_code"]: each for each in seen.smarthr["crews"]}
    employees = {each["num"]: each for each in seen.freee["employees"]}
    found = []
    for number, batch in sorted(last.items()):
        here, there = crews.get(number), employees.get(number)
        if batch.may_fail:
            continue
        if here is None or there is None or of_smarthr(here) != of_freee(there):
            found.append(Broken("I5", f"{number} is lost: {_difference(here, there)}"))
        elif batch.phones.get(number, of_freee(there)["phone"]) != of_freee(there)["phone"]:
            found.append(Broken("I5", f"{number} is lost: equal, but not what was typed"))
    return found


def _difference(crew: Mapping[str, Any] | None, employee: Mapping[str, Any] | None) -> str:
    if crew is None or employee is None:
        return "not in SmartHR" if crew is None else "not in freee"
    here, there = of_smarthr(crew), of_freee(employee)
    return ", ".join(key for key in here if here[key] != there[key]) + " differ"


def of_smarthr(crew: Mapping[str, Any]) -> dict[str, str]:
    """What the workload edits, in one plain form."""
    accounts = crew.get("bank_accounts") or [{}]
    return {
        "name": f"{crew['last_name']} {crew['first_name']}",
        "phone": str(crew.get("tel_number") or "").replace("-", ""),
        "health number": str(crew.get("hel_ins_insured_person_number") or ""),
        "account": str(accounts[0].get("account_number") or ""),
    }


def of_freee(employee: Mapping[str, Any]) -> dict[str, str]:
    profile, health, account = (
        _latest(employee, kind) for kind in ("profile_rule", "health_insurance_rule", "bank_account_rule")
    )
    return {
        "name": f"{profile.get('last_name')} {profile.get('first_name')}",
        "phone": "".join(str(profile.get(part) or "") for part in ("phone1", "phone2", "phone3")),
        "health number": str(health.get("reference_num") or ""),
        "account": str(account.get("account_number") or ""),
    }


def _latest(employee: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    months = employee["rules"].get(kind) or {}
    return months[max(months)] if months else {}


def doubled(seen: Evidence) -> list[Broken]:
    """Two people with one number, or more creates than people who were new."""
    asked = {number for run in seen.runs for number in run.batch.numbers}
    found = []
    for where, numbers in {
        "freee": Counter(each["num"] for each in seen.freee["employees"]),
        "smarthr": Counter(each["emp_code"] for each in seen.smarthr["crews"]),
    }.items():
        twice = sorted(number for number in asked if numbers[number] > 1)
        found += [Broken("I5", f"{number} is doubled at {where}") for number in twice]
    creates = sum(
        call.system == "freee"
        and call.method == "POST"
        and call.path.endswith("/employees")
        and call.status in (200, 201)
        for call in seen.calls
    )
    there = sum(each["num"] in asked for each in seen.freee["employees"])
    if creates > there:
        found.append(Broken("I5", f"doubled: {creates} creates were carried out for {there} people"))
    return found


# ── I4: mails ────────────────────────────────────────────────────────────────────────────────────────────────────


def judge_mails(batch: Batch, mails: Sequence[Mail]) -> list[Broken]:
    """One Message-ID per run. A second copy of the same Message-ID is the SMTP gap; it is counted, not refused."""
    ids = Counter(mail.message_id for mail in mails if mail.run_id == batch.run_id)
    if len(ids) != batch.mails:
        return [Broken("I4", f"run {batch.run_id} has {len(ids)} different mails, {batch.mails} wanted")]
    if any(copies > 2 for copies in ids.values()):
        return [Broken("I4", f"run {batch.run_id} was mailed {max(ids.values())} times")]
    return []


def judge_found(received: Iterable[Mail]) -> list[Broken]:
    """Mails of runs nobody asked for: what comes of one run is one mail, with a second copy at most."""
    copies = Counter(mail for mail in received if mail.run_id)
    ids = Counter(mail.run_id for mail in copies)
    found = [Broken("I4", f"run {run} has {count} different mails") for run, count in ids.items() if count > 1]
    return found + [
        Broken("I4", f"run {mail.run_id} was mailed {count} times") for mail, count in copies.items() if count > 2
    ]


# ── I7, I8 ───────────────────────────────────────────────────────────────────────────────────────────────────────


def over_limit(calls: Iterable[Call], *, limit: int, seconds: float = WINDOW_SECONDS) -> list[Broken]:
    """More than `limit` calls of one system in any window."""
    found = []
    for system in ("smarthr", "freee"):
        moments = sorted(call.at for call in calls if call.system == system)
        most = max((_within(moments, n, seconds) for n in range(len(moments))), default=0)
        if most > limit:
            found.append(Broken("I7", f"{most} calls of {system} within {seconds:.0f} s, {limit} allowed"))
    return found


def _within(moments: list[float], first: int, seconds: float) -> int:
    last = first
    while last < len(moments) and moments[last] - moments[first] < seconds:
        last += 1
    return last - first


def calls_while_closed(calls: Iterable[Call], *, system: str, closed: tuple[float, float]) -> list[Broken]:
    """Calls between two moments in which the vendor had asked for silence."""
    early = [call for call in calls if call.system == system and closed[0] < call.at < closed[1]]
    return [Broken("I7", f"{len(early)} calls of {system} before Retry-After was over")] if early else []


def leaks(seen: Evidence) -> list[Broken]:
    """Canaries where they do not belong, also in JSON's escapes. Digits count where no digest holds them."""
    found = []
    for name, text in seen.texts.items():
        hits = sum(_holds(text, canary) for canary in seen.canaries)
        if hits:
            found.append(Broken("I8", f"{name} holds {hits} canaries"))
    return found


def _holds(text: bytes, canary: str) -> bool:
    forms = {canary.encode(), canary.encode("ascii", "backslashreplace")}
    return any(form in text and _whole(form)(text) for form in forms)


def _whole(form: bytes) -> Callable[[bytes], object]:
    return re.compile(rb"(?<![0-9a-f])%b(?![0-9a-f])" % re.escape(form)).search
