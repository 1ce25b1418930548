"""Settings that a person tries before saving them, as a run keeps them, and the connection that has them.

A run that tries settings plans twice from the same lists: with the settings as they are saved, and with those that are
tried. It keeps only what the two plans differ by. Nothing of it is written: such a run can be looked at and ends when
another one is asked for, or the settings are saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.domain.enums import Trigger
from app.domain.settings.connection_settings import Automatic, BlankPolicy, ConflictPolicy, Connection, MailPolicy
from app.storage.runs.rows import RunRow

FEWER = "fewer"
"""In what a run keeps: of how many people less would be changed than with the saved settings."""


def of_items(connection: Connection) -> dict[str, Any]:
    """What is tried of a connection with other items and blank rules."""
    return {
        "section": "items",
        "excluded": sorted(connection.excluded),
        "blank_policies": {key: policy.value for key, policy in sorted(connection.blank_policies.items())},
        "include_building": connection.include_building,
        "create_positions": connection.create_positions,
    }


def of_automatic(connection: Connection) -> dict[str, Any]:
    """What is tried of a connection with other rules for what both sides have changed; the rest of that section comes
    along, so that nothing that was typed is lost."""
    return {
        "section": "automatic",
        "automatic": connection.automatic.value,
        "conflict_policy": connection.conflict_policy.value,
        "conflict_policies": {key: policy.value for key, policy in sorted(connection.conflict_policies.items())},
        "mail_policy": connection.mail_policy.value,
        "quiet_seconds": connection.quiet_seconds,
        "sweep_minutes": connection.sweep_minutes,
    }


def tried_settings(trial: Mapping[str, Any]) -> dict[str, Any]:
    """The settings alone, without what has come of the trial."""
    return {name: value for name, value in trial.items() if name != FEWER}


def with_tried(connection: Connection, trial: Mapping[str, Any]) -> Connection:
    """The connection as it would be with these settings."""
    values = {name: read(trial[name]) for name, read in _READERS.items() if name in trial}
    return replace(connection, **values)


def trigger_of(run: RunRow) -> Trigger:
    """By which trigger's rules a run plans: rules for what both sides have changed count in automatic runs only."""
    tries_rules = run.trial is not None and run.trial["section"] == "automatic"
    return Trigger.SCHEDULE if tries_rules else run.trigger


_READERS: Mapping[str, Any] = {
    "excluded": frozenset,
    "blank_policies": lambda stored: {key: BlankPolicy(value) for key, value in stored.items()},
    "include_building": bool,
    "create_positions": bool,
    "automatic": Automatic,
    "conflict_policy": ConflictPolicy,
    "conflict_policies": lambda stored: {key: ConflictPolicy(value) for key, value in stored.items()},
    "mail_policy": MailPolicy,
    "quiet_seconds": lambda stored: stored,
    "sweep_minutes": lambda stored: stored,
}
