"""The automatic sync of a connection: its directions, which side wins a conflict, its quiet window and sweep interval,
and when it mails."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from app.domain.enums import Direction, System
from app.domain.errors import Refused, Sentence
from app.domain.mapping import FIELDS
from app.domain.settings.connection_settings import Automatic, ConflictPolicy, Connection, MailPolicy
from app.domain.settings.export_settings import complete
from app.storage.automatic.rows import WebhookRegistrationRow
from app.storage.enums import WebhookState
from app.use_cases.connections.setting_changes import changing
from app.use_cases.context import Context
from app.use_cases.queries.beginnings import beginnings_in
from app.use_cases.shared.beginnings import keep_settings, look_again
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.views import BeginningView

BANK = "bank"
DEFAULT = "default"
"""The word that takes a connection's own value back: an item then follows the connection's policy again, a number the
setting of the service."""
QUIET_RANGE = (0, 600)
SWEEP_RANGE = (5, 1440)
POLICIES = tuple(policy for policy in ConflictPolicy if policy is not ConflictPolicy.SOURCE_WINS)
"""The policies an administrator may choose. Not SOURCE_WINS: with both directions on, the system whose run comes last
would win, and no administrator could tell which one that is."""
POLICY_ITEMS = (*(row.key for row in FIELDS if row.group != BANK), BANK)
"""Which items may have a policy of their own. The five items of a bank account share one, because an account put
together from both sides would belong to no employee."""

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True)
class AutomaticView:
    """The automatic settings of a connection. Where it has no value of its own, the setting of the service stands."""

    automatic: Automatic
    policy: ConflictPolicy
    item_policies: Mapping[str, ConflictPolicy]
    quiet_seconds: float
    sweep_minutes: float
    mail: MailPolicy
    webhook: WebhookState
    webhook_checked_at: datetime | None
    beginnings: tuple[BeginningView, ...] = ()
    """The directions that wait for the approval of a preview."""

    @property
    def deaf(self) -> bool:
        """True: the connection wants SmartHR's changes, but no webhook brings them, so Awase learns of them only in the
        next sweep."""
        reads_smarthr = any(direction.source is System.SMARTHR for direction in self.automatic.directions)
        return reads_smarthr and self.webhook is not WebhookState.OK


def show_automatic(ctx: Context, connection_key: str) -> AutomaticView:
    """The automatic settings of a connection. Raises Refused for an unknown connection."""
    with ctx.unit_of_work().reading() as uow:
        connection = known_connection(uow, connection_key)
        webhook, beginnings = uow.webhook_registrations.get(connection.id), beginnings_in(uow, connection.id)
    return view_of(ctx, connection, webhook, beginnings)


def view_of(
    ctx: Context,
    connection: Connection,
    webhook: WebhookRegistrationRow | None,
    beginnings: tuple[BeginningView, ...],
) -> AutomaticView:
    """As `show_automatic`, for a caller that has read the rest already."""
    quiet, sweep = connection.quiet_seconds, connection.sweep_minutes
    return AutomaticView(
        automatic=connection.automatic,
        policy=connection.conflict_policy,
        item_policies=connection.conflict_policies,
        quiet_seconds=ctx.settings.quiet_seconds if quiet is None else quiet,
        sweep_minutes=ctx.settings.sweep_minutes if sweep is None else sweep,
        mail=connection.mail_policy,
        webhook=webhook.state if webhook else WebhookState.NONE,
        webhook_checked_at=webhook.checked_at if webhook else None,
        beginnings=beginnings,
    )


def set_automatic(ctx: Context, connection_key: str, *, changes: Mapping[str, Any]) -> AutomaticView:
    """Change the settings that are given and keep the rest: `directions`, `policy`, `item_policies` ({key: policy}),
    `quiet_seconds`, `sweep_minutes`, `mail`, all of them as text. Raises Refused naming every wrong setting, and then
    nothing is changed. Where the change may alter the plan of somebody, the next comparison is a preview."""
    with changing(ctx, connection_key, "automatic_changed") as (uow, connection):
        keep_settings(ctx, uow, connection, changed(connection, changes))
    return show_automatic(ctx, connection_key)


def look_now(ctx: Context, who: str, connection_key: str) -> AutomaticView:
    """Make the previews with which automatic sync begins now, instead of at the next interval. Raises Refused when
    nothing waits for one."""
    with ctx.unit_of_work() as uow:
        connection = known_connection(uow, connection_key)
        if not look_again(ctx, uow, connection.id):
            raise Refused("nothing_begins", status=409)
        subject = f"connection:{connection_key}"
        uow.audit.add(actor=who, action="beginning_looked_at", subject=subject, now=ctx.clock.now())
    return show_automatic(ctx, connection_key)


# ── checking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def changed(connection: Connection, changes: Mapping[str, Any]) -> Connection:
    """The connection with these changes, not stored yet. Raises Refused naming every wrong setting."""
    faults: dict[str, Sentence | str] = {}
    values: dict[str, Any] = {}
    for name, given in changes.items():
        field, read = _READERS.get(name, (name, _unknown))
        try:
            values[field] = read(given)
        except Refused as refused:
            faults[name] = refused.told
    kept = {**connection.conflict_policies, **values.pop("item_policies", {})}
    values["conflict_policies"] = {key: policy for key, policy in kept.items() if policy is not None}
    result = replace(connection, **values)
    if Direction.SMARTHR_TO_FREEE in result.automatic.directions and not complete(result.export_settings):
        faults["directions"] = Sentence("fields.directions")
    if faults:
        raise Refused("invalid_automatic", fields=faults)
    return result


def _wrong(told: Sentence) -> Refused:
    return Refused("invalid_automatic", told=told)


def _unknown(_given: Any) -> Any:
    raise _wrong(Sentence("fields.setting", settings=", ".join(_READERS)))


def _one_of(choices: tuple[E, ...]) -> Callable[[Any], E]:
    def read(given: Any) -> E:
        for choice in choices:
            if choice.value == given:
                return choice
        raise _wrong(Sentence("fields.one_of", choices=tuple(choice.value for choice in choices)))

    return read


def _policies(given: Mapping[str, Any]) -> dict[str, ConflictPolicy | None]:
    """Item → its policy; None: the item follows the connection's policy again."""
    unknown = tuple(key for key in given if key not in POLICY_ITEMS)
    if unknown:
        raise _wrong(Sentence("fields.items", unknown=unknown, items=", ".join(POLICY_ITEMS)))
    read = _one_of(POLICIES)
    return {key: None if value == DEFAULT else read(value) for key, value in given.items()}


def _number(kind: type[int] | type[float], between: tuple[int, int]) -> Callable[[Any], float | None]:
    low, high = between

    def read(given: Any) -> float | None:
        if given == DEFAULT:
            return None
        try:
            number = kind(given)
        except (TypeError, ValueError):
            number = math.nan
        if not low <= number <= high:
            raise _wrong(Sentence(f"fields.number.{kind.__name__}", low=low, high=high))
        return number

    return read


_READERS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "directions": ("automatic", _one_of(tuple(Automatic))),
    "policy": ("conflict_policy", _one_of(POLICIES)),
    "item_policies": ("item_policies", _policies),
    "quiet_seconds": ("quiet_seconds", _number(float, QUIET_RANGE)),
    "sweep_minutes": ("sweep_minutes", _number(int, SWEEP_RANGE)),
    "mail": ("mail_policy", _one_of(tuple(MailPolicy))),
}
"""Setting → (field of Connection, function that reads the given text). The functions raise Refused."""
