"""Finds people who changed without a webhook: stores what the lists show of each person and compares it the next time.

A person changed without a webhook when the list shows other values than the time before, although no webhook has named
them and no run has written to them. Only a comparison finds them: freee has no timestamps, and a vendor may have
switched a webhook off.

Of a person whose record is what it was at the last survey, what was worked out then stands (`record_mark`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

import structlog

from app.domain.employee import EmployeeRecord, PaySchedule
from app.domain.enums import System
from app.domain.matching.marks import marks_of
from app.domain.matching.name_search import NameKeys, names_of
from app.domain.planning.content import content_of, is_other_content, record_mark
from app.domain.planning.keyed import KeyedFingerprint
from app.storage.links.rows import DirectoryEntry, ListEnd
from app.storage.metrics.counters import labels
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.planning.plan_employee import fingerprint_of
from app.use_cases.shared.name_search import name_keys_of
from app.use_cases.survey.own_code import OWN_CODE
from app.use_cases.survey.portions import portions

log = structlog.get_logger(__name__)

SLACK = timedelta(minutes=5)
"""How long before the last survey a webhook may have come in and still count: it may tell of a change that this survey
did not see yet."""
COUNTER = "missed_webhooks"


def entries_of(
    ctx: Context, connection_id: int, system: System, people: Sequence[EmployeeRecord]
) -> list[DirectoryEntry]:
    """The directory's entry for each of these people of one system."""
    keys, entries = DirectoryKeys.of(ctx), list[DirectoryEntry]()
    for portion in portions(people):
        with ctx.unit_of_work().reading() as uow:
            before = uow.directory.marked(connection_id, system, [each.person.id for each in portion])
        entries += [_entry(each, before.get(each.person.id), keys) for each in portion if each.person.id]
    return entries


def _entry(record: EmployeeRecord, before: DirectoryEntry | None, keys: DirectoryKeys) -> DirectoryEntry:
    mark = record_mark(record, keys.fingerprint, OWN_CODE)
    if mark is None or before is None or before.record != mark or not keys.has_made(before):
        return replace(entry_of(record, content_of(record, keys.fingerprint), keys), record=mark)
    return replace(before, employee_number=record.person.number, schedule=_kept(record.person.pay_schedule))


def keep_numbers(ctx: Context, connection_id: int, system: System, people: Sequence[EmployeeRecord]) -> None:
    """Store the numbers and pay schedules that a listing outside a survey has shown. The contents stay as the last
    survey has seen them, so that the next survey still finds what has changed since."""
    with ctx.unit_of_work() as uow:
        before, keys = uow.directory.contents(connection_id, system), DirectoryKeys.of(ctx)
        entries = [entry_of(each, before.get(each.person.id), keys) for each in people if each.person.id]
        uow.directory.replace(connection_id, system, entries, now=ctx.clock.now())


def keep_shown(
    ctx: Context,
    uow: UnitOfWork,
    run: RunRow,
    system: System,
    entries: Sequence[DirectoryEntry],
    *,
    ended: Mapping[str, Any] | None,
    comparable: bool = True,
) -> None:
    """Replace the directory, and store with the run which people have changed without a webhook. `ended`: where the
    list ended. Not `comparable`: the token sees other attributes than the time before, so everybody looks changed and
    nobody is counted."""
    now = ctx.clock.now()
    missed = _missed(ctx, uow, run, system, entries) if comparable else []
    uow.directory.replace(run.connection_id, system, entries, now=now)
    end = None if ended is None else ListEnd(run.id, ended, len(entries), now)
    uow.directory.set_end(run.connection_id, system, end)
    if not missed:
        return
    uow.runs.add_missed(run.id, [{"system": system.value, "id": person_id} for person_id in missed])
    uow.counters.add({(COUNTER, labels(connection=str(run.connection_id), system=system.value)): len(missed)})
    log.warning("webhooks_missed", run_id=run.id, system=system.value, people=len(missed))


def _missed(ctx: Context, uow: UnitOfWork, run: RunRow, system: System, entries: Sequence[DirectoryEntry]) -> list[str]:
    """Ids of people who have changed or joined since the last survey without a webhook that told of them."""
    began = uow.sweeps.last_survey_began(run.connection_id, before_run=run.id)
    if began is None or not _is_told_by_webhooks(ctx, uow, run.connection_id, system):
        return []
    before = uow.directory.contents(run.connection_id, system)
    if not any(before.values()):
        return []
    changed = [entry.person_id for entry in entries if _has_changed(before, entry)]
    if not changed:
        return []
    told = uow.deliveries.people_told_since(run.connection_id, system, began - SLACK)
    written = uow.sweeps.written_since(run.connection_id, system, began - SLACK)
    return [person_id for person_id in changed if person_id not in told | written]


def _has_changed(before: Mapping[str, str | None], now: DirectoryEntry) -> bool:
    if now.person_id not in before:
        return now.content is not None
    return is_other_content(before[now.person_id], now.content)


def _is_told_by_webhooks(ctx: Context, uow: UnitOfWork, connection_id: int, system: System) -> bool:
    if system is System.FREEE:
        return bool(ctx.settings.freee_webhook_token)
    return uow.webhook_registrations.get(connection_id) is not None


@dataclass(frozen=True)
class DirectoryKeys:
    """What the digests of the directory are made with."""

    names: NameKeys
    fingerprint: KeyedFingerprint

    def has_made(self, entry: DirectoryEntry) -> bool:
        """Whether a search finds this entry by the key that makes digests now; its names may have been erased."""
        return entry.names is not None and entry.names.made_by == self.names.made_by

    @classmethod
    def of(cls, ctx: Context) -> DirectoryKeys:
        return cls(name_keys_of(ctx.keys.signing), fingerprint_of(ctx.keys.signing))


def entry_of(record: EmployeeRecord, content: str | None, keys: DirectoryKeys) -> DirectoryEntry:
    person = record.person
    names, marks = keys.names.marks(person.id, names_of(record)), marks_of(person, keys.fingerprint)
    return DirectoryEntry(person.number, person.id, _kept(person.pay_schedule), content, names, marks)


@lru_cache(maxsize=1_000)
def _kept(schedule: PaySchedule | None) -> dict[str, Any] | None:
    """One object for all who are paid alike: a company has few schedules and many people."""
    return asdict(schedule) if schedule else None
