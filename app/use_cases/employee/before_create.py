"""The last look before a create, made while the job holds the turn to create.

Meanwhile another run may have linked the person, Awase may have created them (with a lost answer, or through another
connection to the same company), or somebody may have entered them by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from app.domain.employee import EmployeeRecord, Person
from app.domain.matching.linking import Directory, LinkDecision, LinkIndex, LinkKind, decide_link
from app.domain.matching.marks import wanted
from app.domain.ports import EmployeeGateway
from app.domain.runs.run_state import ItemState
from app.storage.links.rows import KnownPerson
from app.use_cases.employee.newcomers import Newcomers
from app.use_cases.employee.outcome import ItemOutcome, Job, unreadable_outcome
from app.use_cases.employee.read_pair import EmployeePair, PairReader
from app.use_cases.planning.hidden_people import as_people
from app.use_cases.planning.plan_employee import fingerprint_of
from app.use_cases.planning.planned_item import candidates_of

AGE_OF_A_SURVEY = timedelta(minutes=2)
"""A survey's lists older than this say too little about now: everybody is listed again before a create."""
KEPT_IN_A_JOB = timedelta(minutes=10)
"""How old what is known of hidden people may be when a job creates somebody."""
IN_DOUBT = timedelta(hours=1)
"""For so long another connection's create in doubt makes every create look at a fresh list."""
SLACK = timedelta(minutes=2)
"""A create this long before the run began may be missing in a list that the run's first job found in the cache."""


class BeforeCreate:
    def __init__(self, job: Job, pairs: PairReader, target: EmployeeGateway) -> None:
        self._ctx, self._item, self._run, self._connection = job.ctx, job.item, job.run, job.connection
        self._pairs, self._target = pairs, target
        self._tenant = job.connection.tenant_of(target.system)
        self._planned_at = job.run.surveyed_at or job.run.created_at
        self._newcomers = Newcomers(job, pairs, target)
        self._since = max(job.run.approved_at or job.run.created_at, job.ctx.clock.now() - KEPT_IN_A_JOB)

    def look(self, source: EmployeeRecord) -> EmployeePair | ItemOutcome | None:
        """The pair that has come about meanwhile, an outcome when a person has to decide, or None: create."""
        person = source.person
        if self._is_linked(person):
            return self._pairs.read()
        fresh = self._settle_doubt(person)
        is_known = self._newcomers.are_known(person)
        ids = self._ids(person, fresh=fresh, is_known=is_known)
        self._note_settled(person, happened=bool(ids))
        made = self._made_meanwhile(person)
        listed: Sequence[EmployeeRecord] = ()
        if ids or (not is_known and (fresh or self._is_long_ago())):
            listed = self._listed(fresh=fresh or bool(ids))
        if not listed and not made:
            return None
        decision, listed = self._decide(person, listed, made)
        if made and decision.kind is not LinkKind.CREATE:  # somebody may have deleted whom Awase has created
            decision, listed = self._decide(person, self._listed(fresh=True), ())
        if decision.kind is LinkKind.CREATE:
            still = bool(ids) and bool(self._target.ids_by_number(person.number, fresh=True))
            return ItemOutcome(ItemState.NEEDS_REVIEW, "link_ambiguous") if still else None
        return _ended(source, decision, listed)

    def _ids(self, person: Person, *, fresh: bool, is_known: bool) -> list[str]:
        """Who has this number at the target. `is_known`: the directory holds everybody who is there."""
        if not is_known or self._target.asks_by_number:
            return self._target.ids_by_number(person.number, fresh=fresh)
        with self._ctx.unit_of_work().reading() as uow:
            return uow.directory.ids_numbered(self._connection.id, self._target.system, person.number)

    def _listed(self, *, fresh: bool) -> Sequence[EmployeeRecord]:
        return self._target.directory(as_of_date=self._run.as_of_date, fresh=fresh, since=self._since)

    def _decide(
        self, person: Person, listed: Sequence[EmployeeRecord], made: Sequence[KnownPerson]
    ) -> tuple[LinkDecision, Sequence[EmployeeRecord]]:
        """Decide by the lists and by what Awase has created, and once more when somebody hidden could be the one."""
        if listed:
            sources, links = self._pairs.sources(person), self._pairs.links()
        else:
            sources, links = self._pairs.about(person, as_people(made, self._target))
        decision = self._decision(person, listed, made, links=links, sources=sources)
        if decision.kind is LinkKind.CREATE or decision.code == "hidden_person":
            listed = self._pairs.revealed(listed, sources=sources, links=links, since=self._since)
            decision = self._decision(person, listed, made, links=links, sources=sources)
        return decision, listed

    def _decision(
        self,
        person: Person,
        listed: Sequence[EmployeeRecord],
        made: Sequence[KnownPerson],
        *,
        links: LinkIndex,
        sources: Directory,
    ) -> LinkDecision:
        targets = Directory([*(record.person for record in listed), *as_people(made, self._target)])
        on = self._run.as_of_date
        return decide_link(person, sources=sources, targets=targets, links=links, as_of_date=on)

    # ── what may have happened ────────────────────────────────────────────────────────────────────────────────────

    def _is_linked(self, person: Person) -> bool:
        with self._ctx.unit_of_work().reading() as uow:
            return uow.links.by_source(self._connection.id, person.system, person.id) is not None

    def _settle_doubt(self, person: Person) -> bool:
        """Whether only a fresh list tells what is there: this create, or one of another connection, is in doubt."""
        passes = 1 if self._run.gate is None else 2  # of two passes, the first one only planned
        since = self._ctx.clock.now() - IN_DOUBT
        with self._ctx.unit_of_work().reading() as uow:
            doubtful = uow.steps.unknown_create(self._connection.id, person.id)
            others = uow.steps.others_in_doubt(self._connection, self._target.system, since=since)
        return doubtful or others or self._item.attempt > passes

    def _note_settled(self, person: Person, *, happened: bool) -> None:
        now = self._ctx.clock.now()
        with self._ctx.unit_of_work() as uow:
            if uow.steps.unknown_create(self._connection.id, person.id):
                uow.steps.settle_creates(self._connection.id, person.id, happened=happened, now=now)

    def _made_meanwhile(self, person: Person) -> list[KnownPerson]:
        """Whom Awase has created in the target since the run began, through whatever connection, and who else was added
        there, as far as they may be this person."""
        like, since = wanted(person, fingerprint_of(self._ctx.keys.signing)), self._run.created_at - SLACK
        with self._ctx.unit_of_work().reading() as uow:
            return uow.known_people.made_since(self._target.system, self._tenant, since, like)

    def _is_long_ago(self) -> bool:
        """Whether the target may have changed since the person was planned: a preview waited for its approval, or
        the item waited in the queue."""
        waited = self._ctx.clock.now() - self._planned_at
        return self._pairs.is_gathered or self._item.approved_digest is not None or waited > AGE_OF_A_SURVEY


def _ended(
    source: EmployeeRecord, decision: LinkDecision, listed: Sequence[EmployeeRecord]
) -> EmployeePair | ItemOutcome:
    if decision.target_id is None:
        return ItemOutcome(ItemState.NEEDS_REVIEW, decision.code, candidates=candidates_of(decision))
    found = next((record for record in listed if record.person.id == decision.target_id), None)
    if found is not None and found.unreadable:
        return unreadable_outcome(found)
    if found is None or found.record is None:
        return ItemOutcome(ItemState.NEEDS_REVIEW, "person_left")
    return EmployeePair(source, found, None)
