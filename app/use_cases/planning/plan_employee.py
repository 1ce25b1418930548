"""Plans one employee: records in, plan out. The survey and the job of an employee both decide here, so they agree."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from app.domain import writing
from app.domain.employee import EmployeeRecord
from app.domain.enums import Direction, System, Trigger
from app.domain.planning import planning
from app.domain.planning.plan import Change, Plan
from app.domain.planning.trace import with_rules
from app.domain.reading import take_snapshot
from app.domain.settings.connection_settings import ConflictPolicy, Connection, MappingOptions
from app.domain.snapshot import Snapshot


@dataclass(frozen=True)
class Terms:
    """The rules by which a run plans, the same for each of its employees."""

    direction: Direction
    policy: ConflictPolicy
    policies: Mapping[str, ConflictPolicy]
    options: MappingOptions
    fingerprint: Callable[[str, str], str]


def terms_of_run(
    connection: Connection,
    *,
    direction: Direction,
    trigger: Trigger,
    as_of_date: date,
    secret_key: str,
) -> Terms:
    """The rules of one run. A person or a program that starts a run chose its direction on purpose, so the source wins
    every conflict. Automatic runs follow the conflict policies of the connection."""
    policy = connection.conflict_policy if trigger.is_automatic else ConflictPolicy.SOURCE_WINS
    options = MappingOptions(
        include_building=connection.include_building,
        create_positions=connection.create_positions,
        known_positions=connection.known_positions,
        readable_attributes=connection.readable_attributes,
        blank_policies=connection.blank_policies,
        excluded=connection.excluded,
        as_of_date=as_of_date,
    )
    policies = connection.conflict_policies if trigger.is_automatic else {}
    return Terms(direction, policy, policies, options, keyed_fingerprint(secret_key))


def keyed_fingerprint(secret_key: str) -> Callable[[str, str], str]:
    """(key of FIELDS, comparable value) → digest. Keyed, because insurance numbers are few enough to be guessed."""
    key = hashlib.sha256(b"awase baseline " + secret_key.encode()).digest()

    def fingerprint(field_key: str, comparable: str) -> str:
        return hmac.new(key, f"{field_key}\0{comparable}".encode(), hashlib.sha256).hexdigest()[:32]

    return fingerprint


@dataclass(frozen=True)
class Decided:
    plan: Plan
    source: Snapshot
    target: Snapshot | None
    baseline: planning.Baseline


def decide(terms: Terms, source: EmployeeRecord, target: EmployeeRecord | None, digests: Mapping[str, str]) -> Decided:
    """Plan one employee. `target` None: the plan creates the employee. `digests`: the baseline of the pair's link, {}
    for two people who are not linked yet."""
    source_items = take_snapshot(source, terms.options)
    target_items = take_snapshot(target, terms.options) if target else None
    baseline = planning.Baseline(digests, terms.fingerprint)
    plan = planning.plan(
        source_items,
        target_items,
        direction=terms.direction,
        baseline=baseline,
        policy=terms.policy,
        policies=terms.policies,
        options=terms.options,
        target_in_payroll=_in_payroll(target),
        source_in_payroll=_in_payroll(source),
        encodable=_refusals(terms, target),
    )
    return Decided(with_rules(plan, source_items), source_items, target_items, baseline)


def agreed_digests(terms: Terms, decided: Decided, after: EmployeeRecord | None) -> dict[str, str]:
    """The baseline to store after a job: what both sides agreed on before, renewed by what they agree on now. `after`:
    the target as the writes left it; None: nothing was written."""
    target = take_snapshot(after, terms.options) if after else decided.target
    if target is None:
        return dict(decided.baseline.digests)
    return {**decided.baseline.digests, **planning.shared_digests(decided.source, target, decided.baseline)}


def _in_payroll(side: EmployeeRecord | None) -> bool:
    return side is None or side.person.system is not System.FREEE or side.person.in_payroll


def _refusals(terms: Terms, target: EmployeeRecord | None) -> Callable[[Sequence[Change]], Mapping[str, str]]:
    record = target.record if target else None

    def refusals(changes: Sequence[Change]) -> Mapping[str, str]:
        return writing.unwritable(terms.direction.target, changes, record, terms.options)

    return refusals


def plan_digest(terms: Terms, plan: Plan) -> str:
    return digest_of(plan, terms.fingerprint)


def digest_of(plan: Plan, fingerprint: Callable[[str, str], str]) -> str:
    """The digest by which a job recognises the plan that a person approved. The same plan has the same digest, and
    the planned values cannot be read out of it."""
    return planning.digest(plan, planning.Baseline({}, fingerprint))
