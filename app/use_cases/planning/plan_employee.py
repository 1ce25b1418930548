"""Plans one employee: records in, plan out. The survey and the job of an employee both decide here, so they agree."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from types import MappingProxyType

from app.domain import writing
from app.domain.employee import EmployeeRecord
from app.domain.enums import Direction, System, Trigger
from app.domain.japanese.municipalities import Municipalities
from app.domain.mapping import BY_KEY
from app.domain.planning import declined as resting_changes
from app.domain.planning import planning
from app.domain.planning import unsettled as unsettled_writes
from app.domain.planning.carrying import Carried
from app.domain.planning.declined import Declined, declined_changes
from app.domain.planning.exact import raw_of
from app.domain.planning.keyed import Fingerprint, KeyedFingerprint
from app.domain.planning.plan import Change, Note, Plan, PlanKind, Severity
from app.domain.planning.rule_version import UNKNOWN
from app.domain.planning.three_way import brought_up, by_these_rows, renewed
from app.domain.planning.trace import with_traces
from app.domain.planning.unsettled import Comparison, Memory
from app.domain.reading import take_snapshot, unreadable_items
from app.domain.runs.employment import MONTHLY_ITEMS
from app.domain.settings.connection_settings import Automatic, ConflictPolicy, Connection, MappingOptions
from app.domain.snapshot import ABSENT, Snapshot
from app.storage.keyring import Ring
from app.storage.links.rows import LinkRow

_TARGET_IS_RIGHT = frozenset({"target_newer", "target_wins"})


@dataclass(frozen=True)
class Terms:
    """The rules by which a run plans, the same for each of its employees."""

    direction: Direction
    policy: ConflictPolicy
    policies: Mapping[str, ConflictPolicy]
    options: MappingOptions
    fingerprint: Fingerprint
    one_way: bool = False
    """The run is automatic, and the connection carries nothing the other way by itself."""
    seen: deque[tuple[EmployeeRecord, MappingOptions, Snapshot]] = field(
        default_factory=lambda: deque(maxlen=4), repr=False, compare=False
    )
    """The latest snapshots: a job plans one employee several times, from the same reading of the source."""

    @property
    def is_automatic(self) -> bool:
        return self.policy is not ConflictPolicy.SOURCE_WINS

    @cached_property
    def options_of_target(self) -> MappingOptions:
        return replace(self.options, readable_in_freee=None)

    def snapshot(self, record: EmployeeRecord, options: MappingOptions) -> Snapshot:
        """The person's items, taken once of each reading."""
        for known, by, items in self.seen:
            if known is record and by == options:
                return items
        items = take_snapshot(record, options)
        self.seen.append((record, options, items))
        return items

    @property
    def has_way_back(self) -> bool:
        """Whether a run of the other direction brings to the source what only the target has changed."""
        return self.is_automatic and not self.one_way

    def once_only(self) -> Terms:
        """These rules for a month outside an employment: without the items that freee keeps for each month."""
        excluded = self.options.excluded | MONTHLY_ITEMS
        return replace(self, options=replace(self.options, excluded=excluded))


def terms_of_run(
    connection: Connection,
    *,
    direction: Direction,
    trigger: Trigger,
    as_of_date: date,
    signing: Ring,
    municipalities: Municipalities,
) -> Terms:
    """The rules of one run. A person or a program that starts a run chose its direction on purpose, so the source wins
    every conflict. Automatic runs follow the conflict policies of the connection."""
    policy = connection.conflict_policy if trigger.is_automatic else ConflictPolicy.SOURCE_WINS
    options = MappingOptions(
        include_building=connection.include_building,
        create_positions=connection.create_positions,
        known_positions=connection.known_positions,
        readable_attributes=connection.readable(System.SMARTHR),
        readable_in_freee=connection.readable(System.FREEE),
        gone=frozenset((system, name) for system in System for name in connection.gone(system)),
        blank_policies=connection.blank_policies,
        excluded=connection.excluded,
        as_of_date=as_of_date,
        municipalities=municipalities,
    )
    policies = connection.conflict_policies if trigger.is_automatic else {}
    one_way = trigger.is_automatic and connection.automatic is not Automatic.BOTH
    return Terms(direction, policy, policies, options, fingerprint_of(signing), one_way)


def fingerprint_of(signing: Ring) -> KeyedFingerprint:
    """The fingerprint under the signing key in use, which also compares digests under the others."""
    keys = {signing.label(key): hashlib.sha256(b"awase baseline " + key.text.encode()).digest() for key in signing.keys}
    return KeyedFingerprint(keys, signing.label(signing.in_use))


@dataclass(frozen=True)
class Unsettled:
    """The writes to a pair that no later reading has found there, in the run's direction and in the other one, and what
    a person has not chosen. `item`: the item whose job plans, None for a survey."""

    forward: Memory = field(default_factory=dict)
    back: Memory = field(default_factory=dict)
    item: int | None = None
    declined: Declined = field(default_factory=dict)


def unsettled_of(
    link: LinkRow | None, direction: Direction, *, item: int | None = None, declined: Declined = MappingProxyType({})
) -> Unsettled:
    if link is None:
        return Unsettled(item=item, declined=declined)
    return Unsettled(link.memory(direction), link.memory(direction.reverse), item, declined)


@dataclass(frozen=True)
class Decided:
    plan: Plan
    source: Snapshot
    target: Snapshot | None
    baseline: planning.Baseline
    resting: frozenset[str] = frozenset()
    """Keys of the items that differ and that the plan leaves alone because writing them has not helped."""
    settled: frozenset[str] = frozenset()
    """Units that were written and now hold the same on both sides."""
    once_only: bool = False
    """Only the items that hold for all months were compared."""
    declined: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What rests unmoved under a former signing key, as digests under the one in use."""


def decide(
    terms: Terms,
    source: EmployeeRecord,
    target: EmployeeRecord | None,
    digests: Mapping[str, str],
    unsettled: Unsettled | None = None,
    *,
    ticked: Collection[str] = (),
) -> Decided:
    """Plan one employee. `target` None: the plan creates the employee. `digests`: the baseline of the pair's link, {}
    for two people who are not linked yet. `unsettled` None: plan as if nothing had been written before. `ticked`: keys
    of held changes that a person wants to be written."""
    terms, once_only = _terms_of_pair(terms, source, target)
    source_items = terms.snapshot(source, terms.options)
    target_items = take_target(target, terms) if target else None
    baseline = _baseline(terms, digests)
    limits = Limits(terms, target, target_items, unsettled or Unsettled())
    plan = planning.plan(
        source_items,
        target_items,
        direction=terms.direction,
        baseline=baseline if terms.is_automatic else baseline.by_present_rules(),
        policy=terms.policy,
        policies=terms.policies,
        options=terms.options,
        target_in_payroll=_in_payroll(target),
        source_in_payroll=_in_payroll(source),
        encodable=limits.refusals,
        carried=_carried(terms, source),
        ticked=ticked,
        unreadable=unreadable_items(source, terms.options) if target is None else (),
        one_way=terms.one_way,
    )
    plan = _followed(plan, terms, source, target, target_items)
    if target is None or target_items is None:
        return Decided(plan, source_items, None, baseline)
    plan = with_raw(limits.with_true_reasons(plan, source_items, target_items), target)
    units = limits.unsettled.forward.keys() | limits.unsettled.back.keys()
    settled = unsettled_writes.settled(units, source_items, target_items)
    if once_only:
        plan = replace(plan, notes=(*plan.notes, Note("once_only", Severity.INFO)))
    return Decided(
        plan, source_items, target_items, baseline, frozenset(limits.resting), settled, once_only, limits.declined
    )


class Limits:
    """What keeps single changes of one employee from being sent: the target cannot hold the value, or did not keep it
    before."""

    def __init__(
        self, terms: Terms, target: EmployeeRecord | None, items: Snapshot | None, unsettled: Unsettled
    ) -> None:
        self._terms, self._items, self.unsettled = terms, items, unsettled
        self._record = target.record if target else None
        self.resting: set[str] = set()
        self.declined: Mapping[str, str] = {}

    def refusals(self, changes: Sequence[Change]) -> Mapping[str, str]:
        reasons = self._not_again(changes)
        self.resting |= reasons.keys()
        left = [change for change in changes if change.key not in reasons]
        return reasons | writing.unwritable(self._terms.direction.target, left, self._record, self._terms.options)

    def _not_again(self, changes: Sequence[Change]) -> dict[str, str]:
        if self._items is None:
            return {}
        compared = Comparison(self._items, changes, self._terms.fingerprint)
        automatic = self._terms.is_automatic
        known = self.unsettled
        if automatic:
            reasons = unsettled_writes.reverting(known.back, compared)
            reasons |= declined_changes(known.declined, changes, self._terms.fingerprint)
            self.declined = resting_changes.renewed(known.declined, changes, self._terms.fingerprint)
        else:
            reasons = {}
        return reasons | unsettled_writes.resting(known.forward, compared, item=known.item, patient=automatic)

    def with_true_reasons(self, plan: Plan, source: Snapshot, target: Snapshot) -> Plan:
        """The plan in which a difference that our own write has left behind is called so, and not a change of the
        target."""
        blamed = [conflict.key for conflict in plan.conflicts]
        blamed += [note.key for note in plan.notes if note.code in _TARGET_IS_RIGHT and note.key is not None]
        compared = Comparison(target, (), self._terms.fingerprint)
        reasons = unsettled_writes.not_there(self.unsettled.forward, blamed, source, compared)
        kept = [note for note in plan.notes if not (note.code in _TARGET_IS_RIGHT and note.key in reasons)]
        return replace(
            plan,
            conflicts=tuple(conflict for conflict in plan.conflicts if conflict.key not in reasons),
            notes=(*kept, *(Note(reason, Severity.REVIEW, key) for key, reason in reasons.items())),
        )


def take_target(target: EmployeeRecord, terms: Terms) -> Snapshot:
    """The items of the side that is written. A null of freee is a blank there: freee has no permissions per item, and
    most of what it shows of a new employee is null."""
    return terms.snapshot(target, terms.options_of_target)


def agreed_digests(decided: Decided, now: Snapshot | None) -> dict[str, str]:
    """The baseline to store after a job: what both sides agreed on before, renewed by what they agree on now. `now`:
    the target as the writes left it; None: nothing was written."""
    target = now or decided.target
    if target is None:
        return dict(decided.baseline.digests)
    compared = {
        key: _renewed(key, made, decided)
        for key, made in decided.baseline.digests.items()
        if _counts(key, made, decided)
    }
    return by_these_rows({**compared, **planning.shared_digests(decided.source, target, decided.baseline)})


def agreed_by(
    terms: Terms, source: EmployeeRecord, target: EmployeeRecord, digests: Mapping[str, str]
) -> dict[str, str]:
    """The same of a pair to which nothing was written, without its plan."""
    terms, once_only = _terms_of_pair(terms, source, target)
    sides = terms.snapshot(source, terms.options), take_target(target, terms)
    return agreed_digests(Decided(Plan(PlanKind.NOTHING), *sides, _baseline(terms, digests), once_only=once_only), None)


def _terms_of_pair(terms: Terms, source: EmployeeRecord, target: EmployeeRecord | None) -> tuple[Terms, bool]:
    """(the rules for these two, whether they leave out what freee keeps for each month)"""
    once_only = source.once_only or (target is not None and target.once_only)
    return terms.once_only() if once_only else terms, once_only


def _baseline(terms: Terms, digests: Mapping[str, str]) -> planning.Baseline:
    return planning.Baseline(brought_up(digests, terms.fingerprint), terms.fingerprint)


def _counts(key: str, made: str, decided: Decided) -> bool:
    """Whether a mark of the baseline is worth keeping. That an older release found no agreement says nothing of an item
    which one side does not show: once it does, it is an item like any other without an agreement."""
    assert decided.target is not None
    return made != UNKNOWN or decided.once_only or ABSENT not in (decided.source[key], decided.target[key])


def _renewed(key: str, made: str, decided: Decided) -> str:
    assert decided.target is not None
    if key not in BY_KEY:
        return made
    states = (state for state in (decided.source[key], decided.target[key]) if state is not ABSENT)
    return renewed(BY_KEY[key], made, states, decided.baseline.fingerprint)


def _in_payroll(side: EmployeeRecord | None) -> bool:
    return side is None or side.person.system is not System.FREEE or side.person.in_payroll


def _carried(terms: Terms, source: EmployeeRecord) -> Carried:
    def why_not(key: str, target: Snapshot) -> str | None:
        return writing.uncarried(terms.direction.source, key, target, source.record, terms.options)

    return why_not


def _followed(
    plan: Plan, terms: Terms, source: EmployeeRecord, target: EmployeeRecord | None, items: Snapshot | None
) -> Plan:
    """The plan with the trace of every value that it changes or holds."""
    if source.record is None or not (plan.changes or plan.held):
        return plan
    carried = _carried(terms, source)
    return with_traces(
        plan,
        source.record,
        writing.as_written(
            terms.direction.target, (*plan.changes, *plan.held), target.record if target else None, terms.options
        ),
        direction=terms.direction,
        options=terms.options,
        why_held=lambda key: carried(key, items) if items else None,
    )


def with_raw(plan: Plan, target: EmployeeRecord) -> Plan:
    """The plan whose changes know what the target holds now in its own form, so that an undo restores just that."""

    def seen(change: Change) -> Change:
        return replace(change, raw=raw_of(target.person.system, BY_KEY[change.key], target.record))

    return replace(plan, changes=tuple(map(seen, plan.changes)), held=tuple(map(seen, plan.held)))


def plan_digest(terms: Terms, plan: Plan) -> str:
    return digest_of(plan, terms.fingerprint)


def digest_of(plan: Plan, fingerprint: Fingerprint) -> str:
    """The digest by which a job recognises the plan that a person approved. The same plan has the same digest, and
    the planned values cannot be read out of it."""
    return planning.digest(plan, planning.Baseline({}, fingerprint))
