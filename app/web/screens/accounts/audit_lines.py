"""An entry of the audit trail in the words of a language: who, from where, what, before → after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import url_for as url

from app.domain.access.roles import Role
from app.domain.mapping import BY_KEY
from app.use_cases.queries.audit_trail import AuditEntry, Party
from app.web.i18n import DEFAULT, Wording, catalogue
from app.web.screens.base import has_view

_MARK = "changed"
"""What stands for a value that the trail does not hold."""


@dataclass(frozen=True)
class Line:
    """An entry in words."""

    at: datetime
    actor: str
    origin: tuple[str, ...]
    action: str
    subject: str
    subject_ref: str
    address: str
    """The address of the subject's page, "" when the subject has none."""
    details: tuple[str, ...]


def line_of(entry: AuditEntry, words: Wording) -> Line:
    return Line(
        at=entry.at,
        actor=party(entry.actor, "actors", words),
        origin=tuple(_origin(entry, words)),
        action=word("actions", entry.action, words),
        subject=party(entry.subject, "subjects", words),
        subject_ref=entry.subject.ref,
        address=_address(entry.subject),
        details=tuple(_details(entry.detail, words)),
    )


def party(given: Party, area: str, words: Wording) -> str:
    if given.ref == "user:0":
        return words("audit.unknown_login")
    known = f"audit.{area}.{given.kind}" in catalogue(DEFAULT)
    return words(f"audit.{area}." + given.kind, name=given.name) if known else given.ref


def word(area: str, name: str, words: Wording) -> str:
    """The words for a name; a name that only a newer version knows stands here as that version wrote it."""
    return words(f"audit.{area}." + name) if f"audit.{area}.{name}" in catalogue(DEFAULT) else name


def _origin(entry: AuditEntry, words: Wording) -> list[str]:
    """The door, the address, and who it was there; nothing for entries of older versions."""
    if entry.door is None:
        return []
    names = (entry.via.get(name, "") for name in ("key_name", "os_user", "sudo_user"))
    return [word("doors", entry.door, words), *filter(None, (entry.address, *names))]


def _details(detail: Mapping[str, Any], words: Wording) -> list[str]:
    told = [f"{_name(name, words)}: {_value(value, words)}" for name, value in detail.items() if name != "changes"]
    moved = detail.get("changes")
    return told + [_moved(name, pair, words) for name, pair in (moved.items() if isinstance(moved, dict) else ())]


def _moved(name: str, pair: Any, words: Wording) -> str:
    before, after = pair if isinstance(pair, list) and len(pair) == 2 else ("", pair)
    if after == _MARK:
        return f"{_name(name, words)}: {word('details', _MARK, words)}"
    return f"{_name(name, words)}: {_value(before, words)} → {_value(after, words)}"


def _name(name: str, words: Wording) -> str:
    """`conflict_policies.title` → the setting, and the item that it is about."""
    setting, _, of = name.partition(".")
    part = words.item(of) if of in BY_KEY else word("details", of, words) if of else ""
    return " ".join(filter(None, (word("details", setting, words), part)))


def _value(value: Any, words: Wording) -> str:
    if value is None or value == "" or value == []:
        return words("layout.nothing")
    if value is True or value is False:
        return word("details", "yes" if value else "no", words)
    given = value if isinstance(value, list) else [value]
    return ", ".join(_one(each, words) for each in given)


def _one(value: Any, words: Wording) -> str:
    if value == _MARK:
        return word("details", _MARK, words)
    if value in list(Role):
        return words.label(Role(value))
    return words.item(value) if isinstance(value, str) and value in BY_KEY else str(value)


def _address(given: Party) -> str:
    _, _, ref = given.ref.partition(":")
    if given.kind == "run" and has_view("screens.run"):
        return url("screens.run", run_id=ref)
    if given.kind == "connection" and has_view("screens.connection"):
        return url("screens.connection", key=ref)
    return ""
