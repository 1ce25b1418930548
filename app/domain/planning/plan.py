"""What a plan is made of: changes to write, conflicts to decide, notes for people.

Built by `planning`, run by gateways.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.domain.codecs.steps import TraceStep
from app.domain.snapshot import FieldState


class PlanKind(StrEnum):
    NOTHING = "nothing"
    CREATE = "create"
    UPDATE = "update"


class Severity(StrEnum):
    INFO = "info"  # told, but no person has to act: lossy, kept, not readable
    REVIEW = "review"  # a person has to look: the item ends as 要確認
    STOP = "stop"  # the employee cannot be written at all: the item fails before the first request


@dataclass(frozen=True, slots=True)
class Trace:
    """One value on its way from the source to the target.

    `read`: what the source holds, at the paths of its row. `steps`: which named rule made what of it, down to the
    plain value; `writing`: what the target's form makes of that. Where a step is missing, it changed nothing. `lost`:
    words for what of this very value the target does not get. `held`: why the value waits for a tick.
    """

    read: tuple[Any, ...] = field(repr=False)
    steps: tuple[TraceStep, ...] = ()
    writing: tuple[TraceStep, ...] = ()
    lost: tuple[str, ...] = field(default=(), repr=False)
    held: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Change:
    """One item to write: `before` is what the target holds now, `after` what it shall hold, both in plain form."""

    key: str
    before: FieldState = field(repr=False)
    after: FieldState = field(repr=False)
    raw: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    """The vendor's own values that the target holds now (`exact.raw_of`); None: nobody has looked."""
    exact: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    """The vendor's own values to write as they are, in place of `after` in the vendor's form: what an undo restores."""
    trace: Trace | None = field(default=None, repr=False, compare=False)
    """How the source's value became the target's (`trace.with_traces`); None: nobody has followed it."""


@dataclass(frozen=True)
class Conflict:
    """Both sides moved away from the baseline and differ; the policy says hold."""

    key: str
    source: FieldState = field(repr=False)
    target: FieldState = field(repr=False)


@dataclass(frozen=True)
class Note:
    """Something a person should know. `code` is a code of the error catalogue or a reason word; never a value."""

    code: str
    severity: Severity
    key: str | None = None
    """Key of FIELDS, or None when the note concerns the whole employee."""


@dataclass(frozen=True)
class Plan:
    kind: PlanKind
    changes: tuple[Change, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    notes: tuple[Note, ...] = ()
    held: tuple[Change, ...] = ()
    """Changes that would replace a value which could not be carried to the other side. They are written only when a
    person ticks them in a preview."""

    @property
    def stops(self) -> tuple[Note, ...]:
        return tuple(note for note in self.notes if note.severity is Severity.STOP)

    @property
    def needs_review(self) -> bool:
        return bool(self.conflicts) or any(n.severity is Severity.REVIEW for n in self.notes)

    @property
    def writes(self) -> bool:
        """Whether anything would be sent to the target."""
        return self.kind is not PlanKind.NOTHING and not self.stops
