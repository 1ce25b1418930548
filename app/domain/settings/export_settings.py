"""エクスポート設定: what freee needs for a new employee, checked before it is kept.

The app people know has one set for all employees of a run. SmartHR holds nothing that names a 締め日支払い日 group, but
it does hold the 雇用形態, so a connection may keep further sets by its name; the default is for all other employees.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from app.domain.employee import EmployeeRecord
from app.domain.enums import System
from app.domain.errors import Refused, Sentence
from app.domain.japanese.kana import narrow
from app.domain.settings.connection_settings import Connection, ExportSettings, PayType
from app.domain.settings.names import is_clean

MAX_WORKING_HOURS_SYSTEM_NAME = 30
MAX_PAY_SCHEDULE_NAME = 15
MAX_BASE_PAY = 99_999_999
MAX_EMPLOYMENT_TYPE = 100
MAX_SETS = 20
_LONGEST_NUMBER = 20  # digits; int() of thousands of digits is slow and raises

_PAY_TYPE_WORDS = {
    "monthly": PayType.MONTHLY,
    "daily": PayType.DAILY,
    "hourly": PayType.HOURLY,
    "月給": PayType.MONTHLY,
    "日給": PayType.DAILY,
    "時給": PayType.HOURLY,
}


def check_export_settings(raw: Mapping[str, Any]) -> ExportSettings:
    """Form or API input → ExportSettings. Raises Refused("invalid_export_settings") naming every wrong field."""
    faults: dict[str, Sentence | str] = {}
    hours = _name(raw, "working_hours_system_name", MAX_WORKING_HOURS_SYSTEM_NAME, faults)
    schedule = _name(raw, "pay_schedule_name", MAX_PAY_SCHEDULE_NAME, faults)
    pay_type = _pay_type(raw.get("pay_type"), faults)
    base_pay = _base_pay(raw.get("base_pay"), faults)
    if faults or pay_type is None or base_pay is None:
        raise Refused("invalid_export_settings", fields=faults)
    return ExportSettings(hours, schedule, pay_type, base_pay)


def check_export_sets(raw: Mapping[str, Mapping[str, Any]]) -> dict[str, ExportSettings]:
    """Name of a 雇用形態 → its four values. Raises Refused("invalid_export_settings"); `fields` are named
    "<position>.<field>", the position counted from 0."""
    faults: dict[str, Sentence | str] = {}
    found: dict[str, ExportSettings] = {}
    if len(raw) > MAX_SETS:
        raise Refused("invalid_export_settings", told=Sentence("fields.sets", most=MAX_SETS))
    for position, (name, values) in enumerate(raw.items()):
        if len(name) > MAX_EMPLOYMENT_TYPE:
            faults[f"{position}.employment_type"] = Sentence(
                "fields.employment_type.too_long", most=MAX_EMPLOYMENT_TYPE
            )
        elif not is_clean(name):
            faults[f"{position}.employment_type"] = Sentence("fields.employment_type.unclean")
        try:
            found[name.strip()] = check_export_settings(values)
        except Refused as refused:
            faults |= {f"{position}.{field}": told for field, told in refused.fields.items()}
    if faults:
        raise Refused("invalid_export_settings", fields=faults)
    return found


def settings_for(connection: Connection, source: EmployeeRecord) -> ExportSettings | None:
    """The settings with which freee creates this employee: the set of their 雇用形態, else the connection's default."""
    kind = (source.record or {}).get("employment_type") if source.person.system is System.SMARTHR else None
    name = _comparable(str(kind.get("name") or "")) if isinstance(kind, Mapping) else ""
    by_type = {_comparable(each): settings for each, settings in connection.export_settings_by_type.items()}
    return by_type.get(name, connection.export_settings)


def _comparable(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip()


def complete(settings: ExportSettings | None) -> bool:
    """Whether a run to freee may create employees."""
    return settings is not None and bool(settings.working_hours_system_name and settings.pay_schedule_name)


def doubts(settings: ExportSettings) -> tuple[str, ...]:
    """Catalogue codes worth showing beside settings that are acceptable in form.

    freee takes only 月給 with フレックスタイム制. The setting's name is free text, so a name that says フレックス is a
    hint, not a proof: Awase tells the person and does not refuse the settings.
    """
    name = unicodedata.normalize("NFKC", settings.working_hours_system_name)
    if "フレックス" in name and settings.pay_type is not PayType.MONTHLY:
        return ("E6",)
    return ()


def _name(raw: Mapping[str, Any], field: str, limit: int, faults: dict[str, Sentence | str]) -> str:
    """The name without blanks around it: freee compares exactly, and a blank at the end cannot be seen on a screen."""
    value = raw.get(field)
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        faults[field] = Sentence(f"fields.{field}.missing")
    elif len(text) > limit:
        faults[field] = Sentence(f"fields.{field}.too_long", most=limit)
    elif not is_clean(text):
        faults[field] = Sentence(f"fields.{field}.unclean")
    return text


def _pay_type(value: Any, faults: dict[str, Sentence | str]) -> PayType | None:
    pay_type = _PAY_TYPE_WORDS.get(value.strip()) if isinstance(value, str) else None
    if pay_type is None:
        faults["pay_type"] = Sentence("fields.pay_type")
    return pay_type


def _base_pay(value: Any, faults: dict[str, Sentence | str]) -> int | None:
    amount = _whole_number(value)
    if amount is None or not 0 <= amount <= MAX_BASE_PAY:
        faults["base_pay"] = Sentence("fields.base_pay", most=MAX_BASE_PAY)
        return None
    return amount


def _whole_number(value: Any) -> int | None:
    """An int, or what a person types for one: full-width digits and thousands separators. Never a bool, never 1.5."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if not isinstance(value, str):
        return None
    text = narrow(value).strip().replace(",", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None
