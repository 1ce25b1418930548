"""An employee's content in one system as one keyed digest, which tells whether it has changed but not what it is.

Beside it stands the mark of the record that it was made of. Most records are from survey to survey what they were, and
to see that takes a hundredth of the work that their content takes.
"""

from __future__ import annotations

import json
from dataclasses import fields

from app.domain.employee import EmployeeRecord, Person
from app.domain.mapping import FIELDS
from app.domain.planning.keyed import Fingerprint, KeyedFingerprint
from app.domain.planning.rule_version import ROWS, of_all_items
from app.domain.planning.three_way import form
from app.domain.reading import take_snapshot
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import BLANK, Missing, Snapshot


def content_digest(snapshot: Snapshot, fingerprint: Fingerprint) -> str:
    """Digest of all items of FIELDS, which tells of what rows it was made. Absent counts as blank, so that no employee
    seems changed when the system shows the token more attributes than before."""
    states = [(row, snapshot[row.key]) for row in FIELDS]
    forms = [form(row, BLANK if isinstance(state, Missing) else state) for row, state in states]
    return of_all_items(fingerprint("content", json.dumps(forms, ensure_ascii=False)))


def content_of(record: EmployeeRecord, fingerprint: Fingerprint) -> str | None:
    """What the directory keeps of a record, freee's with the closing month it was read at ("2026-11:2:<digest>"). None:
    the system does not show the record. The digest does not depend on the connection's settings, because a change of
    settings is no change of an employee."""
    if record.record is None:
        return None
    digest = content_digest(take_snapshot(record, MappingOptions()), fingerprint)
    return f"{record.month}:{digest}" if record.month else digest


_PERSON = tuple(each.name for each in fields(Person))
_as_text = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=repr).encode


def record_mark(record: EmployeeRecord, fingerprint: KeyedFingerprint, code: str) -> str | None:
    """A keyed digest of everything that Awase knows of a person from one reading: the vendor's record, who they are,
    freee's month. Equal marks mean the same reading, read by the same `code` and rules, under the same key: whatever
    follows from the one follows from the other. None: the system does not show the record."""
    if record.record is None:
        return None
    about = ("mark", code, fingerprint.label)
    if about not in record.read:
        person = [getattr(record.person, name) for name in _PERSON]
        told = [code, ROWS, person, record.month, record.once_only, record.unreadable, record.record]
        record.read[about] = fingerprint("record", _as_text(told))
    mark: str = record.read[about]
    return mark


def is_other_content(before: str | None, after: str | None) -> bool:
    """Whether the employee was changed between these two digests.

    Digests of different freee months say nothing, because freee may show the months differently through an entry made
    long ago; a record that was not shown says nothing either. Nor do digests of different rules: each carries its
    month, the version of the rules and the mark of the rows (`rule_version`) in front.
    """
    if before is None or after is None:
        return False
    (made_before, _, _), (made_after, _, _) = before.rpartition(":"), after.rpartition(":")
    return made_before == made_after and before != after
