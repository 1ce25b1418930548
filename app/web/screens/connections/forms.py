"""What the forms about connections send, read into what the use cases take; and what they are told in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import request

from app.domain.errors import AwaseError, Refused
from app.domain.settings.connection_settings import Connection, ExportSettings
from app.domain.settings.export_settings import doubts
from app.web.i18n import DEFAULT, Wording
from app.web.screens.base import wording_here

EXPORT_FIELDS = ("working_hours_system_name", "pay_schedule_name", "pay_type", "base_pay")
_SET = re.compile(r"set-(\d{1,3})-([a-z_]+)")

Values = dict[str, str]


def text(name: str) -> str:
    return request.form.get(name, "").strip()


def addresses(typed: str) -> list[str]:
    """One a line, or with commas."""
    return [each for each in re.split(r"[\s,、;]+", typed) if each]


def typed_export() -> tuple[Values, list[Values]]:
    """The default set and the further ones, as typed. A further set of which nothing is filled in is none."""
    default = {name: text(name) for name in EXPORT_FIELDS}
    sets: dict[int, Values] = {}
    for name in request.form:
        found = _SET.fullmatch(name)
        if found and found[2] in ("employment_type", *EXPORT_FIELDS):
            sets.setdefault(int(found[1]), {})[found[2]] = text(name)
    filled = [sets[number] for number in sorted(sets) if any(v for k, v in sets[number].items() if k != "pay_type")]
    return default, filled


def kept_export(connection: Connection) -> tuple[Values, list[Values]]:
    """The same, as it is stored."""
    default = _values(connection.export_settings) if connection.export_settings else {}
    further = connection.export_settings_by_type.items()
    return default, [{"employment_type": name, **_values(settings)} for name, settings in further]


def export_doubts(connection: Connection) -> list[str]:
    """Catalogue codes worth telling beside settings that are taken."""
    kept = [connection.export_settings, *connection.export_settings_by_type.values()]
    return sorted({code for settings in kept if settings for code in doubts(settings)})


def fault_words(refused: Refused) -> dict[str, str]:
    """Field → what is wrong, in the language of whoever looks."""
    words = wording_here()
    if refused.code.startswith("smarthr_"):
        return {field: words(f"connections.smarthr_faults.{refused.code}") for field in refused.fields}
    return {field: _fault(words, field, message) for field, message in refused.fields.items()}


def error_words(error: AwaseError) -> str:
    """What SmartHR or freee said, and what to do."""
    words = wording_here()
    if error.code == "webhook_unsure":  # its own words are for the command line
        return words("connections.webhook_unsure")
    if isinstance(error, Refused):
        return words.refusal(error)
    return f"{words.message(error.code)} {words.remedy(error.code)}".strip()


def _fault(words: Wording, field: str, message: str) -> str:
    """The domain's own message in Japanese, unless it speaks of the command line; in another language what the field
    takes."""
    speaks_here = words.locale == DEFAULT and "flask" not in message
    return message if speaks_here else words(f"connections.faults.{field.rpartition('.')[2]}")


def _values(settings: ExportSettings) -> Values:
    values: Mapping[str, Any] = asdict(settings)
    return {name: str(values[name]) for name in EXPORT_FIELDS}
