"""A transaction that changes the settings of a connection, with its audit entry: which settings, before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from app.domain.settings.connection_settings import Connection
from app.storage.access.audit import CHANGED
from app.storage.unit_of_work import UnitOfWork
from app.storage.vault import VaultError
from app.use_cases.context import Context
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.mended_settings import look_after

_PLAIN = (
    *("name", "automatic", "conflict_policy", "quiet_seconds", "sweep_minutes", "mail_policy", "include_building"),
    *("create_positions", "paused"),
)
_PER_ITEM = ("conflict_policies", "blank_policies")


@contextmanager
def changing(
    ctx: Context, key: str, action: str, *, detail: Mapping[str, Any] | None = None
) -> Iterator[tuple[UnitOfWork, Connection]]:
    """Raises Refused for an unknown connection."""
    with ctx.unit_of_work() as uow:
        before = known_connection(uow, key)
        yield uow, before
        look_after(uow, before)
        uow.audit.add(
            action=action,
            subject=f"connection:{key}",
            now=ctx.clock.now(),
            detail=detail,
            changes=setting_changes(before, known_connection(uow, key)),
        )


def setting_changes(before: Connection, after: Connection) -> dict[str, tuple[Any, Any]]:
    """Setting → (before, after), of which the trail keeps those that differ. Of the recipients only that they were
    changed."""
    was, now = _settings(before), _settings(after)
    found = {name: (was.get(name), now.get(name)) for name in sorted(was.keys() | now.keys())}
    if _differ(before.mail_to, after.mail_to):
        found["mail_to"] = ("", CHANGED)
    if _differ(before.mail_english, after.mail_english):
        found["mail_english"] = ("", CHANGED)
    return found


def _differ(was: Sequence[str], now: Sequence[str]) -> bool:
    """Whether the recipients were changed. Former ones that no key opens count as others: who replaces them must not
    need the key that is missing."""
    try:
        return was != now
    except VaultError:
        return True


def _settings(connection: Connection) -> dict[str, Any]:
    found = {name: getattr(connection, name) for name in _PLAIN}
    found["excluded"] = sorted(connection.excluded)
    for name in _PER_ITEM:
        found |= {f"{name}.{item}": policy for item, policy in getattr(connection, name).items()}
    if connection.export_settings is not None:
        found |= {f"export_settings.{name}": value for name, value in asdict(connection.export_settings).items()}
    for kind, settings in connection.export_settings_by_type.items():
        found |= {f"export_settings.{kind}.{name}": value for name, value in asdict(settings).items()}
    return found
