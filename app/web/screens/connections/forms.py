"""Reads what the forms about connections send into what the use cases take, and puts faults and errors into words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import request

from app.domain.errors import AwaseError, Refused
from app.domain.settings.connection_settings import Connection, ExportSettings
from app.domain.settings.export_settings import doubts
from app.web.screens.base import wording_here

EXPORT_FIELDS = ("working_hours_system_name", "pay_schedule_name", "pay_type", "base_pay")
_SET = re.compile(r"set-(\d{1,3})-([a-z_]+)")

Values = dict[str, str]


def text(name: str) -> str:
    return request.form.get(name, "").strip()


def addresses(typed: str) -> list[str]:
    """The mail addresses of a text with one address per line, or with commas between them."""
    return [each for each in re.split(r"[\s,、;]+", typed) if each]


def typed_export() -> tuple[Values, list[Values]]:
    """The default export settings and the further sets, as typed. A further set with nothing filled in is left out."""
    default = {name: text(name) for name in EXPORT_FIELDS}
    sets: dict[int, Values] = {}
    for name in request.form:
        found = _SET.fullmatch(name)
        if found and found[2] in ("employment_type", *EXPORT_FIELDS):
            sets.setdefault(int(found[1]), {})[found[2]] = text(name)
    filled = [sets[number] for number in sorted(sets) if any(v for k, v in sets[number].items() if k != "pay_type")]
    return default, filled


def kept_export(connection: Connection) -> tuple[Values, list[Values]]:
    """The default export settings and the further sets, as they are stored."""
    default = _values(connection.export_settings) if connection.export_settings else {}
    further = connection.export_settings_by_type.items()
    return default, [{"employment_type": name, **_values(settings)} for name, settings in further]


def export_doubts(connection: Connection) -> list[str]:
    """Catalogue codes of doubts worth telling about export settings that Awase takes all the same."""
    kept = [connection.export_settings, *connection.export_settings_by_type.values()]
    return sorted({code for settings in kept if settings for code in doubts(settings)})


def fault_words(refused: Refused) -> dict[str, str]:
    """Field → what is wrong with it, in the language of the person who looks at the page."""
    words = wording_here()
    if refused.code.startswith("smarthr_"):
        return {field: words(f"connections.smarthr_faults.{refused.code}") for field in refused.fields}
    faults = words.faults(refused)
    if "directions" in faults:  # the refusal's own words are for the command line
        faults["directions"] = words("connections.needs_export_settings")
    return faults


def error_words(error: AwaseError) -> str:
    """What SmartHR or freee said, and what to do."""
    words = wording_here()
    if error.code == "webhook_unsure":  # the error's own words are for the command line
        return words("connections.webhook_unsure")
    if isinstance(error, Refused):
        return words.refusal(error)
    return f"{words.message(error.code)} {words.remedy(error.code)}".strip()


def _values(settings: ExportSettings) -> Values:
    values: Mapping[str, Any] = asdict(settings)
    return {name: str(values[name]) for name in EXPORT_FIELDS}
