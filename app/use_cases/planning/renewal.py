"""Renews digests: what stands under a former signing key is made anew under the one in use.

A digest does not lead back to its value, so this is possible only where both sides have just been read and one of them
still holds the value. Baselines are renewed together with every agreement (`plan_employee.agreed_digests`). Here is
what is remembered besides: writes that are not settled, and changes that rest or wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.employee import EmployeeRecord
from app.domain.enums import Direction
from app.domain.planning.keyed import Fingerprint, KeyedFingerprint, is_former
from app.domain.planning.stopping import pieces_of
from app.domain.planning.unsettled import loaded, renewed
from app.domain.snapshot import Snapshot
from app.storage.links.rows import LinkRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.planning.plan_employee import Decided
from app.use_cases.planning.stop_changes import Stops


@dataclass(frozen=True)
class Renewal:
    """What can be renewed of one pair. `link` None: it remembers no writes under a former key. `declined`: item →
    digest; `stopped`: id of the row → its digest and the new one."""

    direction: Direction
    source_id: str
    link: LinkRow | None
    sides: tuple[Snapshot, Snapshot] = field(repr=False)
    fingerprint: Fingerprint = field(repr=False)
    declined: Mapping[str, str] = field(repr=False)
    stopped: Mapping[int, tuple[str, str]] = field(repr=False)

    def store(self, uow: UnitOfWork, connection_id: int) -> None:
        for direction in Direction if self.link is not None else ():
            assert self.link is not None
            uow.links.change_unsettled(
                self.link.id, direction, lambda memory: renewed(memory, *self.sides, self.fingerprint)
            )
        if self.declined:
            uow.beginnings.renew_declined(connection_id, self.direction, self.source_id, self.declined)
        for row_id, (seen, digest) in self.stopped.items():
            uow.stopped_changes.renew(row_id, digest, seen=seen)


def renewal_of(
    direction: Direction,
    source: EmployeeRecord,
    target: EmployeeRecord | None,
    decided: Decided,
    link: LinkRow | None,
    fingerprint: Fingerprint,
    stops: Stops | None,
) -> Renewal | None:
    """None: nothing of this pair can be renewed. `stops`: what waits or rests; None: the run does not look at that."""
    if stops is None or target is None or decided.target is None or not _has_former_keys(fingerprint):
        return None
    pieces = pieces_of(decided.plan, today=stops.today, fingerprint=fingerprint)
    remembered = stops.of(source.person.id, target.person.id)
    former = [row for row in remembered if row.direction is direction and is_former(row.digest, fingerprint)]
    stopped = {
        row.id: (row.digest, piece.digest)
        for piece in pieces
        for row in former
        if row.unit == piece.unit and piece.is_same(row.digest)
    }
    with_memory = link if link is not None and _remembers_former(link, fingerprint) else None
    if not (with_memory or decided.declined or stopped):
        return None
    sides = (decided.source, decided.target)
    return Renewal(direction, source.person.id, with_memory, sides, fingerprint, decided.declined, stopped)


def _has_former_keys(fingerprint: Fingerprint) -> bool:
    return isinstance(fingerprint, KeyedFingerprint) and len(fingerprint.keys) > 1


def _remembers_former(link: LinkRow, fingerprint: Fingerprint) -> bool:
    memories = [loaded(memory) for memory in (link.unsettled or {}).values()]
    made = (digest for memory in memories for sent in memory.values() for digest in (sent.wrote, sent.found))
    return any(is_former(digest, fingerprint) for digest in made)
