"""Whether what a cause blames has changed since the attempt that failed: decided by keyed digests, without values.

With an outcome that waits for a person stands what the attempt has looked at (`kept`): a digest per blamed item and
side, one of each side as a whole, and one per setting of the connection. A later reading makes the same digests. Only
what both hold is compared, so that a side that was not read, or freee in another month, says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from app.domain.employee import EmployeeRecord
from app.domain.error_catalogue.blames import Blames, Setting
from app.domain.mapping import FIELDS
from app.domain.planning.content import content_digest
from app.domain.planning.keyed import Fingerprint, as_made, is_comparable
from app.domain.planning.rule_version import is_by_these_rows
from app.domain.planning.three_way import form
from app.domain.reading import take_snapshot
from app.domain.settings.connection_settings import Connection, MappingOptions
from app.domain.snapshot import BLANK, Missing

Seen = Mapping[str, str]
"""What was looked at → digest: "<side>:<key of FIELDS>", "<side>:*" for all items of a side, "setting:<Setting>"."""

_WHOLE = "*"
_SETTING = "setting"


@dataclass(frozen=True)
class Looked:
    """What an attempt, or a comparison, had before it. `sides`: the records that were read."""

    connection: Connection
    sides: tuple[EmployeeRecord, ...] = ()

    def seen(self, fingerprint: Fingerprint) -> dict[str, str]:
        """Everything, digested."""
        found = {f"{_SETTING}:{name}": fingerprint(_SETTING, text) for name, text in _settings(self.connection)}
        for side in self.sides:
            if side.record is not None:
                found |= _of_side(side, fingerprint)
        return found


def kept(seen: Seen, blames: Blames) -> dict[str, str]:
    """What of it is stored with a cause: what it blames, and each side as a whole; everything where it blames nothing
    narrower."""
    wanted = {_WHOLE, *blames.items}
    return {name: made for name, made in seen.items() if blames.whole or _is_setting(name) or _key(name) in wanted}


def changed_since(before: Seen | None, looked: Looked, blames: Blames, fingerprint: Fingerprint) -> tuple[str, ...]:
    """The blamed items, by their keys, and settings, as "setting:<Setting>", that have changed since `before`."""
    now = _comparable(before, looked, fingerprint)
    moved = {name for name, digest in now.items() if (before or {})[name] != digest}
    items = {_key(name) for name in moved if not _is_setting(name)} - {_WHOLE}
    settings = {f"{_SETTING}:{each.value}" for each in blames.settings} & moved
    return tuple(sorted((items if blames.whole else items & blames.items) | settings))


def is_as_before(before: Seen | None, looked: Looked, fingerprint: Fingerprint) -> bool:
    """Whether nothing at all has changed since then, as far as can be known: then another attempt is the same one.

    Of a release with other items, the digests of whole sides cannot tell; then those of the blamed items do."""
    now, then = _comparable(before, looked, fingerprint), before or {}
    whole = {name for name in now if not _is_setting(name) and _key(name) == _WHOLE}
    other_rows = {name for name in whole if not is_by_these_rows(then[name])}
    blamed = any(not _is_setting(name) and name not in whole for name in now)
    return (
        len({each.person.system for each in looked.sides}) == len(whole)
        and (blamed or not other_rows)
        and all(then[name] == now[name] for name in now.keys() - other_rows)
    )


def settings_changed(before: Connection, after: Connection) -> frozenset[Setting]:
    """Which of the settings that causes blame differ."""
    was, now = dict(_settings(before)), dict(_settings(after))
    return frozenset(Setting(name) for name in was if was[name] != now[name])


def items_of(changed: Collection[str]) -> tuple[str, ...]:
    """The items among what has changed."""
    return tuple(each for each in changed if each and not _is_setting(each))


def _comparable(before: Seen | None, looked: Looked, fingerprint: Fingerprint) -> dict[str, str]:
    """What both hold, made with the key of then."""
    if not before:
        return {}
    one = next(iter(before.values()))
    if not is_comparable(one, fingerprint):
        return {}
    return {name: digest for name, digest in looked.seen(as_made(one, fingerprint)).items() if name in before}


def _of_side(side: EmployeeRecord, fingerprint: Fingerprint) -> dict[str, str]:
    """As the directory reads it (`content_of`): what the settings make of an item is no change of the person."""
    snapshot = take_snapshot(side, MappingOptions())
    name, who = f"{side.person.system.value}@{side.month or ''}", side.person.id
    found = {f"{name}:{_WHOLE}": content_digest(snapshot, fingerprint)}
    for row in FIELDS:
        state = snapshot[row.key]
        text = form(row, BLANK if isinstance(state, Missing) else state)
        found[f"{name}:{row.key}"] = fingerprint("seen", f"{who}\0{row.key}\0{text}")
    return found


def _settings(connection: Connection) -> Iterable[tuple[str, str]]:
    """What of the connection's settings may end a cause, each in one text. Tokens count by how often they were given,
    which consents and replaced tokens both raise."""
    given = {system.value: mark for system, mark in connection.token_marks.items()}
    options = (
        connection.include_building,
        connection.create_positions,
        sorted(connection.blank_policies.items()),
        sorted(connection.excluded),
        connection.conflict_policy,
        sorted(connection.conflict_policies.items()),
    )
    by_type = sorted((name, repr(each)) for name, each in connection.export_settings_by_type.items())
    yield Setting.EXPORT_SETTINGS, json.dumps([repr(connection.export_settings), by_type])
    yield Setting.OPTIONS, json.dumps(options)
    yield Setting.SMARTHR_TOKEN, str(given.get("smarthr", 0))
    yield Setting.CONSENT, json.dumps([connection.needs_consent, given.get("freee", 0)])
    yield Setting.PAUSE, str(connection.paused)


def _key(name: str) -> str:
    return name.rpartition(":")[2]


def _is_setting(name: str) -> bool:
    return name.startswith(f"{_SETTING}:")
