"""Why a target that allows a 社員番号 only once has refused one: who holds it there, and whether they let go of it.

Whoever holds the number may be about to get another one from the source. In a chain order is all it takes: the job
waits until the job of the holder is over. In a circle (two people who swap, three in turn) nobody can begin; only a
person can lend one of them a free number. A holder who keeps the number is a duplicate, as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.domain.employee import Person
from app.domain.errors import ItemError, Sentence, TemporaryError
from app.domain.matching.linking import Directory, LinkIndex, comparable_number
from app.domain.planning.plan import Note, Plan, Severity
from app.domain.ports import EmployeeGateway
from app.domain.runs.run_state import ItemState
from app.domain.settings.recipients import Language
from app.use_cases.employee.outcome import Job
from app.use_cases.employee.read_pair import EmployeePair
from app.use_cases.shared.link_index import link_index

NUMBER = "employee_number"
DUPLICATE = "E8"
SHORTEST_PAUSE, LONGEST_PAUSE = 2.0, 60.0


@dataclass(frozen=True)
class Holder:
    """A linked person who holds a wanted number at the target and has another one at the source."""

    there: Person
    here: Person


@dataclass(frozen=True)
class TakenNumber:
    """The number cannot be written now. `detail`: whose turn it is, for people."""

    code: str
    state: ItemState
    detail: str = field(repr=False)

    def left_out_of(self, plan: Plan) -> Plan:
        """The plan without the number, and with the reason."""
        kept = tuple(change for change in plan.changes if change.key != NUMBER)
        return Plan(plan.kind, kept, plan.conflicts, (*plan.notes, Note(self.code, Severity.REVIEW, NUMBER)), plan.held)


def why_taken(
    job: Job, pair: EmployeePair, error: ItemError, *, source: EmployeeGateway, target: EmployeeGateway
) -> TakenNumber:
    """Why the target has refused the pair's number. Raises `error` where nobody moves on from that number, or where it
    is about something else, and TemporaryError while the holder's own job is still to come."""
    if error.code != DUPLICATE or pair.target is None:
        raise error
    wanted, held = (comparable_number(side.person.number) for side in (pair.source, pair.target))
    if wanted == held:
        raise error
    numbers = _Numbers(job, source, target)
    if not numbers.is_held(wanted):  # its holder has just let go
        raise TemporaryError(DUPLICATE, error.detail)
    holders = numbers.in_the_way(pair.source.person, pair.target.person)
    if not holders:
        raise error
    if comparable_number(holders[-1].here.number) == held:
        return TakenNumber("numbers_swapped", ItemState.NEEDS_REVIEW, _in_words(job, "swapped_with", holders))
    if _is_under_way(job, holders[0]):
        raise TemporaryError("number_not_free_yet", retry_after=_pause(job), counts=False)
    return TakenNumber("number_not_free_yet", ItemState.FAILED, _in_words(job, "synced_first", holders[:1]))


class _Numbers:
    """The numbers of both systems as they are now."""

    def __init__(self, job: Job, source: EmployeeGateway, target: EmployeeGateway) -> None:
        on, began = job.run.as_of_date, job.run.created_at
        listed = source.directory(as_of_date=on, fresh=False, since=began), target.directory(as_of_date=on, fresh=True)
        self._sources, self._targets = (Directory(record.person for record in people) for people in listed)
        with job.ctx.unit_of_work().reading() as uow:
            self._links: LinkIndex = link_index(uow, job.connection.id)

    def is_held(self, number: str) -> bool:
        return bool(self._targets.by_number(number))

    def in_the_way(self, source: Person, target: Person) -> list[Holder]:
        """The holder of the wanted number, the holder of the number which that one wants, and so on, up to a number
        that is free, or held by the person themselves, or by somebody who keeps it."""
        holders: list[Holder] = []
        seen, wanted = {target.id}, source.number
        while (holder := self._holder(wanted, besides=seen)) is not None:
            holders.append(holder)
            seen.add(holder.there.id)
            wanted = holder.here.number
        return holders

    def _holder(self, number: str, *, besides: set[str]) -> Holder | None:
        found = [each for each in self._targets.by_number(number) if each.id not in besides]
        if len(found) != 1 or len(self._targets.by_number(number)) > 1:
            return None
        partner = self._links.partner(found[0].system, found[0].id)
        here = self._sources.by_id(partner) if partner is not None else None
        wanted = comparable_number(here.number) if here is not None else ""
        return None if here is None or wanted in ("", comparable_number(number)) else Holder(found[0], here)


def _is_under_way(job: Job, holder: Holder) -> bool:
    with job.ctx.unit_of_work().reading() as uow:
        return uow.items.is_under_way(job.connection.id, job.run.direction, holder.here.id)


def _pause(job: Job) -> float:
    """Longer and longer, because the holder may be the last of thousands."""
    began = job.item.started_at or job.item.created_at
    return min(max((job.ctx.clock.now() - began).total_seconds(), SHORTEST_PAUSE), LONGEST_PAUSE)


def _in_words(job: Job, text: str, holders: Sequence[Holder]) -> str:
    people = (Sentence("run.numbers.holder", here=each.here.number, there=each.there.number) for each in holders[:10])
    return job.ctx.wording(Language.JAPANESE).tell(Sentence(f"run.numbers.{text}", holders=tuple(people)))
